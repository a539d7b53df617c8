use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::{Quantiser, TokenizerError};

/// An 8-bit RGB picture: rows from the top, `height x width x 3`, interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl RgbImage {
    /// Wraps `height x width x 3` bytes.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when a side is 0 or the length is not `3 * width * height`.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, TokenizerError> {
        let expected = width.checked_mul(height).and_then(|area| area.checked_mul(3));
        if expected != Some(pixels.len()) || pixels.is_empty() {
            return Err(TokenizerError::Shape {
                expected: format!("{width}x{height} RGB pixels, 3 bytes each"),
                found: format!("{} bytes", pixels.len()),
            });
        }
        Ok(Self { width, height, pixels })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `height x width x 3`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Gives the bytes away.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// A batch of pictures of one size as tokenizers see them: f32 `[N, 3, H, W]`, nominally in `[0, 1]`.
///
/// [`ImageBatch::new`] is the only place that looks at rank, channels and element type.
#[derive(Clone, Debug)]
pub struct ImageBatch(Tensor);

impl ImageBatch {
    /// Wraps a tensor.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] unless it is f32 `[N, 3, H, W]` without an empty side.
    pub fn new(tensor: Tensor) -> Result<Self, TokenizerError> {
        match *tensor.dims() {
            [n, 3, h, w] if n * h * w > 0 && tensor.dtype() == DType::F32 => Ok(Self(tensor)),
            _ => Err(TokenizerError::Shape {
                expected: "a batch of images, f32 [N, 3, H, W]".to_owned(),
                found: format!("{:?} {:?}", tensor.dtype(), tensor.dims()),
            }),
        }
    }

    /// Pictures to `byte / 255`, as torchvision's `ToTensor` does it.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when the sizes differ or there is no picture.
    pub fn from_images(images: &[&RgbImage], device: &Device) -> Result<Self, TokenizerError> {
        let first = images.first().ok_or_else(|| TokenizerError::Shape {
            expected: "at least one image".to_owned(),
            found: "none".to_owned(),
        })?;
        let (width, height) = (first.width, first.height);
        if let Some(image) = images.iter().find(|i| (i.width, i.height) != (width, height)) {
            return Err(TokenizerError::Shape {
                expected: format!("every image of the batch {width}x{height}"),
                found: format!("{}x{}", image.width, image.height),
            });
        }
        let area = width * height;
        let mut values = vec![0.0; images.len() * 3 * area];
        values.par_chunks_exact_mut(3 * area).zip(images).for_each(|(planes, image)| {
            for (channel, plane) in planes.chunks_exact_mut(area).enumerate() {
                let bytes = image.pixels[channel..].iter().step_by(3);
                plane.iter_mut().zip(bytes).for_each(|(value, &b)| *value = f32::from(b) / 255.0);
            }
        });
        Self::new(Tensor::from_vec(values, (images.len(), 3, height, width), device)?)
    }

    /// The tensor, `[N, 3, H, W]`.
    #[must_use]
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// `(N, H, W)`.
    #[must_use]
    pub fn dims(&self) -> (usize, usize, usize) {
        let dims = self.0.dims();
        (dims[0], dims[2], dims[3])
    }

    /// Each image as `3 x H x W` values on the host, in order.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the copy from the device fails.
    pub fn to_planes(&self) -> Result<Vec<Vec<f32>>, TokenizerError> {
        let (_, height, width) = self.dims();
        let flat = self.0.flatten_all()?.to_vec1::<f32>()?;
        Ok(flat.chunks_exact(3 * height * width).map(<[f32]>::to_vec).collect())
    }

    /// Clamps to `[0, 1]` and rounds as `quantiser` says. The only place that does either.
    ///
    /// # Errors
    /// [`TokenizerError::NotFinite`] when a decoder gave NaN or an infinity.
    pub fn quantise(&self, quantiser: Quantiser) -> Result<Vec<Reconstruction>, TokenizerError> {
        let (_, height, width) = self.dims();
        let flat = self.0.flatten_all()?.to_vec1::<f32>()?;
        flat.par_chunks_exact(3 * height * width)
            .enumerate()
            .map(|(sample, planes)| {
                if let Some(value) = planes.iter().find(|value| !value.is_finite()) {
                    let value = value.to_string();
                    return Err(TokenizerError::NotFinite { stage: "decoder", value, sample });
                }
                Ok(match quantiser {
                    Quantiser::None => Reconstruction::F32 {
                        width,
                        height,
                        pixels: interleave(planes, |value| value),
                    },
                    Quantiser::Truncate => eight_bit(width, height, planes, |level| level),
                    Quantiser::Round => eight_bit(width, height, planes, f32::round_ties_even),
                    Quantiser::RoundHalfUp => eight_bit(width, height, planes, |level| level + 0.5),
                })
            })
            .collect()
    }
}

