use std::path::Path;

use prismbench_core::MetricDef;
use prismbench_metrics::{FD_DINOV2, FD_ENCODER, FeatureNetwork, GFID, Moments, Tap};

use super::moments_file::{self, MomentsFileError};
use super::reference::{Taken, features};
use crate::feature_file::Origin;
use crate::sets::by_content;
use crate::{Context, NetworkKind, Pictures, SuiteError};

/// Moments of real pictures, for use as a reference.
#[derive(Debug)]
pub struct Statistics {
    taken: Vec<moments_file::Taken>,
    more: Vec<(&'static str, String)>,
    /// Pictures behind them.
    pub count: u64,
    /// What a reader must know beyond the numbers.
    pub warnings: Vec<String>,
}

impl Statistics {
    /// Metrics that compare with moments, by the first of which each network is asked for.
    pub const METRICS: [&'static MetricDef; 3] = [&GFID, &FD_DINOV2, &FD_ENCODER];

    /// Takes the features of the pictures and their moments, by the networks of those metrics of the
    /// context that are among [`METRICS`](Self::METRICS). The order of the pictures decides nothing.
    ///
    /// # Errors
    /// What reading pictures can give; [`SuiteError::Metric`] for fewer than two;
    /// [`SuiteError::NoReference`] where no such network is lent.
    pub fn of<'a>(pictures: &Pictures<'a>, context: &mut Context<'a>) -> Result<Self, SuiteError> {
        let (mut taken, mut warnings, mut more, mut all) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for metric in Self::METRICS {
            let wanted = context.metrics.iter().any(|id| id == metric.id);
            let Some(kind) = NetworkKind::of(metric.id).filter(|_| wanted) else { continue };
            let networks = context.networks;
            let Some(network) = networks.space(kind).and_then(|lent| lent.ready()) else {
                continue;
            };
            let (one, sha256, count) =
                take(kind, network, (pictures, &mut *context), &mut warnings)?;
            if count <= one.pooled.columns() {
                warnings.push(format!(
                    "{count} pictures are too few for a covariance of full rank: distances to this \
                     reference are biased high"
                ));
            }
            more = vec![
                ("n", count.to_string()),
                ("dataset", pictures.dataset.id().to_owned()),
                ("split", pictures.part.name().to_owned()),
                ("pictures-sha256", sha256),
                // Crops are bytes already; a decoder's output alone is quantised.
                ("quantiser", "none: crops are 8-bit".to_owned()),
                ("tool", format!("prismbench {}", env!("CARGO_PKG_VERSION"))),
            ];
            all = count;
            taken.push(one);
        }
        if taken.is_empty() {
            return Err(SuiteError::NoReference);
        }
        warnings.dedup();
        Ok(Self { taken, more, count: all as u64, warnings })
    }

    /// Writes `mu`, `sigma`, `mu_s`, `sigma_s` of Inception, `mu_dinov2`, `sigma_dinov2` of DINOv2,
    /// `mu_encoder`, `sigma_encoder` of the protocol's encoder, and where they are from.
    ///
    /// # Errors
    /// [`MomentsFileError::Exists`] and [`MomentsFileError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), MomentsFileError> {
        moments_file::write(path, &self.taken, &self.more)
    }
}

/// The moments in one network's features, with the sha256 of the pictures and their number.
fn take<'a>(
    kind: NetworkKind,
    network: &dyn FeatureNetwork,
    (pictures, context): (&Pictures<'a>, &mut Context<'a>),
    warnings: &mut Vec<String>,
) -> Result<(moments_file::Taken, String, usize), SuiteError> {
    let spatial = network.width(Tap::Spatial).is_some();
    let taps = if spatial { &[Tap::Pooled, Tap::Spatial][..] } else { &[Tap::Pooled] };
    let named = ("moments", network, taps);
    let taken = features(pictures, named, context, warnings)?;
    // Moments are not divided into shards.
    let Taken { own, sha256, count } = taken.ok_or(SuiteError::NoReference)?;
    let moments = |place: usize| -> Result<Moments, SuiteError> {
        // There is a spool for each tap.
        let Some(rows) = own.spool(place) else { return Err(SuiteError::NoReference) };
        Ok(Moments::of(&by_content(rows)?)?)
    };
    let pooled = moments(0)?;
    let spatial = spatial.then(|| moments(1)).transpose()?;
    let origin = Origin::new(network, pictures.protocol);
    Ok((moments_file::Taken { kind, pooled, spatial, origin }, sha256, count))
}
