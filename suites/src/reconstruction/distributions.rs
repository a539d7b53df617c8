//! Metrics of all reconstructions together: their features against those of the originals.

use std::io;
use std::path::PathBuf;

use prismbench_core::{
    Choice, MetricDef, Outcome, PrecisionRecallDialect, Protocol, Reconstruction, RgbImage,
};
use prismbench_metrics::{
    COVERAGE, DENSITY, DensityCoverage, FD_RANDOM, FeatureNetwork, FeatureSet, Features,
    FrechetDistance, INCEPTION_SCORE, Interval, KID, MetricError, NetworkError, PRECISION,
    PrecisionRecall, RECALL, RFID, SFID, Selected, SubsetSize, Subsets, Tap, density_coverage,
    frechet_distance, inception_score, jackknife_interval, kernel_inception_distance,
    precision_recall,
};

use crate::feature_file::{self, FeatureFile, Origin};
use crate::networks::network_id;
use crate::pictures::Prepared;
use crate::spool::Spool;
use crate::{Context, Measurement, Pictures, SuiteError};

/// Feature spaces, and in each of them the originals and what every tokenizer made of them.
pub(super) struct Distributions<'a> {
    protocol: &'a Protocol,
    spaces: Vec<Space<'a>>,
}

struct Space<'a> {
    network: &'a dyn FeatureNetwork,
    metrics: Vec<&'static MetricDef>,
    taps: Vec<Tap>,
    /// Of the pictures that are measured; empty where the reference was given.
    originals: Originals,
    /// One entry per tokenizer: its features, or why it has none.
    made: Vec<Result<Vec<Spool>, Outcome>>,
}

enum Originals {
    Given(FeatureFile),
    Own(Own),
}

/// Features of the pictures of this pass, some of them remembered from an earlier one.
struct Own {
    spools: Vec<Spool>,
    digests: Vec<[u8; 32]>,
    known: Option<FeatureFile>,
    /// Where they are kept; `None` for a network that is quicker than a disk.
    path: Option<PathBuf>,
    origin: Origin,
    /// Rows that were computed.
    fresh: usize,
}

/// The metrics of this module, in the order of the tables' columns.
pub(super) const METRICS: [&MetricDef; 9] =
    [&RFID, &SFID, &INCEPTION_SCORE, &KID, &PRECISION, &RECALL, &DENSITY, &COVERAGE, &FD_RANDOM];