/// What a decoder gave, as the metrics see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reconstruction {
    /// Quantised: what a PNG file would hold.
    U8(RgbImage),
    /// Not quantised: `height x width x 3` values in `[0, 1]`, interleaved.
    F32 {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The values.
        pixels: Vec<f32>,
    },
}

impl Reconstruction {
    /// `(width, height)`.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::U8(image) => (image.width, image.height),
            Self::F32 { width, height, .. } => (*width, *height),
        }
    }
}

fn eight_bit(
    width: usize,
    height: usize,
    planes: &[f32],
    level: impl Fn(f32) -> f32,
) -> Reconstruction {
    // `as u8` truncates, which is the last step of every rule.
    let pixels = interleave(planes, |value| level(value * 255.0) as u8);
    Reconstruction::U8(RgbImage { width, height, pixels })
}

fn interleave<T: Clone + Default>(planes: &[f32], convert: impl Fn(f32) -> T) -> Vec<T> {
    let mut pixels = vec![T::default(); planes.len()];
    for (channel, plane) in planes.chunks_exact(planes.len() / 3).enumerate() {
        let slots = pixels[channel..].iter_mut().step_by(3);
        slots.zip(plane).for_each(|(slot, value)| *slot = convert(value.clamp(0.0, 1.0)));
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(values: Vec<f32>) -> ImageBatch {
        let width = values.len() / 3;
        ImageBatch::new(Tensor::from_vec(values, (1, 3, 1, width), &Device::Cpu).unwrap()).unwrap()
    }

    fn bytes(batch: &ImageBatch, quantiser: Quantiser) -> Vec<u8> {
        match batch.quantise(quantiser).unwrap().remove(0) {
            Reconstruction::U8(image) => image.into_pixels(),
            Reconstruction::F32 { .. } => panic!("asked for bytes"),
        }
    }

    #[test]
    fn every_grey_level_survives_every_quantiser() {
        let pixels: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
        let image = RgbImage::new(16, 16, pixels.clone()).unwrap();
        let batch = ImageBatch::from_images(&[&image], &Device::Cpu).unwrap();
        for rule in [Quantiser::Truncate, Quantiser::Round, Quantiser::RoundHalfUp] {
            assert_eq!(bytes(&batch, rule), pixels, "{rule}");
        }
    }

    #[test]
    fn quantisers_differ_where_their_definitions_do() {
        // 0.5 and 1.5 of a level are exact in f32: the ties on which the two roundings part.
        let levels = batch([0.5_f32, 1.5, 2.75].map(|level| level / 255.0).to_vec());
        assert_eq!(bytes(&levels, Quantiser::Truncate), [0, 1, 2]);
        assert_eq!(bytes(&levels, Quantiser::Round), [0, 2, 3]);
        assert_eq!(bytes(&levels, Quantiser::RoundHalfUp), [1, 2, 3]);
    }

    #[test]
    fn values_outside_the_range_are_clamped_and_nan_is_an_error() {
        assert_eq!(bytes(&batch(vec![-3.0, 0.0, 7.0]), Quantiser::Round), [0, 0, 255]);
        let error = batch(vec![0.0, f32::NAN, 0.0]).quantise(Quantiser::Round).unwrap_err();
        assert_eq!(error.to_string(), "the decoder gave NaN for sample 0 of the batch");
    }

    #[test]
    fn a_length_that_does_not_fit_the_size_is_refused() {
        assert!(RgbImage::new(2, 2, vec![0; 11]).is_err());
        assert!(RgbImage::new(usize::MAX, 2, vec![0; 12]).is_err());
        assert!(RgbImage::new(0, 0, vec![]).is_err());
    }
}
