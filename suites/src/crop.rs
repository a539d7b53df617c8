use prismbench_core::{Crop, Protocol, Resampler, ResizeFilter, RgbImage, TokenizerError};
use prismbench_kernels::resample::{Filter, Method, Passes};
use prismbench_kernels::{Size, crop};

/// Why a picture has no crop under a protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CropError {
    /// A plain centre crop cannot enlarge.
    #[error("{}x{} pixels are too few for a {side}x{side} centre crop", found.0, found.1)]
    TooSmall {
        /// Columns and rows of the picture.
        found: (usize, usize),
        /// Side of the crop.
        side: usize,
    },
    /// The kernel gave something else than the square: a bug.
    #[error("crop")]
    Shape(#[from] TokenizerError),
}

/// The part of a picture that is measured, bit for bit as the reference pipeline makes it.
///
/// # Errors
/// [`CropError::TooSmall`] under `crop = "center"`.
pub(crate) fn apply(protocol: &Protocol, image: RgbImage) -> Result<RgbImage, CropError> {
    let (width, height) = (image.width(), image.height());
    let from = Size::new(width, height);
    let side = protocol.size;
    // RAE's packing script skips an image that has the size already; Pillow's resize to the same
    // size copies, so for every crop that is the same picture.
    if protocol.crop == Crop::None || (width, height) == (side, side) {
        return Ok(image);
    }
    let passes = match protocol.resampler {
        Resampler::Pillow12 => Passes::Pillow12,
        Resampler::Pillow13 => Passes::Pillow13,
    };
    let square = match protocol.crop {
        Crop::AdmCenter => crop::adm_center(image.pixels(), from, side, passes),
        Crop::ResizeCenter => {
            let filter = match protocol.filter {
                ResizeFilter::Bicubic => Filter::Bicubic,
                ResizeFilter::Bilinear => Filter::Bilinear,
                ResizeFilter::Box => Filter::Box,
                ResizeFilter::Lanczos => Filter::Lanczos,
            };
            crop::resize_center(image.pixels(), from, side, Method { filter, passes })
        }
        Crop::Center => crop::center(image.pixels(), from, side)
            .ok_or(CropError::TooSmall { found: (width, height), side })?,
        Crop::None => image.into_pixels(),
    };
    Ok(RgbImage::new(side, side, square)?)
}
