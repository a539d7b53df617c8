mod trunk;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use prismbench_core::{
    Better, Choice as _, LpipsTrunk, MetricDef, Reconstruction, RgbImage, Unit, Weights,
};
use prismbench_kernels::Size;
use prismbench_kernels::device_pictures::{DevicePictures, tap_distances};
use prismbench_kernels::network_input::Levels;
use prismbench_kernels::nn::{
    Arithmetic, MapShape, Maps, NnError, count, unit_vectors, weighted_differences,
};
use prismbench_kernels::resample::bilinear_half_pixel;
use prismbench_weights::{Expected, WeightsFile};
use rayon::prelude::*;

use crate::{NetworkCost, NetworkError};
use trunk::Trunk;

/// Learned perceptual image patch similarity.
pub const LPIPS: MetricDef = MetricDef {
    id: "lpips",
    title: "LPIPS",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: "version 0.1: squared differences of the features of a trunk, each place's vector \
        of unit length (f / (|f| + 1e-10)), channels weighted by learned layers, mean over places, \
        sum over layers; pictures in [-1, 1] at their own size. Zhang et al., CVPR 2018",
};

const REMEDY: &str = "it needs torchvision's ImageNet weights of its trunk and the linear layers of \
                      the PyPI package lpips 0.1 (lpips/weights/v0.1), in one file or two";

/// What a trunk's file may hold besides: torchvision's classifier, what `lpips.LPIPS` has.
const BESIDE_TRUNK: [&str; 3] = ["classifier.", "lin", "scaling_layer."];
/// What the file with the channels' weights may hold besides: a trunk under either name.
const BESIDE_HEAD: [&str; 4] = ["classifier.", "features.", "net.", "scaling_layer."];

/// `(x - SHIFT) / SCALE` for `x` in `[-1, 1]`: ImageNet's statistics.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Added to the length of a feature vector, after the root.
const EPSILON: f32 = 1e-10;

/// Learned perceptual image patch similarity, version 0.1: the squared distance of two pictures'
/// features, each channel weighted, mean over the places of a layer, summed over layers.
///
/// Source: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual
/// metric", equation 1; the package `lpips` 0.1.4.
pub struct Lpips {
    trunk: Trunk,
    kind: LpipsTrunk,
    /// A weight per channel of each layer.
    head: Vec<Vec<f32>>,
    weights: Vec<Weights>,
    device: Device,
}

/// Where the weights of the channels come from.
#[derive(Clone, Copy, Debug)]
pub enum LpipsHead<'a> {
    /// The trunk's file has them too.
    InTrunkFile,
    /// Another file has them.
    File(&'a Path),
    /// All are one: the unlearned baseline, `lpips=False`.
    Unlearned,
}

/// One picture's features, of unit length at each place: computed once for a reference, compared
/// with any number of reconstructions.
#[derive(Clone, Debug)]
pub struct LpipsFeatures {
    kind: LpipsTrunk,
    size: Size,
    /// Of all pictures that went through the trunk together.
    taps: Arc<Vec<Maps>>,
    /// Which of them it is.
    image: usize,
}

/// A picture to be looked at.
#[derive(Clone, Copy, Debug)]
pub enum LpipsInput<'a> {
    /// An original.
    Original(&'a RgbImage),
    /// What a decoder gave.
    Made(&'a Reconstruction),
}

impl LpipsInput<'_> {
    fn size(self) -> Size {
        match self {
            Self::Original(image) | Self::Made(Reconstruction::U8(image)) => {
                Size::new(image.width(), image.height())
            }
            Self::Made(Reconstruction::F32 { width, height, .. }) => Size::new(*width, *height),
        }
    }

    /// Values as the trunk sees them, `[row][column][channel]`.
    fn write(self, into: &mut [f32]) {
        let scale = |(i, value): (usize, f32)| network_value(i % 3, value);
        match self {
            Self::Original(image) | Self::Made(Reconstruction::U8(image)) => {
                let values = image.pixels().iter().map(|&byte| f32::from(byte) / 255.0);
                into.iter_mut().zip(values.enumerate()).for_each(|(v, x)| *v = scale(x));
            }
            Self::Made(Reconstruction::F32 { pixels, .. }) => {
                let values = pixels.iter().copied();
                into.iter_mut().zip(values.enumerate()).for_each(|(v, x)| *v = scale(x));
            }
        }
    }
}

