//! What this machine can do at most, measured: the yardstick of every speed.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::matrix::{Packed, multiply};

/// Side of the matrices: large enough that packing them does not count.
const SIDE: usize = 1536;
/// The same for a device, which multiplies hundreds of times as fast.
const SIDE_ON_DEVICE: usize = 8192;
/// Values that are copied, 128 MiB: larger than any cache.
const COPIED: usize = 32 << 20;
/// Values that a thread copies at a time.
const PIECE: usize = 1 << 16;
/// Fewest repetitions.
const LEAST: usize = 5;

/// Floating-point operations a second of a product of f32 matrices on all threads of the pool, the
/// fastest of at least 5 within `limit`.
#[must_use]
pub fn matrix_product(limit: Duration) -> f64 {
    let value = |at: usize| (at * 37 % 101) as f32 / 101.0 - 0.5;
    let values: Vec<f32> = (0..SIDE * SIDE).map(value).collect();
    let (packed, mut out) = (Packed::new(&values, SIDE), vec![0.0; SIDE * SIDE]);
    let seconds = fastest(limit, || {
        multiply(&values, &packed, &mut out);
        black_box(&mut out);
    });
    2.0 * (SIDE * SIDE * SIDE) as f64 / seconds
}

/// Bytes read and written a second by copying on all threads of the pool, the fastest of at least 5
/// copies within `limit`.
#[must_use]
pub fn copy(limit: Duration) -> f64 {
    let from = vec![1.0_f32; COPIED];
    let mut to = vec![0.0_f32; COPIED];
    let seconds = fastest(limit, || {
        to.par_chunks_mut(PIECE)
            .zip(from.par_chunks(PIECE))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut to);
    });
    (2 * COPIED * size_of::<f32>()) as f64 / seconds
}

/// Floating-point operations a second of a product on a device, and bytes read and written a second by
/// copying there, with numbers of this type: each the fastest of at least 5 within `limit`.
///
/// # Errors
/// When the device fails, or does not multiply such numbers.
pub fn of_device(
    device: &Device,
    element: DType,
    limit: Duration,
) -> Result<(f64, f64), candle_core::Error> {
    let side = if device.is_cpu() { SIDE } else { SIDE_ON_DEVICE };
    let ones = |shape: (usize, usize)| Tensor::ones(shape, element, device);
    let (left, right) = (ones((side, side))?, ones((side, side))?);
    let product = fastest_of(limit, || {
        let out = left.matmul(&right)?;
        device.synchronize()?;
        black_box(out);
        Ok::<_, candle_core::Error>(())
    })?;
    let from = ones((COPIED >> 10, 1 << 10))?;
    let copied = fastest_of(limit, || {
        let to = from.copy()?;
        device.synchronize()?;
        black_box(to);
        Ok::<_, candle_core::Error>(())
    })?;
    let bytes = (2 * COPIED * element.size_in_bytes()) as f64;
    Ok((2.0 * (side * side * side) as f64 / product, bytes / copied))
}

fn fastest(limit: Duration, mut run: impl FnMut()) -> f64 {
    let run = || {
        run();
        Ok::<_, Infallible>(())
    };
    match fastest_of(limit, run) {
        Ok(seconds) => seconds,
    }
}

fn fastest_of<E>(limit: Duration, mut run: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    run()?;
    let (start, mut fastest) = (Instant::now(), f64::INFINITY);
    for count in 1.. {
        let begun = Instant::now();
        run()?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
        if count >= LEAST && start.elapsed() >= limit {
            break;
        }
    }
    Ok(fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_those_of_a_computer() {
        // From a slow phone to a large server, and neither 0 nor infinite.
        let (product, copied) = (matrix_product(Duration::ZERO), copy(Duration::ZERO));
        assert!((1e8..1e15).contains(&product), "{product:e} FLOP/s");
        assert!((1e7..1e14).contains(&copied), "{copied:e} B/s");
        let of = |element| of_device(&Device::Cpu, element, Duration::ZERO);
        let (product, copied) = of(DType::F32).unwrap();
        assert!((1e8..1e15).contains(&product), "{product:e} FLOP/s");
        assert!((1e7..1e14).contains(&copied), "{copied:e} B/s");
        assert!(of(DType::U8).is_err(), "bytes are not multiplied");
    }
}
