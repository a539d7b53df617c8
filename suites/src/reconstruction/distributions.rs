//! Metrics of all reconstructions together: their features against those of the originals.

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use candle_core::Device;
use prismbench_core::{MetricDef, Outcome, Protocol, Reconstruction, RgbImage};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FD_DINOV2, FD_ENCODER, FD_RANDOM, FeatureNetwork, FeatureRows,
    FeatureSet, Features, INCEPTION_SCORE, KID, MetricError, PRECISION, RECALL, RFID, SFID, Tap,
};

use crate::feature_file::{FeatureFile, Origin};
use crate::follow::of_network;
use crate::journal::Recalled;
use crate::pictures::{PictureBlock, Prepared};
use crate::quantised::Quantised;
use crate::sets::{Memo, Own, Value, blamed, dialect, frechet, inception, of_two_sets, tap_of};
use crate::spool::Spool;
use crate::{Context, Measurement, NetworkKind, Pictures, SuiteError};

/// Feature spaces, and in each of them the originals and what every tokenizer made of them.
pub(super) struct Distributions<'a> {
    protocol: &'a Protocol,
    device: Device,
    spaces: Vec<Space<'a>>,
}

struct Space<'a> {
    network: &'a dyn FeatureNetwork,
    metrics: Vec<&'static MetricDef>,
    taps: Vec<Tap>,
    originals: Originals,
    /// What marks the dialects of rows whose reference was made otherwise.
    mark: String,
    /// One entry per tokenizer: its features, or why it has none.
    made: Vec<Result<Vec<Spool>, Outcome>>,
}

/// The metrics of this module, in the order of the tables' columns.
pub(super) const METRICS: [&MetricDef; 12] = [
    &RFID,
    &SFID,
    &INCEPTION_SCORE,
    &KID,
    &PRECISION,
    &RECALL,
    &DENSITY,
    &COVERAGE,
    &FD_RANDOM,
    &FD_DINOV2,
    &CMMD,
    &FD_ENCODER,
];

/// Fields of features that are of the pictures and not of the network: one may compare across them.
const OF_CROP: [&str; 4] = ["crop", "size", "filter", "resampler"];

/// What reconstructions are compared with.
enum Originals {
    /// Features that were given in place of those of the originals.
    Given(FeatureFile),
    /// The originals' own.
    Own(Own),
}

