use candle_core::Device;
use prismbench_core::{MetricDef, PrecisionRecallDialect, Protocol};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, DensityCoverage, FeatureSet, Features, Interval, MetricError,
    PRECISION, PrecisionRecall, RECALL, SubsetSize, Subsets, cmmd, density_coverage,
    frechet_jackknife, kernel_inception_distance, precision_recall_on,
};

/// A value and what a reader must know beyond it.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) value: f64,
    pub(crate) interval: Option<Interval>,
    /// Without each tenth of the samples in turn; empty for a value without a jackknife.
    pub(crate) replicates: Vec<f64>,
    pub(crate) warning: Option<String>,
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self { value, interval: None, replicates: Vec::new(), warning: None }
    }
}

/// Pairs of values that are computed together, and where.
pub(crate) struct Memo {
    device: Device,
    precision_recall: Option<PrecisionRecall>,
    density_coverage: Option<DensityCoverage>,
}

impl Memo {
    pub(crate) fn on(device: &Device) -> Self {
        Self { device: device.clone(), precision_recall: None, density_coverage: None }
    }

    fn precision_recall(
        &mut self,
        (originals, made): (&dyn Features, &dyn Features),
        dialect: PrecisionRecallDialect,
    ) -> Result<PrecisionRecall, MetricError> {
        if let Some(known) = self.precision_recall {
            return Ok(known);
        }
        let value = precision_recall_on(&self.device, originals, made, dialect)?;
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

/// The value of a metric of single features of two sets: every one but the Fréchet distances.
pub(crate) fn of_two_sets(
    metric: &MetricDef,
    protocol: &Protocol,
    memo: &mut Memo,
    sets: (&dyn Features, &dyn Features),
) -> Result<Value, MetricError> {
    let (reference, made) = sets;
    let value = match metric.id {
        id if id == PRECISION.id => {
            memo.precision_recall(sets, protocol.precision_recall)?.precision
        }
        id if id == RECALL.id => memo.precision_recall(sets, protocol.precision_recall)?.recall,
        id if id == DENSITY.id => memo.density_coverage(sets)?.density,
        id if id == COVERAGE.id => memo.density_coverage(sets)?.coverage,
        id if id == CMMD.id => cmmd(made, reference)?,
        _ => {
            let size = SubsetSize::Exactly(protocol.kid_subset);
            let subsets = Subsets { size, ..Subsets::default() };
            kernel_inception_distance(made, reference, subsets)?.mean
        }
    };
    Ok(value.into())
}

/// The Fréchet distance with its jackknife interval. `paired` are features of the same samples as
/// `made`, in the same order: pairs are then left out together.
pub(crate) fn frechet(
    reference: FeatureSet<'_>,
    made: &dyn Features,
    paired: Option<&dyn Features>,
) -> Result<Value, MetricError> {
    let (reference, is_paired) =
        paired.map_or((reference, false), |same| (FeatureSet::Features(same), true));
    let (whole, jackknife) = frechet_jackknife(reference, made, is_paired)?;
    let (replicates, interval) =
        jackknife.map_or_else(Default::default, |found| (found.replicates, Some(found.interval)));
    // The interval of something exact is not worth printing.
    let interval = interval.filter(|interval| interval.high - interval.low > 1e-6);
    let warning = whole.few.map(|few| few.to_string());
    Ok(Value { value: whole.value, interval, replicates, warning })
}
