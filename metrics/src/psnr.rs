use prismbench_core::{Better, MetricDef, PsnrDialect, Reconstruction, RgbImage, Unit};
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_kernels::squared_error::squared_error_u8;

use crate::MetricError;
use crate::planes::lumas;

/// Peak signal-to-noise ratio.
pub const PSNR: MetricDef = MetricDef {
    id: "psnr",
    title: "PSNR",
    unit: Unit::Decibel,
    better: Better::Higher,
    version: 1,
    definition: "10 log10(R^2 / mse) with R = 255 on 8-bit pixels; mse over rows, columns and \
        channels from exact integer sums",
};

/// PSNR of one image in dB; `+inf` where there is no error and the dialect has no cap.
///
/// [`PsnrDialect::Global`] is a property of the set; for one image it is the per-image value.
///
/// ```
/// use prismbench_core::{PsnrDialect, Reconstruction, RgbImage};
/// // Every channel is off by one level: mse = 1, so PSNR = 20 log10(255).
/// let black = RgbImage::new(4, 4, vec![0; 48])?;
/// let dark = Reconstruction::U8(RgbImage::new(4, 4, vec![1; 48])?);
/// let value = prismbench_metrics::psnr(&black, &dark, PsnrDialect::PerImage)?;
/// assert!((value - 48.130_803_608_679_1).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`MetricError::Size`] when the sizes differ.
pub fn psnr(
    reference: &RgbImage,
    reconstruction: &Reconstruction,
    dialect: PsnrDialect,
) -> Result<f64, MetricError> {
    check_size(reference, reconstruction)?;
    let mse = match dialect {
        PsnrDialect::PyiqaY => {
            let (x, y) = lumas(reference, reconstruction);
            x.iter().zip(&y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>() / x.len() as f64
        }
        _ => mean_squared_error(reference, reconstruction)?,
    };
    Ok(from_mse(mse, dialect))
}

/// Mean squared error over rows, columns and channels, in squared levels (0 to 65,025).
///
/// # Errors
/// [`MetricError::Size`] when the sizes differ.
pub fn mean_squared_error(
    reference: &RgbImage,
    reconstruction: &Reconstruction,
) -> Result<f64, MetricError> {
    check_size(reference, reconstruction)?;
    let values = reference.pixels().len() as f64;
    Ok(match reconstruction {
        Reconstruction::U8(image) => {
            squared_error_u8(reference.pixels(), image.pixels()) as f64 / values
        }
        Reconstruction::F32 { pixels, .. } => {
            let errors = reference.pixels().iter().zip(pixels).map(|(&level, &value)| {
                let error = f64::from(level) - f64::from(value) * 255.0;
                error * error
            });
            errors.sum::<f64>() / values
        }
    })
}

/// What [`ImageMetric::Psnr`](crate::ImageMetric) has as scores, of pictures on a device; `None` for a dialect
/// that is not of the colours.
pub(crate) fn scores_on_device(
    references: &DevicePictures,
    reconstructions: &DevicePictures,
    dialect: PsnrDialect,
) -> Option<candle_core::Result<Vec<f64>>> {
    if dialect == PsnrDialect::PyiqaY {
        return None;
    }
    let values = (3 * references.size().area()) as f64;
    let score = |sum: f64| match dialect {
        PsnrDialect::Global => sum / values,
        dialect => from_mse(sum / values, dialect),
    };
    let sums = references.squared_errors(reconstructions);
    Some(sums.map(|sums| sums.into_iter().map(score).collect()))
}

/// PSNR in dB of a mean squared error in squared levels.
pub(crate) fn from_mse(mse: f64, dialect: PsnrDialect) -> f64 {
    const R2: f64 = 255.0 * 255.0;
    let unit = match dialect {
        PsnrDialect::PerImage | PsnrDialect::Global => mse / R2,
        PsnrDialect::Rae => (mse / R2).max(1e-10),
        PsnrDialect::Piq | PsnrDialect::PyiqaY => mse / R2 + 1e-8,
    };
    if unit > 0.0 { -10.0 * libm::log10(unit) } else { f64::INFINITY }
}

pub(crate) fn check_size(
    reference: &RgbImage,
    reconstruction: &Reconstruction,
) -> Result<(), MetricError> {
    let size = (reference.width(), reference.height());
    if size == reconstruction.size() {
        return Ok(());
    }
    Err(MetricError::Size { reference: size, reconstruction: reconstruction.size() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(level: u8) -> RgbImage {
        RgbImage::new(8, 8, vec![level; 192]).unwrap()
    }

    #[test]
    fn without_an_error_each_dialect_has_its_own_answer() {
        let same = Reconstruction::U8(flat(7));
        let value = |dialect| psnr(&flat(7), &same, dialect).unwrap();
        assert!(value(PsnrDialect::PerImage).is_infinite());
        assert!(value(PsnrDialect::Global).is_infinite());
        assert!((value(PsnrDialect::Rae) - 100.0).abs() < 1e-12);
        assert!((value(PsnrDialect::Piq) - 80.0).abs() < 1e-12);
        assert!((value(PsnrDialect::PyiqaY) - 80.0).abs() < 1e-12);
    }

    #[test]
    fn floats_and_bytes_of_one_picture_agree() {
        let reference = flat(100);
        let bytes = Reconstruction::U8(flat(110));
        let floats = Reconstruction::F32 { width: 8, height: 8, pixels: vec![110.0 / 255.0; 192] };
        let by_bytes = psnr(&reference, &bytes, PsnrDialect::PerImage).unwrap();
        let by_floats = psnr(&reference, &floats, PsnrDialect::PerImage).unwrap();
        // 110/255 as f32 is off by up to 2^-26: 4e-6 of a level in 10.
        assert!((by_bytes - by_floats).abs() < 1e-5, "{by_bytes} {by_floats}");
    }

    #[test]
    fn pictures_of_different_sizes_are_refused() {
        let other = Reconstruction::U8(RgbImage::new(4, 16, vec![0; 192]).unwrap());
        let error = psnr(&flat(0), &other, PsnrDialect::PerImage).unwrap_err();
        assert_eq!(error.to_string(), "compare a 4x16 reconstruction with a 8x8 reference");
    }
}