impl<'a> Distributions<'a> {
    /// The spaces of the wanted metrics whose networks are there. What is said of damaged cache
    /// entries goes to `warnings`.
    pub(super) fn new(
        pictures: &Pictures<'a>,
        context: &Context<'a>,
        subjects: usize,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        let mut spaces = Vec::new();
        for kind in NetworkKind::SPACES {
            let wanted = |metric: &&&'static MetricDef| {
                NetworkKind::of(metric.id) == Some(kind)
                    && context.metrics.iter().any(|id| id == metric.id)
            };
            let metrics: Vec<&MetricDef> = METRICS.iter().filter(wanted).copied().collect();
            let network = context.networks.space(kind).and_then(|lent| lent.ready());
            let Some(network) = network.filter(|_| !metrics.is_empty()) else { continue };
            let space = Space::new(network, metrics, pictures.protocol, subjects);
            spaces.push(match (context.reference, context.cache) {
                // One without weights is quicker than a disk.
                _ if network.weights().is_empty() => space,
                (Some(path), _) => {
                    let file = FeatureFile::open(path)?;
                    let allowed = context.allow_unlike_reference.then_some(&mut *warnings);
                    space.with_reference(file, pictures.protocol, allowed)?
                }
                (None, Some(folder)) => {
                    space.with_cache(folder, (pictures, context.device), warnings)
                }
                (None, None) => space,
            });
        }
        Ok(Self { protocol: pictures.protocol, device: context.device.clone(), spaces })
    }

    /// The features of the originals of a block; how many of them were computed, for each space.
    pub(super) fn originals(
        &self,
        block: &PictureBlock,
        rows: &mut Vec<FeatureRows>,
    ) -> Result<Vec<u64>, SuiteError> {
        let mut fresh = Vec::with_capacity(self.spaces.len());
        for space in &self.spaces {
            fresh.push(match &space.originals {
                Originals::Own(own) => {
                    let (found, fresh) = own.measure(space.network, block)?;
                    rows.extend(found);
                    fresh
                }
                Originals::Given(_) => 0,
            });
        }
        Ok(fresh)
    }

    /// The features of what a tokenizer made of a block; for each space, why there are none.
    pub(super) fn made(
        &self,
        block: &[Prepared],
        made: &Quantised,
        rows: &mut Vec<FeatureRows>,
    ) -> Vec<Result<(), Outcome>> {
        let space = |space: &Space<'_>| space.features(block, made).map(|found| rows.extend(found));
        self.spaces.iter().map(space).collect()
    }

    /// Takes in the features of the originals, which are the first layers of a block; returns the number
    /// of the next layer.
    pub(super) fn take_originals<S>(
        &mut self,
        block: &Recalled<'_, S>,
        fresh: &[u64],
    ) -> io::Result<usize> {
        let mut first = 0;
        for (space, &fresh) in self.spaces.iter_mut().zip(fresh) {
            if let Originals::Own(own) = &mut space.originals {
                own.take(block, (first, fresh))?;
                first += own.taps();
            }
        }
        Ok(first)
    }

    /// Takes in the features of what tokenizer number `subject` made, which are the layers of a block from
    /// number `first` on; returns the number of the next layer.
    pub(super) fn take_made<S>(
        &mut self,
        block: &Recalled<'_, S>,
        (subject, mut first): (usize, usize),
        found: Vec<Result<(), Outcome>>,
    ) -> io::Result<usize> {
        for (space, found) in self.spaces.iter_mut().zip(found) {
            let Some(slot) = space.made.get_mut(subject) else { continue };
            match (&mut *slot, found) {
                (Ok(spools), Ok(())) => {
                    for (place, spool) in spools.iter_mut().enumerate() {
                        spool.adopt(block.names(), block.layer(first + place)?)?;
                    }
                    first += space.taps.len();
                }
                (Err(_), Ok(())) => first += space.taps.len(),
                (Ok(_), Err(outcome)) => *slot = Err(outcome),
                (Err(_), Err(_)) => {}
            }
        }
        Ok(first)
    }

    /// What decides the features.
    pub(super) fn origin(&self) -> impl Iterator<Item = (String, String)> {
        self.spaces.iter().map(|space| {
            let (name, network) = of_network(space.network);
            let reference = match &space.originals {
                Originals::Given(file) => file.pictures_sha256(),
                Originals::Own(_) => "",
            };
            (name, format!("{network} {reference}"))
        })
    }

    /// Keeps the originals' features for the next run.
    pub(super) fn keep(&self, warnings: &mut Vec<String>) {
        for space in &self.spaces {
            if let Originals::Own(own) = &space.originals {
                own.keep(warnings);
            }
        }
    }

    /// Writes the originals' features, for use as a reference: Inception's to `path`, those of another
    /// network beside it, under its id. False when no network that takes one has any.
    pub(super) fn save(&self, path: &Path) -> Result<bool, io::Error> {
        let mut any = false;
        for space in self.spaces.iter().filter(|space| !space.network.weights().is_empty()) {
            let is_inception = space
                .metrics
                .iter()
                .any(|metric| NetworkKind::of(metric.id) == Some(NetworkKind::Inception));
            let path = match is_inception {
                true => path.to_owned(),
                false => {
                    path.with_file_name(format!("features-{}.safetensors", space.network.id()))
                }
            };
            if let Originals::Own(own) = &space.originals {
                any |= own.write(&path)?;
            }
        }
        Ok(any)
    }

    /// The measurements of one tokenizer, and what a reader must know beyond them. `failure` is why
    /// it has no values, `pictures` the sha256 of the pictures of this pass.
    pub(super) fn report(
        &self,
        subject: usize,
        failure: Option<&Outcome>,
        pictures: &str,
    ) -> (Vec<Measurement>, Vec<String>) {
        let (mut measurements, mut warnings) = (Vec::new(), Vec::new());
        for space in &self.spaces {
            let mut memo = Memo::on(&self.device);
            for &metric in &space.metrics {
                let mut measurement = Measurement {
                    metric,
                    dialect: space.dialect(metric, self.protocol),
                    setting: String::new(),
                    outcome: Outcome::Skipped { reason: "nothing was made".to_owned() },
                    n: 0,
                    reference: space.reference(metric),
                    warnings: Vec::new(),
                    replicates: Vec::new(),
                };
                let measured = match (failure, space.made.get(subject)) {
                    (Some(outcome), _) | (None, Some(Err(outcome))) => Err(outcome.clone()),
                    (None, Some(Ok(made))) => {
                        space.measure(metric, self.protocol, &mut memo, (made, pictures))
                    }
                    (None, None) => Err(measurement.outcome.clone()),
                };
                match measured {
                    Ok((Value { value, interval, replicates, warning }, n)) => {
                        measurement.replicates = replicates;
                        warnings.extend(warning.map(|text| format!("{}: {text}", metric.id)));
                        let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                        measurement.outcome = Outcome::Ok { value, low, high };
                        measurement.n = n;
                    }
                    Err(outcome) => measurement.outcome = outcome,
                }
                measurements.push(measurement);
            }
        }
        (measurements, warnings)
    }
}

impl<'a> Space<'a> {
    fn new(
        network: &'a dyn FeatureNetwork,
        metrics: Vec<&'static MetricDef>,
        protocol: &Protocol,
        subjects: usize,
    ) -> Self {
        let mut taps: Vec<Tap> = metrics.iter().map(|metric| tap_of(metric)).collect();
        taps.sort();
        taps.dedup();
        let spool = |&tap: &Tap| Spool::new(network.width(tap).unwrap_or(0));
        let made = (0..subjects).map(|_| Ok(taps.iter().map(spool).collect())).collect();
        let originals = Originals::Own(Own::new(network, &taps, protocol));
        Self { network, metrics, taps, originals, mark: String::new(), made }
    }

