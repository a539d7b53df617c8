//! Transforms of lines as products of sparse symmetric matrices.
//!
//! DCT-II and DCT-IV of even length divide into halves by orthogonal factors (G. Plonka and M. Tasche,
//! "Fast and numerically stable algorithms for discrete cosine transforms", Linear Algebra and its
//! Applications 394, 2005), written here so that every factor is symmetric: a list of steps read
//! backwards is the transposed transform. The real Fourier transform divides into one of half the
//! length and two DCT-III. Lengths that are odd, at the end, are products with a dense matrix.

use std::f64::consts::{PI, SQRT_2};

use super::dense::{Dense, Kind};
use super::step::{Pair, Step, Turn};

/// Collects the steps of a transform. Values stay in their slots; nothing is ever permuted, the
/// functions say which slot a frequency ends in.
///
/// Butterflies are not scaled, so a transform of `n` values is the orthonormal one times the root of
/// the largest power of 2 that divides `n`.
#[derive(Debug, Default)]
pub(super) struct Factors {
    pub(super) steps: Vec<Step>,
}

impl Factors {
    /// DCT-II of the values in `slots`: the slot of each frequency.
    pub(super) fn cosine(&mut self, slots: &[u32]) -> Vec<u32> {
        let n = slots.len();
        if n % 2 == 1 {
            return self.dense(Kind::Cosine, slots);
        }
        let (front, back) = slots.split_at(n / 2);
        let back: Vec<u32> = back.iter().rev().copied().collect();
        for (&a, &b) in front.iter().zip(&back) {
            self.pair([a, b], Turn::Butterfly);
        }
        let (even, odd) = (self.cosine(front), self.quarter_wave(&back));
        even.into_iter().zip(odd).flat_map(|(even, odd)| [even, odd]).collect()
    }

    /// DCT-IV of the values in `slots`: the slot of each frequency.
    ///
    /// With `t = pi (2p + 1) / 4n`, `a = x_p cos t + x_(n-1-p) sin t` and
    /// `b = x_(n-1-p) cos t - x_p sin t`, frequencies `2j` and `2j - 1` are `A_j + B_j` and
    /// `A_j - B_j`, A the DCT-II of a and B the DST-II of b, which is the DCT-II of `(-1)^p b`
    /// backwards.
    fn quarter_wave(&mut self, slots: &[u32]) -> Vec<u32> {
        let n = slots.len();
        if n % 2 == 1 {
            return self.dense(Kind::QuarterWave, slots);
        }
        let half = n / 2;
        let (mut a, mut b) = (Vec::with_capacity(half), Vec::with_capacity(half));
        let gain = if half == 1 { SQRT_2 } else { 1.0 };
        for p in 0..half {
            let (x, y) = (slots[p], slots[n - 1 - p]);
            let angle = PI * (2 * p + 1) as f64 / (4 * n) as f64;
            let (cos, sin) = ((gain * libm::cos(angle)) as f32, (gain * libm::sin(angle)) as f32);
            // Where p is odd the slots change places, which changes the sign of b.
            let (slots, turn) = match p % 2 {
                0 => ([x, y], Turn::Reflection { cos, sin }),
                _ => ([y, x], Turn::Reflection { cos: sin, sin: cos }),
            };
            self.pair(slots, turn);
            a.push(slots[0]);
            b.push(slots[1]);
        }
        let (a, b) = (self.cosine(&a), self.cosine(&b));
        if half > 1 {
            self.pair([a[0], b[0]], Turn::Stretch);
        }
        let mut by_frequency = vec![a[0]];
        for (&a, &b) in a[1..].iter().zip(b[1..].iter().rev()) {
            self.pair([a, b], Turn::Butterfly);
            by_frequency.extend([a, b]);
        }
        by_frequency.push(b[0]);
        by_frequency
    }

    /// DCT-III of the values in `slots`, the transpose of DCT-II: the slot of each position.
    fn transposed_cosine(&mut self, slots: &[u32]) -> Vec<u32> {
        let mut inner = Self::default();
        let local: Vec<u32> = (0..slots.len() as u32).collect();
        let mut place = local.clone();
        for (&local, &slot) in inner.cosine(&local).iter().zip(slots) {
            place[local as usize] = slot;
        }
        for mut step in inner.steps.into_iter().rev() {
            step.transpose();
            step.slots_mut().iter_mut().for_each(|slot| *slot = place[*slot as usize]);
            self.steps.push(step);
        }
        place
    }

    /// Real Fourier transform of the values in `slots`: each slot with its frequency, in cycles per
    /// line. Frequencies other than 0 and `n / 2` come twice, as cosine and as sine.
    pub(super) fn fourier(&mut self, slots: &[u32]) -> Vec<(u32, usize)> {
        let n = slots.len();
        if n % 2 == 1 {
            let frequencies = (0..n).map(|row| row.div_ceil(2));
            return self.dense(Kind::Fourier, slots).into_iter().zip(frequencies).collect();
        }
        let half = n / 2;
        let (front, back) = slots.split_at(half);
        if half % 2 == 1 {
            // Alternating signs turn the odd frequencies of the difference into those of half a line.
            let swap = |p: usize| {
                if p.is_multiple_of(2) { [front[p], back[p]] } else { [back[p], front[p]] }
            };
            (0..half).for_each(|p| self.pair(swap(p), Turn::Butterfly));
            let sums: Vec<u32> = (0..half).map(|p| swap(p)[0]).collect();
            let differences: Vec<u32> = (0..half).map(|p| swap(p)[1]).collect();
            let even = self.fourier(&sums).into_iter().map(|(slot, f)| (slot, 2 * f));
            let odd = self.fourier(&differences).into_iter().map(|(slot, f)| (slot, half - 2 * f));
            return even.chain(odd).collect();
        }
        for (&a, &b) in front.iter().zip(back) {
            self.pair([a, b], Turn::Butterfly);
        }
        let mut found: Vec<(u32, usize)> =
            self.fourier(front).into_iter().map(|(slot, f)| (slot, 2 * f)).collect();
        // cos(pi (2k + 1) p / half) changes its sign about the middle, the sine does not: each is a
        // DCT-III of a quarter of the line, the sine's backwards and with signs that cancel.
        let quarter = half / 2;
        self.pair([back[0], back[quarter]], Turn::Stretch);
        (1..quarter).for_each(|p| self.pair([back[p], back[half - p]], Turn::Butterfly));
        let cosines: Vec<u32> = (0..quarter).map(|p| back[(half - p) % half]).collect();
        let sines: Vec<u32> = (0..quarter).map(|p| back[quarter - p]).collect();
        for part in [cosines, sines] {
            let odd = self.transposed_cosine(&part).into_iter().enumerate();
            found.extend(odd.map(|(k, slot)| (slot, 2 * k + 1)));
        }
        found
    }

    fn pair(&mut self, slots: [u32; 2], turn: Turn) {
        self.steps.push(Step::Pair(Pair { slots, turn }));
    }

    fn dense(&mut self, kind: Kind, slots: &[u32]) -> Vec<u32> {
        if slots.len() > 1 {
            self.steps.push(Step::Dense(Dense::new(kind, slots.to_vec())));
        }
        slots.to_vec()
    }
}
