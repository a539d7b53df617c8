use prismbench_core::{MetricDef, PrecisionRecallDialect, Protocol};
use prismbench_metrics::{
    COVERAGE, DENSITY, DensityCoverage, FeatureSet, Features, FrechetDistance, Interval, KID,
    MetricError, PRECISION, PrecisionRecall, RECALL, Selected, SubsetSize, Subsets,
    density_coverage, frechet_distance, jackknife_interval, kernel_inception_distance,
    precision_recall,
};

/// A value and what a reader must know beyond it.
pub(super) struct Value {
    pub(super) value: f64,
    pub(super) interval: Option<Interval>,
    pub(super) warning: Option<String>,
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self { value, interval: None, warning: None }
    }
}

/// Two sets of features.
pub(super) struct Sets<'a> {
    pub(super) originals: &'a dyn Features,
    pub(super) made: &'a dyn Features,
    /// Whether they are of the same samples in the same order.
    pub(super) paired: bool,
}

/// Pairs of values that are computed together.
#[derive(Default)]
pub(super) struct Memo {
    precision_recall: Option<PrecisionRecall>,
    density_coverage: Option<DensityCoverage>,
}

impl Memo {
    fn precision_recall(
        &mut self,
        (originals, made): (&dyn Features, &dyn Features),
        dialect: PrecisionRecallDialect,
    ) -> Result<PrecisionRecall, MetricError> {
        if let Some(known) = self.precision_recall {
            return Ok(known);
        }
        let value = precision_recall(originals, made, dialect)?;
        self.precision_recall = Some(value);
        Ok(value)
    }

    fn density_coverage(
        &mut self,
        (originals, made): (&dyn Features, &dyn Features),
    ) -> Result<DensityCoverage, MetricError> {
        if let Some(known) = self.density_coverage {
            return Ok(known);
        }
        let value = density_coverage(originals, made)?;
        self.density_coverage = Some(value);
        Ok(value)
    }
}

/// The value of a metric that compares two sets.
pub(super) fn value(
    metric: &MetricDef,
    protocol: &Protocol,
    memo: &mut Memo,
    sets: Sets<'_>,
) -> Result<Value, MetricError> {
    let Sets { originals, made, paired } = sets;
    let sets = (originals, made);
    let value = match metric.id {
        id if id == KID.id => {
            let size = SubsetSize::Exactly(protocol.kid_subset);
            let subsets = Subsets { size, ..Subsets::default() };
            kernel_inception_distance(made, originals, subsets)?.mean
        }
        id if id == PRECISION.id => {
            memo.precision_recall(sets, protocol.precision_recall)?.precision
        }
        id if id == RECALL.id => memo.precision_recall(sets, protocol.precision_recall)?.recall,
        id if id == DENSITY.id => memo.density_coverage(sets)?.density,
        id if id == COVERAGE.id => memo.density_coverage(sets)?.coverage,
        _ => return frechet(originals, made, paired),
    };
    Ok(value.into())
}

/// The Fréchet distance with its jackknife interval: pairs are left out together.
fn frechet(
    originals: &dyn Features,
    made: &dyn Features,
    paired: bool,
) -> Result<Value, MetricError> {
    let whole = distance(originals, made)?;
    let without = |left: &[usize]| {
        let made = Selected::new(made, left.to_vec());
        if paired {
            let originals = Selected::new(originals, left.to_vec());
            return Ok(distance(&originals, &made)?.value);
        }
        Ok(distance(originals, &made)?.value)
    };
    let interval = match jackknife_interval(made.rows(), whole.value, without) {
        Ok(interval) => Some(interval),
        Err(MetricError::TooFewSamples { .. }) => None,
        Err(error) => return Err(error),
    };
    // The interval of something exact is not worth printing.
    let interval = interval.filter(|interval| interval.high - interval.low > 1e-6);
    let warning = whole.few.map(|few| few.to_string());
    Ok(Value { value: whole.value, interval, warning })
}

fn distance(originals: &dyn Features, made: &dyn Features) -> Result<FrechetDistance, MetricError> {
    frechet_distance(FeatureSet::Features(originals), FeatureSet::Features(made))
}
