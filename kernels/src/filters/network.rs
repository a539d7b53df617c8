use super::dense::Dense;
use super::factors::Factors;
use super::fusion::fused;
use super::step::{Pair, Quad, QuadKind, Step, Turn};

/// The basis that a line is taken apart in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// DCT-II: frequencies 0 to `n - 1`, in half cycles per line.
    Cosine,
    /// Real Fourier basis: frequencies 0 to `n / 2`, in cycles per line.
    Fourier,
}

impl Basis {
    /// How many there are for lines of `n` values.
    pub(super) fn frequencies(self, n: usize) -> usize {
        match self {
            Self::Cosine => n,
            Self::Fourier => n / 2 + 1,
        }
    }
}

/// Steps of one kind that touch no slot twice.
#[derive(Clone, Debug)]
pub(super) enum Run {
    Pairs(Vec<Pair>),
    Quads { kind: QuadKind, is_transposed: bool, all: Vec<Quad> },
    Dense(Dense),
}

/// A transform of lines of one length, as far as some frequencies need it.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) runs: Vec<Run>,
    /// Slots whose frequency is wanted, from the lowest.
    pub(super) kept: Vec<u32>,
    /// The frequency of each of them.
    pub(super) frequencies: Vec<usize>,
    /// The other slots. After the forward transform they hold nothing of use.
    pub(super) dropped: Vec<u32>,
    /// Forward and backward together multiply by this power of 2.
    pub(super) gain: f64,
}

impl Network {
    /// For lines of `n` values; only frequencies that `wanted` says yes to are computed.
    pub(super) fn new(basis: Basis, n: usize, wanted: impl Fn(usize) -> bool) -> Self {
        let mut factors = Factors::default();
        let slots: Vec<u32> = (0..n as u32).collect();
        let (mut kept, dropped): (Vec<_>, Vec<_>) = match basis {
            Basis::Cosine => factors.cosine(&slots).into_iter().zip(0..).collect(),
            Basis::Fourier => factors.fourier(&slots),
        }
        .into_iter()
        .partition(|&(_, frequency)| wanted(frequency));
        kept.sort_by_key(|&(slot, frequency)| (frequency, slot));
        let steps = fused(needed(factors.steps, n, &kept), n);
        let gain = (1_u64 << n.trailing_zeros()) as f64;
        let dropped = dropped.into_iter().map(|(slot, _)| slot).collect();
        let (kept, frequencies) = kept.into_iter().unzip();
        Self { runs: runs(steps, n), kept, frequencies, dropped, gain }
    }
}

/// The steps without those that nothing wanted comes from.
fn needed(mut steps: Vec<Step>, n: usize, kept: &[(u32, usize)]) -> Vec<Step> {
    let mut live = vec![false; n];
    kept.iter().for_each(|&(slot, _)| live[slot as usize] = true);
    steps.reverse();
    steps.retain(|step| {
        let is_needed = step.slots().iter().any(|&slot| live[slot as usize]);
        if is_needed {
            step.slots().iter().for_each(|&slot| live[slot as usize] = true);
        }
        is_needed
    });
    steps.reverse();
    steps
}

/// Steps of one kind that wait for the same number of others, together: long runs of one operation
/// instead of a change at almost every step.
fn runs(steps: Vec<Step>, n: usize) -> Vec<Run> {
    let mut levels = vec![0_usize; n];
    let mut ordered: Vec<(usize, Step)> = Vec::with_capacity(steps.len());
    for step in steps {
        let level = step.slots().iter().map(|&slot| levels[slot as usize] + 1).max().unwrap_or(0);
        step.slots().iter().for_each(|&slot| levels[slot as usize] = level);
        ordered.push((level, step));
    }
    ordered.sort_by_key(|(level, step)| (*level, Kind::of(step)));
    let mut runs = Vec::new();
    let mut last = None;
    for (level, step) in ordered {
        let group = (level, Kind::of(&step));
        let begins = last != Some(group);
        last = Some(group);
        match (step, runs.last_mut().filter(|_| !begins)) {
            (Step::Pair(pair), Some(Run::Pairs(all))) => all.push(pair),
            (Step::Quad(quad), Some(Run::Quads { all, .. })) => all.push(quad),
            (step, _) => runs.push(Run::beginning_with(step)),
        }
    }
    runs
}

/// What steps of one run have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Butterfly,
    Reflection,
    Stretch,
    Quad { kind: QuadKind, is_transposed: bool },
    Dense,
}

impl Kind {
    fn of(step: &Step) -> Self {
        match step {
            Step::Pair(Pair { turn: Turn::Butterfly, .. }) => Self::Butterfly,
            Step::Pair(Pair { turn: Turn::Reflection { .. }, .. }) => Self::Reflection,
            Step::Pair(Pair { turn: Turn::Stretch, .. }) => Self::Stretch,
            &Step::Quad(Quad { kind, is_transposed, .. }) => Self::Quad { kind, is_transposed },
            Step::Dense(_) => Self::Dense,
        }
    }
}

