use std::io;

use prismbench_core::{
    InceptionScoreDialect, MetricDef, PrecisionRecallDialect, Protocol, RgbImage,
};
use prismbench_metrics::{
    FD_DINOV2, FD_ENCODER, FID_INFINITY, FeatureNetwork, FeatureRows, FeatureSet, Features, GFID,
    INCEPTION_SCORE, KID, MetricError, PRECISION, RECALL, SFID, Tap, frechet_infinity,
};

use super::reference::{Reference, ReferenceChoice};
use crate::follow::of_network;
use crate::journal::Recalled;
use crate::pictures::PictureBlock;
use crate::sets::{
    Memo, Value, blamed, by_content, by_name, dialect, features_of, frechet, inception,
    of_two_sets, tap_of,
};
use crate::spool::Spool;
use crate::{Context, NetworkKind, Pictures, SuiteError};

/// Samples and what they are compared with in the features of one network.
pub(super) struct Space<'a> {
    kind: NetworkKind,
    network: &'a dyn FeatureNetwork,
    taps: Vec<Tap>,
    made: Vec<Spool>,
    reference: Reference<'a>,
    /// What marks every dialect of a row whose reference was made otherwise.
    mark: String,
    memo: Memo,
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

impl<'a> Space<'a> {
    /// The space of `metrics`, all of which are of the network `kind`.
    pub(super) fn new(
        (kind, network): (NetworkKind, &'a dyn FeatureNetwork),
        metrics: &[&'static MetricDef],
        (choice, real): (ReferenceChoice<'a>, Option<&Pictures<'a>>),
        context: &mut Context<'a>,
        said: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        let mut taps: Vec<Tap> = metrics.iter().map(|metric| tap_of(metric)).collect();
        taps.sort();
        taps.dedup();
        let mark = super::reference::mark(choice, (kind, network), context, said)?;
        let taken = (network, taps.as_slice());
        let compares = metrics.iter().any(|metric| takes_features(metric));
        let reference = Reference::new(choice, real, (kind, taken, compares), context, said)?;
        let made = taps.iter().map(|&tap| Spool::new(network.width(tap).unwrap_or(0))).collect();
        Ok(Self { kind, network, taps, made, reference, mark, memo: Memo::on(context.device) })
    }

    pub(super) fn kind(&self) -> NetworkKind {
        self.kind
    }

    pub(super) fn network(&self) -> &'a dyn FeatureNetwork {
        self.network
    }

    pub(super) fn reference(&self) -> &Reference<'a> {
        &self.reference
    }

    pub(super) fn dialect(&self, metric: &MetricDef, protocol: &Protocol) -> String {
        format!("{}{}", dialect(self.network, metric, protocol), self.mark)
    }

    /// The features of samples, tap by tap.
    pub(super) fn measure(&self, block: &PictureBlock) -> Result<Vec<FeatureRows>, SuiteError> {
        let images: Vec<&RgbImage> = block.iter().map(|sample| &sample.image).collect();
        features_of(self.network, (&images, block.sent()), &self.taps).map_err(|source| {
            SuiteError::Network { picture: blamed(&source, block), source: Box::new(source) }
        })
    }

    /// Takes in what was measured of samples: the layers of a block from number `first` on; returns the
    /// number of the next layer.
    pub(super) fn take<S>(&mut self, block: &Recalled<'_, S>, first: usize) -> io::Result<usize> {
        for (place, spool) in self.made.iter_mut().enumerate() {
            spool.adopt(block.names(), block.layer(first + place)?)?;
        }
        Ok(first + self.made.len())
    }

    /// What decides the features of samples.
    pub(super) fn origin(&self) -> (String, String) {
        let (name, network) = of_network(self.network);
        let taps: Vec<&str> = self.taps.iter().map(|tap| tap.id()).collect();
        (name, format!("{network} {}", taps.join(" ")))
    }

    /// The value of a metric of this space.
    ///
    /// The order of samples and references decides none but the Inception Score under `adm`, whose blocks
    /// are of the samples as they come. Sums run over rows in an order that their numbers decide. What a
    /// reference evaluator draws from files in the order of their names (`tfid`'s splits, the subsets
    /// of KID) is drawn of the same.
    pub(super) fn value(
        &mut self,
        metric: &'static MetricDef,
        protocol: &Protocol,
        seed: u64,
    ) -> Result<Value, Absent> {
        let tap = tap_of(metric);
        let place = self.taps.iter().position(|&known| known == tap);
        let spool = place.and_then(|place| Some((place, self.made.get(place)?)));
        let (place, made) = spool.ok_or_else(|| skipped("no features were taken"))?;
        let made: &dyn Features = made;
        if metric.id == INCEPTION_SCORE.id {
            let dialect = protocol.inception_score;
            return Ok(match dialect {
                InceptionScoreDialect::Adm => inception(made, dialect)?,
                InceptionScoreDialect::TorchFidelity => inception(&by_name(made)?, dialect)?,
            });
        }
        if !takes_features(metric) {
            let reason = "the reference has no moments of these features; make one with `prismbench \
                          stats IMAGES -o FILE`, which takes `-m gfid`, `-m fd-dinov2` and `-m fd-encoder`";
            let set = self.reference.set(tap, place).ok_or_else(|| skipped(reason))?;
            let ordered;
            let set = match set {
                FeatureSet::Features(features) => {
                    ordered = by_content(features)?;
                    FeatureSet::Features(&ordered)
                }
                moments @ FeatureSet::Moments(_) => moments,
            };
            let made = by_content(made)?;
            return Ok(match metric.id {
                id if id == FID_INFINITY.id => frechet_infinity(&made, set, seed)?.value.into(),
                _ => frechet(set, &made, None)?,
            });
        }
        let reason = "the reference holds moments alone; name real pictures with --data, or a \
                      reference that holds pictures (arr_0)";
        let originals = self.reference.features(place).ok_or_else(|| skipped(reason))?;
        let memo = &mut self.memo;
        Ok(match metric.id {
            id if id == KID.id => {
                let (originals, made) = (by_name(originals)?, by_name(made)?);
                of_two_sets(metric, protocol, memo, (&originals, &made), false)?
            }
            // Whether it rounds a distance is decided by blocks of the samples as they come.
            id if counts_halves(id, protocol) => {
                of_two_sets(metric, protocol, memo, (originals, made), false)?
            }
            _ => {
                let (originals, made) = (by_content(originals)?, by_content(made)?);
                of_two_sets(metric, protocol, memo, (&originals, &made), false)?
            }
        })
    }
}

/// Whether a metric is precision or recall by guided-diffusion's distances.
fn counts_halves(metric: &str, protocol: &Protocol) -> bool {
    let is_neighbours = metric == PRECISION.id || metric == RECALL.id;
    is_neighbours && protocol.precision_recall == PrecisionRecallDialect::AdmHalf
}

/// Whether a metric compares with single features: moments do not serve it.
fn takes_features(metric: &MetricDef) -> bool {
    const OTHERS: [&MetricDef; 6] =
        [&GFID, &SFID, &FID_INFINITY, &FD_DINOV2, &FD_ENCODER, &INCEPTION_SCORE];
    !OTHERS.iter().any(|other| other.id == metric.id) && !super::is_bound(metric)
}
