//! Maps without values, for which layers note what they would compute.

use super::{MapShape, Maps, Values};
use crate::nn::{Tally, Work};

impl Maps {
    pub(crate) fn without_values(shape: MapShape, tally: &Tally) -> Self {
        Self { shape, values: Values::None(tally.clone()) }
    }

    /// Maps of this shape without values, where one of the `inputs` has none: some of their values as
    /// they lie, or side by side.
    pub(crate) fn seen(inputs: &[&Self], shape: MapShape) -> Option<Self> {
        inputs.iter().find_map(|maps| match &maps.values {
            Values::None(tally) => Some(Self::without_values(shape, tally)),
            Values::Host(_) | Values::Device(_) => None,
        })
    }

    /// The same for a layer that computes maps of this shape: what it would compute is noted, and that
    /// it reads its inputs and writes its output.
    pub(crate) fn counted(
        inputs: &[&Self],
        shape: MapShape,
        work: impl FnOnce() -> Work,
    ) -> Option<Self> {
        let out = Self::seen(inputs, shape)?;
        if let Values::None(tally) = &out.values {
            let read: usize = inputs.iter().map(|maps| maps.shape.len()).sum();
            let values = (read + shape.len()) as u64;
            tally.note(Work { values, ..work() });
        }
        Some(out)
    }

    /// Maps without values, where these have none, behind a function of single values that is no layer
    /// of this module; it counts as one operation for each.
    #[must_use]
    pub fn behind_function(&self) -> Option<Self> {
        Self::counted(&[self], self.shape, || Work::each(self.shape.len()))
    }
}
