use prismbench_core::{Better, Choice, MetricDef, Reconstruction, RgbImage, SsimDialect, Unit};
use prismbench_kernels::Size;
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_kernels::similarity::{Border, Similarity, Stabilisers, Term, Window};

use crate::MetricError;
use crate::planes::{Plane, levels, lumas};
use crate::psnr::check_size;

/// Structural similarity.
pub const SSIM: MetricDef = MetricDef {
    id: "ssim",
    title: "SSIM",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "mean over the map and the channels of \
        ((2 mx my + C1)(2 cxy + C2)) / ((mx^2 + my^2 + C1)(vx + vy + C2)), local moments by a \
        window, C1 = (0.01 R)^2, C2 = (0.03 R)^2, R = 255 on 8-bit pixels; in f64. \
        Wang et al., IEEE TIP 13(4), 2004",
};

/// SSIM of one image, in `[-1, 1]`.
///
/// ```
/// use prismbench_core::{Reconstruction, RgbImage, SsimDialect};
/// // Two flat pictures have no variance: only the luminance term is left.
/// let black = RgbImage::new(16, 16, vec![0; 768])?;
/// let white = Reconstruction::U8(RgbImage::new(16, 16, vec![255; 768])?);
/// let value = prismbench_metrics::ssim(&black, &white, SsimDialect::TorchMetrics)?;
/// assert!((value - 6.5025 / (65025.0 + 6.5025)).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`MetricError::Size`] when the sizes differ, [`MetricError::TooSmall`] when the picture is
/// smaller than the window.
pub fn ssim(
    reference: &RgbImage,
    reconstruction: &Reconstruction,
    dialect: SsimDialect,
) -> Result<f64, MetricError> {
    check_size(reference, reconstruction)?;
    let size = Size::new(reference.width(), reference.height());
    let similarity = definition(dialect);
    let mean = match (dialect, reconstruction) {
        (SsimDialect::PyiqaY, _) => {
            let (x, y) = lumas(reference, reconstruction);
            similarity.mean(&rounded(x), &rounded(y), size, 1)
        }
        (_, Reconstruction::U8(image)) => {
            similarity.mean(reference.pixels(), image.pixels(), size, 3)
        }
        (_, Reconstruction::F32 { pixels, .. }) => {
            let (x, y) = levels(reference, pixels);
            similarity.mean(&x, &y, size, 3)
        }
    };
    mean.ok_or_else(|| MetricError::TooSmall {
        metric: SSIM.id,
        dialect: dialect.id(),
        found: (size.width, size.height),
        needed: similarity.smallest_side(),
    })
}

/// [`ssim`] of each pair of pictures on a device; `None` for luma, and for pictures that it is not defined for.
pub(crate) fn scores_on_device(
    references: &DevicePictures,
    reconstructions: &DevicePictures,
    dialect: SsimDialect,
) -> Option<candle_core::Result<Vec<f64>>> {
    let similarity = definition(dialect);
    if dialect == SsimDialect::PyiqaY || references.size().shorter() < similarity.smallest_side() {
        return None;
    }
    Some(references.similarity_means(&similarity, reconstructions))
}

/// The constants for pixels on the scale 0 to 255 whose range is taken to be `range`.
pub(crate) fn stabilisers(range: f64) -> Stabilisers {
    let square = |k: f64| (k * range) * (k * range);
    Stabilisers { c1: square(0.01), c2: square(0.03), moment_factor: 1.0 }
}

fn definition(dialect: SsimDialect) -> Similarity {
    // 7 x 7 = 49 values: sample moments are the population's times 49/48.
    let sample = |range| Stabilisers { moment_factor: 49.0 / 48.0, ..stabilisers(range) };
    let (window, border, stabilisers, term) = match dialect {
        SsimDialect::TorchMetrics => {
            (Window::Gaussian, Border::Reflect, stabilisers(255.0), Term::Similarity)
        }
        SsimDialect::Wang => {
            (Window::Gaussian, Border::Valid, stabilisers(255.0), Term::Similarity)
        }
        SsimDialect::Skimage7 => (Window::Uniform, Border::Valid, sample(255.0), Term::Similarity),
        // A range of 2 on [0, 1] is a range of 510 on 0 to 255.
        SsimDialect::LlamaGen => (Window::Uniform, Border::Valid, sample(510.0), Term::Similarity),
        SsimDialect::PyiqaY => (
            Window::Gaussian,
            Border::Valid,
            stabilisers(255.0),
            Term::SimilarityOfPositiveContrast,
        ),
    };
    Similarity { window, border, stabilisers, term }
}

fn rounded(plane: Plane) -> Plane {
    plane.into_iter().map(f64::round_ties_even).collect()
}

/// 2 x 2 means; an odd last row or column is dropped.
pub(crate) fn halve(plane: &[f64], size: Size) -> (Plane, Size) {
    let half = Size::new(size.width / 2, size.height / 2);
    let mut result = Vec::with_capacity(half.area());
    for rows in plane.chunks_exact(2 * size.width).take(half.height) {
        let (above, below) = rows.split_at(size.width);
        let pairs = above.chunks_exact(2).zip(below.chunks_exact(2));
        result.extend(pairs.map(|(a, b)| (a[0] + a[1] + b[0] + b[1]) * 0.25));
    }
    (result, half)
}
