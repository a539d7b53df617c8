use candle_core::Tensor;

use crate::TokenizerError;

/// What an encoder knows of a batch of pictures: the input of probes and retrieval.
#[derive(Clone, Debug)]
pub struct Features {
    /// f32 `[N, rows x columns, D]`, row by row, without class and register tokens.
    pub patch_tokens: Tensor,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// f32 `[N, D]`, where the encoder has a class token.
    pub class_token: Option<Tensor>,
    /// f32 `[N, D']`: the encoder's own summary of a picture, where it has one: CLIP's projected
    /// class token, SigLIP's attention pooling. Comparable with [`TextTower::embed`].
    pub pooled: Option<Tensor>,
}

/// Where features are read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureTap {
    /// What the encoder gives: after the last block, and the final norm where the model has one
    /// there.
    Output,
    /// Behind a block, counted from 0, before any final norm; nothing is pooled.
    Block(usize),
}

/// Maps texts into the space of [`Features::pooled`].
pub trait TextTower: Send + Sync {
    /// f32 `[N, D']`, not normalised.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming a text that is longer than the tower's context; what is
    /// wrong with files that are first read when a text comes, [`TokenizerError::WeightsMissing`]
    /// among others.
    fn embed(&self, texts: &[&str]) -> Result<Tensor, TokenizerError>;

    /// Tokens that a text may have, with its marks of begin and end.
    fn context(&self) -> usize;

    /// How a cosine becomes a logit: `scale` and `bias`.
    fn logit(&self) -> (f64, f64);
}
