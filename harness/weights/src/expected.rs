use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{DType, Tensor};

use crate::WeightsError;

/// A tensor that an architecture needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub(crate) names: Vec<String>,
    pub(crate) shape: Vec<usize>,
    pub(crate) other_shapes: Vec<Vec<usize>>,
}

impl Expected {
    /// The tensor of this name and shape.
    #[must_use]
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { names: vec![name.into()], shape: shape.into(), other_shapes: Vec::new() }
    }

    /// The same tensor under another name that files give it: the first name found is taken.
    #[must_use]
    pub fn or(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// The same numbers in another shape that files keep them in: a product over channels as a 1x1
    /// convolution, say. It is given in the first shape; one of another size is never accepted.
    #[must_use]
    pub fn or_shape(mut self, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        if shape.iter().product::<usize>() == self.len() {
            self.other_shapes.push(shape);
        }
        self
    }

    /// Whether a file's tensor of this shape is it.
    pub(crate) fn fits(&self, shape: &[usize]) -> bool {
        self.shape == shape || self.other_shapes.iter().any(|other| other == shape)
    }

    /// The shapes that it may have: `[2, 3] or [2, 3, 1, 1]`.
    pub(crate) fn describe_shapes(&self) -> String {
        let shapes = [&self.shape].into_iter().chain(&self.other_shapes);
        shapes.map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(" or ")
    }

    /// Numbers of all of some tensors.
    #[must_use]
    pub fn count(tensors: &[Self]) -> u64 {
        tensors.iter().map(|tensor| tensor.len() as u64).sum()
    }

    /// The name by which the architecture asks for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.names[0]
    }

    /// Its extents.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no numbers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The expected tensors of one file, in f32.
#[derive(Debug)]
pub struct Tensors {
    pub(crate) path: PathBuf,
    pub(crate) element: DType,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl Tensors {
    /// One of the expected tensors, by its first name.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] when it was not expected.
    pub fn get(&self, name: &str) -> Result<Tensor, WeightsError> {
        self.tensors.get(name).cloned().ok_or_else(|| self.missing(name))
    }

    /// As [`get`](Self::get), giving the tensor away, so that its memory is freed as soon as a layer
    /// has its own copy.
    ///
    /// # Errors
    /// As [`get`](Self::get); a tensor can be taken once.
    pub fn take(&mut self, name: &str) -> Result<Tensor, WeightsError> {
        self.tensors.remove(name).ok_or_else(|| self.missing(name))
    }

    /// A tensor as the weight of products, in the type that
    /// [`WeightsFile::with_products_in`](crate::WeightsFile::with_products_in) has set. Norms, biases and
    /// tables stay in f32: layers round what they need.
    ///
    /// # Errors
    /// [`WeightsError::Tensor`] when the tensor library fails.
    pub fn for_products(&self, weight: &Tensor) -> Result<Tensor, WeightsError> {
        Ok(weight.to_dtype(self.element)?)
    }

    fn missing(&self, name: &str) -> WeightsError {
        let problems = vec![format!("`{name}` is missing")];
        WeightsError::Mismatch { path: self.path.clone(), problems }
    }
}
