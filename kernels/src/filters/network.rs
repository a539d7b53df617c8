use super::dense::Dense;
use super::factors::{Factors, Reflection, Step};

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
    Butterflies(Vec<[u32; 2]>),
    Reflections(Vec<Reflection>),
    Stretches(Vec<[u32; 2]>),
    Dense(Dense),
}

/// A transform of lines of one length, as far as some frequencies need it.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) runs: Vec<Run>,
    /// Slots whose frequency is wanted, with it, from the lowest.
    pub(super) kept: Vec<(u32, usize)>,
    /// The other slots. After the forward transform they hold nothing of use; before the backward one
    /// they must be 0.
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
        let steps = needed(factors.steps, n, &kept);
        let gain = (1_u64 << n.trailing_zeros()) as f64;
        let dropped = dropped.into_iter().map(|(slot, _)| slot).collect();
        Self { runs: runs(steps, n), kept, dropped, gain }
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
    let kind = |step: &Step| match step {
        Step::Butterfly(_) => 0,
        Step::Reflection(_) => 1,
        Step::Stretch(_) => 2,
        Step::Dense(_) => 3,
    };
    ordered.sort_by_key(|(level, step)| (*level, kind(step)));
    let mut runs = Vec::new();
    let mut last = 0;
    for (level, step) in ordered {
        let same = level == last;
        last = level;
        match (step, runs.last_mut()) {
            (Step::Butterfly(slots), Some(Run::Butterflies(all))) if same => all.push(slots),
            (Step::Reflection(one), Some(Run::Reflections(all))) if same => all.push(one),
            (Step::Stretch(slots), Some(Run::Stretches(all))) if same => all.push(slots),
            (Step::Butterfly(slots), _) => runs.push(Run::Butterflies(vec![slots])),
            (Step::Reflection(one), _) => runs.push(Run::Reflections(vec![one])),
            (Step::Stretch(slots), _) => runs.push(Run::Stretches(vec![slots])),
            (Step::Dense(dense), _) => runs.push(Run::Dense(dense)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{PI, TAU};

    use pulp::{Simd, WithSimd};

    use super::*;
    use crate::InstructionSet;
    use crate::filters::lines::{LINE, Lines};

    /// Sides with every kind of step: powers of 2, odd ones, odd multiples of 2 and of more.
    const LENGTHS: [usize; 17] = [1, 2, 3, 4, 5, 6, 8, 12, 14, 16, 28, 37, 40, 64, 100, 224, 256];

    struct Both<'a>(&'a Network, &'a mut Lines);

    impl WithSimd for Both<'_> {
        type Output = Vec<[f32; LINE]>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            self.0.forward(simd, self.1);
            let spectrum = self.1.slots().to_vec();
            self.0.dropped.iter().for_each(|&slot| self.1.slots()[slot as usize] = [0.0; LINE]);
            self.0.backward(simd, self.1);
            spectrum
        }
    }

    fn line(n: usize, number: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * i * 37 + i * number + 11) % 101) as f64 / 50.0 - 1.0).collect()
    }

    fn filled(n: usize) -> Lines {
        let mut lines = Lines::new(n);
        for number in 0..LINE {
            let line = line(n, number);
            lines.slots().iter_mut().zip(line).for_each(|(slot, x)| slot[number] = x as f32);
        }
        lines
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

    fn largest(n: usize) -> f64 {
        (0..LINE).flat_map(|number| line(n, number)).fold(0.0, |max, x| max.max(x.abs()))
    }

    #[test]
    fn a_network_is_the_orthonormal_transform_times_its_gain() {
        for (basis, n) in
            LENGTHS.into_iter().flat_map(|n| [(Basis::Cosine, n), (Basis::Fourier, n)])
        {
            let network = Network::new(basis, n, |_| true);
            assert_eq!((network.kept.len(), network.dropped.len()), (n, 0));
            let mut lines = filled(n);
            let spectrum = InstructionSet::Best.run(Both(&network, &mut lines));
            for number in 0..LINE {
                let line = line(n, number);
                for frequency in 0..basis.frequencies(n) {
                    let of = network.kept.iter().filter(|&&(_, f)| f == frequency);
                    let found =
                        of.map(|&(slot, _)| f64::from(spectrum[slot as usize][number]).powi(2));
                    let found = found.sum::<f64>() / network.gain;
                    let expected = energy(basis, &line, frequency);
                    // f32 against f64: a few units of the last place of the whole line's energy.
                    let tolerance = 2e-6 * line.iter().map(|x| x * x).sum::<f64>();
                    assert!((found - expected).abs() < tolerance, "{basis:?} {n} {frequency}");
                }
                for (slot, &expected) in lines.slots().iter().zip(&line) {
                    let found = f64::from(slot[number]) / network.gain;
                    assert!((found - expected).abs() < 1e-6 * largest(n), "{basis:?} {n}");
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
                let pairs = network.runs.iter().map(|run| match run {
                    Run::Butterflies(all) | Run::Stretches(all) => all.len(),
                    Run::Reflections(all) => all.len(),
                    Run::Dense(dense) => dense.slots.len(),
                });
                pairs.sum::<usize>()
            };
            assert!(count(&part) < count(&whole), "{basis:?} {n}");
            let (mut all, mut some) = (filled(n), filled(n));
            let wanted = InstructionSet::Best.run(Both(&part, &mut some));
            let expected = InstructionSet::Best.run(Both(&whole, &mut all));
            for &(slot, _) in &part.kept {
                // Fewer steps are grouped otherwise: a few units of the last place of values below 16.
                for (a, b) in wanted[slot as usize].iter().zip(&expected[slot as usize]) {
                    assert!((a - b).abs() < 4e-6, "{basis:?} {n}: {a} and {b}");
                }
            }
        }
    }
}