/// A value in `[0, 1]` as the trunk sees it.
fn network_value(channel: usize, value: f32) -> f32 {
    (2.0 * value - 1.0 - SHIFT[channel]) / SCALE[channel]
}

impl LpipsFeatures {
    /// The maps of a layer, and which image of them it is. Each layer that is weighed has some: the trunk
    /// gives a map for each head.
    fn tap(&self, layer: usize) -> Result<(&Maps, usize), NnError> {
        let maps = self.taps.get(layer);
        Ok((maps.ok_or(NnError::Devices { layer: "comparison of features" })?, self.image))
    }
}

impl Lpips {
    /// Reads the trunk (torchvision's names, or those of `lpips.LPIPS`) and the weights of the
    /// channels (`lin0.model.1.weight`...).
    ///
    /// # Errors
    /// [`NetworkError::Weights`] for a file that is missing or holds anything else,
    /// [`NetworkError::Layer`] when the device fails.
    pub fn open(
        kind: LpipsTrunk,
        trunk: &Path,
        head: LpipsHead<'_>,
        arithmetic: Arithmetic,
        device: &Device,
    ) -> Result<Self, NetworkError> {
        let file = WeightsFile::open(trunk, REMEDY)?;
        let tensors = file.tensors(&trunk::tensors(kind), &BESIDE_TRUNK, device)?;
        let trunk = Trunk::new(kind, &tensors, arithmetic)?;
        let mut weights = vec![file.origin().clone()];
        let other = match head {
            LpipsHead::File(path) => Some(WeightsFile::open(path, REMEDY)?),
            LpipsHead::InTrunkFile | LpipsHead::Unlearned => None,
        };
        weights.extend(other.iter().map(|file| file.origin().clone()));
        let head = match head {
            LpipsHead::Unlearned => {
                trunk::channels(kind).into_iter().map(|count| vec![1.0; count]).collect()
            }
            LpipsHead::InTrunkFile | LpipsHead::File(_) => {
                channel_weights(kind, other.as_ref().unwrap_or(&file))?
            }
        };
        Ok(Self { trunk, kind, head, weights, device: device.clone() })
    }

    /// Names and shapes of the trunk's tensors and of the channels' weights.
    #[must_use]
    pub fn tensors(kind: LpipsTrunk) -> Vec<Expected> {
        [trunk::tensors(kind), head_tensors(kind)].concat()
    }

    /// Which trunk it is.
    #[must_use]
    pub fn trunk(&self) -> LpipsTrunk {
        self.kind
    }

    /// The files that its numbers were read from.
    #[must_use]
    pub fn weights(&self) -> &[Weights] {
        &self.weights
    }

    /// What the trunk does with one picture of `height x width` pixels; a distance needs two, and next to
    /// nothing beside.
    ///
    /// # Errors
    /// [`NetworkError::Layer`] when the picture is too small for the trunk.
    pub fn cost(&self, height: usize, width: usize) -> Result<NetworkCost, NetworkError> {
        let picture = MapShape { images: 1, height, width, channels: 3 };
        // The last tap is behind every layer.
        let last = |maps: Maps| {
            let taps = self.trunk.forward(maps.clone())?;
            Ok::<_, NnError>(taps.into_iter().next_back().unwrap_or(maps))
        };
        let (work, _) = count(picture, last).map_err(NetworkError::layer(self.kind.id()))?;
        Ok(NetworkCost { parameters: Expected::count(&Self::tensors(self.kind)), work })
    }

    /// Features of an 8-bit picture.
    ///
    /// # Errors
    /// [`NetworkError::Layer`] when the picture is too small for the trunk.
    pub fn features(&self, picture: &RgbImage) -> Result<LpipsFeatures, NetworkError> {
        let [features] = self.features_together([LpipsInput::Original(picture)])?;
        Ok(features)
    }

