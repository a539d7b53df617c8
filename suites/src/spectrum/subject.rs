use std::time::Instant;

use prismbench_core::{
    Encoding, ImageBatch, Latents, MetricDef, Outcome, Protocol, SampleKey, Tokenizer,
    TokenizerError,
};
use prismbench_metrics::{
    Accumulator, BAND_ENERGY, BAND_RESPONSE, BANDS, BandCurves, ENERGY_BELOW, GridLayout,
    LatentGrid, LatentSpectrum, MetricError, PRISM_FIGURE, SPECTRAL_CENTROID, SPECTRAL_SLOPE,
    SampleMeans, Spectrum, mean_square, shares,
};
use rayon::prelude::*;

use crate::extraction::{tokens, unsupported};
use crate::filtered::band_limited;
use crate::pictures::Prepared;

/// Side of the grid that latents are pooled to for the paper's figure.
const FIGURE_SIDE: usize = 16;

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    energy: bool,
    response: bool,
    pub(super) figure: bool,
}

impl Wanted {
    pub(super) fn of(metrics: &[String]) -> Self {
        let any =
            |defs: &[&MetricDef]| defs.iter().any(|def| metrics.iter().any(|id| id == def.id));
        let figure = any(&[&PRISM_FIGURE]);
        let energy = any(&[&BAND_ENERGY, &ENERGY_BELOW, &SPECTRAL_CENTROID, &SPECTRAL_SLOPE]);
        Self { energy: energy || figure, response: any(&[&BAND_RESPONSE]) || figure, figure }
    }
}

/// One tokenizer while the pass goes on.
pub(super) struct Subject<'a> {
    tokenizer: &'a dyn Tokenizer,
    protocol: &'a Protocol,
    seed: u64,
    wanted: Wanted,
    /// On the latent's own grid.
    energy: Result<Option<Energy>, Outcome>,
    /// On the grid of the paper's figure.
    pooled: Option<Energy>,
    response: Result<SampleMeans, Outcome>,
    latent: String,
    seconds: f64,
}

/// The energy of latents on one grid.
struct Energy {
    grid: LatentGrid,
    sum: LatentSpectrum,
}

/// What was found of one tokenizer.
pub(super) struct Curves {
    pub(super) energy: Result<Spectrum, Outcome>,
    pooled: Option<Result<Spectrum, Outcome>>,
    pub(super) response: Result<Vec<f64>, Outcome>,
    pub(super) latent: String,
    pub(super) seconds: f64,
}

/// Why a pass over a block failed.
#[derive(Debug, thiserror::Error)]
enum SpectrumError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Metric(#[from] MetricError),
}

impl From<candle_core::Error> for SpectrumError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tokenizer(error.into())
    }
}

