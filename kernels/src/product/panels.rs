use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::InstructionSet;
use crate::aligned::Aligned;

/// The right operand, packed once: panels of two vectors of columns, k by k. A last panel that
/// needs only one vector has one.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    steps: usize,
    columns: usize,
    lanes: usize,
    values: Aligned,
}

impl Panels {
    /// `element(k, column)` of the right operand with `steps` rows and `columns` columns.
    pub(crate) fn new(
        set: InstructionSet,
        steps: usize,
        columns: usize,
        element: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let lanes = set.run(Lanes);
        let padded = columns.next_multiple_of(lanes);
        let mut panels = Self { steps, columns, lanes, values: Aligned::zeros(steps * padded) };
        for panel in 0..panels.count() {
            let columns = panels.columns_of(panel);
            let (start, width) = (panels.start(panel), panels.width(panel));
            for k in 0..steps {
                let row = &mut panels.values[start + k * width..][..columns.len()];
                for (value, column) in row.iter_mut().zip(columns.clone()) {
                    *value = element(k, column);
                }
            }
        }
        panels
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn count(&self) -> usize {
        self.columns.div_ceil(2 * self.lanes)
    }

    /// The columns of a panel that exist.
    pub(super) fn columns_of(&self, panel: usize) -> Range<usize> {
        let start = panel * 2 * self.lanes;
        start..(start + 2 * self.lanes).min(self.columns)
    }

    /// Steps `depth` of a panel: as many times its width.
    pub(super) fn piece(&self, panel: usize, depth: Range<usize>) -> &[f32] {
        let (start, width) = (self.start(panel), self.width(panel));
        &self.values[start + depth.start * width..start + depth.end * width]
    }

    fn start(&self, panel: usize) -> usize {
        panel * 2 * self.lanes * self.steps
    }

    fn width(&self, panel: usize) -> usize {
        self.columns_of(panel).len().next_multiple_of(self.lanes)
    }
}

/// Values of a vector.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}
