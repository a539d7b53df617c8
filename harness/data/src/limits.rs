use prismbench_core::RgbImage;

use super::decode::{self, DecodeError};

/// What a picture may be before it is decoded. It decides what is read, and never a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pixels: u64,
}

impl Limits {
    /// Most pixels of one picture unless something else is asked for: beyond this Pillow raises
    /// `DecompressionBombError` (twice its `MAX_IMAGE_PIXELS`), so nothing that the reference pipelines can
    /// read is refused.
    pub const PIXELS: u64 = 178_956_970;

    /// Pictures of at most so many pixels.
    #[must_use]
    pub const fn of_pixels(pixels: u64) -> Self {
        Self { pixels }
    }

    /// Most pixels of one picture.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.pixels
    }

    /// Decodes the bytes of one file with the bits of Pillow's `Image.open(f).convert("RGB")`.
    ///
    /// # Errors
    /// Any [`DecodeError`] but [`DecodeError::File`].
    pub fn decode(self, bytes: &[u8]) -> Result<RgbImage, DecodeError> {
        decode::within(bytes, self)
    }

    /// Most bytes that a decoder may allocate for one picture: four 16-bit channels, and of a small one what
    /// it has beside them.
    pub(super) fn bytes(self) -> u64 {
        self.pixels.saturating_mul(8).max(64 << 20)
    }

    /// Refuses a picture by its header, before anything of its size is allocated.
    pub(super) fn check(
        self,
        width: impl Into<u64>,
        height: impl Into<u64>,
    ) -> Result<(), DecodeError> {
        let (width, height) = (width.into(), height.into());
        match width.checked_mul(height) {
            Some(0) => Err(DecodeError::damaged("its header claims a side of 0 pixels")),
            Some(pixels) if pixels <= self.pixels => Ok(()),
            _ => Err(DecodeError::TooLarge { width, height, most: self.pixels }),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_pixels(Self::PIXELS)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{DataError, DataSpec, Dataset, chain, decode, open_within};

    fn golden(folder: &str) -> std::path::PathBuf {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")).join(folder)
    }

    #[test]
    fn every_format_is_decoded_within_the_limit_and_refused_beyond_it() {
        let mut formats: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(golden("decode")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let Ok(image) = decode(&bytes) else { continue };
            let pixels = image.width() as u64 * image.height() as u64;
            let same = Limits::of_pixels(pixels).decode(&bytes).unwrap();
            assert_eq!(same.pixels(), image.pixels(), "{path:?}");
            let error = Limits::of_pixels(pixels - 1).decode(&bytes).unwrap_err();
            assert!(matches!(error, DecodeError::TooLarge { .. }), "{path:?}: {error:?}");
            let text = error.to_string();
            assert!(text.ends_with("are decoded (--max-image-pixels)"), "{text}");
            let format = path.extension().unwrap().to_str().unwrap().to_owned();
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        for format in ["bmp", "gif", "jpg", "png", "tif", "webp"] {
            assert!(formats.iter().any(|found| found.starts_with(format)), "{format}: {formats:?}");
        }
    }

    /// Opens a set and loads its first sample.
    fn first(spec: &DataSpec, pixels: u64) -> Result<(), DataError> {
        let no_parquet = |files: crate::ParquetFiles| Err(DataError::NoParquet { id: files.id });
        let set: Box<dyn Dataset> = open_within(spec, no_parquet, Limits::of_pixels(pixels))?;
        let pending = set.samples(0..1)?.next().unwrap()?;
        pending.load().map(|_| ())
    }

    #[test]
    fn sets_of_every_kind_keep_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("pictures")).unwrap();
        image::RgbImage::new(4, 3).save(path("pictures/a.png")).unwrap();
        let listing = r#"{"images": [{"id": 5, "file_name": "a.png"}],
            "annotations": [{"id": 1, "image_id": 5, "caption": "a red disc"}]}"#;
        std::fs::write(path("captions.json"), listing).unwrap();
        let header = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        std::fs::write(path("images"), [header(&[2051, 1, 3, 4]), vec![7; 12]].concat()).unwrap();
        std::fs::write(path("labels"), [header(&[2049, 1]), vec![0]].concat()).unwrap();
        let here = folder.path().display();
        for (spec, pixels) in [
            (format!("{here}/pictures"), 12),
            (format!("{here}/pictures/a.png"), 12),
            (format!("coco:{here}/captions.json:{here}/pictures"), 12),
            (format!("idx:{here}/images:{here}/labels"), 12),
            (golden("data_sets").join("gnu.tar").display().to_string(), 12),
            (golden("npz").join("stored.npz").display().to_string(), 0),
        ] {
            let spec: DataSpec = spec.parse().unwrap();
            let pixels = match pixels {
                0 => size_of_first(&spec),
                pixels => pixels,
            };
            first(&spec, pixels).unwrap_or_else(|error| panic!("{spec}: {}", chain(&error)));
            let error = chain(&first(&spec, pixels - 1).unwrap_err());
            assert!(error.contains("(--max-image-pixels)"), "{spec}: {error}");
        }
    }

    fn size_of_first(spec: &DataSpec) -> u64 {
        let set = crate::open(spec).unwrap();
        let sample = set.samples(0..1).unwrap().next().unwrap().unwrap().load().unwrap();
        sample.image.width() as u64 * sample.image.height() as u64
    }
}
