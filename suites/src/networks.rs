use std::fmt::Write as _;

use prismbench_core::{MetricDef, Weights};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FD_DINOV2, FD_ENCODER, FD_RANDOM, FID_INFINITY, FLOOR_FID,
    FeatureNetwork, GFID, INCEPTION_SCORE, KID, LPIPS, Lpips, PRECISION, RECALL, RFID, SFID,
};

/// The feature networks that a suite may use, made for one protocol.
#[derive(Default)]
pub struct Networks {
    /// FID's.
    pub inception: Lent<dyn FeatureNetwork>,
    /// FD-DINOv2's.
    pub dinov2: Lent<dyn FeatureNetwork>,
    /// CMMD's.
    pub clip: Lent<dyn FeatureNetwork>,
    /// That of the encoder that the protocol names.
    pub encoder: Lent<dyn FeatureNetwork>,
    /// LPIPS's, on the protocol's trunk.
    pub lpips: Lent<Lpips>,
    /// This project's own, which needs no weights.
    pub random: Lent<dyn FeatureNetwork>,
}

impl Networks {
    /// The network of this kind whose features sets of pictures are compared in; `None` for one that
    /// compares single pictures.
    pub(crate) fn space(&self, kind: NetworkKind) -> Option<&Lent<dyn FeatureNetwork>> {
        match kind {
            NetworkKind::Inception => Some(&self.inception),
            NetworkKind::Dinov2 => Some(&self.dinov2),
            NetworkKind::Clip => Some(&self.clip),
            NetworkKind::Encoder => Some(&self.encoder),
            NetworkKind::Random => Some(&self.random),
            NetworkKind::Lpips => None,
        }
    }

    /// Why a metric that needs a network of this kind has no value.
    pub(crate) fn missing(&self, kind: NetworkKind) -> String {
        let reason = match self.space(kind) {
            Some(space) => space.missing(),
            None => self.lpips.missing(),
        };
        reason.unwrap_or("its network was not lent").to_owned()
    }
}

/// A network, or why there is none.
#[derive(Default)]
pub enum Lent<T: ?Sized> {
    /// No metric asks for it.
    #[default]
    NotAsked,
    /// Its weights are not there: the reason and the remedy, for the table's footnote.
    Missing(String),
    /// Ready to be used.
    Ready(Box<T>),
}

impl<T: ?Sized> Lent<T> {
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
    /// [`Networks::dinov2`].
    Dinov2,
    /// [`Networks::clip`].
    Clip,
    /// [`Networks::encoder`].
    Encoder,
    /// [`Networks::lpips`].
    Lpips,
    /// [`Networks::random`].
    Random,
}

impl NetworkKind {
    /// Those that sets of pictures are compared in the features of, in the order of their metrics.
    pub(crate) const SPACES: [Self; 5] =
        [Self::Inception, Self::Random, Self::Dinov2, Self::Clip, Self::Encoder];

    /// What it is called in files and in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inception => "Inception",
            Self::Dinov2 => "DINOv2",
            Self::Clip => "CLIP",
            Self::Encoder => "the encoder",
            Self::Lpips => "LPIPS",
            Self::Random => "random filters",
        }
    }

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
        const OTHERS: [(&MetricDef, NetworkKind); 5] = [
            (&FD_DINOV2, NetworkKind::Dinov2),
            (&FD_ENCODER, NetworkKind::Encoder),
            (&CMMD, NetworkKind::Clip),
            (&LPIPS, NetworkKind::Lpips),
            (&FD_RANDOM, NetworkKind::Random),
        ];
        if INCEPTIONS.iter().any(|known| known.id == metric) {
            return Some(Self::Inception);
        }
        OTHERS.iter().find(|(known, _)| known.id == metric).map(|&(_, kind)| kind)
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
