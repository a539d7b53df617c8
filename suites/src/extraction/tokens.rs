//! The tokens of a batch, whether they are an encoder's features or a latent's cells.

use candle_core::Tensor;
use prismbench_core::{
    BandMask, Encoding, FeatureTap, Features, ImageBatch, LatentNoise, Latents, Tokenizer,
    TokenizerError,
};

use crate::Stage;

/// What there is to pool.
pub(crate) struct Tokens {
    /// f32 `[N, T, D]`, without class and register tokens.
    pub(crate) patches: Tensor,
    /// Rows and columns of the tokens, where they have such.
    pub(super) grid: Option<(usize, usize)>,
    /// f32 `[N, D]`.
    pub(crate) class: Option<Tensor>,
    /// f32 `[N, D']`: the encoder's own summary.
    pub(crate) own: Option<Tensor>,
}

/// The encoder's features; the cells of its latent where it has no others, and where noise or a mask
/// is asked for, which are defined on latents.
pub(crate) fn tokens(
    tokenizer: &dyn Tokenizer,
    images: &ImageBatch,
    tap: FeatureTap,
    encoding: &Encoding<'_>,
) -> Result<Tokens, TokenizerError> {
    let _encode = Stage::Encode.enter();
    let plain = encoding.noise == LatentNoise::None && encoding.band_mask == BandMask::None;
    let features = if plain { Some(tokenizer.features(images, tap)) } else { None };
    match features {
        Some(Ok(features)) => of_features(features),
        Some(Err(error)) if !matches!(error, TokenizerError::Unsupported { .. }) => Err(error),
        Some(Err(_)) | None if tap == FeatureTap::Output => {
            cells(&tokenizer.spec().id, tokenizer.encode(images, encoding)?)
        }
        Some(Err(error)) => Err(error),
        None => {
            Err(unsupported(&tokenizer.spec().id, "latent behind a block to mask or add noise to"))
        }
    }
}

/// Says that a tokenizer lacks something.
pub(crate) fn unsupported(tokenizer: &str, capability: &'static str) -> TokenizerError {
    TokenizerError::Unsupported { tokenizer: tokenizer.to_owned(), capability }
}

/// An encoder's features; those whose grid is not that of their tokens are refused.
pub(crate) fn of_features(features: Features) -> Result<Tokens, TokenizerError> {
    let Features { patch_tokens: patches, grid, class_token: class, pooled: own } = features;
    let (_, count, _) = patches.dims3()?;
    if grid.0 * grid.1 != count {
        let expected = format!("{} x {} patch tokens", grid.0, grid.1);
        return Err(TokenizerError::Shape { expected, found: count.to_string() });
    }
    Ok(Tokens { patches, grid: Some(grid), class, own })
}

/// The cells of a grid, row by row, or the tokens of a sequence.
fn cells(id: &str, latents: Latents) -> Result<Tokens, TokenizerError> {
    let latent = match latents {
        Latents::Tensor(latent) => latent,
        Latents::BitStreams(_) => return Err(unsupported(id, "numbers in its latent")),
        Latents::Finished(_) => return Err(unsupported(id, "latent that is known")),
    };
    let (patches, grid) = match *latent.dims() {
        [images, channels, rows, columns] => {
            let cells = latent.permute((0, 2, 3, 1))?;
            (cells.reshape((images, rows * columns, channels))?, Some((rows, columns)))
        }
        [_, _, _] => (latent, None),
        _ => {
            let expected = format!("a latent of `{id}`, [N, C, h, w] or [N, T, D]");
            return Err(TokenizerError::Shape { expected, found: format!("{:?}", latent.dims()) });
        }
    };
    Ok(Tokens { patches, grid, class: None, own: None })
}
