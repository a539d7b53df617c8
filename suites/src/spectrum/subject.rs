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
use serde::{Deserialize, Serialize};

use crate::Stage;
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
    /// The grid of the latents so far, and the one of the paper's figure where that is asked for.
    grids: Option<(LatentGrid, Option<LatentGrid>)>,
    found: Found,
    /// What is not measured any more.
    stopped: (Option<Outcome>, Option<Outcome>),
}

/// What some pictures gave.
#[derive(Serialize, Deserialize)]
pub(super) struct Found {
    /// On the latent's own grid.
    energy: Result<Option<LatentSpectrum>, Outcome>,
    /// On the grid of the paper's figure.
    pooled: Option<LatentSpectrum>,
    response: Result<SampleMeans, Outcome>,
    latent: String,
    seconds: f64,
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

impl Found {
    fn nothing() -> Self {
        let response = Ok(SampleMeans::default());
        Self { energy: Ok(None), pooled: None, response, latent: String::new(), seconds: 0.0 }
    }

    /// Why something went wrong that may go well another time.
    pub(super) fn failures(&self) -> impl Iterator<Item = &str> {
        let outcomes = self.energy.as_ref().err().into_iter().chain(self.response.as_ref().err());
        outcomes.filter_map(Outcome::failure)
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        tokenizer: &'a dyn Tokenizer,
        protocol: &'a Protocol,
        seed: u64,
        wanted: Wanted,
    ) -> Self {
        let found = Found::nothing();
        Self { tokenizer, protocol, seed, wanted, grids: None, found, stopped: (None, None) }
    }

    pub(super) fn measure(&mut self, block: &[Prepared], images: &ImageBatch) -> Found {
        let (start, mut found) = (Instant::now(), Found::nothing());
        let (_, height, width) = images.dims();
        found.latent = self.tokenizer.latent_shape(height, width).to_string();
        if self.wanted.energy {
            let before = self.stopped.0.clone().map_or(Ok(()), Err);
            let added = before.and_then(|()| {
                self.energy_of(block, images, &mut found).map_err(|error| error.outcome())
            });
            if let Err(outcome) = added {
                found.energy = Err(self.stopped.0.insert(outcome).clone());
            }
        }
        if self.wanted.response {
            let before = self.stopped.1.clone().map_or(Ok(()), Err);
            found.response = before
                .and_then(|()| self.response_of(block, images).map_err(|error| error.outcome()));
            if let Err(outcome) = &found.response {
                self.stopped.1 = Some(outcome.clone());
            }
        }
        found.seconds = start.elapsed().as_secs_f64();
        found
    }

    /// Takes in what a block gave.
    pub(super) fn take(&mut self, found: Found) {
        let all = &mut self.found;
        all.seconds += found.seconds;
        if all.latent.is_empty() {
            all.latent = found.latent;
        }
        let wrong = |error: MetricError| Outcome::failed(&error);
        if let Ok(energy) = &mut all.energy {
            let merged = found.energy.and_then(|more| merge(energy, more).map_err(wrong));
            if let Err(outcome) =
                merged.and_then(|()| merge(&mut all.pooled, found.pooled).map_err(wrong))
            {
                all.energy = Err(outcome);
            }
        }
        if let Ok(response) = &mut all.response {
            let merged = found.response.and_then(|more| response.merge(more).map_err(wrong));
            if let Err(outcome) = merged {
                all.response = Err(outcome);
            }
        }
    }

