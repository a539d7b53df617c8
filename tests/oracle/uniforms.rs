//! Test features from integer arithmetic alone: the same as `uniforms` in `feature_metrics.py`.

#[path = "splitmix.rs"]
pub(crate) mod splitmix;

use splitmix::splitmix;

/// `n` uniforms in `[0, 1)`: the upper 24 bits of a hash, so that each is exact in f32.
pub(crate) fn uniforms(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64).map(|index| (splitmix(index, seed) >> 40) as f32 / (1 << 24) as f32).collect()
}
