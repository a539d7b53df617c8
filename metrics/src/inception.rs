mod input;
mod layout;
mod network;

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use prismbench_core::{Choice, InceptionResize, RgbImage, Weights};
use prismbench_kernels::Size;
use prismbench_kernels::device_pictures::{DevicePictures, PlaneResize};
use prismbench_kernels::nn::{
    Arithmetic, Conv2d, ConvOptions, MapShape, Maps, NnError, Window, Work, count, global_average,
};
use prismbench_kernels::resample::Filter;
use prismbench_weights::{Expected, WeightsFile};
use rayon::prelude::*;

pub use input::{INCEPTION_SIDE, inception_input};

use crate::feature_network::{channel_means, check_finite, widths};
use crate::{FeatureNetwork, FeatureRows, NetworkCost, NetworkError, Tap};
use layout::{ALL, CLASSES, FIRST, POOLED, SECOND, SPATIAL, SPATIAL_CHANNELS, SPATIAL_SIDE, THIRD};
use network::Network;

const ID: &str = "inception-2015-12-05";
const REMEDY: &str = "fetch pt_inception-2015-12-05-6726825d.pth of the repository \
                      mseitzer/pytorch-fid (release fid_weights) and name the file";

/// FID's Inception network: TensorFlow's frozen graph of 2015-12-05 with 1,008 classes.
///
/// Source: torch-fidelity `feature_extractor_inceptionv3.py`, which names the graph's nodes. It is
/// not torchvision's `inception_v3`: means leave the padding out, the last block has a maximum
/// where that has a mean, and the weights are others.
pub struct Inception {
    network: Network,
    classes: Conv2d,
    bias: Vec<f32>,
    weights: Vec<Weights>,
    resize: InceptionResize,
    device: Device,
}

/// Images that go through together, whatever the batch: with the weights they need 470 MB.
const BATCH: usize = 8;
/// The same on a device, which is idle with fewer: 1.5 GB.
const BATCH_ON_DEVICE: usize = 64;

impl Inception {
    /// Reads the weights: pytorch-fid's or torch-fidelity's file, or safetensors of the same names.
    ///
    /// # Errors
    /// [`NetworkError::OtherInception`] for torchvision's network, [`NetworkError::Weights`] for a
    /// file that is missing or anything else, [`NetworkError::Layer`] when the device fails.
    pub fn open(
        path: &Path,
        resize: InceptionResize,
        arithmetic: Arithmetic,
        device: &Device,
    ) -> Result<Self, NetworkError> {
        let file = WeightsFile::open(path, REMEDY)?;
        if let Some(&[classes, POOLED]) = file.shape("fc.weight")
            && classes != CLASSES
        {
            return Err(NetworkError::OtherInception { path: path.to_owned(), classes });
        }
        let tensors = file.tensors(&layout::tensors(), &[], device)?;
        let (weight, bias) = (tensors.get("fc.weight")?, tensors.get("fc.bias")?);
        let last = || -> Result<(Conv2d, Vec<f32>), NnError> {
            let weight = weight.reshape((CLASSES, POOLED, 1, 1))?;
            let options = ConvOptions::new(Window::new(1, 1));
            Ok((Conv2d::new(&weight, None, options)?, bias.to_vec1()?))
        };
        let (classes, bias) = last().map_err(NetworkError::layer(ID))?;
        Ok(Self {
            network: Network::new(&tensors, arithmetic)?,
            classes,
            bias,
            weights: vec![file.origin().clone()],
            resize,
            device: device.clone(),
        })
    }

    /// Names and shapes of the 472 tensors.
    #[must_use]
    pub fn tensors() -> Vec<Expected> {
        layout::tensors()
    }

    /// What [`inception_input`] makes of each picture, on the device; `None` for a resize that the host does.
    fn input_on_device(
        &self,
        pictures: &DevicePictures,
    ) -> Option<Result<Tensor, candle_core::Error>> {
        let to = Size::new(INCEPTION_SIDE, INCEPTION_SIDE);
        let levels = match self.resize {
            InceptionResize::Tf1 => pictures.resized(to, PlaneResize::BilinearTf1),
            InceptionResize::PilBicubic => pictures
                .resized(to, PlaneResize::Pillow(Filter::Bicubic))
                .and_then(|levels| levels.clamp(0.0_f32, 255.0_f32)),
            InceptionResize::Antialias | InceptionResize::HalfPixel => return None,
        };
        // A division by a power of two is exact: this is `(level - 128) / 128`, rounded once.
        Some(levels.and_then(|levels| levels.affine(1.0 / 128.0, -1.0)))
    }

