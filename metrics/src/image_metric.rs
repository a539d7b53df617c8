use prismbench_core::{
    Choice, MetricDef, MsSsimDialect, Protocol, PsnrDialect, Reconstruction, RgbImage, SsimDialect,
};
use prismbench_kernels::device_pictures::DevicePictures;

use crate::psnr::{from_mse, mean_squared_error};
use crate::{Aggregation, MS_SSIM, MetricError, PSNR, SSIM, ms_ssim, psnr, ssim};

/// A metric that compares one picture with its reconstruction, in one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageMetric {
    /// [`psnr`].
    Psnr(PsnrDialect),
    /// [`ssim`].
    Ssim(SsimDialect),
    /// [`ms_ssim`].
    MsSsim(MsSsimDialect),
}

impl ImageMetric {
    /// Definitions of all of them, in the order of the tables' columns.
    pub const DEFINITIONS: [MetricDef; 3] = [PSNR, SSIM, MS_SSIM];

    /// The metric with this id, in the protocol's dialect.
    #[must_use]
    pub fn from_protocol(id: &str, protocol: &Protocol) -> Option<Self> {
        match id {
            "psnr" => Some(Self::Psnr(protocol.psnr)),
            "ssim" => Some(Self::Ssim(protocol.ssim)),
            "ms-ssim" => Some(Self::MsSsim(protocol.ms_ssim)),
            _ => None,
        }
    }

    /// What the number means.
    #[must_use]
    pub fn definition(self) -> &'static MetricDef {
        match self {
            Self::Psnr(_) => &PSNR,
            Self::Ssim(_) => &SSIM,
            Self::MsSsim(_) => &MS_SSIM,
        }
    }

    /// Id of the dialect.
    #[must_use]
    pub fn dialect(self) -> &'static str {
        match self {
            Self::Psnr(dialect) => dialect.id(),
            Self::Ssim(dialect) => dialect.id(),
            Self::MsSsim(dialect) => dialect.id(),
        }
    }

    /// How the scores of the images become the value of the set.
    #[must_use]
    pub fn aggregation(self) -> Aggregation {
        match self {
            Self::Psnr(PsnrDialect::Global) => Aggregation::PsnrOfMean,
            Self::Psnr(_) | Self::Ssim(_) | Self::MsSsim(_) => Aggregation::Mean,
        }
    }

    /// The score of one image: what [`aggregation`](Self::aggregation) takes.
    ///
    /// # Errors
    /// [`MetricError::Size`] when the sizes differ, [`MetricError::TooSmall`] when the picture is
    /// smaller than the metric's windows.
    pub fn score(
        self,
        reference: &RgbImage,
        reconstruction: &Reconstruction,
    ) -> Result<f64, MetricError> {
        match self {
            Self::Psnr(PsnrDialect::Global) => mean_squared_error(reference, reconstruction),
            Self::Psnr(dialect) => psnr(reference, reconstruction, dialect),
            Self::Ssim(dialect) => ssim(reference, reconstruction, dialect),
            Self::MsSsim(dialect) => ms_ssim(reference, reconstruction, dialect),
        }
    }

    /// The [`score`](Self::score) of each of several images whose pixels and whose reconstructions' are on a
    /// device, with the same bits. `None` where the host computes it, and says what is wrong with pictures
    /// that it is not defined for.
    ///
    /// # Errors
    /// [`MetricError::Device`] when the device fails.
    #[must_use]
    pub fn scores_on_device(
        self,
        references: &DevicePictures,
        reconstructions: &DevicePictures,
    ) -> Option<Result<Vec<f64>, MetricError>> {
        let alike = references.size() == reconstructions.size()
            && references.count() == reconstructions.count();
        let scores = match self {
            _ if !alike => return None,
            Self::Psnr(dialect) => psnr::scores_on_device(references, reconstructions, dialect)?,
            Self::Ssim(dialect) => ssim::scores_on_device(references, reconstructions, dialect)?,
            Self::MsSsim(_) => return None,
        };
        let metric = self.definition().id;
        Some(scores.map_err(|error| MetricError::Device { metric, cause: error.to_string() }))
    }

    /// The value that an image's score stands for, in the metric's unit.
    #[must_use]
    pub fn value(self, score: f64) -> f64 {
        match self {
            Self::Psnr(PsnrDialect::Global) => from_mse(score, PsnrDialect::Global),
            Self::Psnr(_) | Self::Ssim(_) | Self::MsSsim(_) => score,
        }
    }
}
