//! Generated pictures: smooth waves, a hard edge and a little noise; and those of the oracle.

use candle_core::Device;
use prismbench_core::{ImageBatch, RgbImage, Stream};

use crate::hashed;

/// Width, height, seed and amplitude of a picture of the oracle's `hashed.py`.
pub(crate) type Hashed = (usize, usize, u64, i64);

/// A picture of the oracle's.
pub(crate) fn hashed((width, height, seed, amplitude): Hashed) -> ImageBatch {
    let pixels = hashed::picture(width, height, seed, amplitude);
    let image = RgbImage::new(width, height, pixels).unwrap();
    ImageBatch::from_images(&[&image], &Device::Cpu).unwrap()
}

pub(crate) fn picture(width: usize, height: usize, key: u64) -> RgbImage {
    let mut stream = Stream::new("test picture", 0, key);
    let waves: Vec<[f64; 3]> = (0..9)
        .map(|_| [stream.between(-0.4, 0.4), stream.between(-0.4, 0.4), stream.between(0.0, 6.3)])
        .collect();
    let edge = stream.between(0.2, 0.8) * width as f64;
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let wave = |[a, b, c]: &[f64; 3]| libm::sin(a * x as f64 + b * y as f64 + c);
                let sum: f64 = waves[3 * channel..3 * channel + 3].iter().map(wave).sum();
                let step = if x as f64 > edge { 40.0 } else { -40.0 };
                let level = 128.0 + 25.0 * sum + step + stream.between(-6.0, 6.0);
                pixels.push(level.clamp(0.0, 255.0) as u8);
            }
        }
    }
    RgbImage::new(width, height, pixels).unwrap()
}

/// Pictures `first..first + count`.
pub(crate) fn batch(width: usize, height: usize, first: u64, count: u64) -> ImageBatch {
    let images: Vec<RgbImage> =
        (first..first + count).map(|key| picture(width, height, key)).collect();
    ImageBatch::from_images(&images.iter().collect::<Vec<_>>(), &Device::Cpu).unwrap()
}