    /// Features of what a decoder gave.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    pub fn features_of(&self, picture: &Reconstruction) -> Result<LpipsFeatures, NetworkError> {
        let [features] = self.features_together([LpipsInput::Made(picture)])?;
        Ok(features)
    }

    /// Features of pictures of one size that go through the trunk together: each as if alone, and
    /// the trunk's weights are read once.
    ///
    /// # Errors
    /// As [`features`](Self::features); [`NetworkError::Sizes`] when the sizes differ.
    pub fn features_together<const N: usize>(
        &self,
        pictures: [LpipsInput<'_>; N],
    ) -> Result<[LpipsFeatures; N], NetworkError> {
        let size = pictures.first().map_or(Size::new(0, 0), |picture| picture.size());
        for found in pictures.map(LpipsInput::size) {
            if found != size {
                let name = |size: Size| format!("{}x{}", size.width, size.height);
                return Err(NetworkError::Sizes { expected: name(size), found: name(found) });
            }
        }
        let taps = self.run(&pictures, size).map_err(NetworkError::layer(self.kind.id()))?;
        let taps = Arc::new(taps);
        let kind = self.kind;
        Ok(std::array::from_fn(|image| LpipsFeatures { kind, size, taps: taps.clone(), image }))
    }

    /// The distance of two pictures; symmetric, 0 for equal ones.
    ///
    /// # Errors
    /// [`NetworkError::Sizes`] when the pictures differ in size or went through different trunks,
    /// [`NetworkError::NotFinite`] when a picture has values that overflow.
    pub fn distance(&self, a: &LpipsFeatures, b: &LpipsFeatures) -> Result<f64, NetworkError> {
        let layers = self.layers(a, b)?;
        let mean = |(_, map): (MapShape, Vec<f32>)| {
            map.iter().map(|&value| f64::from(value)).sum::<f64>() / map.len().max(1) as f64
        };
        let distance: f64 = layers.into_iter().map(mean).sum();
        match distance.is_finite() {
            true => Ok(distance),
            false => Err(NetworkError::NotFinite {
                network: self.kind.id(),
                value: distance.to_string(),
                image: 0,
            }),
        }
    }

    /// Maps of the pictures at `places` of those on a device, layer by layer: computed once for originals,
    /// compared with any number of reconstructions.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    pub fn taps_on_device(
        &self,
        pictures: &DevicePictures,
        places: Range<usize>,
    ) -> Result<Vec<Tensor>, NetworkError> {
        let levels = Levels::of(|channel, level| network_value(channel, f32::from(level) / 255.0));
        let taps = || -> Result<Vec<Tensor>, NnError> {
            let numbers = pictures.numbers(&levels)?.narrow(0, places.start, places.len())?;
            let taps = self.trunk.forward(Maps::on_device(&numbers)?)?;
            taps.iter().map(Maps::to_tensor).collect()
        };
        taps().map_err(NetworkError::layer(self.kind.id()))
    }

    /// The [`distance`](Self::distance) of each pair of pictures whose maps these are.
    ///
    /// # Errors
    /// [`NetworkError::NotFinite`] for the first pair whose maps overflow, [`NetworkError::Layer`] when the
    /// device fails or the maps are on none.
    pub fn distances_on_device(
        &self,
        a: &[Tensor],
        b: &[Tensor],
    ) -> Result<Vec<f64>, NetworkError> {
        let mut sums: Option<Vec<f64>> = None;
        for ((a, b), head) in a.iter().zip(b).zip(&self.head) {
            let layer = tap_distances(head, [a, b], EPSILON).map_err(NnError::from);
            let layer =
                layer.and_then(|layer| layer.ok_or(NnError::Devices { layer: "distances" }));
            let layer = layer.map_err(NetworkError::layer(self.kind.id()))?;
            match &mut sums {
                Some(sums) => sums.iter_mut().zip(layer).for_each(|(sum, value)| *sum += value),
                None => sums = Some(layer),
            }
        }
        let odd = sums.iter().flatten().enumerate().find(|(_, sum)| !sum.is_finite());
        if let Some((image, value)) = odd {
            let (network, value) = (self.kind.id(), value.to_string());
            return Err(NetworkError::NotFinite { network, value, image });
        }
        Ok(sums.unwrap_or_default())
    }

    /// Where the pictures differ: a value per pixel, each layer's differences upsampled bilinearly
    /// and summed. Its mean is near the distance, not equal to it.
    ///
    /// # Errors
    /// As [`distance`](Self::distance).
    pub fn map(&self, a: &LpipsFeatures, b: &LpipsFeatures) -> Result<Vec<f32>, NetworkError> {
        let mut sum = vec![0.0; a.size.area()];
        for (shape, map) in self.layers(a, b)? {
            let upsampled = bilinear_half_pixel(&map, Size::new(shape.width, shape.height), a.size);
            sum.iter_mut().zip(upsampled).for_each(|(sum, value)| *sum += value);
        }
        Ok(sum)
    }

    /// The weighted squared differences at each place of each layer.
    fn layers(
        &self,
        a: &LpipsFeatures,
        b: &LpipsFeatures,
    ) -> Result<Vec<(MapShape, Vec<f32>)>, NetworkError> {
        for features in [a, b] {
            if (features.size, features.kind) != (a.size, self.kind) {
                let name = |size: Size, kind: LpipsTrunk| {
                    format!("{}x{} ({})", size.width, size.height, kind.id())
                };
                let expected = name(a.size, self.kind);
                return Err(NetworkError::Sizes {
                    expected,
                    found: name(features.size, features.kind),
                });
            }
        }
        let layer = |(layer, head): (usize, &Vec<f32>)| {
            let (a, b) = (a.tap(layer)?, b.tap(layer)?);
            Ok((MapShape { images: 1, ..a.0.shape() }, weighted_differences(head, a, b)?))
        };
        let layers: Result<_, NnError> = self.head.iter().enumerate().map(layer).collect();
        layers.map_err(NetworkError::layer(self.kind.id()))
    }

    /// The maps of each layer, of unit length at each place, where the trunk is.
    fn run(&self, pictures: &[LpipsInput<'_>], size: Size) -> Result<Vec<Maps>, NnError> {
        let images = pictures.len();
        let shape = MapShape { images, height: size.height, width: size.width, channels: 3 };
        let mut values = vec![0.0; shape.len()];
        let each = values.par_chunks_mut(shape.image_len().max(1)).zip(pictures);
        each.for_each(|(values, picture)| picture.write(values));
        let mut maps = Maps::from_rows(shape, values)?;
        if !self.device.is_cpu() {
            maps = Maps::on_device(&maps.to_tensor()?.to_device(&self.device)?)?;
        }
        let taps = self.trunk.forward(maps)?.into_iter();
        taps.map(|maps| unit_vectors(maps, EPSILON)).collect()
    }
}

