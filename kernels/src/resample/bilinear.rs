use crate::Size;

/// TensorFlow 1's `ResizeBilinear` with `align_corners=False`: output `i` samples the input at
/// `i * from / to`, with no half-pixel offset. Arithmetic in f32, as there.
///
/// Source: tensorflow 1.x `resize_bilinear_op.cc`; what FID's Inception network was run behind.
/// `plane` holds `from.area()` values, row by row; the result `to.area()`.
#[must_use]
pub fn bilinear_tf1(plane: &[f32], from: Size, to: Size) -> Vec<f32> {
    interpolate(plane, from, to, tf1)
}

/// PyTorch's `interpolate(mode="bilinear", align_corners=False)` without antialiasing: output `i`
/// samples the input at `(i + 0.5) * from / to - 0.5`, not below 0. Arithmetic in f32, as there.
///
/// `plane` holds `from.area()` values, row by row; the result `to.area()`.
#[must_use]
pub fn bilinear_half_pixel(plane: &[f32], from: Size, to: Size) -> Vec<f32> {
    interpolate(plane, from, to, half_pixel)
}

/// Where TensorFlow 1 samples.
pub(crate) fn tf1(output: usize, scale: f32) -> f32 {
    output as f32 * scale
}

/// Where PyTorch samples.
pub(crate) fn half_pixel(output: usize, scale: f32) -> f32 {
    (scale * (output as f32 + 0.5) - 0.5).max(0.0)
}

/// The two inputs of one output and how far it lies from the first to the second.
pub(crate) struct Between {
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    pub(crate) fraction: f32,
}

/// Those of `to` outputs of `from` inputs; there is an input.
pub(crate) fn positions(
    from: usize,
    to: usize,
    position: impl Fn(usize, f32) -> f32,
) -> Vec<Between> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|output| {
            let at = position(output, scale);
            let lower = (at as usize).min(from - 1);
            Between { lower, upper: (lower + 1).min(from - 1), fraction: at - lower as f32 }
        })
        .collect()
}

fn interpolate(
    plane: &[f32],
    from: Size,
    to: Size,
    position: impl Fn(usize, f32) -> f32,
) -> Vec<f32> {
    if from.area() == 0 || to.area() == 0 {
        return Vec::new();
    }
    let columns = positions(from.width, to.width, &position);
    let rows = positions(from.height, to.height, &position);
    let mut result = Vec::with_capacity(to.area());
    for y in &rows {
        let top = &plane[y.lower * from.width..][..from.width];
        let bottom = &plane[y.upper * from.width..][..from.width];
        for x in &columns {
            let along = |row: &[f32]| row[x.lower] + (row[x.upper] - row[x.lower]) * x.fraction;
            let (above, below) = (along(top), along(bottom));
            result.push(above + (below - above) * y.fraction);
        }
    }
    result
}
