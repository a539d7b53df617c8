use super::Method;
use super::filter::{Taps, taps};
use crate::Size;

/// Pillow's `resize` of a float picture (mode `F`): products and sums in f64, stored as f32 after
/// each pass, a pass left out when the side does not change.
///
/// `plane` holds `from.area()` values, row by row; the result `to.area()`. Values are not clamped.
/// A size with an empty side gives an empty plane.
#[must_use]
pub fn resize_plane(plane: &[f32], from: Size, to: Size, method: impl Into<Method>) -> Vec<f32> {
    if from.area() == 0 || to.area() == 0 {
        return Vec::new();
    }
    let method = method.into();
    let across = taps(from.width, to.width, method.filter, 0..to.width);
    let down = taps(from.height, to.height, method.filter, 0..to.height);
    let horizontal = |rows: Vec<f32>| match from.width == to.width {
        true => rows,
        false => filter_across(&rows, from.width, &across),
    };
    let vertical = |rows: Vec<f32>, width: usize| match from.height == to.height {
        true => rows,
        false => filter_down(&rows, width, &down),
    };
    if method.passes.vertical_first(from, to) {
        horizontal(vertical(plane.to_vec(), from.width))
    } else {
        vertical(horizontal(plane.to_vec()), to.width)
    }
}

fn filter_across(rows: &[f32], width: usize, across: &[Taps]) -> Vec<f32> {
    rows.chunks_exact(width)
        .flat_map(|row| across.iter().map(|taps| weighted(taps, |i| row[i])))
        .collect()
}

fn filter_down(rows: &[f32], width: usize, down: &[Taps]) -> Vec<f32> {
    let mut result = Vec::with_capacity(down.len() * width);
    for taps in down {
        result.extend((0..width).map(|column| weighted(taps, |i| rows[i * width + column])));
    }
    result
}

fn weighted(taps: &Taps, value: impl Fn(usize) -> f32) -> f32 {
    let products =
        taps.weights.iter().enumerate().map(|(i, w)| f64::from(value(taps.first + i)) * w);
    // Pillow starts its sum at 0.0.
    products.fold(0.0, |sum: f64, product| sum + product) as f32
}