    /// The same with features in place of the originals'. Where a run allows it, they may be of pictures that
    /// were cropped otherwise, which marks the rows and is said.
    fn with_reference(
        self,
        file: FeatureFile,
        protocol: &Protocol,
        allowed: Option<&mut Vec<String>>,
    ) -> Result<Self, SuiteError> {
        let origin = Origin::new(self.network, protocol);
        let unlike: Vec<_> = file.unlike(&origin).collect();
        let of_crop = |&(field, ..): &(&str, &str, &str)| OF_CROP.contains(&field);
        let mark = match (unlike.first(), allowed) {
            (Some((field, found, expected)), Some(said)) if unlike.iter().all(of_crop) => {
                said.push(format!(
                    "the reference `{}` was made with {field} = {found}, this run has {expected}: \
                     allowed, and its rows are marked",
                    file.path().display()
                ));
                format!("-against-{field}={found}")
            }
            _ => {
                file.check(&origin)?;
                String::new()
            }
        };
        for &tap in self.taps.iter().filter(|&&tap| tap != Tap::LogitsUnbiased) {
            file.demand(tap, self.network.width(tap))?;
        }
        Ok(Self { originals: Originals::Given(file), mark, ..self })
    }

    fn dialect(&self, metric: &MetricDef, protocol: &Protocol) -> String {
        let own = dialect(self.network, metric, protocol);
        // A score is of what was made alone.
        if *metric == INCEPTION_SCORE { own } else { own + &self.mark }
    }

    fn with_cache(
        self,
        folder: &Path,
        from: (&Pictures<'_>, &Device),
        warnings: &mut Vec<String>,
    ) -> Self {
        let originals = match self.originals {
            Originals::Own(own) => Originals::Own(own.with_cache(folder, from, warnings)),
            given @ Originals::Given(_) => given,
        };
        Self { originals, ..self }
    }

    /// The features of what a tokenizer made of a block, tap by tap.
    fn features(&self, block: &[Prepared], made: &Quantised) -> Result<Vec<FeatureRows>, Outcome> {
        let found = match made
            .device()
            .and_then(|made| self.network.features_on_device(made, &self.taps))
        {
            Some(found) => found,
            None => self.network.features(&eight_bit(made)?, &self.taps),
        };
        found.map_err(|error| {
            let reason = match blamed(&error, block) {
                Some(picture) => {
                    format!("of the reconstruction of `{picture}`: {}", Outcome::chain(&error))
                }
                None => Outcome::chain(&error),
            };
            Outcome::Failed { reason }
        })
    }

    /// The value of a metric for one tokenizer and how many pictures entered it, or why there is
    /// none.
    fn measure(
        &self,
        metric: &'static MetricDef,
        protocol: &Protocol,
        memo: &mut Memo,
        (made, pictures): (&[Spool], &str),
    ) -> Result<(Value, u64), Outcome> {
        let absent = || Outcome::Skipped { reason: "no features were taken".to_owned() };
        let tap = tap_of(metric);
        let place = self.taps.iter().position(|&known| known == tap).ok_or_else(absent)?;
        let made = made.get(place).ok_or_else(absent)?;
        let value = if *metric == INCEPTION_SCORE {
            inception(made, protocol.inception_score)
        } else {
            let given;
            let (originals, paired): (&dyn Features, bool) = match &self.originals {
                // The originals' taps begin like those of what was made.
                Originals::Own(own) => (own.spool(place).ok_or_else(absent)?, true),
                Originals::Given(file) => {
                    given = file.layer(tap).ok_or_else(absent)?;
                    (&given, file.pictures_sha256() == pictures)
                }
            };
            if [&RFID, &SFID, &FD_RANDOM, &FD_DINOV2, &FD_ENCODER].contains(&metric) {
                frechet(FeatureSet::Features(originals), made, paired.then_some(originals))
            } else {
                of_two_sets(metric, protocol, memo, (originals, made), paired)
            }
        };
        match value {
            Ok(value) => Ok((value, made.rows() as u64)),
            Err(error @ MetricError::TooFewSamples { .. }) => {
                Err(Outcome::Skipped { reason: error.to_string() })
            }
            Err(error) => Err(Outcome::failed(&error)),
        }
    }

    /// sha256 of the pictures of a given reference, for a metric that compares with it.
    fn reference(&self, metric: &MetricDef) -> Option<String> {
        match &self.originals {
            Originals::Given(file) if *metric != INCEPTION_SCORE => {
                Some(file.pictures_sha256().to_owned())
            }
            _ => None,
        }
    }
}

/// The pictures on the host, or why there are none.
fn eight_bit(made: &Quantised) -> Result<Vec<&RgbImage>, Outcome> {
    let mut images = Vec::with_capacity(made.count());
    for picture in made.host().map_err(|error| Outcome::failed(&error))? {
        let Reconstruction::U8(image) = picture else {
            let reason =
                "its network is defined on 8-bit pictures, and `quantiser = \"none\"` gives none";
            return Err(Outcome::Skipped { reason: reason.to_owned() });
        };
        images.push(image);
    }
    Ok(images)
}