    fn energy_of(
        &mut self,
        block: &[Prepared],
        images: &ImageBatch,
        found: &mut Found,
    ) -> Result<(), SpectrumError> {
        let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
        let encode = Stage::Encode.enter();
        let latents = self.tokenizer.encode(images, &self.encoding(&keys))?;
        drop(encode);
        let _metric = Stage::Metric.enter();
        let id = &self.tokenizer.spec().id;
        let lacks = |what| Err(unsupported(id, what).into());
        let (size, layout, latent) = match latents {
            Latents::BitStreams(_) => return lacks("numbers in its latent"),
            Latents::Finished(_) => return lacks("latent that is known"),
            Latents::Tensor(latent) => match *latent.dims() {
                [_, _, rows, columns] => ((rows, columns), GridLayout::Channels, latent),
                _ => return lacks("grid of latents"),
            },
        };
        let values = latent.flatten_all()?.to_vec1::<f32>()?;
        let samples: Vec<&[f32]> = values.chunks_exact(values.len() / block.len()).collect();
        let figure = self.wanted.figure;
        let (whole, pooled) = match &mut self.grids {
            Some(grids) if grids.0.size() == size => grids,
            other => {
                let side = (FIGURE_SIDE, FIGURE_SIDE);
                let pooled =
                    figure.then(|| LatentGrid::pooled(size.0, size.1, side)).transpose()?;
                other.insert((LatentGrid::new(size.0, size.1)?, pooled))
            }
        };
        found.energy = Ok(Some(energy(whole, block, &samples, layout)?));
        if let Some(pooled) = pooled {
            found.pooled = Some(energy(pooled, block, &samples, layout)?);
        }
        Ok(())
    }

    /// Shows the encoder one band of the pictures after the other.
    fn response_of(
        &self,
        block: &[Prepared],
        images: &ImageBatch,
    ) -> Result<SampleMeans, SpectrumError> {
        let keys: Vec<SampleKey<'_>> = block.iter().map(Prepared::key).collect();
        let encoding = self.encoding(&keys);
        let mut responses = vec![Vec::with_capacity(BANDS); block.len()];
        for band in 0..BANDS {
            let seen = band_limited(images, band, BANDS)?;
            let found = tokens(self.tokenizer, &seen, self.protocol.tap, &encoding)?;
            let _metric = Stage::Metric.enter();
            let values = found.patches.flatten_all()?.to_vec1::<f32>()?;
            let each = values.chunks_exact(values.len() / block.len());
            for (responses, features) in responses.iter_mut().zip(each) {
                responses.push(mean_square(features)?);
            }
        }
        let mut sums = SampleMeans::default();
        for (picture, responses) in block.iter().zip(responses) {
            sums.update((picture.index, responses))?;
        }
        Ok(sums)
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
        let Found { energy, pooled, response, latent, seconds } = self.found;
        let nothing = || Outcome::Skipped { reason: "not asked for".to_owned() };
        let spectrum = |sum: LatentSpectrum| sum.finish().map_err(|error| Outcome::failed(&error));
        let energy = energy.and_then(|sum| spectrum(sum.ok_or_else(nothing)?));
        let response = response.and_then(|sums| {
            let means = sums.finish().and_then(|mean| shares(&mean.means));
            means.map_err(|error| Outcome::failed(&error))
        });
        Curves { energy, pooled: pooled.map(spectrum), response, latent, seconds }
    }
}

/// The energy of some pictures' latents on a grid.
fn energy(
    grid: &LatentGrid,
    block: &[Prepared],
    latents: &[&[f32]],
    layout: GridLayout,
) -> Result<LatentSpectrum, MetricError> {
    let energies: Vec<_> = latents.par_iter().map(|latent| grid.energy(latent, layout)).collect();
    let mut sum = LatentSpectrum::new(grid);
    let mut each = block.iter().zip(energies);
    each.try_for_each(|(picture, energy)| sum.update((picture.index, energy?)))?;
    Ok(sum)
}

fn merge(
    all: &mut Option<LatentSpectrum>,
    more: Option<LatentSpectrum>,
) -> Result<(), MetricError> {
    match (all, more) {
        (_, None) => Ok(()),
        (Some(all), Some(more)) => all.merge(more),
        (all, more) => {
            *all = more;
            Ok(())
        }
    }
}

impl Curves {
    /// What the paper's figure is drawn from, if all of it is there.
    pub(super) fn for_figure(&self) -> Option<BandCurves> {
        let (Some(Ok(energy)), Ok(response)) = (&self.pooled, &self.response) else { return None };
        Some(BandCurves { energy: energy.shares.clone(), response: response.clone() })
    }
}
