use super::torch_taps::{Kernel, antialiased};
use crate::Size;

/// PyTorch's `interpolate(mode="bilinear", align_corners=False, antialias=True)`: a triangle as
/// wide as the step between outputs, across, then down. Arithmetic in f32, as there.
///
/// Source: `UpSampleKernel.cpp`, `_compute_weights_aa`. `plane` holds `from.area()` values, row by
/// row; the result `to.area()`.
#[must_use]
pub fn bilinear_antialiased(plane: &[f32], from: Size, to: Size) -> Vec<f32> {
    if from.area() == 0 || to.area() == 0 {
        return Vec::new();
    }
    let mut across = Vec::with_capacity(to.width * from.height);
    let taps = antialiased(from.width, to.width, Kernel::Triangle);
    for row in plane.chunks_exact(from.width) {
        across.extend(taps.iter().map(|taps| {
            let values = &row[taps.first..][..taps.weights.len()];
            let products = values.iter().zip(&taps.weights).map(|(value, weight)| value * weight);
            products.fold(0.0, |sum: f32, product| sum + product)
        }));
    }
    let mut result = vec![0.0; to.area()];
    let taps = antialiased(from.height, to.height, Kernel::Triangle);
    for (out, taps) in result.chunks_exact_mut(to.width).zip(&taps) {
        for (i, weight) in taps.weights.iter().enumerate() {
            let row = &across[(taps.first + i) * to.width..][..to.width];
            out.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * weight);
        }
    }
    result
}
