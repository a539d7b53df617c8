//! Pictures as the encoders see them whose spaces metrics are defined in.
//!
//! Both functions give three planes, red, green and blue, each row by row, nominally in `[0, 1]`; the
//! encoder normalises them.

use prismbench_core::{Dinov2Resize, RgbImage};
use prismbench_kernels::resample::{Filter, bilinear_tf1, resize_plane, resize_rgb8};
use prismbench_kernels::{Size, crop};

/// Side of the pictures that DINOv2 sees.
pub const DINOV2_SIDE: usize = 224;

/// Side of the pictures that CLIP sees for CMMD.
pub const CLIP_SIDE: usize = 336;

/// A picture as DINOv2 sees it: 3 x 224 x 224. No part is cut away, and a picture that is no square is
/// stretched.
#[must_use]
pub fn dinov2_input(image: &RgbImage, resize: Dinov2Resize) -> Vec<f32> {
    let from = Size::new(image.width(), image.height());
    let to = Size::new(DINOV2_SIDE, DINOV2_SIDE);
    let plane = |channel: usize| -> Vec<f32> {
        let levels = image.pixels()[channel..].iter().step_by(3).map(|&level| f32::from(level));
        let levels: Vec<f32> = levels.collect();
        match resize {
            Dinov2Resize::TorchFidelity => bilinear_tf1(&levels, from, to),
            _ => resize_plane(&levels, from, to, Filter::Bicubic),
        }
    };
    let shares = |level: f32| level.clamp(0.0, 255.0) / 255.0;
    match resize {
        Dinov2Resize::Dgm => planes(&resize_rgb8(image.pixels(), from, to, Filter::Bicubic)),
        Dinov2Resize::DgmClean | Dinov2Resize::TorchFidelity => {
            (0..3).flat_map(plane).map(shares).collect()
        }
    }
}

/// A picture as CLIP sees it for CMMD: 3 x 336 x 336, the centre square by Pillow's bicubic in 8 bits.
///
/// Source: cmmd-pytorch `io_util.py`. Its second resize, in `embedding.py`, is to the size that the
/// picture has by then, and copies.
#[must_use]
pub fn clip_input(image: &RgbImage) -> Vec<f32> {
    let from = Size::new(image.width(), image.height());
    let side = from.shorter();
    // No side is longer than itself: there is always a square.
    let square = crop::center(image.pixels(), from, side).unwrap_or_default();
    let (from, to) = (Size::new(side, side), Size::new(CLIP_SIDE, CLIP_SIDE));
    planes(&resize_rgb8(&square, from, to, Filter::Bicubic))
}

/// Interleaved bytes as planes of `byte / 255`.
fn planes(pixels: &[u8]) -> Vec<f32> {
    let plane = |channel: usize| pixels.iter().skip(channel).step_by(3);
    (0..3).flat_map(plane).map(|&level| f32::from(level) / 255.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three columns of red, green and blue, each `width` wide.
    fn stripes(width: usize, height: usize) -> RgbImage {
        let pixel = |x: usize| std::array::from_fn::<u8, 3, _>(|i| 255 * u8::from(x / width == i));
        let row: Vec<u8> = (0..3 * width).flat_map(pixel).collect();
        RgbImage::new(3 * width, height, row.repeat(height)).unwrap()
    }

    #[test]
    fn a_wide_picture_is_stretched_for_dinov2_and_cut_for_clip() {
        let image = stripes(40, 40);
        for resize in [Dinov2Resize::Dgm, Dinov2Resize::DgmClean, Dinov2Resize::TorchFidelity] {
            let input = dinov2_input(&image, resize);
            let place = |plane, x| (plane * DINOV2_SIDE + 100) * DINOV2_SIDE + x;
            let at = |plane, x| (255.0 * input[place(plane, x)]) as u8;
            assert_eq!([at(0, 10), at(1, 10), at(2, 10)], [255, 0, 0]);
            assert_eq!([at(0, 210), at(1, 112), at(2, 210)], [0, 255, 255]);
            assert_eq!(input.len(), 3 * DINOV2_SIDE * DINOV2_SIDE);
        }
        // The centre square is green alone.
        let input = clip_input(&image);
        let area = CLIP_SIDE * CLIP_SIDE;
        let expected = [0, 255, 0].into_iter().flat_map(|level| vec![level; area]);
        assert!(input.iter().map(|value| (255.0 * value) as u8).eq(expected));
    }

    #[test]
    fn the_resizes_differ_as_their_names_say() {
        // Far from 0 and 255: what overshoots is cut after each pass in 8 bits.
        let level = |i: usize| 64 + ((i * 7919) % 129) as u8;
        let image = RgbImage::new(64, 64, (0..3 * 64 * 64).map(level).collect()).unwrap();
        let [dgm, clean, tfid] =
            [Dinov2Resize::Dgm, Dinov2Resize::DgmClean, Dinov2Resize::TorchFidelity]
                .map(|resize| dinov2_input(&image, resize));
        let far = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| 255.0 * (a - b).abs()).fold(0.0, f32::max)
        };
        // Two roundings to 8 bits: of the rows, whose error the columns weigh, and of the result.
        let rounding = far(&dgm, &clean);
        assert!(rounding > 0.4 && rounding < 1.5, "{rounding}");
        assert!(far(&tfid, &clean) > 20.0);
        let whole = |value: &f32| (value * 255.0 - (value * 255.0).round()).abs() < 1e-4;
        assert!(dgm.iter().all(whole) && !clean.iter().all(whole));
    }
}
