/// SplitMix64 of `index` under `seed`; the constants are the published ones.
pub(crate) fn splitmix(index: u64, seed: u64) -> u64 {
    let mut z = (index + 1).wrapping_add(seed << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
