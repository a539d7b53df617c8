//! What the heads of DINOv2's grid see of a row.

use std::ops::Range;

use super::Labelled;
use crate::{Columns, MetricError};

/// What columns of features mean, as far as [`ProbeRecipe::Dinov2`](prismbench_core::ProbeRecipe) sees
/// more than one input in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeInputs {
    /// One row is one input.
    Whole,
    /// The class tokens of so many last blocks, one behind the other, and behind them the mean patch
    /// token, all as wide: DINOv2's inputs are the last class token or those of all blocks, each with
    /// and without the mean (eval/linear.py, `create_linear_input`; 4 blocks there).
    ClassTokensAndMean {
        /// At least 1.
        blocks: usize,
    },
}

impl ProbeInputs {
    /// The inputs in a set.
    pub(super) fn of<'a>(self, set: &Labelled<'a>) -> Result<Inputs<'a>, MetricError> {
        let parts = self.ranges(set.features().columns())?.into_iter();
        let parts = parts.map(|range| Columns::new(set.features(), range));
        Ok(Inputs { parts: parts.collect::<Result<_, _>>()?, set: *set })
    }

    fn ranges(self, columns: usize) -> Result<Vec<Range<usize>>, MetricError> {
        let Self::ClassTokensAndMean { blocks } = self else {
            return Ok(std::iter::once(0..columns).collect());
        };
        if blocks == 0 || !columns.is_multiple_of(blocks + 1) {
            let expected = format!("{blocks} class tokens and a mean of the same width");
            return Err(MetricError::Shape { expected, found: columns });
        }
        let width = columns / (blocks + 1);
        let (last, classes) = ((blocks - 1) * width, blocks * width);
        let of_last = [last..classes, last..columns];
        // The last class token is all of them where there is one block.
        let of_all = [0..classes, 0..columns].into_iter().filter(|_| blocks > 1);
        Ok(of_last.into_iter().chain(of_all).collect())
    }
}

/// The inputs of one set.
pub(super) struct Inputs<'a> {
    parts: Vec<Columns<'a>>,
    set: Labelled<'a>,
}

impl Inputs<'_> {
    /// Each with the set's labels.
    pub(super) fn labelled(&self) -> Result<Vec<Labelled<'_>>, MetricError> {
        let (labels, classes) = (self.set.labels(), self.set.classes());
        self.parts.iter().map(|part| Labelled::new(part, labels, classes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;
    use crate::features::slice;

    fn inputs(of: ProbeInputs, columns: usize) -> Result<Vec<Vec<f32>>, MetricError> {
        let row = (0..columns).map(|column| column as f32).collect();
        let features = FeatureMatrix::new(columns, row)?;
        let set = Labelled::new(&features, &[0], 2)?;
        let inputs = of.of(&set)?;
        inputs.labelled()?.iter().map(|input| slice(input.features(), 0, 1)).collect()
    }

    #[test]
    fn four_blocks_make_the_four_inputs_of_dinov2() {
        let found = inputs(ProbeInputs::ClassTokensAndMean { blocks: 4 }, 10).unwrap();
        let upto = |first: u8, end: u8| (first..end).map(f32::from).collect::<Vec<_>>();
        assert_eq!(found, [upto(6, 8), upto(6, 10), upto(0, 8), upto(0, 10)]);
        let found = inputs(ProbeInputs::ClassTokensAndMean { blocks: 1 }, 4).unwrap();
        assert_eq!(found, [upto(0, 2), upto(0, 4)]);
        assert_eq!(inputs(ProbeInputs::Whole, 3).unwrap(), [upto(0, 3)]);
    }

    #[test]
    fn widths_that_cannot_be_are_refused() {
        for (blocks, columns) in [(4, 9), (0, 3)] {
            let error = inputs(ProbeInputs::ClassTokensAndMean { blocks }, columns).unwrap_err();
            assert!(error.to_string().contains("class tokens and a mean"), "{error}");
        }
    }
}
