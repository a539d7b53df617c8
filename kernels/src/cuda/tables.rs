//! What the kernels of resizes read beside pictures, and how large their tiles are.

use super::kernel::narrow;
use super::{Buffer, CudaError, Device, Element};

/// Outputs across a tile, as in `resize.cu`.
const COLUMNS: usize = 32;
/// Rows of a tile and rows of the source that are staged together, at most.
const TILE_ROWS: usize = 32;
const STAGE_ROWS: usize = 8;
/// Bytes of a pixel in shared memory.
const WORD: usize = 4;

/// Which inputs make the outputs along one side, and their weights `[tap][output]`.
pub(super) struct Axis<W> {
    /// First input and how many, in turn.
    inputs: Vec<u32>,
    weights: Vec<W>,
}

impl<W: Element> Axis<W> {
    /// From the first input and the weights of each output.
    pub(super) fn new<'a>(
        operation: &'static str,
        taps: impl ExactSizeIterator<Item = (usize, &'a [W])> + Clone,
    ) -> Result<Self, CudaError> {
        let outputs = taps.len();
        let longest = taps.clone().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let mut axis = Self {
            inputs: Vec::with_capacity(2 * outputs),
            weights: vec![W::zeroed(); longest * outputs],
        };
        for (output, (first, weights)) in taps.enumerate() {
            axis.inputs.extend([narrow(operation, first)?, narrow(operation, weights.len())?]);
            for (tap, &weight) in weights.iter().enumerate() {
                axis.weights[tap * outputs + output] = weight;
            }
        }
        Ok(axis)
    }

    /// Outputs.
    pub(super) fn len(&self) -> usize {
        self.inputs.len() / 2
    }

    /// The most inputs that as many neighbouring outputs have, the first of them at a multiple of it.
    fn span(&self, outputs: usize) -> usize {
        let end = |at: usize| (self.inputs[2 * at] + self.inputs[2 * at + 1]) as usize;
        let span = |first: usize| {
            let last = (first + outputs).min(self.len()) - 1;
            end(last) - self.inputs[2 * first] as usize
        };
        (0..self.len()).step_by(outputs).map(span).max().unwrap_or(0)
    }

    pub(super) fn upload(&self, device: &Device) -> Result<(Buffer<u32>, Buffer<W>), CudaError> {
        Ok((device.upload(&self.inputs)?, device.upload(&self.weights)?))
    }
}

/// How a resize is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    pub(super) tile_rows: usize,
    pub(super) stage_rows: usize,
    /// Bytes of shared memory of a tile.
    pub(super) shared: usize,
}

impl Tiling {
    /// The largest tiles that fit into `most` bytes of shared memory; `None` where none does.
    pub(super) fn new<W: Element>(
        (across, down): (&Axis<W>, &Axis<W>),
        down_first: bool,
        most: usize,
    ) -> Option<Self> {
        let span = across.span(COLUMNS);
        let halves = |most: usize| std::iter::successors(Some(most), |&n| (n > 1).then_some(n / 2));
        let tilings = halves(TILE_ROWS).flat_map(|tile_rows| {
            halves(STAGE_ROWS).map(move |stage_rows| (tile_rows, stage_rows))
        });
        let mut tilings = tilings.map(|(tile_rows, stage_rows)| {
            let words = match down_first {
                true => tile_rows * span,
                false => stage_rows * span + down.span(tile_rows) * COLUMNS,
            };
            Self { tile_rows, stage_rows, shared: words * WORD }
        });
        tilings.find(|tiling| tiling.shared <= most)
    }

    /// Tiles across, down, and pictures.
    pub(super) fn blocks(self, columns: usize, rows: usize, images: usize) -> [usize; 3] {
        [columns.div_ceil(COLUMNS), rows.div_ceil(self.tile_rows), images]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(taps: &[(usize, &[i32])]) -> Axis<i32> {
        Axis::new("test", taps.iter().copied()).unwrap()
    }

    #[test]
    fn weights_lie_tap_after_tap_and_short_ones_end_in_zeros() {
        let axis = axis(&[(0, &[1, 2]), (1, &[3]), (1, &[4, 5, 6])]);
        assert_eq!(axis.inputs, [0, 2, 1, 1, 1, 3]);
        assert_eq!(axis.weights, [1, 3, 4, 2, 0, 5, 0, 0, 6]);
        assert_eq!((axis.span(1), axis.span(2), axis.span(3)), (3, 3, 4));
    }

    #[test]
    fn tiles_shrink_until_they_fit_and_some_never_do() {
        // 64 outputs that shrink 40-fold, 80 inputs each.
        let weights = vec![1; 80];
        let taps: Vec<(usize, &[i32])> = (0..64).map(|i| (40 * i, weights.as_slice())).collect();
        let axis = axis(&taps);
        let tiling = |down_first, most| Tiling::new((&axis, &axis), down_first, most);
        let roomy = tiling(false, 1 << 20).unwrap();
        assert_eq!((roomy.tile_rows, roomy.stage_rows), (32, 8));
        assert_eq!(roomy.shared, 4 * (8 * 1320 + 1320 * 32));
        let tight = tiling(false, 48 << 10).unwrap();
        assert!(tight.tile_rows < 32 && tight.shared <= 48 << 10, "{tight:?}");
        assert_eq!(tiling(true, 48 << 10).unwrap().tile_rows, 8);
        assert_eq!(tiling(false, 10_000), None);
    }
}
