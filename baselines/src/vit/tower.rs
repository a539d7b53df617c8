use candle_core::{DType, Tensor};
use prismbench_core::{FeatureTap, TokenizerError};
use prismbench_kernels::nn::{Conv2d, ConvOptions, LayerNorm, Maps, NnError, Window};
use prismbench_weights::{Expected, Tensors, WeightsFile};

use super::positions::{Interpolation, PositionTable};
use super::{
    BlockConfig, BlockNames, Blocks, Form, Names, Positions, Scope, expect_norm, take_norm,
};
use crate::error::layer;

/// Patches of a picture as tokens, and the blocks that they run through.
pub(crate) struct Tower {
    patch: usize,
    patches: Conv2d,
    positions: PositionTable,
    before: Option<LayerNorm>,
    blocks: Blocks,
    after: Option<LayerNorm>,
}

/// Extents of a tower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TowerConfig {
    pub(crate) block: BlockConfig,
    /// Channels of a picture.
    pub(crate) channels: usize,
    /// Pixels along the side of a patch.
    pub(crate) patch: usize,
    /// Whether the patches' layer has a bias.
    pub(crate) patch_bias: PatchBias,
    /// Patches along the side of a picture that positions were learned for.
    pub(crate) grid: usize,
    /// Tokens that belong to no patch, besides the class token.
    pub(crate) registers: usize,
    /// How positions are interpolated.
    pub(crate) interpolation: Interpolation,
    pub(crate) after: FinalNorm,
}

/// Whether patches get a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchBias {
    Present,
    Absent,
}

/// What all tokens go through behind the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalNorm {
    /// The file's.
    Learned,
    /// A norm without weight and bias, whatever the file has: what RAE and UAE put there.
    Plain,
    /// Nothing: the norm is of the class token alone, and not of the tower.
    None,
}

/// What a file calls the tensors of a tower, behind a [`Scope`].
pub(crate) struct TowerNames {
    /// Ends where the number of a block follows.
    pub(crate) layers: Names,
    pub(crate) block: BlockNames,
    /// `.weight` and, where there is one, `.bias` follow.
    pub(crate) patches: Names,
    /// Whole names, as are the next three.
    pub(crate) class: Option<Names>,
    pub(crate) registers: Names,
    pub(crate) positions: Names,
    /// What takes the place of a patch in training, and is not used here.
    pub(crate) mask: Option<Names>,
    /// Norm before the first block.
    pub(crate) before: Option<Names>,
    /// Norm behind the last.
    pub(crate) after: Names,
    pub(crate) form: Form,
}

/// Tokens of pictures as a tap names them.
pub(crate) struct Tapped {
    /// All tokens.
    pub(crate) tokens: Maps,
    /// For [`FeatureTap::Last`] the first token behind each of the blocks but the last, through the
    /// final norm.
    pub(crate) earlier: Vec<Maps>,
}

impl TowerConfig {
    /// The tensors of a tower of `depth` blocks.
    pub(crate) fn expected(
        &self,
        scope: &Scope,
        names: &TowerNames,
        depth: usize,
    ) -> Vec<Expected> {
        let BlockConfig { width, .. } = self.block;
        let patches = scope.under(names.patches);
        let weight = [width, self.channels, self.patch, self.patch];
        let mut all = vec![patches.expect(&[".weight"], weight)];
        if self.patch_bias == PatchBias::Present {
            all.push(patches.expect(&[".bias"], [width]));
        }
        all.extend(names.class.map(|class| scope.expect(class, names.form.class(width))));
        if self.registers > 0 {
            let shape = names.form.tokens(self.registers, width);
            all.push(scope.expect(names.registers, shape));
        }
        let positions = self.grid * self.grid + usize::from(names.class.is_some());
        all.push(scope.expect(names.positions, names.form.tokens(positions, width)));
        all.extend(names.mask.map(|mask| scope.expect(mask, [1, width])));
        all.extend(names.before.iter().flat_map(|norm| expect_norm(scope, norm, width)));
        let layers = scope.under(names.layers);
        all.extend(Blocks::expected(&self.block, &layers, &names.block, depth));
        if self.after == FinalNorm::Learned {
            all.extend(expect_norm(scope, names.after, width));
        }
        all
    }
}

impl TowerNames {
    /// Whether the file calls a tower's tensors like this.
    pub(crate) fn fits(&self, scope: &Scope, file: &WeightsFile) -> bool {
        let norm = scope.under(self.layers).block(0).under(self.block.norms[0]);
        scope.shape(self.positions, file).is_some() && norm.shape(&[".weight"], file).is_some()
    }

    /// Blocks of the file.
    pub(crate) fn depth(&self, scope: &Scope, file: &WeightsFile) -> usize {
        Blocks::count(file, &scope.under(self.layers), &self.block)
    }
}

