//! Files to 8-bit RGB, with the bytes that Pillow's `Image.open(f).convert("RGB")` gives.
//!
//! The format is told from the content, never from the name, as Pillow does it: the training set
//! of ImageNet holds a PNG that is called `.JPEG`. The rules, each tested against Pillow 13.0:
//!
//! - alpha and transparent colours are dropped, not composited; gamma and ICC profiles are ignored;
//! - 16-bit colour keeps its high byte, but **16-bit grey (PNG, TIFF) is clipped at 255**, as are
//!   32-bit integers and floats (truncated towards 0);
//! - CMYK in JPEG is read as Adobe's inverted kind, marked or not;
//! - EXIF orientation is not applied, but TIFF's own orientation tag is (Pillow does so on loading);
//! - JPEG is bit-equal to libjpeg-turbo, lossy WebP to libwebp; a tested pair differs by 1 level
//!   in few bytes, JPEG inside TIFF and four components of 4:2:0;
//! - of an animation or a file of several pages the first picture is taken.
//!
//! Pillow is more lenient in four places, all errors here: it makes up what the damaged codes of a
//! JPEG do not say, reads four components of any sampling, takes a PNG without its last chunk and a
//! GIF without any palette.

use std::error::Error;
use std::fs;
use std::path::Path;

use prismbench_core::RgbImage;

use super::{DataError, Limits};

mod convert;
mod gif;
mod jpeg;
mod raster;
mod tiff;

pub(super) use convert::grey_to_rgb;

/// Why one file is no picture that can be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file cannot be read at all.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// The content begins like none of the formats that are read.
    #[error("it is no JPEG, PNG, WebP, BMP, GIF or TIFF")]
    UnknownFormat,
    /// A valid file of a kind that is not read.
    #[error("{0} is not supported; convert it to PNG")]
    Unsupported(String),
    /// The header claims more pixels than are wanted.
    #[error(
        "its header claims {width}x{height} pixels; at most {most} are decoded (--max-image-pixels)"
    )]
    TooLarge {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
        /// The limit.
        most: u64,
    },
    /// The file ends before the picture does.
    #[error("it is cut short")]
    CutShort,
    /// The decoder refused the content.
    #[error("its content is damaged")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
}

impl DecodeError {
    pub(super) fn damaged(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged(error.into())
    }
}

/// Decodes one file of pictures.
///
/// # Errors
/// [`DataError::Unreadable`], whatever keeps it from being read: other pictures are as they are.
pub(super) fn read(path: &Path, limits: Limits) -> Result<RgbImage, DataError> {
    fs::read(path)
        .map_err(DecodeError::File)
        .and_then(|bytes| limits.decode(&bytes))
        .map_err(|cause| DataError::Unreadable { path: path.to_owned(), cause })
}

/// [`Limits::decode`] within the limits that there are unless others are asked for.
///
/// # Errors
/// Any [`DecodeError`] but [`DecodeError::File`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    within(bytes, Limits::default())
}

pub(super) fn within(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    // The decoders are other people's, and panic on some damaged files (found by mutating good
    // ones). They see nothing but `bytes`, so a panic leaves nothing behind.
    std::panic::catch_unwind(|| dispatch(bytes, limits))
        .unwrap_or_else(|_| Err(DecodeError::damaged("the decoder lost its way")))
}

fn dispatch(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => jpeg::decode(bytes, limits),
        [b'G', b'I', b'F', b'8', ..] => gif::decode(bytes, limits),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff::decode(bytes, limits),
        [0x89, b'P', b'N', b'G', ..] => raster::decode_png(bytes, limits),
        [b'B', b'M', ..] => raster::decode_bmp(bytes, limits),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            raster::decode_webp(bytes, limits)
        }
        _ => Err(DecodeError::UnknownFormat),
    }
}

fn rgb_image(width: usize, height: usize, pixels: Vec<u8>) -> Result<RgbImage, DecodeError> {
    RgbImage::new(width, height, pixels).map_err(DecodeError::damaged)
}

#[cfg(test)]
mod tests;
