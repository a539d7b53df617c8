use std::path::Path;

use prismbench_metrics::{Inception, Moments, Tap};

use super::moments_file::{self, MomentsFileError};
use super::reference::features;
use crate::feature_file::Origin;
use crate::{Context, Pictures, SuiteError};

/// Moments of real pictures, for use as a reference.
#[derive(Debug)]
pub struct Statistics {
    pooled: Moments,
    spatial: Moments,
    origin: Origin,
    more: Vec<(&'static str, String)>,
    /// Pictures behind them.
    pub count: u64,
    /// What a reader must know beyond the numbers.
    pub warnings: Vec<String>,
}

impl Statistics {
    /// Takes Inception's pooled and spatial features of the pictures, and their moments.
    ///
    /// # Errors
    /// What reading pictures can give; [`SuiteError::Metric`] for fewer than two.
    pub fn of<'a>(
        pictures: &Pictures<'a>,
        network: &Inception,
        context: &mut Context<'a>,
    ) -> Result<Self, SuiteError> {
        const TAPS: [Tap; 2] = [Tap::Pooled, Tap::Spatial];
        let mut warnings = Vec::new();
        let (own, sha256, count) = features(pictures, (network, &TAPS), context, &mut warnings)?;
        let moments = |place: usize| -> Result<Moments, SuiteError> {
            // There is a spool for each tap.
            let Some(rows) = own.spool(place) else { return Err(SuiteError::NoReference) };
            Ok(Moments::of(rows)?)
        };
        let (pooled, spatial) = (moments(0)?, moments(1)?);
        if count <= pooled.columns() {
            warnings.push(format!(
                "{count} pictures are too few for a covariance of full rank: distances to this \
                 reference are biased high"
            ));
        }
        let more = vec![
            ("n", count.to_string()),
            ("dataset", pictures.dataset.id().to_owned()),
            ("split", pictures.part.name().to_owned()),
            ("pictures-sha256", sha256),
            ("tool", format!("prismbench {}", env!("CARGO_PKG_VERSION"))),
        ];
        let origin = Origin::new(network, pictures.protocol);
        Ok(Self { pooled, spatial, origin, more, count: count as u64, warnings })
    }

    /// Writes `mu`, `sigma`, `mu_s`, `sigma_s` and where they are from.
    ///
    /// # Errors
    /// [`MomentsFileError::Exists`] and [`MomentsFileError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), MomentsFileError> {
        moments_file::write(path, (&self.pooled, &self.spatial), &self.origin, &self.more)
    }
}
