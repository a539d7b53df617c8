//! What the tests of the layers share.

use proptest::prelude::*;

use crate::InstructionSet;
use crate::nn::MapShape;

/// One to three images of sides up to `side` with up to `channels` channels.
pub(crate) fn any_shape(side: usize, channels: usize) -> impl Strategy<Value = MapShape> {
    (1..=3_usize, 1..=side, 1..=side, 1..=channels)
        .prop_map(|(images, height, width, channels)| MapShape { images, height, width, channels })
}

/// Values between -4 and 4 whose sums depend on their order.
pub(crate) fn values(len: usize, seed: u64) -> Vec<f32> {
    let hash = |i: u64| {
        let z = (i ^ seed.rotate_left(32)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)) >> 40
    };
    (0..len as u64).map(|i| hash(i) as f32 / (1 << 21) as f32 - 4.0).collect()
}

/// Each value within `tolerance` of what is expected.
#[track_caller]
pub(crate) fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= tolerance, "at {index}: {found} is {error:e} away from {expected}");
    }
}

#[track_caller]
pub(crate) fn assert_same_bits(found: &[f32], expected: &[f32]) {
    let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.iter().zip(expected).position(differs), None);
}

/// Calls `test` with each instruction set that this machine has.
pub(crate) fn on_every_instruction_set(test: impl FnMut(InstructionSet)) {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available()).for_each(test);
}

/// What `work` gives on one thread and on three.
pub(crate) fn on_threads<T: Send>(work: impl Fn() -> T + Sync) -> [T; 2] {
    [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&work)
    })
}
