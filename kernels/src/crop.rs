//! Square crops of 8-bit RGB pictures, bit for bit as the reference pipelines make them with Pillow.
//!
//! `pixels` holds `from.area() * 3` interleaved bytes; every result `side * side * 3`.

use crate::Size;
use crate::resample::{Filter, Method, Passes, Window, resize_rgb8, resize_rgb8_window};

/// ADM's centre crop: halve by BOX while the shorter side is at least twice `side`, resize by
/// BICUBIC so that the shorter side is `side`, take the centre.
///
/// A picture smaller than `side` is enlarged. A picture without pixels, or `side` 0, gives nothing.
/// Source: openai/guided-diffusion, `guided_diffusion/image_datasets.py`, `center_crop_arr`.
#[must_use]
pub fn adm_center(pixels: &[u8], from: Size, side: usize, passes: Passes) -> Vec<u8> {
    if from.area() == 0 || side == 0 {
        return Vec::new();
    }
    let mut size = from;
    let mut halved = Vec::new();
    while size.shorter() >= 2 * side {
        let half = Size::new(size.width / 2, size.height / 2);
        let halve = Method { filter: Filter::Box, passes };
        let source = if halved.is_empty() { pixels } else { &halved };
        halved = resize_rgb8(source, size, half, halve);
        size = half;
    }
    let source = if halved.is_empty() { pixels } else { &halved };
    let scale = side as f64 / size.shorter() as f64;
    // Python's `round`, which the reference calls, rounds half to even.
    let scaled = |length: usize| (length as f64 * scale).round_ties_even() as usize;
    let to = Size::new(scaled(size.width), scaled(size.height));
    let (left, top) = ((to.width - side) / 2, (to.height - side) / 2);
    let window = Window { left, top, size: Size::new(side, side) };
    resize_rgb8_window(source, size, to, Method { filter: Filter::Bicubic, passes }, window)
}

/// Torchvision's `Resize(side)` and `CenterCrop(side)` on a PIL image.
///
/// A picture without pixels, or `side` 0, gives nothing.
/// Source: torchvision `transforms.functional`, `_compute_resized_image_output_size`, `center_crop`.
#[must_use]
pub fn resize_center(pixels: &[u8], from: Size, side: usize, method: impl Into<Method>) -> Vec<u8> {
    if from.area() == 0 || side == 0 {
        return Vec::new();
    }
    let longer = from.width.max(from.height);
    let other = (side as f64 * longer as f64 / from.shorter() as f64) as usize;
    let to =
        if from.width <= from.height { Size::new(side, other) } else { Size::new(other, side) };
    let offset = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(to.width), offset(to.height));
    let window = Window { left, top, size: Size::new(side, side) };
    resize_rgb8_window(pixels, from, to, method, window)
}

/// The centre square without a resize; `None` when a side is shorter than `side`.
#[must_use]
pub fn center(pixels: &[u8], from: Size, side: usize) -> Option<Vec<u8>> {
    if from.shorter() < side {
        return None;
    }
    let (left, top) = ((from.width - side) / 2, (from.height - side) / 2);
    let rows = pixels.chunks_exact(3 * from.width).skip(top).take(side);
    Some(rows.flat_map(|row| &row[3 * left..][..3 * side]).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_square_is_the_middle_of_the_picture() {
        // 5 x 4 pixels that hold their own column and row.
        let pixels: Vec<u8> = (0..4).flat_map(|y| (0..5).flat_map(move |x| [x, y, 0])).collect();
        let square = center(&pixels, Size::new(5, 4), 2).unwrap();
        assert_eq!(square, [1, 1, 0, 2, 1, 0, 1, 2, 0, 2, 2, 0]);
        assert_eq!(center(&pixels, Size::new(5, 4), 5), None);
    }
}
