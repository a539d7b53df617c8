use candle_core::Tensor;
use prismbench_core::{StageCost, TokenizerError};
use prismbench_kernels::nn::{Activation, LayerNorm, Linear, MapShape, Maps, Mask, NnError};
use prismbench_weights::{Expected, Tensors, WeightsFile};

use super::sincos;
use crate::cost::counted;
use crate::error::layer;
use crate::vit::{
    BlockConfig, Blocks, Names, RAE_DECODER_BLOCK, Scope, expect_linear, expect_norm,
    few_at_a_time, take_linear, take_norm,
};

/// Pixels along the side of a patch, and channels of each.
const PATCH: usize = 16;
const PIXELS: usize = PATCH * PATCH * 3;

const EMBED: Names = &["decoder_embed"];
const CLASS: Names = &["trainable_cls_token"];
const POSITIONS: Names = &["decoder_pos_embed"];
const LAYERS: Names = &["decoder_layers."];
const NORM: Names = &["decoder_norm"];
const PREDICT: Names = &["decoder_pred"];

/// RAE's `GeneralDecoder` (src/stage1/decoders/decoder.py): latents to tokens, a class token before
/// them, fixed positions, pre-norm blocks, and 16x16 pixels of each token.
pub(crate) struct Decoder {
    embed: Linear,
    /// The class token with its position, and the positions of the grid.
    class: Maps,
    positions: Maps,
    blocks: Blocks,
    norm: LayerNorm,
    predict: Linear,
    grid: usize,
}

/// What a decoder's file says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecoderConfig {
    block: BlockConfig,
    depth: usize,
    /// Channels of a latent.
    latent: usize,
    /// Latents along the side of a picture.
    grid: usize,
    positions: PositionSource,
}

/// Where the positions are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PositionSource {
    /// The file, as RAE's own have them.
    File,
    /// Computed: diffusers' files have none, or what must not be trusted.
    Formula,
}

impl DecoderConfig {
    /// Reads the sizes off the shapes of a file's tensors.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a width whose number of heads is not known.
    pub(crate) fn read(
        file: &WeightsFile,
        scope: &Scope,
        (latent, grid): (usize, usize),
        positions: PositionSource,
    ) -> Result<Self, TokenizerError> {
        let layers = scope.under(LAYERS);
        let rows = |scope: &Scope, names: &[&str]| match scope.shape(names, file) {
            Some([rows, _]) => Some(*rows),
            _ => None,
        };
        // What is missing is named with the shape that the published decoders have.
        let width = rows(&scope.under(EMBED), &[".weight"]).unwrap_or(1152);
        let first = layers.block(0).under(RAE_DECODER_BLOCK.mlp[0]);
        let hidden = rows(&first, &[".weight"]).unwrap_or(4096);
        // configs/decoder of RAE: ViTB, ViTL and ViTXL.
        let heads = match width {
            768 => 12,
            1024 | 1152 => 16,
            _ => {
                let problems = vec![format!(
                    "the decoder is {width} wide, and its heads are known for 768, 1024 and 1152"
                )];
                let path = file.path().to_owned();
                return Err(TokenizerError::WeightsMismatch { path, problems });
            }
        };
        let activation = Activation::Gelu;
        let block =
            BlockConfig { width, hidden, heads, epsilon: 1e-12, activation, mask: Mask::None };
        let depth = Blocks::count(file, &layers, &RAE_DECODER_BLOCK);
        Ok(Self { block, depth, latent, grid, positions })
    }

    /// `ViTB`, `ViTL` or `ViTXL`, which differ in depth.
    #[cfg(test)]
    pub(crate) fn published(depth: usize, (latent, grid): (usize, usize)) -> Self {
        let (width, hidden, heads) = match depth {
            12 => (768, 3072, 12),
            24 => (1024, 4096, 16),
            _ => (1152, 4096, 16),
        };
        let activation = Activation::Gelu;
        let block =
            BlockConfig { width, hidden, heads, epsilon: 1e-12, activation, mask: Mask::None };
        Self { block, depth, latent, grid, positions: PositionSource::File }
    }

    /// The tensors of the decoder.
    pub(crate) fn expected(&self, scope: &Scope) -> Vec<Expected> {
        let BlockConfig { width, .. } = self.block;
        let mut all = expect_linear(scope, EMBED, (width, self.latent)).to_vec();
        all.push(scope.expect(CLASS, [1, 1, width]));
        if self.positions == PositionSource::File {
            all.push(scope.expect(POSITIONS, [1, self.grid * self.grid + 1, width]));
        }
        let layers = scope.under(LAYERS);
        all.extend(Blocks::expected(&self.block, &layers, &RAE_DECODER_BLOCK, self.depth));
        all.extend(expect_norm(scope, NORM, width));
        all.extend(expect_linear(scope, PREDICT, (PIXELS, width)));
        all
    }

    /// Numbers of the decoder, those of the fixed positions included.
    pub(crate) fn parameters(&self, scope: &Scope) -> u64 {
        let config = Self { positions: PositionSource::File, ..*self };
        Expected::count(&config.expected(scope))
    }
}

