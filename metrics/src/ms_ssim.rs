use prismbench_core::{Better, Choice, MetricDef, MsSsimDialect, Reconstruction, RgbImage, Unit};
use prismbench_kernels::Size;
use prismbench_kernels::similarity::{Border, Similarity, Term, Window};

use crate::MetricError;
use crate::planes::{Pair, Plane};
use crate::psnr::check_size;
use crate::ssim::{halve, stabilisers};

/// Multi-scale structural similarity.
pub const MS_SSIM: MetricDef = MetricDef {
    id: "ms-ssim",
    title: "MS-SSIM",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "product over 5 scales of the contrast term (scales 1 to 4) and of SSIM (scale 5), \
        raised to .0448 .2856 .3001 .2363 .1333, each clamped at 0; 2x average pooling between; \
        Gaussian window 11 taps, sigma 1.5; R = 255 on 8-bit pixels; in f64. Wang, Simoncelli \
        and Bovik, Asilomar 2003",
};

/// Exponents of the five scales (Wang et al. 2003, section 3.2).
const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// MS-SSIM of one image, in `[0, 1]`.
///
/// # Errors
/// [`MetricError::Size`] when the sizes differ, [`MetricError::TooSmall`] when a side is shorter
/// than 176 (`torchmetrics`) or 161 (`piq`).
pub fn ms_ssim(
    reference: &RgbImage,
    reconstruction: &Reconstruction,
    dialect: MsSsimDialect,
) -> Result<f64, MetricError> {
    check_size(reference, reconstruction)?;
    let pair = Pair::new(reference, reconstruction);
    let needed = smallest_side(dialect);
    let too_small = || MetricError::TooSmall {
        metric: MS_SSIM.id,
        dialect: dialect.id(),
        found: (pair.size.width, pair.size.height),
        needed,
    };
    if pair.size.shorter() < needed {
        return Err(too_small());
    }
    let channels: Option<Vec<[f64; 5]>> = pair
        .reference
        .into_iter()
        .zip(pair.reconstruction)
        .map(|(x, y)| scales(x, y, pair.size, dialect))
        .collect();
    let channels = channels.ok_or_else(too_small)?;
    Ok(match dialect {
        // Each scale is averaged over the channels before the product ...
        MsSsimDialect::TorchMetrics => {
            let means = std::array::from_fn(|scale| {
                channels.iter().map(|values| values[scale]).sum::<f64>() / 3.0
            });
            product(&means)
        }
        // ... or the product is taken per channel and averaged after.
        MsSsimDialect::Piq => channels.iter().map(product).sum::<f64>() / 3.0,
    })
}

/// torchmetrics asks for more than 10 pixels after four halvings, piq for a full window.
fn smallest_side(dialect: MsSsimDialect) -> usize {
    match dialect {
        MsSsimDialect::TorchMetrics => 11 << 4,
        MsSsimDialect::Piq => (10 << 4) + 1,
    }
}

/// The contrast term at scales 1 to 4 and SSIM at scale 5, of one channel.
fn scales(mut x: Plane, mut y: Plane, mut size: Size, dialect: MsSsimDialect) -> Option<[f64; 5]> {
    let similarity = |border, term| Similarity {
        window: Window::Gaussian,
        border,
        stabilisers: stabilisers(255.0),
        term,
    };
    let contrast = similarity(Border::Valid, Term::Contrast);
    let last = match dialect {
        MsSsimDialect::TorchMetrics => similarity(Border::Reflect, Term::Similarity),
        MsSsimDialect::Piq => similarity(Border::Valid, Term::Similarity),
    };
    let mut values = [0.0; 5];
    for value in &mut values[..4] {
        *value = contrast.mean(&x, &y, size, 1)?;
        if dialect == MsSsimDialect::Piq {
            let grown = (repeat_first(x, size), repeat_first(y, size), even(size));
            (x, y, size) = grown;
        }
        let half;
        (x, half) = halve(&x, size);
        (y, size) = (halve(&y, size).0, half);
    }
    values[4] = last.mean(&x, &y, size, 1)?;
    Some(values)
}

fn product(values: &[f64; 5]) -> f64 {
    // The sign of a negative mean has no real power: both libraries clamp it to 0.
    values.iter().zip(EXPONENTS).map(|(value, power)| libm::pow(value.max(0.0), power)).product()
}

/// One more row and column if either side is odd: piq pads both sides by the larger remainder.
fn even(size: Size) -> Size {
    let padding = (size.width % 2).max(size.height % 2);
    Size::new(size.width + padding, size.height + padding)
}

fn repeat_first(plane: Plane, size: Size) -> Plane {
    let grown = even(size);
    if grown == size {
        return plane;
    }
    let row = |row: &[f64]| std::iter::once(row[0]).chain(row.to_vec());
    let first = plane.chunks_exact(size.width).take(1);
    first.chain(plane.chunks_exact(size.width)).flat_map(row).collect()
}
