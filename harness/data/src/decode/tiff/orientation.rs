use prismbench_core::RgbImage;

use super::{DecodeError, rgb_image};

/// Turns a picture as its orientation tag says (TIFF 6.0, tag 274); other numbers mean upright.
pub(super) fn upright(image: RgbImage, tag: u16) -> Result<RgbImage, DecodeError> {
    if !(2..=8).contains(&tag) {
        return Ok(image);
    }
    let (width, height) = (image.width(), image.height());
    let (columns, rows) = if tag >= 5 { (height, width) } else { (width, height) };
    let mut pixels = Vec::with_capacity(image.pixels().len());
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = match tag {
                2 => (width - 1 - column, row),
                3 => (width - 1 - column, height - 1 - row),
                4 => (column, height - 1 - row),
                5 => (row, column),
                6 => (row, height - 1 - column),
                7 => (width - 1 - row, height - 1 - column),
                _ => (width - 1 - row, column),
            };
            let at = 3 * (y * width + x);
            pixels.extend_from_slice(&image.pixels()[at..at + 3]);
        }
    }
    rgb_image(columns, rows, pixels)
}