impl Run {
    fn beginning_with(step: Step) -> Self {
        match step {
            Step::Pair(pair) => Self::Pairs(vec![pair]),
            Step::Quad(quad) => {
                let Quad { kind, is_transposed, .. } = quad;
                Self::Quads { kind, is_transposed, all: vec![quad] }
            }
            Step::Dense(dense) => Self::Dense(dense),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{PI, TAU};

    use pulp::{Simd, WithSimd};

    use super::*;
    use crate::InstructionSet;
    use crate::filters::lines::{Room, count, lines};

    /// Sides with every kind of step: powers of 2, odd ones, odd multiples of 2 and of more.
    const LENGTHS: [usize; 17] = [1, 2, 3, 4, 5, 6, 8, 12, 14, 16, 28, 37, 40, 64, 100, 224, 256];

    /// Forward, what the slots hold then, and backward, of `[slot][line]`.
    struct Both<'a>(&'a Network, &'a mut Vec<f32>);

    impl WithSimd for Both<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut room = Room::default();
            let n = self.0.kept.len() + self.0.dropped.len();
            *self.1 = (0..n * count::<S>())
                .map(|at| line(n, at % count::<S>())[at / count::<S>()] as f32)
                .collect();
            self.0.forward(simd, lines::<S>(self.1), &mut room);
            let spectrum = self.1.clone();
            self.0.backward(simd, lines::<S>(self.1), &mut room);
            spectrum
        }
    }

    fn line(n: usize, number: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * i * 37 + i * number + 11) % 101) as f64 / 50.0 - 1.0).collect()
    }

    /// Energy of a frequency by the definition of the orthonormal transform.
    fn energy(basis: Basis, line: &[f64], frequency: usize) -> f64 {
        let n = line.len() as f64;
        let sum = |wave: &dyn Fn(f64) -> f64| -> f64 {
            line.iter().enumerate().map(|(p, x)| x * wave(p as f64)).sum()
        };
        let f = frequency as f64;
        let [cos, sin] = match basis {
            Basis::Cosine => [sum(&|p| (PI * f * (p + 0.5) / n).cos()), 0.0],
            Basis::Fourier => {
                [sum(&|p| (TAU * f * p / n).cos()), sum(&|p| (TAU * f * p / n).sin())]
            }
        };
        let is_single = frequency == 0 || (basis == Basis::Fourier && 2 * frequency == line.len());
        (cos * cos + sin * sin) * if is_single { 1.0 } else { 2.0 } / n
    }

    #[test]
    fn a_network_is_the_orthonormal_transform_times_its_gain() {
        let bases = LENGTHS.into_iter().flat_map(|n| [(Basis::Cosine, n), (Basis::Fourier, n)]);
        for (basis, n) in bases {
            let network = Network::new(basis, n, |_| true);
            assert_eq!((network.kept.len(), network.dropped.len()), (n, 0));
            let mut back = Vec::new();
            let spectrum = InstructionSet::Best.run(Both(&network, &mut back));
            let side_by_side = back.len() / n;
            for number in 0..side_by_side {
                let line = line(n, number);
                let value = |slot: usize| f64::from(spectrum[slot * side_by_side + number]);
                for frequency in 0..basis.frequencies(n) {
                    let of = network.kept.iter().zip(&network.frequencies);
                    let of = of.filter(|&(_, &f)| f == frequency);
                    let found = of.map(|(&slot, _)| value(slot as usize).powi(2)).sum::<f64>();
                    let gap = (found / network.gain - energy(basis, &line, frequency)).abs();
                    // f32 against f64: a few units of the last place of the whole line's energy.
                    let whole = line.iter().map(|x| x * x).sum::<f64>();
                    assert!(gap < 2e-6 * whole, "{basis:?} {n} {frequency}");
                }
                for (slot, &expected) in line.iter().enumerate() {
                    let found = f64::from(back[slot * side_by_side + number]) / network.gain;
                    assert!((found - expected).abs() < 1e-6, "{basis:?} {n}");
                }
            }
        }
    }

    #[test]
    fn steps_that_nothing_wanted_needs_do_not_change_what_is_wanted() {
        for (basis, n) in [(Basis::Cosine, 256), (Basis::Fourier, 256), (Basis::Cosine, 40)] {
            let (whole, part) =
                (Network::new(basis, n, |_| true), Network::new(basis, n, |f| f < n / 10));
            let count = |network: &Network| {
                let steps = network.runs.iter().map(|run| match run {
                    Run::Pairs(all) => all.len(),
                    Run::Quads { all, .. } => 4 * all.len(),
                    Run::Dense(dense) => dense.slots.len(),
                });
                steps.sum::<usize>()
            };
            assert!(count(&part) < count(&whole), "{basis:?} {n}");
            let spectrum =
                |network: &Network| InstructionSet::Best.run(Both(network, &mut Vec::new()));
            let (found, expected) = (spectrum(&part), spectrum(&whole));
            let side_by_side = found.len() / n;
            for &slot in &part.kept {
                let range = slot as usize * side_by_side..(slot as usize + 1) * side_by_side;
                // Fewer steps are grouped otherwise: a few units of the last place of values below 16.
                for (a, b) in found[range.clone()].iter().zip(&expected[range]) {
                    assert!((a - b).abs() < 4e-6, "{basis:?} {n}: {a} and {b}");
                }
            }
        }
    }
}
