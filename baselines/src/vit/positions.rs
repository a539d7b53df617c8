use candle_core::Tensor;
use prismbench_core::TokenizerError;
use prismbench_kernels::nn::{Antialiasing, MapShape, Maps, resize_bicubic, resize_bicubic_by};

use crate::error::layer;

/// What is put before and added to the patches of a picture.
pub(crate) struct Positions {
    /// Class token, with its position, and registers.
    pub(crate) prefix: Option<Maps>,
    /// One embedding for each patch.
    pub(crate) table: Maps,
}

/// How positions are made for another grid than that which they were learned for; always bicubic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// By the ratio of the grids, without antialiasing.
    Plain,
    /// The same with antialiasing.
    Antialiased,
    /// By `(rows + 0.1)` over the rows they were learned for, without antialiasing: DINOv2's own
    /// repository, `interpolate_pos_encoding`.
    Offset,
}

/// Learned embeddings of positions for the grid that the model was trained with.
pub(super) struct PositionTable {
    prefix: Option<Maps>,
    /// One image of `side x side` patches.
    table: Maps,
    interpolation: Interpolation,
}

impl PositionTable {
    /// `positions` is `[1, tokens, width]`: of the class token first, if `class` `[1, 1, width]` is
    /// there. Registers `[1, count, width]` have none.
    pub(super) fn new(
        positions: &Tensor,
        class: Option<&Tensor>,
        registers: Option<&Tensor>,
        interpolation: Interpolation,
    ) -> Result<Self, TokenizerError> {
        let tokens = positions.dim(1)?;
        let first = usize::from(class.is_some());
        let mut prefix = Vec::new();
        if let Some(class) = class {
            prefix.push((class + positions.narrow(1, 0, 1)?)?);
        }
        prefix.extend(registers.cloned());
        let prefix = match prefix.is_empty() {
            true => None,
            false => Some(Maps::from_token_tensor(&Tensor::cat(&prefix, 1)?).map_err(layer)?),
        };
        let table = positions.narrow(1, first, tokens - first)?;
        let table = Maps::from_token_tensor(&table).map_err(layer)?;
        let side = (tokens - first).isqrt();
        let grid = MapShape { height: side, width: side, ..table.shape() };
        Ok(Self { prefix, table: table.reshape(grid).map_err(layer)?, interpolation })
    }

    /// Tokens that are no patches.
    pub(super) fn prefix_len(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.shape().width)
    }

    /// The positions of a grid of `(rows, columns)` for counting, zeros all: making them is no part of
    /// what a picture costs.
    pub(super) fn blank(&self, grid: (usize, usize)) -> Result<Positions, TokenizerError> {
        let shape = MapShape { height: 1, width: grid.0 * grid.1, ..self.table.shape() };
        let table = Maps::from_rows(shape, vec![0.0; shape.len()]).map_err(layer)?;
        Ok(Positions { prefix: self.prefix.clone(), table })
    }

    /// The positions of a grid of `(rows, columns)`: interpolated unless the model was trained with
    /// this grid.
    pub(super) fn of(&self, grid: (usize, usize)) -> Result<Positions, TokenizerError> {
        let known = self.table.shape();
        let table = if (known.height, known.width) == grid {
            self.table.clone()
        } else {
            match self.interpolation {
                Interpolation::Plain => resize_bicubic(&self.table, grid, Antialiasing::Off),
                Interpolation::Antialiased => resize_bicubic(&self.table, grid, Antialiasing::On),
                Interpolation::Offset => {
                    let step =
                        |from: usize, to: usize| (1.0 / ((to as f64 + 0.1) / from as f64)) as f32;
                    let steps = (step(known.height, grid.0), step(known.width, grid.1));
                    resize_bicubic_by(&self.table, grid, steps)
                }
            }
            .map_err(layer)?
        };
        let table = table.into_tokens().map_err(layer)?;
        Ok(Positions { prefix: self.prefix.clone(), table })
    }
}
