//! Layers of networks from the named tensors of a file.

use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Arithmetic, Conv2d, ConvOptions, GroupNorm, NnError, Window};
use prismbench_weights::Tensors;

use crate::error::layer;

/// Makes layers of tensors that are asked for by the names of the architecture.
pub(crate) struct Layers<'a> {
    pub(crate) tensors: &'a Tensors,
    /// The file's name for a tensor.
    pub(crate) rename: &'a dyn Fn(&str) -> String,
    pub(crate) arithmetic: Arithmetic,
}

/// Whether a convolution has a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    Learned,
    None,
}

impl Layers<'_> {
    /// One tensor.
    pub(crate) fn tensor(&self, name: &str) -> Result<Tensor, TokenizerError> {
        Ok(self.tensors.get(&(self.rename)(name))?)
    }

    /// `NAME.weight` and `NAME.bias`, padded so that maps keep their size.
    pub(crate) fn conv(&self, name: &str) -> Result<Conv2d, TokenizerError> {
        self.conv_with(name, Bias::Learned, |options| options)
    }

    /// The same with other options than those that keep the size of maps.
    pub(crate) fn conv_with(
        &self,
        name: &str,
        bias: Bias,
        change: impl FnOnce(ConvOptions) -> ConvOptions,
    ) -> Result<Conv2d, TokenizerError> {
        let weight = self.tensor(&format!("{name}.weight"))?;
        let bias = match bias {
            Bias::Learned => Some(self.tensor(&format!("{name}.bias"))?),
            Bias::None => None,
        };
        let (_, _, rows, columns) = weight.dims4()?;
        let window = Window::new(rows, columns).padding(rows / 2, columns / 2);
        let options = ConvOptions { arithmetic: self.arithmetic, ..ConvOptions::new(window) };
        let weight = self.tensors.for_products(&weight)?;
        Conv2d::new(&weight, bias.as_ref(), change(options)).map_err(layer)
    }

    /// `NAME.weight` and `NAME.bias`.
    pub(crate) fn group_norm(
        &self,
        name: &str,
        groups: usize,
        epsilon: f64,
    ) -> Result<GroupNorm, TokenizerError> {
        let weight = self.tensor(&format!("{name}.weight"))?;
        let bias = self.tensor(&format!("{name}.bias"))?;
        GroupNorm::new(groups, &weight, Some(&bias), epsilon).map_err(layer)
    }
}

/// Runs a network on `at_once` images `[N, ...]` at a time, so that its memory does not grow with
/// the batch. No layer looks at other images, so that the results are those of the whole batch.
pub(crate) fn in_pieces(
    images: &Tensor,
    at_once: usize,
    network: impl Fn(&Tensor) -> Result<Tensor, NnError>,
) -> Result<Tensor, TokenizerError> {
    let count = images.dim(0)?;
    let at_once = at_once.clamp(1, count.max(1));
    let piece = |first: usize| network(&images.narrow(0, first, at_once.min(count - first))?);
    let pieces: Vec<Tensor> =
        (0..count).step_by(at_once).map(piece).collect::<Result<_, _>>().map_err(layer)?;
    match &*pieces {
        [whole] => Ok(whole.clone()),
        pieces => Ok(Tensor::cat(pieces, 0)?),
    }
}
