use std::ops::Range;

use crate::nn::{MapShape, Window};
use crate::product::{self, Left};

/// The patches of maps under a window: a matrix with a row for each output position of each image
/// and a column for each (tap row, tap column, channel), which exists only as rows are asked for.
pub(super) struct Patches<'a> {
    /// `[image][row][column][channel]`.
    pub(super) maps: &'a [f32],
    pub(super) shape: MapShape,
    pub(super) window: Window,
    /// The channels that are looked at.
    pub(super) channels: Range<usize>,
    /// Rows and columns of the output.
    pub(super) output: (usize, usize),
}

impl Left for Patches<'_> {
    fn depth(&self) -> usize {
        self.window.kernel.0 * self.window.kernel.1 * self.channels.len()
    }

    #[inline(always)]
    fn pack(&self, row: usize, depth: Range<usize>, into: &mut [f32]) {
        let Window { kernel, stride, dilation, padding } = self.window;
        let MapShape { height, width, channels: all, .. } = self.shape;
        let (line, column) = (row / self.output.1, row % self.output.1);
        let (image, line) = (line / self.output.0, line % self.output.0);
        let top = (line * stride.0) as isize - padding.top as isize;
        let left = (column * stride.1) as isize - padding.left as isize;
        // Neighbouring taps of a row are neighbours in memory too when no channel is left out.
        let joined = dilation.1 == 1 && self.channels.len() == all;
        let (taps, run) =
            if joined { (1, kernel.1 * all) } else { (kernel.1, self.channels.len()) };
        let mut at = depth.start;
        while at < depth.end {
            let (tap, from) = (at / run, at % run);
            let len = (run - from).min(depth.end - at);
            let into = &mut into[at - depth.start..];
            at += len;
            let y = top + (tap / taps * dilation.0) as isize;
            let x = left + (tap % taps * dilation.1) as isize;
            if !(0..height as isize).contains(&y) {
                into[..len].fill(0.0);
                continue;
            }
            let columns = if joined {
                (-x).clamp(0, kernel.1 as isize) as usize
                    ..(width as isize - x).clamp(0, kernel.1 as isize) as usize
            } else {
                0..usize::from((0..width as isize).contains(&x))
            };
            let per_tap = if joined { all } else { run };
            let inside = columns.start * per_tap..columns.end * per_tap;
            // Where the run starts in the maps; before them when it starts outside of its line.
            let line = (image * height + y as usize) * width;
            let start = (line as isize + x) * all as isize + self.channels.start as isize;
            copy(self.maps, start, inside, from..from + len, into);
        }
    }

    #[inline(always)]
    fn whole(&self, row: usize, length: usize) -> Option<&[f32]> {
        let pointwise = self.window == Window::new(1, 1) && self.channels.len() == length;
        let all = self.shape.channels == length;
        (pointwise && all).then(|| &self.maps[row * length..])
    }
}

/// Copies the values `run` of those that start at `start`; zeros for what is not `inside`.
#[inline(always)]
fn copy(maps: &[f32], start: isize, inside: Range<usize>, run: Range<usize>, into: &mut [f32]) {
    if inside.start <= run.start && run.end <= inside.end {
        // A run inside starts inside of the maps. What is copied beyond it is overwritten by the
        // next run or never read.
        product::copy(&maps[(start + run.start as isize) as usize..], into, run.len());
        return;
    }
    into[..run.len()].fill(0.0);
    let (first, last) = (run.start.max(inside.start), run.end.min(inside.end));
    if first < last {
        let from = &maps[(start + first as isize) as usize..];
        into[first - run.start..last - run.start].copy_from_slice(&from[..last - first]);
    }
}
