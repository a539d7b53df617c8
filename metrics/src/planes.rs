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
}

/// Both pictures on the scale 0 to 255, channels together; the second comes in [0, 1].
pub(crate) fn levels(reference: &RgbImage, reconstruction: &[f32]) -> (Vec<f64>, Vec<f64>) {
    (
        reference.pixels().iter().map(|&value| f64::from(value)).collect(),
        reconstruction.iter().map(|&value| f64::from(value) * 255.0).collect(),
    )
}

fn bytes(image: &RgbImage) -> [Plane; 3] {
    planes(image.pixels(), f64::from)
}

fn planes<T: Copy>(pixels: &[T], level: impl Fn(T) -> f64) -> [Plane; 3] {
    [0, 1, 2]
        .map(|channel| pixels[channel..].iter().step_by(3).map(|&value| level(value)).collect())
}

/// BT.601 luma of both pictures, on 0 to 255, not rounded.
pub(crate) fn lumas(reference: &RgbImage, reconstruction: &Reconstruction) -> (Plane, Plane) {
    let second = match reconstruction {
        Reconstruction::U8(image) => luma(image.pixels(), f64::from),
        Reconstruction::F32 { pixels, .. } => luma(pixels, |value| f64::from(value) * 255.0),
    };
    (luma(reference.pixels(), f64::from), second)
}

fn luma<T: Copy>(pixels: &[T], level: impl Fn(T) -> f64) -> Plane {
    // The weights are f32 constants in the reference; rounded like that they also keep lumas off
    // the exact half levels, where the last bit of a sum would decide how a luma is rounded.
    let weight = [0.299_f32, 0.587, 0.114].map(f64::from);
    let colours = pixels.as_chunks::<3>().0.iter();
    let sum =
        |&[r, g, b]: &[T; 3]| weight[0] * level(r) + weight[1] * level(g) + weight[2] * level(b);
    colours.map(sum).collect()
}
