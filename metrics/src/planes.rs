use prismbench_core::{Reconstruction, RgbImage};
use prismbench_kernels::Size;

/// One colour channel on the scale 0 to 255, row by row.
pub(crate) type Plane = Vec<f64>;

/// The three channels of a reference and of its reconstruction.
pub(crate) struct Pair {
    pub(crate) size: Size,
    pub(crate) reference: [Plane; 3],
    pub(crate) reconstruction: [Plane; 3],
}

impl Pair {
    /// Both pictures must have the same size; callers check it.
    pub(crate) fn new(reference: &RgbImage, reconstruction: &Reconstruction) -> Self {
        Self {
            size: Size::new(reference.width(), reference.height()),
            reference: bytes(reference),
            reconstruction: match reconstruction {
                Reconstruction::U8(image) => bytes(image),
                Reconstruction::F32 { pixels, .. } => {
                    planes(pixels, |value| f64::from(value) * 255.0)
                }
            },
        }
    }

    /// BT.601 luma of both, on 0 to 255, not rounded.
    pub(crate) fn luma(&self) -> (Plane, Plane) {
        (luma(&self.reference), luma(&self.reconstruction))
    }
}

fn bytes(image: &RgbImage) -> [Plane; 3] {
    planes(image.pixels(), f64::from)
}

fn planes<T: Copy>(pixels: &[T], level: impl Fn(T) -> f64) -> [Plane; 3] {
    [0, 1, 2]
        .map(|channel| pixels[channel..].iter().step_by(3).map(|&value| level(value)).collect())
}

fn luma([red, green, blue]: &[Plane; 3]) -> Plane {
    // The weights are f32 constants in the reference; rounded like that they also keep lumas off
    // the exact half levels, where the last bit of a sum would decide how a luma is rounded.
    let weight = [0.299_f32, 0.587, 0.114].map(f64::from);
    let colours = red.iter().zip(green).zip(blue);
    colours.map(|((r, g), b)| weight[0] * r + weight[1] * g + weight[2] * b).collect()
}
