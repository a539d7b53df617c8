use candle_core::{Device, Tensor};
use prismbench_core::{BandMask, LatentShape, StageCost, TokenizerError};
use prismbench_kernels::Size;
use prismbench_kernels::bands::Rings;
use prismbench_kernels::nn::{
    Activation, Arithmetic, Conv2d, ConvOptions, MapShape, Maps, NnError, Window,
};
use prismbench_weights::{Expected, Tensors};
use rayon::prelude::*;

use crate::cost::counted;
use crate::error::layer;
use crate::vit::few_at_a_time;

/// Radii of the rings, up to a factor: `v_patch_nums` of configs/stage1_infer.yaml. The first ring is
/// the mean alone.
const SCHEDULE: [f64; 2] = [0.32, 16.0];
const BANDS: usize = SCHEDULE.len();

/// Layers that mix bands.
const LAYERS: usize = 2;

const NAME: &str = "freq_modulator";

/// The learned transform of bands of UAE's first generation, `FrequencyBandModulator` of
/// unified_ae/uae_frequency.py.
///
/// Latents are taken apart into rings of their spectrum, ring after ring from what the rings before
/// left; frequencies beyond the last radius, in the corners, are lost. Bands are mixed, put side by
/// side as channels, and go through two convolutions, to which their sum is added.
pub(super) struct Modulator {
    rings: Rings,
    /// `BANDS x BANDS` each, row by row.
    mixes: Vec<Vec<f32>>,
    widen: Conv2d,
    narrow: Conv2d,
}

impl Modulator {
    /// The tensors for latents of `channels`.
    pub(super) fn expected(channels: usize) -> Vec<Expected> {
        let hidden = hidden(channels);
        let conv = |name: &str, outputs: usize, inputs: usize| {
            [
                Expected::new(format!("{NAME}.{name}.weight"), [outputs, inputs, 3, 3]),
                Expected::new(format!("{NAME}.{name}.bias"), [outputs]),
            ]
        };
        let mix = |layer: usize| Expected::new(mix_name(layer), [BANDS, BANDS]);
        let mut all: Vec<Expected> = (0..LAYERS).map(mix).collect();
        all.extend(conv("denoiser.0", hidden, BANDS * channels));
        all.extend(conv("denoiser.2", channels, hidden));
        all
    }

