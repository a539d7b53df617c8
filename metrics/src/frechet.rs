//! The Fréchet distance between Gaussians fitted to two sets of features.

mod infinity;
mod jackknife;
mod trace;

use std::fmt;

use prismbench_core::{Better, MetricDef, Unit};

use crate::{Features, MetricError, Moments};
use trace::Side;

pub use infinity::{FrechetInfinity, frechet_infinity};
pub use jackknife::frechet_jackknife;

macro_rules! frechet {
    ($space:literal) => {
        concat!(
            "|m1 - m2|^2 + Tr S1 + Tr S2 - 2 Tr (S1 S2)^(1/2), covariances with divisor n - 1, in \
             f64; features: ",
            $space
        )
    };
}

/// Fréchet distance of reconstructions to their originals in Inception's pooled features.
pub const RFID: MetricDef = MetricDef {
    id: "rfid",
    title: "rFID",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "the 2048 pooled ones of the Inception network of 2015-12-05, the reference being the \
         original pictures of the same samples. Heusel et al., NeurIPS 2017"
    ),
};

/// Fréchet distance of a generator's samples to a reference in Inception's pooled features.
pub const GFID: MetricDef = MetricDef {
    id: "gfid",
    title: "gFID",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "the 2048 pooled ones of the Inception network of 2015-12-05, the reference being real \
         pictures that the samples do not stem from, or their moments (ADM: the training set). Heusel \
         et al., NeurIPS 2017; guided-diffusion evaluator.py"
    ),
};

/// gFID extrapolated to infinitely many samples.
pub const FID_INFINITY: MetricDef = MetricDef {
    id: "fid-infinity",
    title: "FID∞",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: "the gFID of 15 growing parts of the samples as a line in 1 / n: its intercept. Chong \
        and Forsyth, CVPR 2020, as dgm-eval, with seeded draws",
};

/// The distance that real pictures have to the reference: no generator is to be blamed for it.
pub const FLOOR_FID: MetricDef = MetricDef {
    id: "floor-fid",
    title: "floor FID",
    unit: Unit::One,
    better: Better::Neither,
    version: 1,
    definition: frechet!(
        "as gFID, of the real pictures that were given besides the reference: what the best of all \
         generators would reach at their number"
    ),
};

/// Fréchet distance in Inception's spatial features.
pub const SFID: MetricDef = MetricDef {
    id: "sfid",
    title: "sFID",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "the first 7 channels of Mixed_6d's 1x1 branch of the same network, 17 x 17 x 7 = 2023 in \
         the order row, column, channel. Nash et al., ICML 2021, as in guided-diffusion"
    ),
};

/// Fréchet distance in DINOv2's space.
pub const FD_DINOV2: MetricDef = MetricDef {
    id: "fd-dinov2",
    title: "FD-DINOv2",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "the 1024 of DINOv2 ViT-L/14's class token behind the last norm, without registers, of \
         pictures of 224x224. Stein et al., NeurIPS 2023, as in dgm-eval"
    ),
};

/// Fréchet distance in the space of the encoder that the protocol names.
pub const FD_ENCODER: MetricDef = MetricDef {
    id: "fd-encoder",
    title: "FD-encoder",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "what the encoder of the protocol's field `fd-encoder` says of the square as it is cropped: its \
         own summary, else its class token, else the mean of its patch tokens"
    ),
};

/// Fréchet distance in a space of fixed random filters: needs no weights, and is no FID.
pub const FD_RANDOM: MetricDef = MetricDef {
    id: "fd-random",
    title: "FD-random",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: frechet!(
        "this project's own small network of fixed random filters; comparable with no published \
         number, in particular with no FID"
    ),
};

/// What is known of one of the two sets.
#[derive(Clone, Copy)]
pub enum FeatureSet<'a> {
    /// Its features.
    Features(&'a dyn Features),
    /// Its moments alone: of a published reference, or kept from an earlier use.
    ///
    /// From features with more rows than columns these serve as well as the features themselves.
    Moments(&'a Moments),
}

impl FeatureSet<'_> {
    /// How many samples there are, where that is known.
    #[must_use]
    pub fn samples(self) -> Option<u64> {
        match self {
            Self::Features(features) => Some(features.rows() as u64),
            Self::Moments(moments) => moments.samples(),
        }
    }

    /// Values of one sample.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Self::Features(features) => features.columns(),
            Self::Moments(moments) => moments.columns(),
        }
    }
}

/// A Fréchet distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrechetDistance {
    /// The distance; rounding can make that of equal sets negative by about 1e-7 of the variance.
    pub value: f64,
    /// Set when a set is too small for a covariance of full rank.
    pub few: Option<FewSamples>,
}

/// Warning: no more samples than columns, so that the distance is biased high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FewSamples {
    /// Samples of the smaller set.
    pub samples: u64,
    /// Columns of the features.
    pub columns: usize,
}

impl fmt::Display for FewSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, columns } = self;
        write!(
            f,
            "{samples} samples are too few for {columns} features: the distance is biased high, \
             and only to be compared at the same number of samples"
        )
    }
}

/// The Fréchet distance of two sets in one feature space.
///
/// The trace of the root is a sum of square roots of eigenvalues of a symmetric matrix, `F^T S2 F`
/// with `F F^T = S1`. Features with at most as many rows as columns take an exact route in the
/// space of the samples: with both sets so, the sum of the singular values of `X1 X2^T` over
/// `sqrt((n1 - 1)(n2 - 1))`, `X` being the centred features. The bits do not depend on the number
/// of threads.
///
/// ```
/// use prismbench_metrics::{FeatureMatrix, FeatureSet, frechet_distance};
/// // Both have variance 2; the means are 3 apart.
/// let first = FeatureMatrix::new(1, vec![0.0, 2.0])?;
/// let second = FeatureMatrix::new(1, vec![3.0, 5.0])?;
/// let sets = [&first, &second].map(|set| FeatureSet::Features(set));
/// assert!((frechet_distance(sets[0], sets[1])?.value - 9.0).abs() < 1e-12);
/// # Ok::<(), prismbench_metrics::MetricError>(())
/// ```
///
/// # Errors
/// [`MetricError::Columns`] for different spaces, [`MetricError::TooFewSamples`] for fewer than two
/// rows, [`MetricError::Read`] and [`MetricError::NoConvergence`].
pub fn frechet_distance(
    first: FeatureSet<'_>,
    second: FeatureSet<'_>,
) -> Result<FrechetDistance, MetricError> {
    checked(first, second)?;
    between(&Side::new(first)?, &Side::new(second)?, (first, second))
}

fn checked(first: FeatureSet<'_>, second: FeatureSet<'_>) -> Result<(), MetricError> {
    let (first, second) = (first.columns(), second.columns());
    if first == second { Ok(()) } else { Err(MetricError::Columns { first, second }) }
}

/// The distance between two sides, which are those of the two sets or of most of their samples.
fn between(
    first_side: &Side<'_>,
    second_side: &Side<'_>,
    (first, second): (FeatureSet<'_>, FeatureSet<'_>),
) -> Result<FrechetDistance, MetricError> {
    let columns = first.columns();
    let means = first_side.mean().iter().zip(second_side.mean());
    let between: f64 = means.map(|(a, b)| (a - b) * (a - b)).sum();
    let root = trace::of_root(first_side, second_side)?;
    let samples = first.samples().into_iter().chain(second.samples()).min();
    let few = samples.filter(|&samples| samples <= columns as u64);
    Ok(FrechetDistance {
        value: between + first_side.trace() + second_side.trace() - 2.0 * root,
        few: few.map(|samples| FewSamples { samples, columns }),
    })
}
