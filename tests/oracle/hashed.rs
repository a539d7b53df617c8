//! Test pictures from integer arithmetic alone: the same as `hashed.py` makes.
//!
//! Shared by the tests and benches of several packages through `#[path]`.

#[path = "splitmix.rs"]
pub(crate) mod splitmix;

use splitmix::splitmix;

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
