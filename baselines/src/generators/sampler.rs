use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use prismbench_core::{
    Draw, Generator, GeneratorSpec, Guidance, Latents, Sampling, Stream, TokenizerError,
};
use rayon::prelude::*;

use super::guided::Guided;
use super::integrate::{Velocity, integrate};
use super::network::Network;

/// A network with a way to sample it.
pub(super) struct Sampler {
    spec: GeneratorSpec,
    network: Network,
    /// The weaker one of autoguidance.
    guide: Option<Network>,
    sampling: Sampling,
    /// Points from noise to data.
    times: Vec<f64>,
    device: Device,
}

/// How often the velocity is asked for with guidance, and without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calls {
    guided: u64,
    plain: u64,
}

impl Sampler {
    /// `times` are those of `sampling`; `spec` may leave out what they decide.
    pub(super) fn new(
        spec: GeneratorSpec,
        network: Network,
        guide: Option<Network>,
        (sampling, times): (Sampling, &[f32]),
        device: &Device,
    ) -> Self {
        let times = times.iter().map(|&time| f64::from(time)).collect();
        let mut sampler = Self { spec, network, guide, sampling, times, device: device.clone() };
        let Calls { guided, plain } = sampler.calls();
        let cost = |network: &Network| network.config.multiply_accumulates();
        let own = cost(&sampler.network);
        let with_guidance = own + sampler.guide.as_ref().map_or(own, cost);
        sampler.spec.sampling = sampling.to_string();
        sampler.spec.calls = 2 * guided + plain;
        sampler.spec.multiply_accumulates = guided * with_guidance + plain * own;
        sampler
    }

    /// The times at which a velocity is asked for, in their order.
    fn asked(&self) -> impl Iterator<Item = f64> {
        self.times.windows(2).flat_map(|step| {
            let nodes = self.sampling.integrator.nodes().iter();
            nodes.map(|node| step[0] + node * (step[1] - step[0]))
        })
    }

    /// Whether there is guidance at this time.
    fn is_guided(&self, time: f64) -> bool {
        self.sampling.guidance.acts_at(time as f32)
    }

    fn calls(&self) -> Calls {
        let guided = self.asked().filter(|&time| self.is_guided(time)).count();
        Calls { guided: guided as u64, plain: (self.asked().count() - guided) as u64 }
    }

    /// Latents `[N, C, h, w]` from noise of that shape and as many classes.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for noise of another shape.
    pub(super) fn denoise(&self, noise: Tensor, classes: &[u32]) -> Result<Tensor, TokenizerError> {
        let velocity = self.velocity(self.sampling.guidance, classes);
        integrate(&velocity, self.sampling.integrator, &self.times, noise)
    }

    fn velocity<'a>(&'a self, guidance: Guidance, classes: &'a [u32]) -> Guided<'a> {
        Guided { network: &self.network, guide: self.guide.as_ref(), guidance, classes }
    }

    /// Standard normal noise of each draw from a stream of its own, in f32: channel by channel, row by
    /// row.
    fn noise(&self, draws: &[Draw], seed: u64) -> Result<Tensor, TokenizerError> {
        let [channels, height, width] = self.spec.latent;
        let length = channels * height * width;
        let mut values = vec![0.0; draws.len() * length];
        values.par_chunks_exact_mut(length).zip(draws).for_each(|(values, draw)| {
            let mut stream = Stream::new("generator noise", seed, draw.index);
            values.fill_with(|| stream.normal() as f32);
        });
        let shape = (draws.len(), channels, height, width);
        Ok(Tensor::from_vec(values, shape, &self.device)?)
    }

    fn check_classes(&self, draws: &[Draw]) -> Result<(), TokenizerError> {
        let classes = self.spec.classes;
        let Some(draw) = draws.iter().find(|draw| draw.class >= classes) else { return Ok(()) };
        let id = &self.spec.id;
        Err(TokenizerError::Shape {
            expected: format!("classes of `{id}`, 0 to {}", classes.saturating_sub(1)),
            found: format!("class {} for sample {}", draw.class, draw.index),
        })
    }
}

impl Generator for Sampler {
    fn spec(&self) -> &GeneratorSpec {
        &self.spec
    }

    fn sample(&self, draws: &[Draw], seed: u64) -> Result<Latents, TokenizerError> {
        self.check_classes(draws)?;
        let noise = self.noise(draws, seed)?;
        if draws.is_empty() {
            return Ok(Latents::Tensor(noise));
        }
        let classes: Vec<u32> = draws.iter().map(|draw| draw.class).collect();
        let latents = self.denoise(noise, &classes)?;
        finite(&latents)?;
        Ok(Latents::Tensor(latents))
    }

    fn estimate(&self, batch: usize) -> Result<Duration, TokenizerError> {
        let draw = |index| Draw { index, class: 0 };
        let noise = self.noise(&(0..batch.max(1) as u64).map(draw).collect::<Vec<_>>(), 0)?;
        let classes = vec![0; batch.max(1)];
        let Calls { guided, plain } = self.calls();
        let guided_time = self.asked().find(|&time| self.is_guided(time)).unwrap_or(1.0);
        let time = |guidance: Guidance, calls: u64| -> Result<Duration, TokenizerError> {
            if calls == 0 {
                return Ok(Duration::ZERO);
            }
            let start = Instant::now();
            let velocity = self.velocity(guidance, &classes).at(&noise, guided_time)?;
            // Asking for a value waits for a device that computes behind our back.
            velocity.flatten_all()?.get(0)?.to_scalar::<f32>()?;
            Ok(start.elapsed().mul_f64(calls as f64))
        };
        Ok(time(self.sampling.guidance, guided)? + time(Guidance::None, plain)?)
    }
}

/// Refuses latents that are not all numbers.
fn finite(latents: &Tensor) -> Result<(), TokenizerError> {
    let values: Vec<f32> = latents.flatten_all()?.to_vec1()?;
    let length = values.len() / latents.dim(0)?.max(1);
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(TokenizerError::NotFinite {
            stage: "generator",
            value: values[at].to_string(),
            sample: at / length.max(1),
        }),
    }
}

#[cfg(test)]
mod tests;