impl Tower {
    /// Takes the tensors that [`TowerConfig::expected`] lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(crate) fn new(
        config: &TowerConfig,
        scope: &Scope,
        names: &TowerNames,
        depth: usize,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let BlockConfig { width, epsilon, .. } = config.block;
        let patches = patches(config, &scope.under(names.patches), tensors)?;
        let mut tokens = |names: Names| -> Result<Tensor, TokenizerError> {
            Ok(scope.take(names, tensors)?.reshape((1, (), width))?)
        };
        let class = names.class.map(&mut tokens).transpose()?;
        let registers = (config.registers > 0).then(|| tokens(names.registers)).transpose()?;
        let table = tokens(names.positions)?;
        let (class, registers) = (class.as_ref(), registers.as_ref());
        let positions = PositionTable::new(&table, class, registers, config.interpolation)?;
        let mut norm = |names: Names| take_norm(scope, names, epsilon, tensors);
        let before = names.before.map(&mut norm).transpose()?;
        let after = match config.after {
            FinalNorm::Learned => Some(norm(names.after)?),
            FinalNorm::Plain => {
                let ones = Tensor::ones(width, DType::F32, table.device())?;
                Some(LayerNorm::new(&ones, None, epsilon).map_err(layer)?)
            }
            FinalNorm::None => None,
        };
        let layers = scope.under(names.layers);
        let blocks = Blocks::new(&config.block, &layers, &names.block, depth, tensors)?;
        Ok(Self { patch: config.patch, patches, positions, before, blocks, after })
    }

    /// Positions for pictures of `(rows, columns)` patches.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    pub(crate) fn positions(&self, grid: (usize, usize)) -> Result<Positions, TokenizerError> {
        self.positions.of(grid)
    }

    /// Positions for counting what pictures of `(rows, columns)` patches cost.
    ///
    /// # Errors
    /// As [`positions`](Self::positions).
    pub(crate) fn blank_positions(
        &self,
        grid: (usize, usize),
    ) -> Result<Positions, TokenizerError> {
        self.positions.blank(grid)
    }

    /// Pixels along the side of a patch.
    pub(crate) fn patch(&self) -> usize {
        self.patch
    }

    /// Tokens before those of patches.
    pub(crate) fn prefix_len(&self) -> usize {
        self.positions.prefix_len()
    }

    /// Refuses a block that the tower of tokenizer `id` does not have.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] naming how many there are.
    pub(crate) fn check(&self, tap: FeatureTap, id: &str) -> Result<(), TokenizerError> {
        let depth = self.blocks.len();
        match tap {
            FeatureTap::Block(block) if block >= depth => Err(TokenizerError::Shape {
                expected: format!("one of the {depth} blocks of `{id}`, from 0"),
                found: format!("block {block}"),
            }),
            FeatureTap::Last(blocks) if blocks.get() > depth => Err(TokenizerError::Shape {
                expected: format!("at most the {depth} blocks of `{id}`"),
                found: format!("the last {blocks}"),
            }),
            FeatureTap::Last(_) if self.prefix_len() == 0 => Err(no_class_token(id)),
            _ => Ok(()),
        }
    }

    /// The tokens of pictures that are whole patches, as they are at `tap`; a block that there is
    /// none of is the last.
    pub(crate) fn forward(
        &self,
        pictures: &Maps,
        positions: &Positions,
        tap: FeatureTap,
    ) -> Result<Tapped, NnError> {
        let patches = self.patches.forward(pictures)?.into_tokens()?;
        let mut tokens = patches.add_to_each(&positions.table)?;
        if let Some(prefix) = &positions.prefix {
            tokens = tokens.with_prefix(prefix)?;
        }
        if let Some(before) = &self.before {
            tokens = before.forward(&tokens)?;
        }
        let depth = self.blocks.len();
        let (mut done, mut earlier) = (0, vec![]);
        match tap {
            FeatureTap::Block(block) => {
                let tokens = self.blocks.forward(tokens, 0..block + 1)?;
                return Ok(Tapped { tokens, earlier });
            }
            FeatureTap::Last(blocks) => {
                for upto in depth.saturating_sub(blocks.get() - 1)..depth {
                    tokens = self.blocks.forward(tokens, done..upto)?;
                    earlier.push(self.normed(tokens.tokens(0..1)?)?);
                    done = upto;
                }
            }
            FeatureTap::Output => {}
        }
        let tokens = self.normed(self.blocks.forward(tokens, done..depth)?)?;
        Ok(Tapped { tokens, earlier })
    }

    fn normed(&self, tokens: Maps) -> Result<Maps, NnError> {
        match &self.after {
            Some(after) => after.forward(&tokens),
            None => Ok(tokens),
        }
    }
}

/// One token of each picture from each of some maps, `[N, maps x width]`.
///
/// # Errors
/// [`TokenizerError::Tensor`] where maps are not of one token and the same pictures.
pub(crate) fn behind_each_other(tokens: &[Maps]) -> Result<Tensor, TokenizerError> {
    let single = |token: &Maps| -> Result<Tensor, TokenizerError> {
        Ok(token.to_token_tensor().map_err(layer)?.squeeze(1)?)
    };
    let tokens = tokens.iter().map(single).collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(&tokens, 1)?)
}

/// Says that a tokenizer has no class token.
pub(crate) fn no_class_token(id: &str) -> TokenizerError {
    TokenizerError::Unsupported { tokenizer: id.to_owned(), capability: "class token" }
}

/// Each patch's pixels to a token.
fn patches(
    config: &TowerConfig,
    scope: &Scope,
    tensors: &mut Tensors,
) -> Result<Conv2d, TokenizerError> {
    let weight = scope.take(&[".weight"], tensors)?;
    let bias = match config.patch_bias {
        PatchBias::Present => Some(scope.take(&[".bias"], tensors)?),
        PatchBias::Absent => None,
    };
    let side = config.patch;
    let options = ConvOptions::new(Window::new(side, side).stride(side, side));
    Conv2d::new(&tensors.for_products(&weight)?, bias.as_ref(), options).map_err(layer)
}
