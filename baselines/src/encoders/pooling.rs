//! What makes one vector of a picture's tokens.

use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, Attention, LayerNorm, Linear, MapShape, Maps, NnError};
use prismbench_weights::{Expected, Tensors};

use crate::error::layer;
use crate::vit::{BlockConfig, Names, Scope, expect_linear, expect_norm, take_linear, take_norm};

/// What comes behind a tower, and what its tensors are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing.
    None,
    /// CLIP's: a norm of the class token, then a projection to so many channels without bias.
    Projection { outputs: usize },
    /// SigLIP's: a learned query over all tokens, then an MLP (Lee et al. 2019, Zhai et al. 2022).
    Attention,
}

const NORM: Names = &["post_layernorm"];
const PROJECTION: &str = "visual_projection.weight";
const HEAD: Names = &["head."];

/// A [`Head`] with its weights.
pub(crate) enum Pooling {
    None,
    Projection { norm: LayerNorm, projection: Linear },
    Attention(Box<AttentionPooling>),
}

pub(crate) struct AttentionPooling {
    /// `[1, 1, width]`.
    query: Tensor,
    keys: Linear,
    values: Linear,
    attention: Attention,
    output: Linear,
    norm: LayerNorm,
    mlp: [Linear; 2],
}

impl Head {
    /// Its tensors; `scope` is the tower's.
    pub(crate) fn expected(self, block: &BlockConfig, scope: &Scope) -> Vec<Expected> {
        let BlockConfig { width, hidden, .. } = *block;
        match self {
            Self::None => Vec::new(),
            Self::Projection { outputs } => {
                let mut all = expect_norm(scope, NORM, width).to_vec();
                all.push(Expected::new(PROJECTION, [outputs, width]));
                all
            }
            Self::Attention => {
                let head = scope.under(HEAD);
                let mut all = vec![
                    head.expect(&["probe"], [1, 1, width]),
                    head.expect(&["attention.in_proj_weight"], [3 * width, width]),
                    head.expect(&["attention.in_proj_bias"], [3 * width]),
                ];
                all.extend(expect_linear(&head, &["attention.out_proj"], (width, width)));
                all.extend(expect_norm(&head, &["layernorm"], width));
                all.extend(expect_linear(&head, &["mlp.fc1"], (hidden, width)));
                all.extend(expect_linear(&head, &["mlp.fc2"], (width, hidden)));
                all
            }
        }
    }
}

impl Pooling {
    /// Takes the tensors that [`Head::expected`] lists.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMismatch`] for a tensor that was not among those expected.
    pub(crate) fn new(
        head: Head,
        block: &BlockConfig,
        scope: &Scope,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        Ok(match head {
            Head::None => Self::None,
            Head::Projection { .. } => {
                let norm = take_norm(scope, NORM, block.epsilon, tensors)?;
                let weight = tensors.take(PROJECTION)?;
                let weight = tensors.for_products(&weight)?;
                let projection = Linear::new(&weight, None, Activation::Identity);
                Self::Projection { norm, projection: projection.map_err(layer)? }
            }
            Head::Attention => {
                let head = scope.under(HEAD);
                Self::Attention(Box::new(AttentionPooling::new(block, &head, tensors)?))
            }
        })
    }

    /// The class token as the model has it at its end.
    pub(crate) fn class(&self, token: Maps) -> Result<Maps, NnError> {
        match self {
            Self::Projection { norm, .. } => norm.forward(&token),
            _ => Ok(token),
        }
    }

    /// One token for each picture; `class` is what [`class`](Self::class) gives.
    pub(crate) fn pool(
        &self,
        patches: &Maps,
        class: Option<&Maps>,
    ) -> Result<Option<Maps>, NnError> {
        match self {
            Self::None => Ok(None),
            Self::Projection { projection, .. } => {
                class.map(|class| projection.forward(class)).transpose()
            }
            Self::Attention(pooling) => pooling.forward(patches).map(Some),
        }
    }
}

impl AttentionPooling {
    fn new(
        block: &BlockConfig,
        scope: &Scope,
        tensors: &mut Tensors,
    ) -> Result<Self, TokenizerError> {
        let weight = scope.take(&["attention.in_proj_weight"], tensors)?;
        let weight = tensors.for_products(&weight)?;
        let bias = scope.take(&["attention.in_proj_bias"], tensors)?;
        let width = block.width;
        let part = |index: usize| {
            let (weight, bias) =
                (weight.narrow(0, index * width, width)?, bias.narrow(0, index * width, width)?);
            Linear::new(&weight, Some(&bias), Activation::Identity).map_err(layer)
        };
        let probe = Maps::from_token_tensor(&scope.take(&["probe"], tensors)?).map_err(layer)?;
        let query = part(0)?.forward(&probe).and_then(|query| query.to_token_tensor());
        let mut linear = |names, activation| take_linear(scope, names, activation, tensors);
        let output = linear(&["attention.out_proj"], Activation::Identity)?;
        let mlp =
            [linear(&["mlp.fc1"], block.activation)?, linear(&["mlp.fc2"], Activation::Identity)?];
        Ok(Self {
            query: query.map_err(layer)?,
            keys: part(1)?,
            values: part(2)?,
            attention: Attention::new(block.heads),
            output,
            norm: take_norm(scope, &["layernorm"], block.epsilon, tensors)?,
            mlp,
        })
    }

    fn forward(&self, tokens: &Maps) -> Result<Maps, NnError> {
        let MapShape { images, channels, .. } = tokens.shape();
        let query = self.query.expand((images, 1, channels))?.contiguous()?;
        let query = Maps::from_token_tensor(&query)?;
        let (keys, values) = (self.keys.forward(tokens)?, self.values.forward(tokens)?);
        let x = self.output.forward(&self.attention.forward(&query, &keys, &values)?)?;
        let [widen, narrow] = &self.mlp;
        narrow.forward_add(&widen.forward(&self.norm.forward(&x)?)?, &x)
    }
}
