use std::fmt::Write as _;

use prismbench_core::{MetricDef, Weights};
use prismbench_metrics::{
    COVERAGE, DENSITY, FD_RANDOM, FID_INFINITY, FLOOR_FID, FeatureNetwork, GFID, INCEPTION_SCORE,
    Inception, KID, LPIPS, Lpips, PRECISION, RECALL, RFID, RandomFilters, SFID,
};

/// The feature networks that a suite may use, made for one protocol.
#[derive(Default)]
pub struct Networks {
    /// FID's.
    pub inception: Lent<Inception>,
    /// LPIPS's, on the protocol's trunk.
    pub lpips: Lent<Lpips>,
    /// This project's own, which needs no weights.
    pub random: Lent<RandomFilters>,
}

/// A network, or why there is none.
#[derive(Default)]
pub enum Lent<T> {
    /// No metric asks for it.
    #[default]
    NotAsked,
    /// Its weights are not there: the reason and the remedy, for the table's footnote.
    Missing(String),
    /// Ready to be used.
    Ready(Box<T>),
}

impl<T> Lent<T> {
    pub(crate) fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(network) => Some(network),
            Self::NotAsked | Self::Missing(_) => None,
        }
    }

    /// Why there is none.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Missing(reason) => Some(reason),
            Self::NotAsked | Self::Ready(_) => None,
        }
    }
}

/// The network that a metric needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// [`Networks::inception`].
    Inception,
    /// [`Networks::lpips`].
    Lpips,
    /// [`Networks::random`].
    Random,
}

impl NetworkKind {
    /// The network of the metric with this id; `None` for one that needs no network.
    #[must_use]
    pub fn of(metric: &str) -> Option<Self> {
        const INCEPTIONS: [&MetricDef; 11] = [
            &RFID,
            &SFID,
            &INCEPTION_SCORE,
            &KID,
            &PRECISION,
            &RECALL,
            &DENSITY,
            &COVERAGE,
            &GFID,
            &FID_INFINITY,
            &FLOOR_FID,
        ];
        if INCEPTIONS.iter().any(|known| known.id == metric) {
            Some(Self::Inception)
        } else if metric == LPIPS.id {
            Some(Self::Lpips)
        } else {
            (metric == FD_RANDOM.id).then_some(Self::Random)
        }
    }
}

/// First digits of the sha256 of each weights file: numbers by other weights are other numbers, and
/// what is part of the dialect never shares a ranking.
pub(crate) fn weights_id(weights: &[Weights]) -> String {
    weights.iter().fold(String::new(), |mut id, file| {
        // Writing to a string cannot fail.
        let _ = write!(id, "-{:.8}", file.sha256);
        id
    })
}

/// What a feature network is called in dialects: id or rule, and its weights.
pub(crate) fn network_id(rule: &str, network: &dyn FeatureNetwork) -> String {
    format!("{rule}{}", weights_id(network.weights()))
}
