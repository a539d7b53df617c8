use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lines::{LINE, Lines};
use super::mask::{Cutoff, Mask, Pass, Shape};
use super::network::Network;
use crate::bands::even_parts;
use crate::transpose::transpose;
use crate::{InstructionSet, Size};

/// A low-pass or high-pass filter for planes of one size.
///
/// **Error:** sums in f32 leave up to 3e-7 where values are in `[0, 1]`, against the same filter in
/// f64. A filter that keeps everything leaves every bit as it was.
///
/// **Bits:** each line is a fixed sequence of correctly rounded operations, fused products and sums
/// included: neither the instruction set nor the threads nor the other planes show in the result.
#[derive(Clone, Debug)]
pub struct PlaneFilter {
    set: InstructionSet,
    size: Size,
    pass: Pass,
    /// `None` where everything is kept.
    low: Option<LowPass>,
}

/// Transform, weigh, transform back.
#[derive(Clone, Debug)]
struct LowPass {
    width: usize,
    down: Network,
    across: Network,
    /// For each sixteen of the vertical frequencies that are kept, `[horizontal frequency][of the
    /// sixteen]`; the gain of the transforms is taken out.
    weights: Vec<[f32; LINE]>,
}

impl PlaneFilter {
    /// For planes of this size.
    #[must_use]
    pub fn new(size: Size, shape: Shape, pass: Pass, cutoff: Cutoff) -> Self {
        Self::of_mask(size, pass, &Mask::new(shape, cutoff, size))
    }

    /// Keeps part `band` of `bands` parts, in which the DCT coefficients in zigzag order are divided
    /// as evenly as can be ([`even_parts`]); nothing where there is no such part.
    ///
    /// Source: `band_masks` of WeichenFan/UAE main, prelim_analysis/energy_exp.py.
    #[must_use]
    pub fn zigzag_band(size: Size, band: usize, bands: usize) -> Self {
        let kept = even_parts(size.area(), bands).nth(band).unwrap_or(0..0);
        Self::of_mask(size, Pass::Low, &Mask::ranks(size, kept))
    }

    /// The same for an instruction set of one's choice: what tests compare.
    #[must_use]
    pub fn for_set(self, set: InstructionSet) -> Self {
        Self { set, ..self }
    }

    fn of_mask(size: Size, pass: Pass, mask: &Mask) -> Self {
        Self { set: InstructionSet::Best, size, pass, low: LowPass::new(size, mask) }
    }

    /// Filters planes of `height x width` values, row by row and one after the other, in place. What
    /// comes out may leave the range of what came in.
    ///
    /// # Panics
    /// When the planes are not whole.
    pub fn apply(&self, planes: &mut [f32]) {
        let area = self.size.area();
        assert!(planes.len().is_multiple_of(area.max(1)), "planes must be whole");
        if area == 0 || (self.low.is_none() && self.pass == Pass::Low) {
            return;
        }
        let scratch = || Scratch::new(self);
        planes.par_chunks_exact_mut(area).for_each_init(scratch, |scratch, plane| {
            self.set.run(Plane { filter: self, plane, scratch });
        });
    }
}

impl LowPass {
    /// `None` where every weight is 1.
    fn new(size: Size, mask: &Mask) -> Option<Self> {
        let Size { width, height } = size;
        if size.area() == 0 {
            return None;
        }
        let basis = mask.basis();
        let (rows, columns) = (basis.frequencies(height), basis.frequencies(width));
        let pairs = || (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        if pairs().all(|(y, x)| mask.weight(y, x) >= 1.0) {
            return None;
        }
        let (mut is_row, mut is_column) = (vec![false; rows], vec![false; columns]);
        for (y, x) in pairs().filter(|&(y, x)| mask.weight(y, x) > 0.0) {
            (is_row[y], is_column[x]) = (true, true);
        }
        let down = Network::new(basis, height, |frequency| is_row[frequency]);
        let across = Network::new(basis, width, |frequency| is_column[frequency]);
        let scale = 1.0 / (down.gain * across.gain);
        let mut weights = Vec::with_capacity(down.kept.len().div_ceil(LINE) * across.kept.len());
        for rows in down.kept.chunks(LINE) {
            for &(_, x) in &across.kept {
                let mut line = [0.0; LINE];
                for (weight, &(_, y)) in line.iter_mut().zip(rows) {
                    *weight = (mask.weight(y, x) * scale) as f32;
                }
                weights.push(line);
            }
        }
        Some(Self { width, down, across, weights })
    }
}

/// Room for one plane.
struct Scratch {
    lines: Lines,
    /// `[vertical frequency][column]`, then `[vertical frequency][column]` once filtered; rows and
    /// columns padded to whole lines.
    spectrum: Vec<f32>,
}

impl Scratch {
    fn new(filter: &PlaneFilter) -> Self {
        let Size { width, height } = filter.size;
        let rows = filter.low.as_ref().map_or(0, |low| low.down.kept.len());
        let spectrum = rows.next_multiple_of(LINE) * width.next_multiple_of(LINE);
        Self { lines: Lines::new(width.max(height)), spectrum: vec![0.0; spectrum] }
    }
}

struct Plane<'a> {
    filter: &'a PlaneFilter,
    plane: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { filter: PlaneFilter { pass, low, .. }, plane, scratch } = self;
        let high = (*pass == Pass::High).then(|| mean(plane) as f32);
        match (low, high) {
            (Some(low), _) => {
                let Scratch { lines, spectrum } = &mut *scratch;
                low.columns_forward(simd, plane, lines, spectrum);
                low.rows(simd, lines, spectrum);
                low.columns_backward(simd, scratch, plane, high);
            }
            (None, Some(mean)) => plane.fill(mean),
            (None, None) => {}
        }
    }
}

