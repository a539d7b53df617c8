use std::io;

use prismbench_core::{MetricDef, Outcome, Protocol, Tokenizer};
use prismbench_metrics::{FLOOR_FID, FeatureRows, GFID, MetricError, RFID};

use super::bounds::Bounds;
use super::is_bound;
use super::reference::ReferenceChoice;
use super::source::SampleSource;
use super::space::{Absent, Space};
use super::warnings::{self, Traits};
use crate::journal::Recalled;
use crate::pictures::PictureBlock;
use crate::sets::Value;
use crate::{Context, Measured, Measurement, NetworkKind, Pictures, Stage, SuiteError};

/// A pass over samples while it goes on.
pub(super) struct Judging<'a> {
    protocol: &'a Protocol,
    /// Those that are wanted, in the order of the suite's.
    metrics: Vec<&'static MetricDef>,
    /// Those whose networks are there.
    spaces: Vec<Space<'a>>,
    bounds: Bounds,
    seed: u64,
}

impl<'a> Judging<'a> {
    pub(super) fn new(
        samples: &dyn SampleSource,
        decoder: Option<&dyn Tokenizer>,
        choice: ReferenceChoice<'a>,
        real: Option<&Pictures<'a>>,
        context: &mut Context<'a>,
        said: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        if samples.is_empty() {
            return Err(SuiteError::NoSamples);
        }
        let asked = |metric: &MetricDef| context.metrics.iter().any(|id| id == metric.id);
        // Beside each gFID stands what the generator cannot be blamed for, where that can be had.
        let beside = |metric: &MetricDef| match metric.id {
            id if id == RFID.id => decoder.is_some(),
            id if id == FLOOR_FID.id => !matches!(choice, ReferenceChoice::Pictures),
            _ => false,
        };
        let bounded = real.is_some() && asked(&GFID);
        let metrics: Vec<&'static MetricDef> = crate::Suite::metrics(&super::GenerationSuite)
            .into_iter()
            .filter(|metric| asked(metric) || bounded && beside(metric))
            .collect();
        let mut spaces: Vec<Space<'a>> = Vec::new();
        for kind in NetworkKind::SPACES {
            let of_kind = |metric: &&&'static MetricDef| NetworkKind::of(metric.id) == Some(kind);
            let wanted: Vec<&MetricDef> = metrics.iter().filter(of_kind).copied().collect();
            let networks = context.networks;
            let network = networks.space(kind).and_then(|lent| lent.ready());
            if let Some(network) = network.filter(|_| !wanted.is_empty()) {
                let against = (choice, real);
                spaces.push(Space::new((kind, network), &wanted, against, context, said)?);
            }
        }
        let wanted = (metrics.as_slice(), samples.len());
        let bounds = match spaces.iter().find(|space| space.kind() == NetworkKind::Inception) {
            Some(space) => Bounds::new(wanted, decoder, space, real, context)?,
            None => Bounds::default(),
        };
        let (protocol, seed) = (context.protocol, context.seed);
        Ok(Self { protocol, metrics, spaces, bounds, seed })
    }

    /// What decides what is taken of the samples.
    pub(super) fn origin(&self) -> impl Iterator<Item = (String, String)> {
        self.spaces.iter().map(Space::origin)
    }

    /// The features of samples.
    pub(super) fn measure(&self, block: &PictureBlock) -> Result<Vec<FeatureRows>, SuiteError> {
        let _metric = Stage::Metric.enter();
        let rows = self.spaces.iter().map(|space| space.measure(block));
        Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Takes in what was measured of samples.
    pub(super) fn take<S>(&mut self, block: &Recalled<'_, S>) -> io::Result<()> {
        let mut spaces = self.spaces.iter_mut();
        spaces.try_fold(0, |first, space| space.take(block, first)).map(|_| ())
    }

    /// The measurements, in the order of the suite's metrics.
    pub(super) fn finish(
        mut self,
        samples: &Measured,
        context: &Context<'_>,
        said: &mut Vec<String>,
    ) -> io::Result<Vec<Measurement>> {
        let _metric = Stage::Metric.enter();
        let samples = Traits::of(samples)?;
        let mut measurements = Vec::new();
        for metric in std::mem::take(&mut self.metrics) {
            let mut measurement = Measurement {
                metric,
                dialect: String::new(),
                setting: String::new(),
                outcome: Outcome::Skipped { reason: String::new() },
                n: 0,
                reference: None,
                warnings: Vec::new(),
                replicates: Vec::new(),
            };
            let kind = NetworkKind::of(metric.id);
            let space = self.spaces.iter_mut().find(|space| Some(space.kind()) == kind);
            match (space, kind) {
                (Some(space), _) => {
                    measurement.dialect = space.dialect(metric, self.protocol);
                    measurement.reference = Some(space.reference().sha256().to_owned());
                    let references = space.reference().count;
                    let value = match is_bound(metric) {
                        true if metric.id == RFID.id => self.bounds.decoder(),
                        true => self.bounds.floor(),
                        false => space.value(metric, self.protocol, self.seed),
                    };
                    self.enter(&mut measurement, value, (&samples, references), said);
                }
                (None, kind) => {
                    let reason = kind.map(|kind| context.networks.missing(kind));
                    let reason = reason.unwrap_or_default();
                    measurement.outcome = Outcome::Skipped { reason };
                }
            }
            measurements.push(measurement);
        }
        Ok(measurements)
    }

    fn enter(
        &self,
        measurement: &mut Measurement,
        value: Result<Value, Absent>,
        (samples, references): (&Traits, usize),
        said: &mut Vec<String>,
    ) {
        let is_bound = is_bound(measurement.metric);
        match value {
            Ok(Value { value, interval, replicates, warning }) => {
                measurement.replicates = replicates;
                let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                measurement.outcome = Outcome::Ok { value, low, high };
                measurement.n = match is_bound {
                    true => self.bounds.count as u64,
                    false => samples.n as u64,
                };
                measurement.warnings.extend(warning);
            }
            Err(Absent::Skipped(reason)) => measurement.outcome = Outcome::Skipped { reason },
            Err(Absent::Metric(error @ MetricError::TooFewSamples { .. })) => {
                measurement.outcome = Outcome::Skipped { reason: error.to_string() };
            }
            Err(Absent::Metric(error)) => measurement.outcome = Outcome::failed(&error),
        }
        if matches!(measurement.outcome, Outcome::Ok { .. }) && !is_bound {
            let dialect = self.protocol.inception_score;
            measurement.warnings.extend(warnings::of(
                measurement.metric,
                samples,
                references,
                dialect,
            ));
        }
        for warning in &measurement.warnings {
            let text = format!("{}: {warning}", measurement.metric.id);
            if !said.contains(&text) {
                said.push(text);
            }
        }
    }
}
