use std::io::Cursor;

use candle_core::Device;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat, ImageReader};
use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, Quantiser, Reconstruction, RgbImage, Tokenizer,
    TokenizerError, TokenizerSpec,
};
use rayon::prelude::*;

/// Baseline JPEG at a quality; the latent is the bit stream.
///
/// The encoder is that of the `image` crate: every colour channel at full resolution (4:4:4; its
/// documentation says 4:2:2, its headers 1x1 for all three), the tables of ITU-T T.81 annex K with
/// libjpeg's quality scaling and the standard Huffman codes. libjpeg and Pillow halve the chroma
/// and so write smaller files at one quality: compare only with numbers made at 4:4:4.
///
/// Pictures are rounded to 8 bits first (ties to even).
pub(crate) struct Jpeg {
    spec: TokenizerSpec,
    quality: u8,
    device: Device,
}

impl Jpeg {
    /// `quality` from 1 to 100; `device` is where decoded pictures are put.
    pub(crate) fn new(id: String, quality: u8, device: Device) -> Self {
        let source = "ITU-T T.81 baseline, 4:4:4, by the `image` crate 0.25".to_owned();
        let spec = TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source };
        Self { spec, quality, device }
    }

    fn compress(&self, image: &Reconstruction) -> Result<Vec<u8>, TokenizerError> {
        let Reconstruction::U8(image) = image else {
            return Err(TokenizerError::Codec("JPEG needs 8-bit pixels".into()));
        };
        let (width, height) = (image.width() as u32, image.height() as u32);
        let mut stream = Vec::new();
        JpegEncoder::new_with_quality(&mut stream, self.quality)
            .encode(image.pixels(), width, height, ExtendedColorType::Rgb8)
            .map_err(codec)?;
        Ok(stream)
    }
}

impl Tokenizer for Jpeg {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        LatentShape::BitStream
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec().id)?;
        let images = images.quantise(Quantiser::Round)?;
        let streams: Result<_, _> = images.par_iter().map(|image| self.compress(image)).collect();
        Ok(Latents::BitStreams(streams?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let streams = latents.bit_streams(&self.spec.id)?;
        let images: Result<Vec<_>, _> = streams.par_iter().map(|stream| expand(stream)).collect();
        let images = images?;
        ImageBatch::from_images(&images.iter().collect::<Vec<_>>(), &self.device)
    }
}

fn expand(stream: &[u8]) -> Result<RgbImage, TokenizerError> {
    // The reader's default limits keep a header from claiming more than 512 MiB.
    let reader = ImageReader::with_format(Cursor::new(stream), ImageFormat::Jpeg);
    let image = reader.decode().map_err(codec)?.into_rgb8();
    RgbImage::new(image.width() as usize, image.height() as usize, image.into_raw())
}

fn codec(error: image::ImageError) -> TokenizerError {
    TokenizerError::Codec(Box::new(error))
}
