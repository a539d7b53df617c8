//! JPEG, bit-equal to libjpeg-turbo at its defaults (integer inverse DCT, triangle upsampling).
//!
//! Four components of 4:2:0 are the exception: they come within 1 level. `libjpeg-turbo-rs` 0.9
//! decodes other uneven samplings of four components wrongly, so those are refused.

use libjpeg_turbo_rs::common::types::ComponentInfo;
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};
use prismbench_core::RgbImage;

use super::{DecodeError, Limits, convert, rgb_image};

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    let own = DecodeLimits {
        // Checked below, where the header is read and nothing of the picture's size is allocated.
        max_pixels: u64::MAX,
        max_memory: Some(limits.bytes()),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, own).map_err(refused)?;
    let header = decoder.header();
    limits.check(header.width, header.height)?;
    if header.precision != 8 {
        return Err(DecodeError::Unsupported(format!("a JPEG of {} bits", header.precision)));
    }
    let channels = header.components.len();
    decoder.set_output_format(match channels {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        n => return Err(DecodeError::Unsupported(format!("a JPEG of {n} components"))),
    });
    if channels == 4 && !is_even(&decoder.header().components) {
        return Err(DecodeError::Unsupported("a CMYK JPEG of this chroma sampling".to_owned()));
    }
    let image = decoder.decode_image().map_err(refused)?;
    if !has_end(bytes) {
        return Err(DecodeError::CutShort);
    }
    let pixels = match channels {
        1 => convert::grey_to_rgb(image.data),
        3 => image.data,
        _ => {
            // Pillow reads every CMYK file as Adobe writes it: 255 is no ink.
            let inks: Vec<u8> = image.data.iter().map(|&value| 255 - value).collect();
            convert::cmyk_to_rgb(&inks)
        }
    };
    rgb_image(image.width, image.height, pixels)
}

/// Whether the first and the last of four components are sampled alike, in one of the tested ways,
/// and the two between them once a block.
fn is_even(components: &[ComponentInfo]) -> bool {
    let factors: Vec<_> =
        components.iter().map(|c| (c.horizontal_sampling, c.vertical_sampling)).collect();
    matches!(factors[..], [first, (1, 1), (1, 1), last]
        if first == last && matches!(first, (1 | 2, 1) | (2, 2)))
}

fn refused(error: JpegError) -> DecodeError {
    match error {
        JpegError::UnexpectedEof => DecodeError::CutShort,
        JpegError::Unsupported(what) => DecodeError::Unsupported(format!("JPEG with {what}")),
        other => DecodeError::damaged(other),
    }
}

/// Whether the marker that ends the picture is there.
///
/// A progressive file that is cut between two scans decodes without complaint, only coarser; Pillow
/// refuses such a file because the end of image never comes.
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        match (first, marker) {
            (0xFF, 0xD9) => return true,
            // Fill, stuffed zeros and restart markers belong to the data of a scan.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            _ => at += 1,
        }
    }
    false
}