fn head_tensors(kind: LpipsTrunk) -> Vec<Expected> {
    let tensor = |(layer, channels)| {
        let tensor = Expected::new(format!("lin{layer}.model.1.weight"), [1, channels, 1, 1]);
        // `LPIPS.state_dict()` has them under this name as well.
        tensor.or(format!("lins.{layer}.model.1.weight"))
    };
    trunk::channels(kind).into_iter().enumerate().map(tensor).collect()
}

fn channel_weights(kind: LpipsTrunk, file: &WeightsFile) -> Result<Vec<Vec<f32>>, NetworkError> {
    let expected = head_tensors(kind);
    let tensors = file.tensors(&expected, &BESIDE_HEAD, &Device::Cpu)?;
    let layer = |tensor: &Expected| {
        let values = tensors.get(tensor.name())?.flatten_all();
        values
            .and_then(|values| values.to_vec1())
            .map_err(|error| NetworkError::layer(kind.id())(NnError::from(error)))
    };
    expected.iter().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channels_of_the_layers_are_those_of_the_package() {
        assert_eq!(trunk::channels(LpipsTrunk::Alex), [64, 192, 384, 256, 256]);
        assert_eq!(trunk::channels(LpipsTrunk::Vgg), [64, 128, 256, 512, 512]);
        assert_eq!(trunk::channels(LpipsTrunk::Squeeze), [64, 128, 256, 384, 384, 512, 512]);
    }
}
