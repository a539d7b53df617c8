use prismbench_core::RgbImage;
use tiff::ColorType;
use tiff::decoder::DecodingResult;
use tiff::tags::Tag;

use super::{DecodeError, Limits, Page, convert, refused, unsupported};

const PHOTOMETRIC: u16 = 262;
const GREY: u16 = 1;
const PALETTE: u16 = 3;

/// A page of palette indices, or nothing where the page is of another kind.
///
/// The `tiff` crate refuses palettes. Told that the samples are grey levels it hands out the
/// indices, so a copy of the file is relabelled.
pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Option<RgbImage>, DecodeError> {
    let Some((at, order)) = photometric(bytes) else { return Ok(None) };
    let mut relabelled = bytes.to_vec();
    relabelled[at..at + 2].copy_from_slice(&order.write(GREY));
    let mut page = Page::open(&relabelled, limits)?;
    let indices = match (page.colour, page.samples()?) {
        (ColorType::Gray(bits @ (1 | 2 | 4)), DecodingResult::U8(packed)) => {
            convert::unpack_bits(&packed, page.width, u32::from(bits))
        }
        (ColorType::Gray(8), DecodingResult::U8(indices)) => indices,
        (colour, _) => return Err(unsupported(colour)),
    };
    // All reds, then all greens, then all blues, 16 bits each.
    let map = page.decoder.get_tag_u16_vec(Tag::ColorMap).map_err(refused)?;
    let colours = map.len() / 3;
    let palette: Vec<u8> = (0..colours)
        .flat_map(|i| [map[i], map[colours + i], map[2 * colours + i]])
        .map(|value| (value >> 8) as u8)
        .collect();
    let pixels = convert::palette_to_rgb(&indices, &palette);
    page.finish(pixels).map(Some)
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn read_u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let pair = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(pair),
            Self::Big => u16::from_be_bytes(pair),
        })
    }

    fn read_u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        })
    }

    fn write(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// Where the first directory of a classic TIFF says that the samples are palette indices.
fn photometric(bytes: &[u8]) -> Option<(usize, Order)> {
    let order = if bytes.starts_with(b"II") { Order::Little } else { Order::Big };
    if order.read_u16(bytes, 2)? != 42 {
        return None;
    }
    let directory = usize::try_from(order.read_u32(bytes, 4)?).ok()?;
    let entries = usize::from(order.read_u16(bytes, directory)?);
    (0..entries)
        .map(|i| directory + 2 + 12 * i)
        .take_while(|&entry| entry + 12 <= bytes.len())
        .find(|&entry| order.read_u16(bytes, entry) == Some(PHOTOMETRIC))
        .map(|entry| entry + 8)
        .filter(|&value| order.read_u16(bytes, value) == Some(PALETTE))
        .map(|value| (value, order))
}
