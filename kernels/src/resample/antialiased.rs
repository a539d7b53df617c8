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
    let taps = triangles(from.width, to.width);
    for row in plane.chunks_exact(from.width) {
        across.extend(taps.iter().map(|taps| {
            let values = &row[taps.first..][..taps.weights.len()];
            let products = values.iter().zip(&taps.weights).map(|(value, weight)| value * weight);
            products.fold(0.0, |sum: f32, product| sum + product)
        }));
    }
    let mut result = vec![0.0; to.area()];
    let taps = triangles(from.height, to.height);
    for (out, taps) in result.chunks_exact_mut(to.width).zip(&taps) {
        for (i, weight) in taps.weights.iter().enumerate() {
            let row = &across[(taps.first + i) * to.width..][..to.width];
            out.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * weight);
        }
    }
    result
}

/// Which inputs make one output along one axis, and with which weights.
struct Triangle {
    first: usize,
    weights: Vec<f32>,
}

fn triangles(from: usize, to: usize) -> Vec<Triangle> {
    let scale = from as f32 / to as f32;
    let support = scale.max(1.0);
    let inverse = if scale >= 1.0 { 1.0 / scale } else { 1.0 };
    (0..to)
        .map(|output| {
            // The constants 0.5 are doubles there: products are rounded to f32 once.
            let centre = (f64::from(scale) * (output as f64 + 0.5)) as f32;
            let first = (f64::from(centre - support) + 0.5) as usize;
            let end = ((f64::from(centre + support) + 0.5) as usize).min(from);
            let weight = |i: usize| {
                let distance = f64::from(i as f32 - centre) + 0.5;
                let distance = (distance * f64::from(inverse)) as f32;
                (1.0 - distance.abs()).max(0.0)
            };
            let mut weights: Vec<f32> = (first..end).map(weight).collect();
            let sum = weights.iter().fold(0.0, |sum: f32, weight| sum + weight);
            if sum > 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            Triangle { first, weights }
        })
        .collect()
}
