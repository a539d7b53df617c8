//! Which tiles cover the outputs, and what they cost.

use crate::nn::{MapShape, Padding};

/// Values that a block has in the transformed domain at most: they stay in the second-level cache.
const BLOCK: usize = 256 << 10;
/// Tiles of a block: with fewer the weights are read too often, more gain nothing.
const TILES: std::ops::RangeInclusive<usize> = 56..=126;
/// Products of vectors that take as long as a point of the transforms of a vector of inputs or
/// outputs.
const TRANSFORM: usize = 7;
/// What the product's tiles are high, on the machines where a waste of rows matters most.
const ROWS: usize = 14;

/// Where the convolution reads and writes.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) input: MapShape,
    pub(crate) output: MapShape,
    pub(crate) padding: Padding,
}

/// A tile along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// Points, and inputs.
    pub(super) points: usize,
    pub(super) outputs: usize,
}

/// The tiles that cover the outputs; the last ones of an image may reach beyond it.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) frame: Frame,
    pub(super) down: Side,
    pub(super) across: Side,
}

impl Side {
    pub(super) const fn taps(self) -> usize {
        self.points + 1 - self.outputs
    }
}

impl Grid {
    pub(super) fn tiles_across(self) -> usize {
        self.frame.output.width.div_ceil(self.across.outputs)
    }

    pub(super) fn tiles_down(self) -> usize {
        self.frame.output.height.div_ceil(self.down.outputs)
    }

    fn points(self) -> usize {
        self.down.points * self.across.points
    }

    /// What an image costs, counted in products of a vector by a vector.
    pub(super) fn cost(self) -> usize {
        let (inputs, outputs) = (self.frame.input.channels, self.frame.output.channels);
        let products = inputs * outputs / 16;
        let transforms = (inputs + outputs) / 16 * TRANSFORM;
        self.tiles_down() * self.tiles_across() * self.points() * (products + transforms)
    }

    /// Rows of tiles of a block: those that waste the fewest rows of the product.
    fn rows_of_block(self) -> usize {
        let across = self.tiles_across().max(1);
        let channels = self.frame.input.channels + self.frame.output.channels;
        let room = BLOCK / (self.points() * channels).max(1);
        let most = room.clamp(*TILES.start(), *TILES.end()) / across;
        let most = most.clamp(1, (self.frame.output.images * self.tiles_down()).max(1));
        let waste = |rows: usize| {
            let tiles = rows * across;
            tiles.next_multiple_of(ROWS) * 1024 / tiles
        };
        (1..=most).min_by_key(|&rows| (waste(rows), most - rows)).unwrap_or(1)
    }

    /// Cuts the output into blocks of whole rows of tiles: first row of tiles, and where its
    /// outputs start.
    pub(super) fn blocks(self) -> Vec<(usize, usize)> {
        let MapShape { images, width, channels, .. } = self.frame.output;
        let rows = (0..images * self.tiles_down()).step_by(self.rows_of_block());
        rows.map(|row| (row, self.line_of(row) * width * channels)).collect()
    }

    /// The line of the output, counted through all images, that a row of tiles starts with.
    pub(super) fn line_of(self, row: usize) -> usize {
        let down = self.tiles_down();
        row / down * self.frame.output.height + row % down * self.down.outputs
    }

    /// Lines of that row of tiles inside of its image.
    pub(super) fn lines(self, row: usize) -> usize {
        let image_end = (row / self.tiles_down() + 1) * self.frame.output.height;
        (image_end - self.line_of(row)).min(self.down.outputs)
    }

    /// The channels of the pixel at `(y, x)` of the padded image that a row of tiles is in; `None`
    /// for what is padding.
    #[inline(always)]
    pub(super) fn pixel(
        self,
        maps: &[f32],
        image: usize,
        (y, x): (usize, usize),
    ) -> Option<&[f32]> {
        let MapShape { height, width, channels, .. } = self.frame.input;
        let y = y.wrapping_sub(self.frame.padding.top);
        let x = x.wrapping_sub(self.frame.padding.left);
        (y < height && x < width)
            .then(|| &maps[((image * height + y) * width + x) * channels..][..channels])
    }
}
