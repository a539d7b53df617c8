use std::path::PathBuf;

use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Antialiasing, Maps, resize_bicubic};

use crate::error::layer;

/// How pictures become what a tower sees: resized as RAE does it (src/stage1/rae.py: bicubic,
/// without antialiasing, nothing clamped afterwards), then normalised channel by channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    pub(crate) side: Side,
    pub(crate) pixels: Pixels,
}

/// The size that a tower sees pictures in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Each `from` pixels become `to`: for towers that interpolate their positions. 256 becomes 224
    /// with 16 to 14.
    Scaled { from: usize, to: usize },
    /// Pictures are squares that become this large.
    Fixed(usize),
}

/// `(x - mean) / std` of each channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

/// Of DINOv2 and MAE.
pub(crate) const IMAGENET_PIXELS: Pixels =
    Pixels { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// Of CLIP, 0.26130258 and 0.27577711 written as short as they are in f32.
pub(crate) const CLIP_PIXELS: Pixels = Pixels {
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};

/// Of SigLIP.
pub(crate) const SIGLIP_PIXELS: Pixels = Pixels { mean: [0.5; 3], std: [0.5; 3] };

impl Side {
    /// `(height, width)` that the tower sees of pictures of so many pixels.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for pictures that are no multiple of the step, or no square.
    pub(crate) fn of(
        self,
        id: &str,
        (height, width): (usize, usize),
    ) -> Result<(usize, usize), TokenizerError> {
        let expected = match self {
            Self::Scaled { from, to } if height % from == 0 && width % from == 0 => {
                return Ok((height / from * to, width / from * to));
            }
            Self::Fixed(side) if height == width => return Ok((side, side)),
            Self::Scaled { from, .. } => format!("`{id}` height and width multiples of {from}"),
            Self::Fixed(_) => format!("square pictures, which `{id}` resizes"),
        };
        Err(TokenizerError::Shape { expected, found: format!("{width}x{height} pixels") })
    }

    /// What the sides of pictures must be multiples of.
    pub(crate) fn stride(self) -> usize {
        match self {
            Self::Scaled { from, .. } => from,
            Self::Fixed(_) => 1,
        }
    }
}

impl Input {
    /// Pictures `[N, 3, H, W]` as the tower sees them.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn prepare(
        &self,
        pictures: &Tensor,
        seen: (usize, usize),
    ) -> Result<Maps, TokenizerError> {
        self.see(Maps::from_tensor(pictures).map_err(layer)?, seen)
    }

    /// The same of pictures that are maps already.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub(crate) fn see(&self, mut maps: Maps, seen: (usize, usize)) -> Result<Maps, TokenizerError> {
        if (maps.shape().height, maps.shape().width) != seen {
            maps = resize_bicubic(&maps, seen, Antialiasing::Off).map_err(layer)?;
        }
        self.pixels.normalise(maps)
    }
}

impl Pixels {
    /// What a `preprocessor_config.json` says, if there is one.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsUnreadable`] when the file is there and is not what it should be.
    pub(crate) fn beside(path: Option<PathBuf>) -> Result<Option<Self>, TokenizerError> {
        let Some(path) = path else { return Ok(None) };
        let unreadable = |cause: Box<dyn std::error::Error + Send + Sync>| {
            TokenizerError::WeightsUnreadable { path: path.clone(), cause }
        };
        let text = std::fs::read(&path).map_err(|error| unreadable(error.into()))?;
        let config: Processor =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
        let usable = |value: &f32| value.is_finite() && *value > 0.0;
        let fits = config.image_std.iter().all(usable) && config.image_mean.iter().all(usable);
        let found = Self { mean: config.image_mean, std: config.image_std };
        match fits {
            true => Ok(Some(found)),
            false => Err(unreadable(
                "expected `image_mean` and `image_std` of three positive numbers each".into(),
            )),
        }
    }

    fn normalise(&self, mut maps: Maps) -> Result<Maps, TokenizerError> {
        if let Some(counted) = maps.behind_function() {
            return Ok(counted);
        }
        if let Some(rows) = maps.host_rows_mut() {
            for pixel in rows.as_chunks_mut::<3>().0 {
                for ((value, mean), std) in pixel.iter_mut().zip(self.mean).zip(self.std) {
                    *value = (*value - mean) / std;
                }
            }
            return Ok(maps);
        }
        let tensor = maps.to_tensor().map_err(layer)?;
        let [mean, std] = self.on(tensor.device())?;
        Maps::on_device(&tensor.broadcast_sub(&mean)?.broadcast_div(&std)?).map_err(layer)
    }

    /// Pictures `[N, 3, H, W]` out of the space of normalised pixels: `x std + mean`.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn denormalise(&self, pictures: &Tensor) -> Result<Tensor, TokenizerError> {
        let [mean, std] = self.on(pictures.device())?;
        Ok(pictures.broadcast_mul(&std)?.broadcast_add(&mean)?)
    }

    fn on(&self, device: &candle_core::Device) -> Result<[Tensor; 2], TokenizerError> {
        let tensor = |values: &[f32; 3]| Tensor::new(values, device)?.reshape((1, 3, 1, 1));
        Ok([tensor(&self.mean)?, tensor(&self.std)?])
    }
}

/// The part of `preprocessor_config.json` that decides numbers here.
#[derive(serde::Deserialize)]
struct Processor {
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn sides_are_scaled_or_fixed_and_others_refused() {
        let scaled = Side::Scaled { from: 16, to: 14 };
        assert_eq!(scaled.of("x", (256, 512)).unwrap(), (224, 448));
        assert!(scaled.of("x", (256, 250)).is_err());
        assert_eq!(Side::Fixed(224).of("x", (512, 512)).unwrap(), (224, 224));
        let error = Side::Fixed(224).of("x", (256, 512)).unwrap_err().to_string();
        assert_eq!(error, "expected square pictures, which `x` resizes, found 512x256 pixels");
    }

    #[test]
    fn pixels_come_back() {
        let values: Vec<f32> = (0..12).map(|i| i as f32 / 12.0).collect();
        let picture = Tensor::from_vec(values.clone(), (1, 3, 2, 2), &Device::Cpu).unwrap();
        let input = Input { side: Side::Fixed(2), pixels: IMAGENET_PIXELS };
        let seen = input.prepare(&picture, (2, 2)).unwrap().to_tensor().unwrap();
        let back = IMAGENET_PIXELS.denormalise(&seen).unwrap();
        let back: Vec<f32> = back.flatten_all().unwrap().to_vec1().unwrap();
        assert!(back.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-6), "{back:?}");
        let seen: Vec<f32> = seen.flatten_all().unwrap().to_vec1().unwrap();
        assert!((seen[4] - (4.0 / 12.0 - 0.456) / 0.224).abs() < 1e-6);
    }
}
