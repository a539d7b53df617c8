use std::time::{Duration, Instant};

use crate::{Latents, TokenizerError, Weights};

/// Makes latents out of noise and classes: the second stage of a generative model, whose first is a
/// tokenizer's decoder.
///
/// As with [`Tokenizer`](crate::Tokenizer), equal arguments give equal results, and a sample does not
/// depend on the others of its batch. How is sampled (integrator, steps, guidance) is settled when a
/// generator is opened: it is part of what is judged, not of the protocol that judges it, because
/// tables rank one model under several samplers.
pub trait Generator: Send + Sync {
    /// What this generator is and how it samples.
    fn spec(&self) -> &GeneratorSpec;

    /// One latent for each draw, normalised as [`Tokenizer::normalise`](crate::Tokenizer::normalise)
    /// gives them: f32 `[N, C, h, w]`.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for a class that it does not know;
    /// [`TokenizerError::NotFinite`] naming the draw.
    fn sample(&self, draws: &[Draw], seed: u64) -> Result<Latents, TokenizerError>;

    /// About how long a batch of so many samples takes on this machine, found out by computing a
    /// little: one call of each network where a generator can tell, else a whole sample.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    fn estimate(&self, batch: usize) -> Result<Duration, TokenizerError> {
        let start = Instant::now();
        self.sample(&[Draw { index: 0, class: 0 }], 0)?;
        Ok(start.elapsed().mul_f64(batch as f64))
    }
}

/// Static facts about a generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorSpec {
    /// As it was asked for, without the path of its weights: `ditdh-xl`.
    pub id: String,
    /// Learned numbers of the network, and of the one that guides it.
    pub parameters: u64,
    /// Files that the numbers were read from.
    pub weights: Vec<Weights>,
    /// Paper or repository this implementation follows.
    pub source: String,
    /// Shape of a latent: `[C, h, w]`.
    pub latent: [usize; 3],
    /// Classes that samples can be drawn of; they are numbered from 0.
    pub classes: u32,
    /// How is sampled, as a leaderboard says it and [`Sampling`](crate::Sampling) prints it:
    /// `euler:50,autoguidance:1.42`.
    pub sampling: String,
    /// Calls of a network for one sample, those of a guiding network included.
    pub calls: u64,
    /// Multiply-accumulates of all these calls.
    pub multiply_accumulates: u64,
}

/// One sample to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Position among all samples of a run: with the seed it names the sample's noise, so that it is
    /// the same whatever the batch size or shard.
    pub index: u64,
    /// The class it is to show.
    pub class: u32,
}
