use std::io;

use prismbench_core::{Protocol, Record, Weights, hexadecimal};
use prismbench_reports::{SAMPLES_AT_ONCE, SampleColumns, SampleStream};
use prismbench_suites::{Measured, Measurement, Report, Suite};
use sha2::{Digest, Sha256};

/// What every record of one pass has in common. The only place that builds a [`Record`].
pub(crate) struct Common<'a> {
    pub(crate) run: &'a str,
    pub(crate) suite: &'a dyn Suite,
    /// Id of the data set, or of what samples are compared with.
    pub(crate) dataset: &'a str,
    /// Which part of it.
    pub(crate) split: &'a str,
    pub(crate) resolution: String,
    pub(crate) protocol: &'a Protocol,
    pub(crate) reference_sha256: &'a str,
    /// What ran the tokenizer.
    pub(crate) device: String,
}

/// What every record of one tokenizer has in common.
pub(crate) struct Subject<'a> {
    /// As it was asked for, without the path of its weights.
    pub(crate) id: &'a str,
    /// Where it was fitted: `fit apart` or `fit held out`; empty for one that is not fitted.
    pub(crate) variant: &'a str,
    /// Empty for one without weights.
    pub(crate) weights_sha256: String,
}

impl Common<'_> {
    /// The records of one report, in the order of the suite's metrics.
    pub(crate) fn of_report(&self, subject: &Subject<'_>, report: &Report) -> Vec<Record> {
        let build = |measurement: &Measurement| Record {
            latent: report.latent.clone(),
            seconds: report.seconds,
            ..self.record(subject, measurement)
        };
        report.measurements.iter().map(build).collect()
    }

    fn record(&self, subject: &Subject<'_>, measurement: &Measurement) -> Record {
        Record {
            run: self.run.to_owned(),
            tokenizer: subject.id.to_owned(),
            variant: subject.variant.to_owned(),
            latent: String::new(),
            suite: format!("{}@{}", self.suite.id(), self.suite.version()),
            dataset: self.dataset.to_owned(),
            split: self.split.to_owned(),
            resolution: self.resolution.clone(),
            n: measurement.n,
            metric: measurement.metric.versioned_id(),
            dialect: measurement.dialect.clone(),
            setting: measurement.setting.clone(),
            outcome: measurement.outcome.clone(),
            warnings: measurement.warnings.clone(),
            replicates: measurement.replicates.clone(),
            unit: measurement.metric.unit,
            better: measurement.metric.better,
            protocol: self.protocol.name.clone(),
            protocol_sha256: self.protocol.sha256_for(self.suite.concern()),
            weights_sha256: subject.weights_sha256.clone(),
            reference_sha256: measurement
                .reference
                .clone()
                .unwrap_or_else(|| self.reference_sha256.to_owned()),
            device: self.device.clone(),
            dtype: self.protocol.element_type_for(self.suite.concern()).to_string(),
            seconds: 0.0,
            source: "measured".to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// One hash over all weights of a subject: that of the file where there is one only.
pub(crate) fn sha256_of_all(weights: &[Weights]) -> String {
    match weights {
        [] => String::new(),
        [one] => one.sha256.clone(),
        many => {
            let mut hash = Sha256::new();
            many.iter().for_each(|weights| hash.update(&weights.sha256));
            hexadecimal(hash.finalize())
        }
    }
}

/// Per-image values of one report, as the reports crate stores them, some samples at a time.
pub(crate) fn sample_stream<'a>(
    common: &Common<'_>,
    subject: &Subject<'_>,
    pictures: &'a Measured,
    report: &'a Report,
) -> SampleStream<'a> {
    let known = common.suite.metrics();
    let versioned = |id: &String| {
        let metric = known.iter().find(|metric| metric.id == id);
        metric.map_or_else(|| id.clone(), |metric| metric.versioned_id())
    };
    let metrics: Vec<String> = report.per_image.iter().map(|(id, _)| versioned(id)).collect();
    let empty = SampleColumns {
        tokenizer: subject.id.to_owned(),
        dataset: common.dataset.to_owned(),
        protocol: common.protocol.name.clone(),
        protocol_sha256: common.protocol.sha256_for(common.suite.concern()),
        indices: Vec::new(),
        ids: Vec::new(),
        labels: Vec::new(),
        sizes: Vec::new(),
        metrics: metrics.iter().map(|name| (name.clone(), Vec::new())).collect(),
    };
    let mut each = pictures.pictures.iter();
    let mut columns: Vec<_> = report.per_image.iter().map(|(_, column)| column.iter()).collect();
    let piece = move || -> io::Result<Option<SampleColumns>> {
        let mut piece = empty.clone();
        for picture in each.by_ref().take(SAMPLES_AT_ONCE) {
            let picture = picture?;
            piece.indices.push(picture.index);
            piece.ids.push(picture.id);
            piece.labels.push(picture.label);
            piece.sizes.push(picture.size);
        }
        for ((_, values), column) in piece.metrics.iter_mut().zip(&mut columns) {
            *values = column.by_ref().take(SAMPLES_AT_ONCE).collect::<io::Result<_>>()?;
        }
        Ok(Some(piece).filter(|piece| !piece.indices.is_empty()))
    };
    let pieces = std::iter::repeat_with(piece).map(Result::transpose).map_while(|piece| piece);
    SampleStream { metrics, pieces: Box::new(pieces) }
}
