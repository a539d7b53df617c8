use crate::{ImageBatch, LatentShape, Latents, TokenizerError};

/// A visual tokenizer under test.
///
/// Implementations hold weights and nothing else that changes: every method takes `&self`, and two
/// calls with equal arguments give equal results. An image's result does not depend on the other
/// images of its batch. Adapters own the pixel range, internal resizes and latent statistics; the
/// harness alone clamps, quantises and measures.
pub trait Tokenizer: Send + Sync {
    /// What this tokenizer is: id, geometry and the source of its weights.
    fn spec(&self) -> &TokenizerSpec;

    /// Shape of one image's latent for pictures of `height x width` pixels.
    fn latent_shape(&self, height: usize, width: usize) -> LatentShape;

    /// Maps images `[N, 3, H, W]` to latents.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when `H` or `W` is not a multiple of [`TokenizerSpec::stride`].
    fn encode(
        &self,
        images: &ImageBatch,
        posterior: Posterior<'_>,
    ) -> Result<Latents, TokenizerError>;

    /// Maps latents back to images, unclamped: what leaves the last layer, nominally in `[0, 1]`.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] for an encoder without a decoder;
    /// [`TokenizerError::Shape`] for latents that this tokenizer cannot have made.
    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError>;
}

/// Static facts about a tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerSpec {
    /// As it was asked for, without the path of its weights: `jpeg:75`, `taef2`.
    pub id: String,
    /// The sides of an input picture must be multiples of this.
    pub stride: usize,
    /// Learned or fitted numbers, encoder and decoder together; 0 for a fixed transform.
    pub parameters: u64,
    /// What the numbers were read from or fitted on; empty for a fixed transform.
    pub weights: Vec<Weights>,
    /// Paper, repository or standard this implementation follows.
    pub source: String,
}

/// One origin of a tokenizer's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// File name, or what was fitted: `taef2_encoder.safetensors`.
    pub name: String,
    /// sha256 of the file or of the fitted numbers, in hexadecimal.
    pub sha256: String,
}

/// How to read a latent out of an encoder's posterior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posterior<'a> {
    /// The mode: what reconstruction tables report.
    Mode,
    /// One draw per image; each stream is derived from the seed and the image's index in its data
    /// set, so that a run gives the same numbers for any batch size or shard count.
    Sample {
        /// Seed of the run.
        seed: u64,
        /// Index of each image of the batch within its data set.
        indices: &'a [u64],
    },
}

impl TokenizerSpec {
    /// Checks that a batch's sides are multiples of the stride.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming the stride and the sides.
    pub fn check_sides(&self, images: &ImageBatch) -> Result<(), TokenizerError> {
        let (_, height, width) = images.dims();
        if height % self.stride == 0 && width % self.stride == 0 {
            return Ok(());
        }
        Err(TokenizerError::Shape {
            expected: format!("`{}` height and width multiples of {}", self.id, self.stride),
            found: format!("{width}x{height} pixels"),
        })
    }
}