impl SpectrumError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Tokenizer(TokenizerError::Unsupported { .. }) => {
                Outcome::Skipped { reason: self.to_string() }
            }
            _ => Outcome::failed(self),
        }
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        tokenizer: &'a dyn Tokenizer,
        protocol: &'a Protocol,
        seed: u64,
        wanted: Wanted,
    ) -> Self {
        Self {
            tokenizer,
            protocol,
            seed,
            wanted,
            energy: Ok(None),
            pooled: None,
            response: Ok(SampleMeans::default()),
            latent: String::new(),
            seconds: 0.0,
        }
    }

    pub(super) fn add(&mut self, block: &[Prepared], images: &ImageBatch) {
        let start = Instant::now();
        if self.latent.is_empty() {
            let (_, height, width) = images.dims();
            self.latent = self.tokenizer.latent_shape(height, width).to_string();
        }
        if self.wanted.energy
            && self.energy.is_ok()
            && let Err(error) = self.add_energy(block, images)
        {
            self.energy = Err(error.outcome());
        }
        if self.wanted.response
            && self.response.is_ok()
            && let Err(error) = self.add_response(block, images)
        {
            self.response = Err(error.outcome());
        }
        self.seconds += start.elapsed().as_secs_f64();
    }

    fn add_energy(&mut self, block: &[Prepared], images: &ImageBatch) -> Result<(), SpectrumError> {
        let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
        let latents = self.tokenizer.encode(images, &self.encoding(&keys))?;
        let id = &self.tokenizer.spec().id;
        let lacks = |what| Err(unsupported(id, what).into());
        let (grid, layout, latent) = match latents {
            Latents::BitStreams(_) => return lacks("numbers in its latent"),
            Latents::Finished(_) => return lacks("latent that is known"),
            Latents::Tensor(latent) => match *latent.dims() {
                [_, _, rows, columns] => ((rows, columns), GridLayout::Channels, latent),
                _ => return lacks("grid of latents"),
            },
        };
        let values = latent.flatten_all()?.to_vec1::<f32>()?;
        let samples: Vec<&[f32]> = values.chunks_exact(values.len() / block.len()).collect();
        let energy = self.energy.as_mut().map_err(|outcome| outcome.clone());
        let Ok(energy) = energy else { return Ok(()) };
        let energy = match energy {
            Some(energy) => energy,
            none => none.insert(Energy::new(LatentGrid::new(grid.0, grid.1)?)),
        };
        energy.add(block, &samples, layout)?;
        if self.wanted.figure {
            let side = (FIGURE_SIDE, FIGURE_SIDE);
            let pooled = match &mut self.pooled {
                Some(pooled) => pooled,
                none => none.insert(Energy::new(LatentGrid::pooled(grid.0, grid.1, side)?)),
            };
            pooled.add(block, &samples, layout)?;
        }
        Ok(())
    }

    /// Shows the encoder one band of the pictures after the other.
    fn add_response(
        &mut self,
        block: &[Prepared],
        images: &ImageBatch,
    ) -> Result<(), SpectrumError> {
        let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
        let encoding = self.encoding(&keys);
        let mut responses = vec![Vec::with_capacity(BANDS); block.len()];
        for band in 0..BANDS {
            let seen = band_limited(images, band, BANDS)?;
            let found = tokens(self.tokenizer, &seen, self.protocol.tap, &encoding)?;
            let values = found.patches.flatten_all()?.to_vec1::<f32>()?;
            let each = values.chunks_exact(values.len() / block.len());
            for (responses, features) in responses.iter_mut().zip(each) {
                responses.push(mean_square(features)?);
            }
        }
        if let Ok(sums) = &mut self.response {
            for (picture, responses) in block.iter().zip(responses) {
                sums.update((picture.index, responses))?;
            }
        }
        Ok(())
    }

    fn encoding<'k>(&self, samples: &'k [SampleKey<'k>]) -> Encoding<'k> {
        Encoding {
            posterior: self.protocol.posterior,
            noise: self.protocol.latent_noise,
            band_mask: self.protocol.band_mask,
            seed: self.seed,
            samples,
        }
    }

    pub(super) fn finish(self) -> Curves {
        let nothing = || Outcome::Skipped { reason: "not asked for".to_owned() };
        let spectrum =
            |energy: Energy| energy.sum.finish().map_err(|error| Outcome::failed(&error));
        let energy = self.energy.and_then(|energy| spectrum(energy.ok_or_else(nothing)?));
        let response = self.response.and_then(|sums| {
            let means = sums.finish().and_then(|mean| shares(&mean.means));
            means.map_err(|error| Outcome::failed(&error))
        });
        let pooled = self.pooled.map(spectrum);
        Curves { energy, pooled, response, latent: self.latent, seconds: self.seconds }
    }
}

impl Energy {
    fn new(grid: LatentGrid) -> Self {
        Self { sum: LatentSpectrum::new(&grid), grid }
    }

    fn add(
        &mut self,
        block: &[Prepared],
        latents: &[&[f32]],
        layout: GridLayout,
    ) -> Result<(), MetricError> {
        let energies: Vec<_> =
            latents.par_iter().map(|latent| self.grid.energy(latent, layout)).collect();
        let mut each = block.iter().zip(energies);
        each.try_for_each(|(picture, energy)| self.sum.update((picture.index, energy?)))
    }
}

impl Curves {
    /// What the paper's figure is drawn from, if all of it is there.
    pub(super) fn for_figure(&self) -> Option<BandCurves> {
        let (Some(Ok(energy)), Ok(response)) = (&self.pooled, &self.response) else { return None };
        Some(BandCurves { energy: energy.shares.clone(), response: response.clone() })
    }
}
