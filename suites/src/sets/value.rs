use candle_core::Device;
use prismbench_core::{InceptionScoreDialect, MetricDef, PrecisionRecallDialect, Protocol};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FeatureSet, Features, Interval, Jackknife, MetricError, PRECISION,
    RECALL, SubsetSize, Subsets, cmmd_jackknife, density_coverage_jackknife, frechet_jackknife,
    inception_score_jackknife, kernel_inception_jackknife, precision_recall_on,
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

impl Value {
    fn new(value: f64, jackknife: Option<Jackknife>) -> Self {
        let (replicates, interval) = jackknife
            .map_or_else(Default::default, |found| (found.replicates, Some(found.interval)));
        // The interval of something exact is not worth printing.
        let interval = interval.filter(|interval| interval.high - interval.low > 1e-6);
        Self { value, interval, replicates, warning: None }
    }
}

/// Pairs of values that are computed together, and where.
pub(crate) struct Memo {
    device: Device,
    precision_recall: Option<[Value; 2]>,
    density_coverage: Option<[Value; 2]>,
}

impl Memo {
    pub(crate) fn on(device: &Device) -> Self {
        Self { device: device.clone(), precision_recall: None, density_coverage: None }
    }

    fn precision_recall(
        &mut self,
        (originals, made): (&dyn Features, &dyn Features),
        dialect: PrecisionRecallDialect,
    ) -> Result<[Value; 2], MetricError> {
        if let Some(known) = &self.precision_recall {
            return Ok(known.clone());
        }
        let (whole, [precision, recall]) =
            precision_recall_on(&self.device, originals, made, dialect)?;
        let values = [Value::new(whole.precision, precision), Value::new(whole.recall, recall)];
        Ok(self.precision_recall.insert(values).clone())
    }

    fn density_coverage(
        &mut self,
        (originals, made): (&dyn Features, &dyn Features),
        paired: bool,
    ) -> Result<[Value; 2], MetricError> {
        if let Some(known) = &self.density_coverage {
            return Ok(known.clone());
        }
        let (whole, [density, coverage]) = density_coverage_jackknife(originals, made, paired)?;
        let values = [Value::new(whole.density, density), Value::new(whole.coverage, coverage)];
        Ok(self.density_coverage.insert(values).clone())
    }
}

/// The value of a metric of single features of two sets, every one but the Fréchet distances, with its
/// jackknife. `paired` sets are of the same samples in the same order: pairs are then left out together.
pub(crate) fn of_two_sets(
    metric: &MetricDef,
    protocol: &Protocol,
    memo: &mut Memo,
    sets: (&dyn Features, &dyn Features),
    paired: bool,
) -> Result<Value, MetricError> {
    let (reference, made) = sets;
    let [first, second] = match metric.id {
        id if id == PRECISION.id || id == RECALL.id => {
            memo.precision_recall(sets, protocol.precision_recall)?
        }
        id if id == DENSITY.id || id == COVERAGE.id => memo.density_coverage(sets, paired)?,
        id if id == CMMD.id => {
            let (value, jackknife) = cmmd_jackknife(made, reference, paired)?;
            return Ok(Value::new(value, jackknife));
        }
        _ => {
            let size = SubsetSize::Exactly(protocol.kid_subset);
            let subsets = Subsets { size, ..Subsets::default() };
            let (whole, jackknife) = kernel_inception_jackknife(made, reference, subsets, paired)?;
            return Ok(Value::new(whole.mean, jackknife));
        }
    };
    let is_first = metric.id == PRECISION.id || metric.id == DENSITY.id;
    Ok(if is_first { first } else { second })
}

/// The Inception Score with its jackknife.
pub(crate) fn inception(
    logits: &dyn Features,
    dialect: InceptionScoreDialect,
) -> Result<Value, MetricError> {
    let (whole, jackknife) = inception_score_jackknife(logits, dialect)?;
    Ok(Value::new(whole.mean, jackknife))
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
    let warning = whole.few.map(|few| few.to_string());
    Ok(Value { warning, ..Value::new(whole.value, jackknife) })
}
