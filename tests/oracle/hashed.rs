//! Test pictures from integer arithmetic alone: the same as `hashed.py` makes.
//!
//! Shared by the tests and benches of several packages through `#[path]`.

/// Triangle waves in both directions plus hash noise of up to `amplitude` levels: `height x width x
/// 3` interleaved bytes.
pub(crate) fn picture(width: usize, height: usize, seed: u64, amplitude: i64) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let wave = (y * 3 + x * 5 + channel * 40) % 512;
                let noise = splitmix(pixels.len() as u64, seed) % (2 * amplitude as u64 + 1);
                let value = wave.min(511 - wave) as i64 + noise as i64 - amplitude;
                pixels.push(value.clamp(0, 255) as u8);
            }
        }
    }
    pixels
}

/// SplitMix64 of `index` under `seed`; the constants are the published ones.
pub(crate) fn splitmix(index: u64, seed: u64) -> u64 {
    let mut z = (index + 1).wrapping_add(seed << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