impl Decoder {
    /// Takes the tensors that [`DecoderConfig::expected`] lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(crate) fn new(
        config: &DecoderConfig,
        scope: &Scope,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let DecoderConfig { block, depth, grid, .. } = *config;
        let class = scope.take(CLASS, tensors)?;
        let table = match config.positions {
            PositionSource::File => scope.take(POSITIONS, tensors)?,
            PositionSource::Formula => {
                let shape = (1, grid * grid + 1, block.width);
                Tensor::from_vec(sincos::positions(block.width, grid), shape, class.device())?
            }
        };
        let class = (class + table.narrow(1, 0, 1)?)?;
        let table = table.narrow(1, 1, grid * grid)?;
        let mut linear = |names| take_linear(scope, names, Activation::Identity, tensors);
        let (embed, predict) = (linear(EMBED)?, linear(PREDICT)?);
        let norm = take_norm(scope, NORM, block.epsilon, tensors)?;
        let layers = scope.under(LAYERS);
        Ok(Self {
            embed,
            class: Maps::from_token_tensor(&class).map_err(layer)?,
            positions: Maps::from_token_tensor(&table).map_err(layer)?,
            blocks: Blocks::new(&block, &layers, &RAE_DECODER_BLOCK, depth, tensors)?,
            norm,
            predict,
            grid,
        })
    }

    /// Latents `[N, C, h, w]` to normalised pixels `[N, 3, 16 h, 16 w]`.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for latents of another grid.
    pub(crate) fn forward(&self, latents: &Tensor) -> Result<Tensor, TokenizerError> {
        let mut pictures = Vec::new();
        for few in few_at_a_time(latents, self.grid * self.grid + 1) {
            let latents = Maps::from_tensor(&few?).map_err(layer)?;
            let patches = self.patches(latents).and_then(|patches| patches.to_token_tensor());
            pictures.push(self.paint(&patches.map_err(layer)?)?);
        }
        Ok(Tensor::cat(&pictures, 0)?)
    }

    /// Latents to the pixels of each patch.
    fn patches(&self, latents: Maps) -> Result<Maps, NnError> {
        let tokens = self.embed.forward(&latents.into_tokens()?)?;
        let tokens = tokens.add_to_each(&self.positions)?.with_prefix(&self.class)?;
        let tokens = self.blocks.forward(tokens, 0..self.blocks.len())?;
        let patches = tokens.tokens(1..tokens.shape().width)?;
        self.predict.forward(&self.norm.forward(&patches)?)
    }

    /// What latents of this shape cost, with so many learned numbers.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(crate) fn cost(
        &self,
        parameters: u64,
        latents: MapShape,
    ) -> Result<StageCost, TokenizerError> {
        Ok(counted(parameters, latents, |maps| self.patches(maps))?.0)
    }

    /// `[N, h w, 16 x 16 x 3]` to `[N, 3, 16 h, 16 w]`.
    fn paint(&self, patches: &Tensor) -> Result<Tensor, TokenizerError> {
        let (count, grid) = (patches.dim(0)?, self.grid);
        let pixels = patches.reshape(&[count, grid, grid, PATCH, PATCH, 3][..])?;
        let planes = pixels.permute(vec![0, 5, 1, 3, 2, 4])?.contiguous()?;
        Ok(planes.reshape((count, 3, PATCH * grid, PATCH * grid))?)
    }
}

#[cfg(test)]
mod tests {
    use prismbench_core::MacDialect;

    use super::*;
    use crate::cost::testing::{at_depth, fvcore, giga, parts, zeros};

    /// Of so many blocks extrapolated, for a grid.
    fn cost(depth: usize, grid: usize) -> StageCost {
        at_depth(depth as u64, |blocks| {
            let published = DecoderConfig::published(depth, (768, grid));
            let (config, scope) = (DecoderConfig { depth: blocks, ..published }, Scope::new(&[""]));
            let mut tensors = zeros(&config.expected(&scope));
            let decoder = Decoder::new(&config, &scope, &mut tensors).unwrap();
            let latents = MapShape { images: 1, height: grid, width: grid, channels: 768 };
            decoder.cost(config.parameters(&scope), latents).unwrap()
        })
    }

    /// RAE's Table 1b calls multiply-accumulates without attention GFLOPs: 22.2, 78.1 and 106.7, which
    /// its own rounding or counter puts 0.1 above these.
    #[test]
    fn the_three_published_sizes_cost_what_is_published_and_what_fvcore_counts() {
        let table = [
            (12, "b", "23.35", "22.13", "107.63"),
            (24, "l", "81.26", "78.01", "362.79"),
            (28, "xl", "110.82", "106.56", "492.79"),
        ];
        for (depth, name, mac, linear, large) in table {
            let (at_256, at_512) = (cost(depth, 16), cost(depth, 32));
            assert_eq!(giga(at_256.macs()), mac);
            assert_eq!(giga(MacDialect::MacLinear.of_decoder(&at_256)), linear);
            assert_eq!(giga(at_512.macs()), large);
            let model = format!("rae-decoder-{name}");
            // Fixed positions are no parameters of diffusers' module, which predicts pixels of the class
            // token, too, and then drops them.
            let width = DecoderConfig::published(depth, (768, 16)).block.width as u64;
            let as_here = |[parameters, rest @ ..]: [u64; 4], grid: u64| {
                let [convolution, linear, attention] = rest;
                let linear = linear - PIXELS as u64 * width;
                [parameters + (grid * grid + 1) * width, convolution, linear, attention]
            };
            let expected = as_here(fvcore(&model, 256, "decoder"), 16);
            assert_eq!(parts(&at_256), expected);
            if name == "b" {
                let expected = as_here(fvcore(&model, 512, "decoder"), 32);
                assert_eq!(parts(&at_512), expected);
            }
        }
    }

    #[test]
    fn the_three_published_sizes_have_the_published_numbers() {
        let cases = [(12, 86_435_328, 200), (24, 304_150_272, 392), (28, 415_352_704, 456)];
        for (depth, parameters, tensors) in cases {
            let (config, scope) = (DecoderConfig::published(depth, (768, 16)), Scope::new(&[""]));
            assert_eq!(config.parameters(&scope), parameters);
            assert_eq!(config.expected(&scope).len(), tensors);
        }
    }
}
