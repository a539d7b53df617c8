use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use prismbench_core::RgbImage;
use prismbench_kernels::Size;
use prismbench_kernels::resample::{Filter, resize_rgb8};
use prismbench_reports::Thumbnail;

use super::PicturesError;

/// Levels of error that are shown as white: a quarter of the range, since larger ones are rare.
const WHITE: f64 = 64.0;

/// Where a reconstruction differs from its original: the mean absolute difference of the channels.
pub(super) struct ErrorMap {
    size: Size,
    /// The same level three times for each pixel, which is what the resampler takes.
    levels: Vec<u8>,
}

/// A picture at most `side` pixels wide and high.
pub(super) fn thumbnail(
    id: &str,
    image: &RgbImage,
    side: usize,
) -> Result<Thumbnail, PicturesError> {
    let from = Size::new(image.width(), image.height());
    let to = within(from, side);
    let pixels = resize_rgb8(image.pixels(), from, to, Filter::Bicubic);
    png(id, &pixels, to, ExtendedColorType::Rgb8)
}

/// The error map of two pictures of one size.
pub(super) fn error_map(
    id: &str,
    original: &RgbImage,
    made: &RgbImage,
) -> Result<ErrorMap, PicturesError> {
    let [expected, found] = [original, made].map(|image| (image.width(), image.height()));
    if expected != found {
        return Err(PicturesError::Size { id: id.to_owned(), found, expected });
    }
    let pixels = original.pixels().chunks_exact(3).zip(made.pixels().chunks_exact(3));
    let levels = pixels.flat_map(|(a, b)| {
        let sum: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        // By the square root: of small errors one sees where they are, and large ones still differ.
        let level = 255.0 * (f64::from(sum) / (3.0 * WHITE)).sqrt();
        [level.round().min(255.0) as u8; 3]
    });
    Ok(ErrorMap { size: Size::new(expected.0, expected.1), levels: levels.collect() })
}

impl ErrorMap {
    /// The map, averaged over the pixels that become one.
    pub(super) fn thumbnail(&self, id: &str, side: usize) -> Result<Thumbnail, PicturesError> {
        let to = within(self.size, side);
        let pixels = resize_rgb8(&self.levels, self.size, to, Filter::Box);
        let grey: Vec<u8> = pixels.iter().step_by(3).copied().collect();
        png(id, &grey, to, ExtendedColorType::L8)
    }
}

/// The size that fits into a square of this side, never larger than it was.
fn within(size: Size, side: usize) -> Size {
    let longer = size.width.max(size.height);
    if longer <= side {
        return size;
    }
    let scaled = |length: usize| (length * side).div_ceil(longer).max(1);
    Size::new(scaled(size.width), scaled(size.height))
}

fn png(
    id: &str,
    pixels: &[u8],
    size: Size,
    colour: ExtendedColorType,
) -> Result<Thumbnail, PicturesError> {
    let failed = |source| PicturesError::Png { id: id.to_owned(), source };
    let Size { width, height } = size;
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(pixels, side(width), side(height), colour)
        .map_err(failed)?;
    Ok(Thumbnail { png, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: usize, height: usize, level: u8) -> RgbImage {
        RgbImage::new(width, height, vec![level; 3 * width * height]).unwrap()
    }

    #[test]
    fn thumbnails_keep_their_shape_and_small_pictures_their_size() {
        let size = |width, height| {
            let made = thumbnail("a", &image(width, height, 7), 256).unwrap();
            let read = image::load_from_memory(&made.png).unwrap();
            assert_eq!((read.width() as usize, read.height() as usize), (made.width, made.height));
            assert_eq!(read.to_rgb8().get_pixel(0, 0).0, [7; 3]);
            (made.width, made.height)
        };
        assert_eq!(size(256, 256), (256, 256));
        assert_eq!(size(512, 512), (256, 256));
        assert_eq!(size(768, 512), (256, 171));
        assert_eq!(size(2000, 3), (256, 1));
        assert_eq!(size(40, 30), (40, 30));
    }

    #[test]
    fn an_error_of_64_levels_is_white_and_none_is_black() {
        let level = |difference: u8| {
            let map = error_map("a", &image(4, 4, 100), &image(4, 4, 100 + difference)).unwrap();
            image::load_from_memory(&map.thumbnail("a", 2).unwrap().png)
                .unwrap()
                .to_luma8()
                .get_pixel(1, 1)
                .0[0]
        };
        assert_eq!([0, 1, 32, 64, 155].map(level), [0, 32, 180, 255, 255]);
        let error = error_map("a", &image(4, 4, 0), &image(4, 5, 0)).err().unwrap().to_string();
        assert_eq!(error, "picture `a` came back with 4x5 pixels and had 4x4");
    }
}
