use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, LayerNorm, Linear, MapShape, Maps, NnError, Work, count};
use prismbench_weights::Tensors;

use super::decoder_config::{
    AFTER, BEFORE, CLASS, DecoderConfig, HEAD, INPUT, LAYERS, POSITIONS, PatchOrder, Presence,
    Shared,
};
use super::tower::BLOCK;
use crate::error::layer;
use crate::vit::{Blocks, Scope, few_at_a_time, take_linear, take_norm};

/// Tokens to the latents of the autoencoder: a transformer as the encoder's, with patches of one
/// token, and a linear layer to each patch of latents.
pub(super) struct Decoder {
    input: Linear,
    /// The class token, with its position where there are positions.
    class: Option<Maps>,
    positions: Option<Maps>,
    before: Option<LayerNorm>,
    blocks: Blocks,
    after: Option<LayerNorm>,
    head: Linear,
    order: PatchOrder,
    shared: Shared,
}

impl Decoder {
    /// Takes the tensors that [`DecoderConfig::expected`] lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(super) fn new(
        config: &DecoderConfig,
        scope: &Scope,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let DecoderConfig { block, layers, order, shared, .. } = *config;
        let weight = scope.take(INPUT, tensors)?;
        let weight = tensors.for_products(&weight)?;
        let input = Linear::new(&weight, None, Activation::Identity).map_err(layer)?;
        let (class, positions) = prefix_and_positions(config, scope, tensors)?;
        let mut norm = |there: Presence, names| {
            let take = || take_norm(scope, names, block.epsilon, tensors);
            (there == Presence::Present).then(take).transpose()
        };
        let (before, after) = (norm(config.before, BEFORE)?, norm(config.after, AFTER)?);
        let blocks = Blocks::new(&block, &scope.under(LAYERS), &BLOCK, layers, tensors)?;
        let head = take_linear(scope, HEAD, Activation::Identity, tensors)?;
        Ok(Self { input, class, positions, before, blocks, after, head, order, shared })
    }

    /// Tokens `[N, width, grid, grid]` to latents as the encoder sees them,
    /// `[N, channels, patch grid, patch grid]`.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for tokens of another grid.
    pub(super) fn forward(&self, tokens: &Tensor) -> Result<Tensor, TokenizerError> {
        let count = self.shared.grid * self.shared.grid + 1;
        let mut latents = Vec::new();
        for few in few_at_a_time(tokens, count) {
            let tokens = Maps::from_tensor(&few?).map_err(layer)?;
            let patches = self.patches(tokens).and_then(|patches| patches.to_token_tensor());
            latents.push(self.assemble(&patches.map_err(layer)?)?);
        }
        Ok(Tensor::cat(&latents, 0)?)
    }

    /// What tokens of this shape cost, and the shape of the latents that they become.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(super) fn work(&self, tokens: MapShape) -> Result<(Work, MapShape), TokenizerError> {
        let (work, _) = count(tokens, |tokens| self.patches(tokens)).map_err(layer)?;
        let Shared { grid, channels, patch, .. } = self.shared;
        let (height, width) = (patch * grid, patch * grid);
        Ok((work, MapShape { images: 1, height, width, channels }))
    }

    /// For each token the numbers of its patch, `patch patch channels`.
    fn patches(&self, tokens: Maps) -> Result<Maps, NnError> {
        let mut x = self.input.forward(&tokens.into_tokens()?)?;
        if let Some(positions) = &self.positions {
            x = x.add_to_each(positions)?;
        }
        if let Some(class) = &self.class {
            x = x.with_prefix(class)?;
        }
        if let Some(before) = &self.before {
            x = before.forward(&x)?;
        }
        x = self.blocks.forward(x, 0..self.blocks.len())?;
        x = x.tokens(usize::from(self.class.is_some())..x.shape().width)?;
        if let Some(after) = &self.after {
            x = after.forward(&x)?;
        }
        self.head.forward(&x)
    }

    /// Each token's outputs to its place.
    fn assemble(&self, patches: &Tensor) -> Result<Tensor, TokenizerError> {
        let (images, Shared { grid, channels, patch, .. }) = (patches.dim(0)?, self.shared);
        let (shape, axes) = match self.order {
            PatchOrder::Hwc => ([images, grid, grid, patch, patch, channels], [0, 5, 1, 3, 2, 4]),
            PatchOrder::Chw => ([images, grid, grid, channels, patch, patch], [0, 3, 1, 4, 2, 5]),
        };
        let planes = patches.reshape(&shape[..])?.permute(axes.to_vec())?.contiguous()?;
        Ok(planes.reshape((images, channels, patch * grid, patch * grid))?)
    }
}

/// The class token and the positions of the grid, where there are any. The first position is the
/// class token's.
fn prefix_and_positions(
    config: &DecoderConfig,
    scope: &Scope,
    tensors: &mut Tensors,
) -> Result<(Option<Maps>, Option<Maps>), TokenizerError> {
    let width = config.block.width;
    let mut take = |there: Presence, names| -> Result<Option<Tensor>, TokenizerError> {
        match there {
            Presence::Present => Ok(Some(scope.take(names, tensors)?.reshape((1, (), width))?)),
            Presence::Absent => Ok(None),
        }
    };
    let both = (take(config.class, CLASS)?, take(config.positions, POSITIONS)?);
    let (class, positions) = match both {
        (Some(class), Some(table)) => {
            let tokens = table.dim(1)?;
            (Some((class + table.narrow(1, 0, 1)?)?), Some(table.narrow(1, 1, tokens - 1)?))
        }
        apart => apart,
    };
    let maps = |tokens: Tensor| Maps::from_token_tensor(&tokens).map_err(layer);
    Ok((class.map(maps).transpose()?, positions.map(maps).transpose()?))
}
