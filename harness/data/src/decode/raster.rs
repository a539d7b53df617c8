//! PNG, BMP and WebP, through the `image` crate.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use prismbench_core::RgbImage;

use super::{DecodeError, Limits, convert, rgb_image};

pub(super) fn decode_png(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    // A grey PNG of 16 bits: the header, which comes first, has the depth and the colour type.
    let wide_grey = bytes.get(24..26) == Some(&[16, 0]);
    let (width, height, image) = open(bytes, ImageFormat::Png, limits)?;
    let pixels = match image {
        DynamicImage::ImageLuma16(image) if wide_grey => {
            convert::grey_to_rgb(image.into_raw().into_iter().map(convert::clip_16))
        }
        // With a transparent colour the decoder adds alpha.
        DynamicImage::ImageLumaA16(image) if wide_grey => {
            convert::grey_to_rgb(image.into_raw().into_iter().step_by(2).map(convert::clip_16))
        }
        image => plain(image)?,
    };
    rgb_image(width, height, pixels)
}

pub(super) fn decode_webp(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    // The container says how long it is; the decoder makes up the last few bytes of a lossy picture.
    let claimed = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    if claimed.is_none_or(|size| (bytes.len() as u64) < u64::from(size) + 8) {
        return Err(DecodeError::CutShort);
    }
    let (width, height, image) = open(bytes, ImageFormat::WebP, limits)?;
    rgb_image(width, height, plain(image)?)
}

pub(super) fn decode_bmp(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    let (width, height, image) = open(bytes, ImageFormat::Bmp, limits)?;
    let mut pixels = plain(image)?;
    // Pixels of 16 bits: the decoder rounds 5 and 6 bits to 8, Pillow truncates.
    if bytes.get(28..30) == Some(&[16, 0]) {
        let bit_fields = bytes.get(30) == Some(&3);
        let six_greens = bit_fields && bytes.get(58..62) == Some(&[0xE0, 0x07, 0, 0]);
        let narrow =
            |value: u8, bits: u32| (u32::from(value >> (8 - bits)) * 255 / ((1 << bits) - 1)) as u8;
        for pixel in pixels.chunks_exact_mut(3) {
            pixel[0] = narrow(pixel[0], 5);
            pixel[1] = narrow(pixel[1], if six_greens { 6 } else { 5 });
            pixel[2] = narrow(pixel[2], 5);
        }
    }
    rgb_image(width, height, pixels)
}

fn open(
    bytes: &[u8],
    format: ImageFormat,
    limits: Limits,
) -> Result<(usize, usize, DynamicImage), DecodeError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut own = image::Limits::no_limits();
    own.max_alloc = Some(limits.bytes());
    reader.limits(own);
    let decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height)?;
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok((width as usize, height as usize, image))
}

fn plain(image: DynamicImage) -> Result<Vec<u8>, DecodeError> {
    Ok(match image {
        DynamicImage::ImageLuma8(image) => convert::grey_to_rgb(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => {
            convert::grey_to_rgb(image.into_raw().into_iter().step_by(2))
        }
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => convert::drop_alpha(&image.into_raw(), 4),
        DynamicImage::ImageLumaA16(image) => {
            convert::grey_to_rgb(convert::high_bytes(&image.into_raw()).into_iter().step_by(2))
        }
        DynamicImage::ImageRgb16(image) => convert::high_bytes(&image.into_raw()),
        DynamicImage::ImageRgba16(image) => {
            convert::drop_alpha(&convert::high_bytes(&image.into_raw()), 4)
        }
        other => {
            return Err(DecodeError::Unsupported(format!("a picture of {:?}", other.color())));
        }
    })
}

fn refused(error: ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(what) => DecodeError::Unsupported(what.to_string()),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutShort
        }
        other => DecodeError::damaged(other),
    }
}
