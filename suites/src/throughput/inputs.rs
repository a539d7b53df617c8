use candle_core::{Device, Tensor};
use prismbench_core::{
    Encoding, ImageBatch, Protocol, RgbImage, SampleKey, Stream, Timing, TokenizerError,
};

use crate::filtered::filtered;
use crate::pictures::Prepared;

/// What batches of any size are made of.
pub(super) struct Inputs<'a> {
    pictures: &'a [Prepared],
    pub(super) protocol: &'a Protocol,
    pub(super) device: &'a Device,
    seed: u64,
    /// Rows and columns.
    pub(super) size: (usize, usize),
}

impl<'a> Inputs<'a> {
    /// `None` without a picture. All are of one size.
    pub(super) fn new(
        pictures: &'a [Prepared],
        protocol: &'a Protocol,
        (device, seed): (&'a Device, u64),
    ) -> Option<Self> {
        let first = &pictures.first()?.image;
        let size = (first.height(), first.width());
        Some(Self { pictures, protocol, device, seed, size })
    }

    /// Pictures there are.
    pub(super) fn count(&self) -> u64 {
        self.pictures.len() as u64
    }

    /// So many pictures, each again where there are fewer; under `timm` standard normal numbers.
    pub(super) fn batch(&self, count: usize) -> Result<ImageBatch, TokenizerError> {
        if self.protocol.timing == Timing::Timm {
            let (height, width) = self.size;
            let mut stream = Stream::new("throughput", self.seed, 0);
            let length = count * 3 * height * width;
            let values: Vec<f32> = (0..length).map(|_| stream.normal() as f32).collect();
            return ImageBatch::new(Tensor::from_vec(
                values,
                (count, 3, height, width),
                self.device,
            )?);
        }
        let images: Vec<&RgbImage> =
            self.pictures.iter().cycle().take(count).map(|picture| &picture.image).collect();
        filtered(&ImageBatch::from_images(&images, self.device)?, self.protocol.frequency_filter)
    }

    /// Who they are.
    pub(super) fn keys(&self, count: usize) -> Vec<SampleKey<'a>> {
        self.pictures.iter().cycle().take(count).map(Prepared::key).collect()
    }

    /// How they are encoded.
    pub(super) fn encoding<'k>(&self, keys: &'k [SampleKey<'k>]) -> Encoding<'k> {
        Encoding {
            posterior: self.protocol.posterior,
            noise: self.protocol.latent_noise,
            band_mask: self.protocol.band_mask,
            seed: self.seed,
            samples: keys,
        }
    }
}
