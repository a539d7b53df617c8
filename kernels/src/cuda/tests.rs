//! What tests of kernels share, and what is compared without a device: launches with sources and PTX,
//! errors with fakes.
#![expect(clippy::print_stdout, reason = "what is left out is printed")]

mod fakes;
mod signatures;

use super::emulator::{Emulator, Order};
use super::kernel::Kernel;
use super::{Device, directions, distances, filters, gram, resample, similarity};

/// Every kernel that is launched.
pub(super) const KERNELS: [&Kernel; 29] = [
    &resample::BILINEAR,
    &resample::RESIZE_PLANES,
    &resample::RESIZE_RGB8,
    &resample::NETWORK_INPUT,
    &similarity::GAUSSIAN_F32,
    &similarity::GAUSSIAN_U8,
    &similarity::UNIFORM_F32,
    &similarity::UNIFORM_U8,
    &similarity::MEANS,
    &directions::OF_ANY,
    &directions::OF_TRUNKS[0].1,
    &directions::OF_TRUNKS[1].1,
    &directions::OF_TRUNKS[2].1,
    &directions::OF_TRUNKS[3].1,
    &directions::OF_TRUNKS[4].1,
    &directions::OF_TRUNKS[5].1,
    &directions::OF_PLANES,
    &directions::PLACE_MEANS,
    &distances::INSIDE,
    &distances::LENGTH_BOUNDS,
    &distances::NEAREST,
    &distances::RADII,
    &filters::ACROSS,
    &filters::BACK,
    &filters::DOWN,
    &filters::FILL,
    &filters::MEANS,
    &gram::PRODUCTS,
    &gram::SUMS,
];

/// Set where a device must be there: its absence is a failure then.
const NEEDED: &str = "PRISMBENCH_TEST_CUDA";

/// Runs a test on the emulated device, in every order of threads, with one block along the sides that
/// kernels loop over and with all, and on the first real device. Prints what is left out.
pub(super) fn on_every_device(test: impl Fn(&Device)) {
    let cases = [(Order::Ascending, 1, 1), (Order::Descending, 3, 1), (Order::Mixed, 40, 65_535)];
    for (order, blocks, most_blocks) in cases {
        match Emulator::new(order) {
            Ok(mut emulator) => {
                (emulator.blocks, emulator.most_blocks) = (blocks, most_blocks);
                test(&Device::emulated(emulator));
            }
            Err(reason) => println!("left out: no emulated device: {reason}"),
        }
    }
    match Device::open(0) {
        Ok(device) => test(&device),
        Err(error) if std::env::var_os(NEEDED).is_some() => panic!("{error}"),
        Err(error) => println!("left out: no CUDA device: {error}"),
    }
}

fn hash(i: u64, seed: u64) -> u64 {
    (i ^ (seed << 40)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Bytes without a pattern.
pub(super) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64).map(|i| (hash(i, seed) >> 8) as u8).collect()
}

/// Values in `[-2, 2)` without a pattern.
pub(super) fn floats(len: usize, seed: u64) -> Vec<f32> {
    (0..len as u64).map(|i| (hash(i, seed) >> 8) as f32 / (1 << 22) as f32 - 2.0).collect()
}
