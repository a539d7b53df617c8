use prismbench_core::{Choice, MetricDef, Outcome, Protocol, RgbImage, Tokenizer};
use prismbench_metrics::{
    FID_INFINITY, FLOOR_FID, FeatureNetwork, Features, GFID, INCEPTION_SCORE, MetricError, RFID,
    SFID, Tap, frechet_infinity, inception_score,
};

use super::bounds::Bounds;
use super::reference::{Reference, ReferenceChoice, unlike};
use super::source::SampleSource;
use super::warnings;
use crate::pictures::Prepared;
use crate::sets::{Memo, Value, blamed, dialect, frechet, of_two_sets, tap_of};
use crate::spool::Spool;
use crate::{Context, Measured, Measurement, Pictures, SuiteError};

/// A pass over samples while it goes on.
pub(super) struct Judging<'a> {
    protocol: &'a Protocol,
    /// `None` where the network's weights are missing: nothing can be said but that.
    network: Option<&'a dyn FeatureNetwork>,
    metrics: Vec<&'static str>,
    taps: Vec<Tap>,
    spools: Vec<Spool>,
    reference: Option<Reference<'a>>,
    bounds: Bounds,
    /// What marks every dialect of a row whose reference was made otherwise.
    mark: String,
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
        let protocol = context.protocol;
        let network: Option<&'a dyn FeatureNetwork> =
            context.networks.inception.ready().map(|network| network as &dyn FeatureNetwork);
        let all = super::GenerationSuite;
        let metrics: Vec<&'static MetricDef> = crate::Suite::metrics(&all)
            .into_iter()
            .filter(|metric| context.metrics.iter().any(|id| id == metric.id))
            .collect();
        let mut taps: Vec<Tap> = metrics.iter().map(|metric| tap_of(metric)).collect();
        taps.sort();
        taps.dedup();
        let mut judging = Self {
            protocol,
            network,
            metrics: metrics.iter().map(|metric| metric.id).collect(),
            spools: Vec::new(),
            taps,
            reference: None,
            bounds: Bounds::default(),
            mark: String::new(),
            seed: context.seed,
        };
        let Some(network) = network else { return Ok(judging) };
        if let ReferenceChoice::Moments(moments, _) = choice {
            judging.mark = mark(moments, network, context, said)?;
        }
        let spool = |&tap: &Tap| Spool::new(network.width(tap).unwrap_or(0));
        judging.spools = judging.taps.iter().map(spool).collect();
        let taken = (network, judging.taps.as_slice());
        let reference = Reference::new(choice, real, taken, context, said)?;
        let wanted = (judging.metrics.as_slice(), samples.len());
        judging.bounds = Bounds::new(wanted, decoder, &reference, real, (network, context))?;
        judging.reference = Some(reference);
        Ok(judging)
    }

    /// Takes in samples.
    pub(super) fn add(&mut self, block: &[Prepared]) -> Result<(), SuiteError> {
        let Some(network) = self.network else { return Ok(()) };
        let images: Vec<&RgbImage> = block.iter().map(|sample| &sample.image).collect();
        let features = network.features(&images, &self.taps).map_err(|source| {
            SuiteError::Network { picture: blamed(&source, block), source: Box::new(source) }
        })?;
        for (spool, features) in self.spools.iter_mut().zip(&features) {
            for (sample, row) in block.iter().zip(features.rows()) {
                spool.push(&sample.id, row).map_err(SuiteError::Spool)?;
            }
        }
        Ok(())
    }

    /// The measurements, in the order of the suite's metrics.
    pub(super) fn finish(
        self,
        order: &[&'static MetricDef],
        samples: &Measured,
        context: &Context<'_>,
        said: &mut Vec<String>,
    ) -> Result<Vec<Measurement>, SuiteError> {
        let mut memo = Memo::default();
        let mut measurements = Vec::new();
        let wanted = order.iter().filter(|metric| self.metrics.contains(&metric.id));
        for &metric in wanted {
            let mut measurement = Measurement {
                metric,
                dialect: String::new(),
                setting: String::new(),
                outcome: Outcome::Skipped { reason: String::new() },
                n: 0,
                reference: self.reference.as_ref().map(|known| known.sha256().to_owned()),
                warnings: Vec::new(),
                replicates: Vec::new(),
            };
            match (self.network, &self.reference) {
                (Some(network), Some(reference)) => {
                    measurement.dialect =
                        format!("{}{}", dialect(network, metric, self.protocol), self.mark);
                    let value = self.value(metric, reference, &mut memo);
                    self.enter(&mut measurement, value, samples, said);
                }
                _ => {
                    let missing = context.networks.inception.missing();
                    let reason = missing.unwrap_or("its network was not lent").to_owned();
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
        samples: &Measured,
        said: &mut Vec<String>,
    ) {
        let is_bound = [&RFID, &FLOOR_FID].contains(&measurement.metric);
        match value {
            Ok(Value { value, interval, replicates, warning }) => {
                measurement.replicates = replicates;
                let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                measurement.outcome = Outcome::Ok { value, low, high };
                measurement.n = match is_bound {
                    true => self.bounds.count as u64,
                    false => samples.ids.len() as u64,
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
            let references = self.reference.as_ref().map_or(0, |reference| reference.count);
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

    fn value(
        &self,
        metric: &'static MetricDef,
        reference: &Reference<'_>,
        memo: &mut Memo,
    ) -> Result<Value, Absent> {
        let tap = tap_of(metric);
        let place = self.taps.iter().position(|&known| known == tap);
        let place = place.ok_or_else(|| skipped("no features were taken"))?;
        let made: &dyn Features =
            self.spools.get(place).ok_or_else(|| skipped("no features were taken"))?;
        let set = || {
            let reason = "the reference has no moments of these features (mu_s, sigma_s); make one \
                          with `prismbench stats IMAGES -o FILE`";
            reference.set(tap, place).ok_or_else(|| skipped(reason))
        };
        Ok(match metric.id {
            id if id == RFID.id => return self.bounds.decoder(),
            id if id == FLOOR_FID.id => return self.bounds.floor(),
            id if id == INCEPTION_SCORE.id => {
                inception_score(made, self.protocol.inception_score)?.mean.into()
            }
            id if id == GFID.id || id == SFID.id => frechet(set()?, made, None)?,
            id if id == FID_INFINITY.id => frechet_infinity(made, set()?, self.seed)?.value.into(),
            _ => {
                let reason = "the reference holds moments alone; name real pictures with --data, or a \
                              reference that holds pictures (arr_0)";
                let originals = reference.features(place).ok_or_else(|| skipped(reason))?;
                of_two_sets(metric, self.protocol, memo, (originals, made))?
            }
        })
    }
}

/// Why a metric has no value.
pub(super) enum Absent {
    Skipped(String),
    Metric(MetricError),
}

pub(super) fn skipped(reason: &str) -> Absent {
    Absent::Skipped(reason.to_owned())
}

impl From<MetricError> for Absent {
    fn from(error: MetricError) -> Self {
        Self::Metric(error)
    }
}

/// Refuses moments that were made otherwise than this run makes features; where the run allows it,
/// what marks its rows.
fn mark(
    moments: &super::MomentsFile,
    network: &dyn FeatureNetwork,
    context: &Context<'_>,
    said: &mut Vec<String>,
) -> Result<String, SuiteError> {
    let path = moments.path().to_owned();
    if !moments.tells_its_origin() {
        said.push(format!(
            "`{}` does not say how it was made; it is taken for one of Inception's features under \
             `inception = \"{}\"`",
            path.display(),
            context.protocol.inception.id()
        ));
    }
    let Some(unlike) = unlike(moments, network, context.protocol) else {
        return Ok(String::new());
    };
    if !context.allow_unlike_reference {
        return Err(SuiteError::Unlike { path, unlike: Box::new(unlike) });
    }
    let super::Unlike { field, found, expected } = unlike;
    said.push(format!(
        "the reference `{}` was made with {field} = {found}, this run has {expected}: allowed, and \
         its rows are marked",
        path.display()
    ));
    Ok(format!("-against-{field}={found}"))
}