    /// Takes the tensors that [`expected`](Self::expected) lists, for latents of `grid x grid`.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(super) fn new(
        grid: usize,
        tensors: &mut Tensors,
        arithmetic: Arithmetic,
    ) -> Result<Self, TokenizerError> {
        let mut conv = |name: &str, activation: Activation| {
            let weight = tensors.take(&format!("{NAME}.{name}.weight"))?;
            let bias = tensors.take(&format!("{NAME}.{name}.bias"))?;
            let options = ConvOptions::new(Window::new(3, 3).padding(1, 1));
            let options = ConvOptions { activation, arithmetic, ..options };
            Conv2d::new(&tensors.for_products(&weight)?, Some(&bias), options).map_err(layer)
        };
        let widen = conv("denoiser.0", Activation::Silu)?;
        let narrow = conv("denoiser.2", Activation::Identity)?;
        let mut mix = |layer| -> Result<Vec<f32>, TokenizerError> {
            Ok(tensors.take(&mix_name(layer))?.flatten_all()?.to_vec1()?)
        };
        let mixes = (0..LAYERS).map(&mut mix).collect::<Result<_, _>>()?;
        Ok(Self { rings: Rings::new(Size::new(grid, grid), &SCHEDULE), mixes, widen, narrow })
    }

    /// How many bands a mask keeps. The reference has a ratio of them, `freq_ratio`, rounded up.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for more than there are; [`TokenizerError::Unsupported`] for
    /// coefficients of a cosine transform.
    pub(super) fn kept(&self, id: &str, mask: BandMask) -> Result<usize, TokenizerError> {
        match mask {
            BandMask::None => Ok(BANDS),
            BandMask::Rings(count) if count <= BANDS => Ok(count),
            BandMask::Rings(count) => Err(TokenizerError::Shape {
                expected: format!("a band mask for `{id}` of rings:{BANDS} at most"),
                found: format!("rings:{count}"),
            }),
            BandMask::Zigzag(_) => Err(TokenizerError::Unsupported {
                tokenizer: id.to_owned(),
                capability: "cosine coefficients to keep, its band mask is rings:COUNT",
            }),
        }
    }

    /// Latents `[N, C, h, w]` to latents of the same shape; bands from `kept` on are 0 before they
    /// are mixed.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(super) fn forward(&self, latents: &Tensor, kept: usize) -> Result<Tensor, TokenizerError> {
        let (_, _, rows, columns) = latents.dims4()?;
        let mut all = Vec::new();
        for few in few_at_a_time(latents, rows * columns) {
            let [bands, sum] = self.bands(&few?, kept)?;
            let maps = |tensor: &Tensor| Maps::from_tensor(tensor).map_err(layer);
            let mixed = self.denoise(&maps(&bands)?, &maps(&sum)?).map_err(layer)?;
            all.push(mixed.to_tensor().map_err(layer)?);
        }
        Ok(Tensor::cat(&all, 0)?)
    }

    fn denoise(&self, bands: &Maps, sum: &Maps) -> Result<Maps, NnError> {
        self.narrow.forward_add(&self.widen.forward(bands)?, sum)
    }

    /// What the convolutions do with latents of this shape; taking the bands apart and mixing them is
    /// not counted.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for latents of other channels.
    pub(super) fn cost(&self, latents: LatentShape) -> Result<StageCost, TokenizerError> {
        let LatentShape::Tensor(dims) = latents else { return Ok(StageCost::default()) };
        let [channels, height, width] = *dims else { return Ok(StageCost::default()) };
        let sum = MapShape { images: 1, height, width, channels };
        let zeros = Maps::from_rows(sum, vec![0.0; sum.len()]).map_err(layer)?;
        let bands = MapShape { channels: BANDS * channels, ..sum };
        Ok(counted(0, bands, |bands| self.denoise(&bands, &zeros))?.0)
    }

    /// The mixed bands side by side as channels, `[N, BANDS C, h, w]`, and their sum.
    fn bands(&self, latents: &Tensor, kept: usize) -> Result<[Tensor; 2], TokenizerError> {
        let (images, channels, rows, columns) = latents.dims4()?;
        let area = rows * columns;
        let values: Vec<f32> = latents.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?;
        let planes: Vec<Vec<Vec<f32>>> =
            values.par_chunks_exact(area).map(|plane| self.plane(plane, kept)).collect();
        let mut bands = Vec::with_capacity(BANDS * values.len());
        for image in planes.chunks_exact(channels) {
            for band in 0..BANDS {
                image.iter().for_each(|plane| bands.extend_from_slice(&plane[band]));
            }
        }
        let mut sum = Vec::with_capacity(values.len());
        for plane in &planes {
            sum.extend((0..area).map(|at| plane.iter().map(|band| band[at]).sum::<f32>()));
        }
        let tensor = |values, channels| {
            Tensor::from_vec(values, (images, channels, rows, columns), latents.device())
        };
        Ok([tensor(bands, BANDS * channels)?, tensor(sum, channels)?])
    }

    /// The mixed bands of one plane.
    fn plane(&self, plane: &[f32], kept: usize) -> Vec<Vec<f32>> {
        let mut bands = self.rings.split(plane);
        bands.iter_mut().skip(kept).for_each(|band| band.fill(0.0));
        for mix in &self.mixes {
            let mixed = |weights: &[f32]| -> Vec<f32> {
                let value = |at: usize| bands.iter().zip(weights).map(|(x, w)| w * x[at]).sum();
                (0..plane.len()).map(value).collect()
            };
            bands = mix.chunks_exact(BANDS).map(mixed).collect();
        }
        bands
    }
}

/// Channels between the convolutions.
fn hidden(channels: usize) -> usize {
    (2 * channels).max(512)
}

fn mix_name(layer: usize) -> String {
    format!("{NAME}.band_transform.layers.{layer}.weight")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_modulator_has_its_numbers() {
        let expected = Modulator::expected(768);
        assert_eq!(expected.len(), 6);
        assert_eq!(Expected::count(&expected), 31_852_808);
    }
}