    fn input(&self, images: &[&RgbImage]) -> Result<Maps, NnError> {
        let inputs = images.par_iter().map(|image| inception_input(image, self.resize));
        let values = inputs.collect::<Vec<_>>().concat();
        let (height, width) = (INCEPTION_SIDE, INCEPTION_SIDE);
        let shape = MapShape { images: images.len(), height, width, channels: 3 };
        let maps = Maps::from_rows(shape, values)?;
        match self.device.is_cpu() {
            true => Ok(maps),
            false => Maps::on_device(&maps.to_tensor()?.to_device(&self.device)?),
        }
    }

    /// The features of a batch, by tap. Stages behind the last one asked for are not run.
    fn run(&self, mut maps: Maps, taps: &[Tap]) -> Result<Vec<Vec<f32>>, NnError> {
        let mut found: Vec<Vec<f32>> = vec![Vec::new(); taps.len()];
        let mut done = 0;
        for (stages, tap) in [
            (FIRST, Tap::First),
            (SECOND, Tap::Second),
            (SPATIAL, Tap::Spatial),
            (THIRD, Tap::Third),
            (ALL, Tap::Pooled),
        ] {
            let behind = |asked: &Tap| {
                *asked == tap
                    || tap == Tap::Pooled && matches!(asked, Tap::Logits | Tap::LogitsUnbiased)
            };
            if !taps.iter().any(behind) {
                continue;
            }
            maps = self.network.run(&maps, done, stages)?;
            done = stages;
            let features = match tap {
                Tap::Spatial => spatial(&maps)?,
                _ => means(&maps)?,
            };
            for (slot, &asked) in found.iter_mut().zip(taps).filter(|(_, asked)| behind(asked)) {
                *slot = match asked {
                    Tap::Logits | Tap::LogitsUnbiased => self.logits(&features, asked)?,
                    _ => features.clone(),
                };
            }
        }
        Ok(found)
    }

    fn logits(&self, pooled: &[f32], tap: Tap) -> Result<Vec<f32>, NnError> {
        let images = pooled.len() / POOLED;
        let shape = MapShape { images, height: 1, width: 1, channels: POOLED };
        let mut pooled = Maps::from_rows(shape, pooled.to_vec())?;
        if !self.device.is_cpu() {
            let tensor: Tensor = pooled.to_tensor()?.to_device(&self.device)?;
            pooled = Maps::on_device(&tensor)?;
        }
        let mut logits = self.classes.forward(&pooled)?.to_rows()?;
        if tap == Tap::Logits {
            for row in logits.chunks_exact_mut(CLASSES) {
                row.iter_mut().zip(&self.bias).for_each(|(logit, bias)| *logit += bias);
            }
        }
        Ok(logits)
    }
}

