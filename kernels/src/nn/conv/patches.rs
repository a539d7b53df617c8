use std::ops::Range;

use crate::nn::{MapShape, Window};
use crate::product::Left;

/// The patches of one image under a window: a matrix with a row for each output position and a
/// column for each (tap row, tap column, channel), which exists only as rows are asked for.
pub(super) struct Patches<'a> {
    /// `[row][column][channel]`.
    pub(super) image: &'a [f32],
    pub(super) shape: MapShape,
    pub(super) window: Window,
    /// The channels that are looked at.
    pub(super) channels: Range<usize>,
    /// Columns of the output.
    pub(super) width: usize,
}

impl Left for Patches<'_> {
    fn depth(&self) -> usize {
        self.window.kernel.0 * self.window.kernel.1 * self.channels.len()
    }

    #[inline(always)]
    fn pack(&self, row: usize, depth: Range<usize>, into: &mut [f32]) {
        let Window { kernel, stride, dilation, padding } = self.window;
        let top = (row / self.width * stride.0) as isize - padding.top as isize;
        let left = (row % self.width * stride.1) as isize - padding.left as isize;
        let all = self.shape.channels;
        // Neighbouring taps of a row are neighbours in memory too when no channel is left out.
        let joined = dilation.1 == 1 && self.channels.len() == all;
        let (taps, run) =
            if joined { (1, kernel.1 * all) } else { (kernel.1, self.channels.len()) };
        let mut at = depth.start;
        while at < depth.end {
            let (tap, from) = (at / run, at % run);
            let to = run.min(from + depth.end - at);
            let into = &mut into[at - depth.start..][..to - from];
            let y = top + (tap / taps * dilation.0) as isize;
            let x = left + (tap % taps * dilation.1) as isize;
            // Where the first value of the run lies in its row of the image.
            let first = x * all as isize + self.channels.start as isize;
            let inside = if joined {
                (0, (self.shape.width * all) as isize)
            } else if (0..self.shape.width as isize).contains(&x) {
                (first, first + run as isize)
            } else {
                (0, 0)
            };
            if (0..self.shape.height as isize).contains(&y) {
                let line = y as usize * self.shape.width * all;
                let row = &self.image[line..][..self.shape.width * all];
                copy(row, first + from as isize, inside, into);
            } else {
                into.fill(0.0);
            }
            at += to - from;
        }
    }
}

/// Copies what lies from `first` on, with zeros for what is not inside.
#[inline(always)]
fn copy(row: &[f32], first: isize, inside: (isize, isize), into: &mut [f32]) {
    let end = first + into.len() as isize;
    if first >= inside.0 && end <= inside.1 {
        into.copy_from_slice(&row[first as usize..end as usize]);
        return;
    }
    let (from, to) = (first.max(inside.0), end.min(inside.1));
    if from >= to {
        into.fill(0.0);
        return;
    }
    let (from_place, to_place) = ((from - first) as usize, (to - first) as usize);
    into[..from_place].fill(0.0);
    into[from_place..to_place].copy_from_slice(&row[from as usize..to as usize]);
    into[to_place..].fill(0.0);
}
