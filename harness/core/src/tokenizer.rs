use crate::{
    Cost, Encoding, FeatureTap, Features, ImageBatch, LatentShape, Latents, TextTower,
    TokenizerError,
};

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
    /// [`TokenizerError::Shape`] when `H` or `W` is not a multiple of [`TokenizerSpec::stride`];
    /// [`TokenizerError::Unsupported`] for a noise or mask that it does not have.
    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError>;

    /// Maps latents back to images, unclamped: what leaves the last layer, nominally in `[0, 1]`.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] for an encoder without a decoder;
    /// [`TokenizerError::Shape`] for latents that this tokenizer cannot have made.
    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError>;

    /// Latents as generators are trained on them: SD-VAE's times 0.18215, FLUX's shifted and
    /// scaled. The same latents where `encode` gives them so already.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for latents that this tokenizer cannot have made.
    fn normalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        Ok(latents.clone())
    }

    /// The inverse of [`normalise`](Self::normalise).
    ///
    /// # Errors
    /// As [`normalise`](Self::normalise).
    fn denormalise(&self, latents: &Latents) -> Result<Latents, TokenizerError> {
        Ok(latents.clone())
    }

    /// What the encoder knows of pictures `[N, 3, H, W]`.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] for a tokenizer whose latents are all there is;
    /// [`TokenizerError::Shape`] for sides that it does not take or a block that it does not have.
    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        let _ = (images, tap);
        let tokenizer = self.spec().id.clone();
        Err(TokenizerError::Unsupported { tokenizer, capability: "features besides its latents" })
    }

    /// What a picture of `height x width` pixels costs, counted from the shapes that run.
    ///
    /// # Errors
    /// [`TokenizerError::Unsupported`] for a tokenizer whose operations nobody counts;
    /// [`TokenizerError::Shape`] for sides that it does not take.
    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        let _ = (height, width);
        let tokenizer = self.spec().id.clone();
        Err(TokenizerError::Unsupported { tokenizer, capability: "count of its operations" })
    }

    /// What a reader of the numbers should know once all pictures have gone through: each a
    /// sentence without its full stop. Nothing for most.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// The tower that puts texts beside pictures, where there is one.
    fn text_tower(&self) -> Option<&dyn TextTower> {
        None
    }
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

impl TokenizerSpec {
    /// Checks that a batch's sides are multiples of the stride.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming the stride and the sides.
    pub fn check_sides(&self, images: &ImageBatch) -> Result<(), TokenizerError> {
        let (_, height, width) = images.dims();
        self.check_stride(height, width)
    }

    /// Checks that the sides of a picture are multiples of the stride.
    ///
    /// # Errors
    /// As [`check_sides`](Self::check_sides).
    pub fn check_stride(&self, height: usize, width: usize) -> Result<(), TokenizerError> {
        if height.is_multiple_of(self.stride) && width.is_multiple_of(self.stride) {
            return Ok(());
        }
        Err(TokenizerError::Shape {
            expected: format!("`{}` height and width multiples of {}", self.id, self.stride),
            found: format!("{width}x{height} pixels"),
        })
    }

    /// Checks that a batch has the `(height, width)` that is the only one the tokenizer takes.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming both sizes.
    pub fn check_size(
        &self,
        images: &ImageBatch,
        size: (usize, usize),
    ) -> Result<(), TokenizerError> {
        let (_, height, width) = images.dims();
        self.check_only_size((height, width), size)
    }

    /// Checks that a picture of `(height, width)` has the size that is the only one the tokenizer
    /// takes.
    ///
    /// # Errors
    /// As [`check_size`](Self::check_size).
    pub fn check_only_size(
        &self,
        (height, width): (usize, usize),
        size: (usize, usize),
    ) -> Result<(), TokenizerError> {
        if (height, width) == size {
            return Ok(());
        }
        Err(TokenizerError::Shape {
            expected: format!("pictures of {}x{} pixels for `{}`", size.1, size.0, self.id),
            found: format!("{width}x{height} pixels"),
        })
    }
}