impl LowPass {
    /// Columns of a plane to the vertical frequencies that are kept.
    #[inline(always)]
    fn columns_forward<S: Simd>(
        &self,
        simd: S,
        plane: &[f32],
        lines: &mut Lines,
        spectrum: &mut [f32],
    ) {
        let (width, stride) = (self.width, self.width.next_multiple_of(LINE));
        for column in (0..width).step_by(LINE) {
            for (slot, row) in lines.slots().iter_mut().zip(plane.chunks_exact(width)) {
                *slot = padded(&row[column..]);
            }
            self.down.forward(simd, lines);
            let slots = lines.slots();
            for (row, &(slot, _)) in spectrum.chunks_exact_mut(stride).zip(&self.down.kept) {
                row[column..column + LINE].copy_from_slice(&slots[slot as usize]);
            }
        }
    }

    /// Each vertical frequency to its horizontal ones, weighed, and back.
    #[inline(always)]
    fn rows<S: Simd>(&self, simd: S, lines: &mut Lines, spectrum: &mut [f32]) {
        let (width, stride) = (self.width, self.width.next_multiple_of(LINE));
        let groups = spectrum.chunks_exact_mut(LINE * stride);
        for (rows, weights) in groups.zip(self.weights.chunks_exact(self.across.kept.len().max(1)))
        {
            transpose(rows, &mut lines.block, (stride, LINE), (LINE, width));
            self.across.forward(simd, lines);
            let slots = lines.slots();
            for (&(slot, _), weights) in self.across.kept.iter().zip(weights) {
                for (value, weight) in slots[slot as usize].iter_mut().zip(weights) {
                    *value *= weight;
                }
            }
            for &slot in &self.across.dropped {
                slots[slot as usize] = [0.0; LINE];
            }
            self.across.backward(simd, lines);
            transpose(&lines.block, rows, (LINE, stride), (width, LINE));
        }
    }

    /// Back to columns of the plane; where there is a mean, what the low-pass leaves, plus it.
    #[inline(always)]
    fn columns_backward<S: Simd>(
        &self,
        simd: S,
        Scratch { lines, spectrum }: &mut Scratch,
        plane: &mut [f32],
        high: Option<f32>,
    ) {
        let (width, stride) = (self.width, self.width.next_multiple_of(LINE));
        for column in (0..width).step_by(LINE) {
            let slots = lines.slots();
            for &slot in &self.down.dropped {
                slots[slot as usize] = [0.0; LINE];
            }
            for (row, &(slot, _)) in spectrum.chunks_exact(stride).zip(&self.down.kept) {
                slots[slot as usize] = padded(&row[column..]);
            }
            self.down.backward(simd, lines);
            for (row, low) in plane.chunks_exact_mut(width).zip(lines.slots()) {
                for (value, &mut low) in row[column..].iter_mut().zip(low) {
                    *value = match high {
                        Some(mean) => *value - low + mean,
                        None => low,
                    };
                }
            }
        }
    }
}

/// The first values of a row, with zeros behind them where it ends.
#[inline(always)]
fn padded(row: &[f32]) -> [f32; LINE] {
    if let Some(&whole) = row.first_chunk() {
        return whole;
    }
    let mut line = [0.0; LINE];
    line[..row.len()].copy_from_slice(row);
    line
}

/// In f64, sixteen sums side by side.
#[inline(always)]
fn mean(plane: &[f32]) -> f64 {
    let mut parts = [0.0_f64; LINE];
    let (lines, rest) = plane.as_chunks::<LINE>();
    for line in lines {
        for (part, &value) in parts.iter_mut().zip(line) {
            *part += f64::from(value);
        }
    }
    for (part, &value) in parts.iter_mut().zip(rest) {
        *part += f64::from(value);
    }
    parts.iter().sum::<f64>() / plane.len() as f64
}
