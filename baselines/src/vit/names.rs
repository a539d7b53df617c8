//! What files call the tensors of a transformer.

use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Activation, LayerNorm, Linear};
use prismbench_weights::{Expected, Tensors, WeightsFile};

use crate::error::layer;

/// Alternatives for one name. The first is the one that the code goes by.
pub(crate) type Names = &'static [&'static str];

/// The beginnings that the names of some tensors may have, the first of which the code goes by.
#[derive(Clone, Debug)]
pub(crate) struct Scope(Vec<String>);

/// What the tensors of a block are called within it; `.weight` and `.bias` follow.
pub(crate) struct BlockNames {
    /// Before attention and before the MLP.
    pub(crate) norms: [Names; 2],
    pub(crate) attention: AttentionNames,
    /// Behind the heads.
    pub(crate) output: Names,
    /// Into and out of the hidden layer.
    pub(crate) mlp: [Names; 2],
    /// Factors of attention and MLP, where there are any: whole names.
    pub(crate) scales: Option<[Names; 2]>,
}

/// What makes queries, keys and values.
pub(crate) enum AttentionNames {
    /// Three linear layers.
    Apart([Names; 3]),
    /// One, whose outputs are all queries, then all keys, then all values: whole names.
    Joint { weight: Names, bias: Names },
}

/// Whether tensors of tokens have a leading axis of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[1, tokens, width]`.
    Batched,
    /// `[tokens, width]`, and `[width]` for a single one.
    Plain,
}

impl Scope {
    pub(crate) fn new(prefixes: &[&str]) -> Self {
        Self(prefixes.iter().map(ToString::to_string).collect())
    }

    /// Every beginning followed by every one of `names`.
    pub(crate) fn under(&self, names: &[&str]) -> Self {
        let mut all = Vec::with_capacity(self.0.len() * names.len());
        for prefix in &self.0 {
            all.extend(names.iter().map(|name| format!("{prefix}{name}")));
        }
        Self(all)
    }

    /// Every beginning.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Block number `index` of a stack.
    pub(crate) fn block(&self, index: usize) -> Self {
        self.under(&[&format!("{index}.")])
    }

    pub(crate) fn expect(&self, names: &[&str], shape: impl Into<Vec<usize>>) -> Expected {
        let Self(mut all) = self.under(names);
        let others = all.split_off(1.min(all.len()));
        let first = Expected::new(all.pop().unwrap_or_default(), shape);
        others.into_iter().fold(first, Expected::or)
    }

    pub(crate) fn take(
        &self,
        names: &[&str],
        tensors: &mut Tensors,
    ) -> Result<Tensor, TokenizerError> {
        let first = self.under(&names[..names.len().min(1)]);
        Ok(tensors.take(first.0.first().map_or("", String::as_str))?)
    }

    /// Extents of the tensor, under whichever of its names the file has it.
    pub(crate) fn shape<'a>(&self, names: &[&str], file: &'a WeightsFile) -> Option<&'a [usize]> {
        self.under(names).0.iter().find_map(|name| file.shape(name))
    }
}

/// Weight `[out, in]` and bias `[out]`.
pub(crate) fn expect_linear(
    scope: &Scope,
    names: &[&str],
    (outputs, inputs): (usize, usize),
) -> [Expected; 2] {
    let scope = scope.under(names);
    [scope.expect(&[".weight"], [outputs, inputs]), scope.expect(&[".bias"], [outputs])]
}

/// Weight and bias, `[width]`.
pub(crate) fn expect_norm(scope: &Scope, names: &[&str], width: usize) -> [Expected; 2] {
    let scope = scope.under(names);
    [".weight", ".bias"].map(|name| scope.expect(&[name], [width]))
}

/// The layer of [`expect_linear`].
pub(crate) fn take_linear(
    scope: &Scope,
    names: &[&str],
    activation: Activation,
    tensors: &mut Tensors,
) -> Result<Linear, TokenizerError> {
    let scope = scope.under(names);
    let (weight, bias) = (scope.take(&[".weight"], tensors)?, scope.take(&[".bias"], tensors)?);
    let weight = tensors.for_products(&weight)?;
    Linear::new(&weight, Some(&bias), activation).map_err(layer)
}

/// The layer of [`expect_norm`].
pub(crate) fn take_norm(
    scope: &Scope,
    names: &[&str],
    epsilon: f64,
    tensors: &mut Tensors,
) -> Result<LayerNorm, TokenizerError> {
    let scope = scope.under(names);
    let (weight, bias) = (scope.take(&[".weight"], tensors)?, scope.take(&[".bias"], tensors)?);
    LayerNorm::new(&weight, Some(&bias), epsilon).map_err(layer)
}

impl Form {
    /// Shape of so many tokens.
    pub(crate) fn tokens(self, count: usize, width: usize) -> Vec<usize> {
        match self {
            Self::Batched => vec![1, count, width],
            Self::Plain => vec![count, width],
        }
    }

    /// Shape of a class token.
    pub(crate) fn class(self, width: usize) -> Vec<usize> {
        match self {
            Self::Batched => vec![1, 1, width],
            Self::Plain => vec![width],
        }
    }
}