/// Where in Inception a metric takes its features.
fn tap_of(metric: &MetricDef) -> Tap {
    match metric.id {
        id if id == SFID.id => Tap::Spatial,
        id if id == INCEPTION_SCORE.id => Tap::LogitsUnbiased,
        _ => Tap::Pooled,
    }
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
        let is_wanted =
            |metric: &&&'static MetricDef| context.metrics.iter().any(|id| id == metric.id);
        let (random, inception): (Vec<_>, Vec<_>) =
            METRICS.iter().filter(is_wanted).copied().partition(|metric| **metric == FD_RANDOM);
        let mut spaces = Vec::new();
        if let Some(network) = context.networks.inception.ready().filter(|_| !inception.is_empty())
        {
            let space = Space::new(network, inception, pictures.protocol, subjects);
            let space = match context.reference {
                Some(path) => space.with_reference(FeatureFile::open(path)?, pictures.protocol)?,
                None => match context.cache {
                    Some(folder) => space.with_cache(folder, pictures, warnings),
                    None => space,
                },
            };
            spaces.push(space);
        }
        if let Some(network) = context.networks.random.ready().filter(|_| !random.is_empty()) {
            spaces.push(Space::new(network, random, pictures.protocol, subjects));
        }
        Ok(Self { protocol: pictures.protocol, spaces })
    }

    /// Takes in the originals of a block.
    pub(super) fn add_originals(&mut self, block: &[Prepared]) -> Result<(), SuiteError> {
        self.spaces.iter_mut().try_for_each(|space| space.add_originals(block))
    }

    /// Takes in what tokenizer number `subject` made of a block.
    pub(super) fn add(&mut self, subject: usize, block: &[Prepared], made: &[Reconstruction]) {
        for space in &mut self.spaces {
            let added = space.add(subject, block, made);
            if let (Err(outcome), Some(slot)) = (added, space.made.get_mut(subject)) {
                *slot = Err(outcome);
            }
        }
    }

    /// Keeps the originals' features for the next run.
    pub(super) fn keep(&self, warnings: &mut Vec<String>) {
        for space in &self.spaces {
            let Originals::Own(own) = &space.originals else { continue };
            let Some(path) = own.path.as_ref().filter(|_| own.fresh > 0) else { continue };
            if let Err(error) = own.write(path, &space.taps) {
                warnings.push(format!("cannot keep features in `{}`: {error}", path.display()));
            }
        }
    }

    /// Writes the originals' features to `path`, for use as a reference.
    pub(super) fn save(&self, path: &std::path::Path) -> Result<bool, io::Error> {
        for space in &self.spaces {
            let Originals::Own(own) = &space.originals else { continue };
            if space.network.weights().is_empty() {
                continue;
            }
            own.write(path, &space.taps)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The measurements of one tokenizer, and what a reader must know beyond them.
    pub(super) fn report(&self, subject: usize) -> (Vec<Measurement>, Vec<String>) {
        let (mut measurements, mut warnings) = (Vec::new(), Vec::new());
        for space in &self.spaces {
            let mut memo = Memo::default();
            for metric in &space.metrics {
                let measure = Measure { subject, protocol: self.protocol, metric };
                let measurement = space.measure(&measure, &mut memo, &mut warnings);
                measurements.push(measurement);
            }
        }
        warnings.sort();
        warnings.dedup();
        (measurements, warnings)
    }
}

impl Own {
    fn write(&self, path: &std::path::Path, taps: &[Tap]) -> io::Result<()> {
        let layers: Vec<_> = taps.iter().copied().zip(&self.spools).collect();
        feature_file::write(path, &self.origin, &self.digests, &layers)
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
        let spools = |taps: &[Tap]| -> Vec<Spool> {
            taps.iter().map(|&tap| Spool::new(network.width(tap).unwrap_or(0))).collect()
        };
        // Nothing asks for the originals' classes.
        let of_originals: Vec<Tap> =
            taps.iter().copied().filter(|&tap| tap != Tap::LogitsUnbiased).collect();
        let own = Own {
            spools: spools(&of_originals),
            digests: Vec::new(),
            known: None,
            path: None,
            origin: Origin::new(network, protocol),
            fresh: 0,
        };
        let made = (0..subjects).map(|_| Ok(spools(&taps))).collect();
        Self { network, metrics, taps, originals: Originals::Own(own), made }
    }

    fn with_reference(
        mut self,
        file: FeatureFile,
        protocol: &Protocol,
    ) -> Result<Self, SuiteError> {
        file.check(&Origin::new(self.network, protocol))?;
        for &tap in self.taps.iter().filter(|&&tap| tap != Tap::LogitsUnbiased) {
            file.demand(tap)?;
        }
        self.originals = Originals::Given(file);
        Ok(self)
    }

    fn with_cache(
        mut self,
        folder: &std::path::Path,
        pictures: &Pictures<'_>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let Originals::Own(own) = &mut self.originals else { return self };
        let path = folder.join(format!("{}.safetensors", own.origin.key(pictures.dataset.id())));
        if path.exists() {
            match FeatureFile::open(&path).and_then(|file| file.check(&own.origin).map(|()| file)) {
                Ok(file) => own.known = Some(file),
                Err(error) => {
                    warnings.push(format!("{error}; its features are computed again"));
                }
            }
        }
        own.path = Some(path);
        self
    }

    fn add_originals(&mut self, block: &[Prepared]) -> Result<(), SuiteError> {
        let Originals::Own(own) = &mut self.originals else { return Ok(()) };
        let taps: Vec<Tap> =
            self.taps.iter().copied().filter(|&tap| tap != Tap::LogitsUnbiased).collect();
        let known: Vec<Option<Vec<Vec<f32>>>> = block
            .iter()
            .map(|picture| {
                let file = own.known.as_ref()?;
                taps.iter().map(|&tap| file.row(&picture.digest, tap)?.ok()).collect()
            })
            .collect();
        let unknown: Vec<&Prepared> =
            block.iter().zip(&known).filter(|(_, row)| row.is_none()).map(|(p, _)| p).collect();
        own.fresh += unknown.len();
        let images: Vec<&RgbImage> = unknown.iter().map(|picture| &picture.image).collect();
        let computed = if images.is_empty() || taps.is_empty() {
            Vec::new()
        } else {
            self.network.features(&images, &taps).map_err(|source| SuiteError::Network {
                picture: blamed(&source, &unknown),
                source: Box::new(source),
            })?
        };
        let mut fresh: Vec<_> = computed.iter().map(|features| features.rows()).collect();
        for (picture, known) in block.iter().zip(known) {
            own.digests.push(picture.digest);
            for (tap, spool) in own.spools.iter_mut().enumerate() {
                let row = match &known {
                    Some(rows) => rows.get(tap).map(Vec::as_slice),
                    None => fresh.get_mut(tap).and_then(Iterator::next),
                };
                spool.push(&picture.id, row.unwrap_or_default()).map_err(SuiteError::Spool)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        subject: usize,
        block: &[Prepared],
        made: &[Reconstruction],
    ) -> Result<(), Outcome> {
        let Some(Ok(spools)) = self.made.get_mut(subject) else { return Ok(()) };
        let mut images = Vec::with_capacity(made.len());
        for picture in made {
            let Reconstruction::U8(image) = picture else {
                let reason = "its network is defined on 8-bit pictures, and `quantiser = \"none\"` \
                              gives none";
                return Err(Outcome::Skipped { reason: reason.to_owned() });
            };
            images.push(image);
        }
        let features = self.network.features(&images, &self.taps).map_err(|error| {
            let pictures: Vec<&Prepared> = block.iter().collect();
            let reason = match blamed(&error, &pictures) {
                Some(picture) => format!("of the reconstruction of `{picture}`: {error}"),
                None => error.to_string(),
            };
            Outcome::Failed { reason }
        })?;
        for (spool, features) in spools.iter_mut().zip(&features) {
            for (picture, row) in block.iter().zip(features.rows()) {
                spool.push(&picture.id, row).map_err(|error| Outcome::failed(&error))?;
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        what: &Measure<'_>,
        memo: &mut Memo,
        warnings: &mut Vec<String>,
    ) -> Measurement {
        let Measure { subject, protocol, metric } = *what;
        let dialect = self.dialect(metric, protocol);
        let absent = |outcome| Measurement { metric, dialect: dialect.clone(), outcome, n: 0 };
        let spools = match self.made.get(subject) {
            Some(Ok(spools)) => spools,
            Some(Err(outcome)) => return absent(outcome.clone()),
            None => return absent(Outcome::Skipped { reason: "nothing was made".to_owned() }),
        };
        let tap = tap_of(metric);
        let place = self.taps.iter().position(|&known| known == tap);
        let Some(made) = place.and_then(|place| spools.get(place)) else {
            return absent(Outcome::Skipped { reason: "no features were taken".to_owned() });
        };
        let given;
        let originals: &dyn Features = match &self.originals {
            Originals::Own(own) => place.and_then(|p| own.spools.get(p)).map_or(made, |own| own),
            Originals::Given(file) => {
                given = file.layer(tap);
                given.as_ref().map_or(made as &dyn Features, |layer| layer)
            }
        };
        let paired = matches!(self.originals, Originals::Own(_));
        match value(what, memo, (originals, made), paired) {
            Ok(Value { value, interval, warning }) => {
                warnings.extend(warning.map(|warning| format!("{}: {warning}", metric.id)));
                let (low, high) = (interval.map(|i| i.low), interval.map(|i| i.high));
                let n = made.rows() as u64;
                let outcome = Outcome::Ok { value, low, high };
                Measurement { metric, dialect: dialect.clone(), outcome, n }
            }
            Err(error @ MetricError::TooFewSamples { .. }) => {
                absent(Outcome::Skipped { reason: error.to_string() })
            }
            Err(error) => absent(Outcome::failed(&error)),
        }
    }

    fn dialect(&self, metric: &MetricDef, protocol: &Protocol) -> String {
        if self.network.weights().is_empty() {
            return self.network.id().to_owned();
        }
        let rule = match metric.id {
            id if id == INCEPTION_SCORE.id => format!("{}-", protocol.inception_score.id()),
            id if id == PRECISION.id || id == RECALL.id => {
                format!("{}-", protocol.precision_recall.id())
            }
            _ => String::new(),
        };
        network_id(&format!("{rule}{}", protocol.inception.id()), self.network)
    }
}

/// The picture that an error of a network is about, where it is about one.
fn blamed(error: &NetworkError, pictures: &[&Prepared]) -> Option<String> {
    match error {
        NetworkError::NotFinite { image, .. } => {
            pictures.get(*image).map(|picture| picture.id.clone())
        }
        _ => None,
    }
}

struct Value {
    value: f64,
    interval: Option<Interval>,
    warning: Option<String>,
}

/// One metric of one tokenizer.
struct Measure<'a> {
    subject: usize,
    protocol: &'a Protocol,
    metric: &'static MetricDef,
}

/// Pairs of values that are computed together.
#[derive(Default)]
struct Memo {
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

fn value(
    what: &Measure<'_>,
    memo: &mut Memo,
    (originals, made): (&dyn Features, &dyn Features),
    paired: bool,
) -> Result<Value, MetricError> {
    let protocol = what.protocol;
    let sets = (originals, made);
    let value = match what.metric.id {
        id if id == INCEPTION_SCORE.id => inception_score(made, protocol.inception_score)?.mean,
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
    Ok(Value { value, interval: None, warning: None })
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