impl FeatureNetwork for Inception {
    fn id(&self) -> &'static str {
        ID
    }

    fn weights(&self) -> &[Weights] {
        &self.weights
    }

    fn resize(&self) -> Option<(&'static str, &'static str)> {
        Some(("inception", self.resize.id()))
    }

    fn input_side(&self) -> Option<usize> {
        Some(INCEPTION_SIDE)
    }

    fn taps(&self) -> &'static [Tap] {
        &[
            Tap::Pooled,
            Tap::First,
            Tap::Second,
            Tap::Third,
            Tap::Spatial,
            Tap::Logits,
            Tap::LogitsUnbiased,
        ]
    }

    fn width(&self, tap: Tap) -> Option<usize> {
        Some(match tap {
            Tap::Pooled => POOLED,
            Tap::First => 64,
            Tap::Second => 192,
            Tap::Third => 768,
            Tap::Spatial => SPATIAL_SIDE * SPATIAL_SIDE * SPATIAL_CHANNELS,
            Tap::Logits | Tap::LogitsUnbiased => CLASSES,
        })
    }

    /// Pictures of every size become 299x299.
    fn cost(&self, _: usize, _: usize) -> Result<NetworkCost, NetworkError> {
        let (height, width) = (INCEPTION_SIDE, INCEPTION_SIDE);
        let input = MapShape { images: 1, height, width, channels: 3 };
        let counted = || -> Result<Work, NnError> {
            let pooled = |maps| global_average(&self.network.run(&maps, 0, ALL)?);
            let (network, pooled) = count(input, pooled)?;
            let (classes, _) = count(pooled, |maps| self.classes.forward(&maps))?;
            // A convolution of a single position is what the last layer is computed by, not what it is.
            let (linear, convolution) = (classes.convolution, 0);
            Ok(network + Work { linear, convolution, ..classes })
        };
        let work = counted().map_err(NetworkError::layer(ID))?;
        Ok(NetworkCost { parameters: layout::parameters(), work })
    }

    fn features(
        &self,
        images: &[&RgbImage],
        taps: &[Tap],
    ) -> Result<Vec<FeatureRows>, NetworkError> {
        let widths = widths(self, taps)?;
        // Together, so that the weights of the late, small layers are read once for all of them.
        let parts: Vec<_> = images
            .chunks(BATCH)
            .map(|images| self.run(self.input(images)?, taps))
            .collect::<Result<_, _>>()
            .map_err(NetworkError::layer(ID))?;
        let features = FeatureRows::gather(&widths, &parts);
        check_finite(ID, &features)?;
        Ok(features)
    }

    fn features_on_device(
        &self,
        pictures: &DevicePictures,
        taps: &[Tap],
    ) -> Option<Result<Vec<FeatureRows>, NetworkError>> {
        let input = self.input_on_device(pictures)?;
        let run = |input: Tensor| -> Result<Vec<_>, NnError> {
            let starts = (0..pictures.count()).step_by(BATCH_ON_DEVICE);
            let batch = |start: usize| {
                let count = BATCH_ON_DEVICE.min(pictures.count() - start);
                self.run(Maps::on_device(&input.narrow(0, start, count)?)?, taps)
            };
            starts.map(batch).collect()
        };
        let features = || -> Result<_, NetworkError> {
            let widths = widths(self, taps)?;
            let parts =
                input.map_err(NnError::from).and_then(run).map_err(NetworkError::layer(ID))?;
            let features = FeatureRows::gather(&widths, &parts);
            check_finite(ID, &features)?;
            Ok(features)
        };
        Some(features())
    }
}

fn means(maps: &Maps) -> Result<Vec<f32>, NnError> {
    let MapShape { height, width, channels, .. } = maps.shape();
    let Some(rows) = maps.host_rows() else {
        // So that means are copied back, and not maps.
        let sums = maps.to_tensor()?.to_dtype(DType::F64)?.sum((2, 3))?;
        let means = (sums / (height * width) as f64)?.to_dtype(DType::F32)?;
        return Ok(means.flatten_all()?.to_vec1()?);
    };
    Ok(channel_means(rows, height * width, channels))
}

fn spatial(maps: &Maps) -> Result<Vec<f32>, NnError> {
    if maps.host_rows().is_none() {
        let kept = maps.to_tensor()?.narrow(1, 0, SPATIAL_CHANNELS)?.permute((0, 2, 3, 1))?;
        return Ok(kept.flatten_all()?.to_vec1()?);
    }
    let channels = maps.shape().channels;
    let rows = maps.to_rows()?;
    let kept = rows.chunks_exact(channels.max(1)).flat_map(|place| &place[..SPATIAL_CHANNELS]);
    Ok(kept.copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_keeps_of_its_maps_is_what_the_host_keeps() {
        let shape = MapShape { images: 3, height: 4, width: 5, channels: SPATIAL_CHANNELS + 4 };
        let values = (0..shape.len()).map(|i| ((i * 7919) % 1013) as f32 * 0.01 - 3.0).collect();
        let host = Maps::from_rows(shape, values).unwrap();
        let device = Maps::on_device(&host.to_tensor().unwrap()).unwrap();
        assert_eq!(spatial(&device).unwrap(), spatial(&host).unwrap());
        // Sums of 20 numbers in f64: whatever their order, the mean rounds to one f32 or its neighbour.
        let [device, host] = [&device, &host].map(|maps| means(maps).unwrap());
        assert_eq!(device.len(), 3 * shape.channels);
        for (found, expected) in device.iter().zip(&host) {
            assert!(
                (found - expected).abs() <= f32::EPSILON * expected.abs(),
                "{found} {expected}"
            );
        }
    }
}
