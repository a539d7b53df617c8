//! The first page of a TIFF.

use std::io::Cursor;

use prismbench_core::RgbImage;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::{DecodeError, Limits, convert, rgb_image};

mod orientation;
mod palette;

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    if let Some(image) = palette::decode(bytes, limits)? {
        return Ok(image);
    }
    let mut page = Page::open(bytes, limits)?;
    let pixels = page.rgb()?;
    page.finish(pixels)
}

/// The first page: its size, its samples and what they mean.
struct Page<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
    width: usize,
    height: usize,
    colour: ColorType,
}

impl<'a> Page<'a> {
    fn open(bytes: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut own = tiff::decoder::Limits::default();
        own.decoding_buffer_size = usize::try_from(limits.bytes()).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(refused)?.with_limits(own);
        let (width, height) = decoder.dimensions().map_err(refused)?;
        limits.check(width, height)?;
        let colour = decoder.colortype().map_err(refused)?;
        Ok(Self { decoder, width: width as usize, height: height as usize, colour })
    }

    /// Samples interleaved by pixel, in the file's own type.
    fn samples(&mut self) -> Result<DecodingResult, DecodeError> {
        let mut samples = DecodingResult::U8(Vec::new());
        let layout = self.decoder.read_image_to_buffer(&mut samples).map_err(refused)?;
        if samples.as_buffer(0).as_bytes().len() < layout.complete_len {
            return Err(DecodeError::CutShort);
        }
        match layout.planes {
            1 => Ok(samples),
            planes => interleave(samples, planes),
        }
    }

    fn rgb(&mut self) -> Result<Vec<u8>, DecodeError> {
        let multiplied = self.is_multiplied();
        let samples = self.samples()?;
        let colour = self.colour;
        Ok(match (colour, samples) {
            (ColorType::Gray(bits @ (1 | 2 | 4)), DecodingResult::U8(packed)) => {
                let step = 255 / ((1 << bits) - 1);
                let levels = convert::unpack_bits(&packed, self.width, u32::from(bits));
                convert::grey_to_rgb(levels.into_iter().map(|level| level * step))
            }
            (ColorType::Gray(8), DecodingResult::U8(levels)) => convert::grey_to_rgb(levels),
            (ColorType::Gray(_), DecodingResult::U16(levels)) => {
                convert::grey_to_rgb(levels.into_iter().map(convert::clip_16))
            }
            (ColorType::Gray(_), DecodingResult::I16(levels)) => {
                convert::grey_to_rgb(levels.into_iter().map(|level| level.clamp(0, 255) as u8))
            }
            (ColorType::Gray(_), DecodingResult::I32(levels)) => {
                convert::grey_to_rgb(levels.into_iter().map(|level| level.clamp(0, 255) as u8))
            }
            // `as` truncates towards 0 and saturates.
            (ColorType::Gray(_), DecodingResult::F32(levels)) => {
                convert::grey_to_rgb(levels.into_iter().map(|level| level as u8))
            }
            (ColorType::Multiband { bit_depth: 8, num_samples: 2 }, DecodingResult::U8(values)) => {
                convert::grey_to_rgb(values.into_iter().step_by(2))
            }
            (colour, DecodingResult::U8(values)) => several(colour, values, multiplied)?,
            (colour, DecodingResult::U16(values)) => {
                several(colour, convert::high_bytes(&values), multiplied)?
            }
            (colour, _) => return Err(unsupported(colour)),
        })
    }

    /// Whether the first extra sample says that colours are multiplied by alpha.
    fn is_multiplied(&mut self) -> bool {
        let extra = self.decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples);
        matches!(extra, Ok(Some(kinds)) if kinds.first() == Some(&1))
    }

    fn finish(&mut self, pixels: Vec<u8>) -> Result<RgbImage, DecodeError> {
        let tag = self.decoder.find_tag_unsigned::<u16>(Tag::Orientation).map_err(refused)?;
        orientation::upright(rgb_image(self.width, self.height, pixels)?, tag.unwrap_or(1))
    }
}

fn several(colour: ColorType, values: Vec<u8>, multiplied: bool) -> Result<Vec<u8>, DecodeError> {
    match colour {
        ColorType::RGB(8 | 16) => Ok(values),
        ColorType::RGBA(8 | 16) if multiplied => Ok(convert::unmultiply(&values)),
        ColorType::RGBA(8 | 16) => Ok(convert::drop_alpha(&values, 4)),
        ColorType::CMYK(8 | 16) => Ok(convert::cmyk_to_rgb(&values)),
        other => Err(unsupported(other)),
    }
}

/// Planes one after the other to pixels; Pillow, too, reads planes of 8 and 16 bits only.
fn interleave(samples: DecodingResult, planes: usize) -> Result<DecodingResult, DecodeError> {
    fn weave<T: Copy>(values: &[T], planes: usize) -> Vec<T> {
        let plane = values.len() / planes;
        (0..plane).flat_map(|at| (0..planes).map(move |p| values[p * plane + at])).collect()
    }
    match samples {
        DecodingResult::U8(values) => Ok(DecodingResult::U8(weave(&values, planes))),
        DecodingResult::U16(values) => Ok(DecodingResult::U16(weave(&values, planes))),
        _ => Err(DecodeError::Unsupported("a TIFF with planes of this sample type".to_owned())),
    }
}

fn unsupported(colour: ColorType) -> DecodeError {
    DecodeError::Unsupported(format!("a TIFF of {colour:?}"))
}

fn refused(error: TiffError) -> DecodeError {
    match error {
        TiffError::UnsupportedError(what) => DecodeError::Unsupported(format!("a TIFF: {what}")),
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutShort
        }
        other => DecodeError::damaged(other),
    }
}
