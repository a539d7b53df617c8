//! Tokenizers that work on the host, one image at a time, with a grid of numbers as latent.

use candle_core::{Device, Tensor};
use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, Tokenizer, TokenizerError, TokenizerSpec,
};
use prismbench_kernels::Size;
use rayon::prelude::*;

/// A fixed map between a picture and a grid of `channels` numbers per `stride x stride` pixels.
pub(crate) trait GridCodec: Send + Sync {
    /// What this tokenizer is.
    fn spec(&self) -> &TokenizerSpec;

    /// Numbers per latent position.
    fn channels(&self) -> usize;

    /// `3 x H x W` pixels to `channels x h x w` numbers; `grid` is `(w, h)`.
    fn encode(&self, planes: &[f32], grid: Size) -> Vec<f32>;

    /// `channels x h x w` numbers to `3 x H x W` pixels; `grid` is `(w, h)`.
    fn decode(&self, latent: &[f32], grid: Size) -> Vec<f32>;
}

/// Runs a [`GridCodec`] over batches, the images in parallel.
///
/// A fixed map has no posterior to sample from: mode and sample are the same.
pub(crate) struct OnHost<C> {
    codec: C,
    device: Device,
}

impl<C: GridCodec> OnHost<C> {
    /// `device` is where latents and pictures are put.
    pub(crate) fn new(codec: C, device: Device) -> Self {
        Self { codec, device }
    }
}

impl<C: GridCodec> Tokenizer for OnHost<C> {
    fn spec(&self) -> &TokenizerSpec {
        self.codec.spec()
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        let stride = self.spec().stride;
        LatentShape::Tensor(vec![self.codec.channels(), height / stride, width / stride])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec().id)?;
        self.spec().check_sides(images)?;
        let (count, height, width) = images.dims();
        let grid = Size::new(width / self.spec().stride, height / self.spec().stride);
        let planes = images.to_planes()?;
        let latents: Vec<Vec<f32>> =
            planes.par_iter().map(|planes| self.codec.encode(planes, grid)).collect();
        let shape = (count, self.codec.channels(), grid.height, grid.width);
        Ok(Latents::Tensor(Tensor::from_vec(latents.concat(), shape, &self.device)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let (latents, grid) = expect_grid(latents, self.spec(), self.codec.channels())?;
        let flat = latents.flatten_all()?.to_vec1::<f32>()?;
        let pictures: Vec<Vec<f32>> = flat
            .par_chunks_exact(self.codec.channels() * grid.area())
            .map(|latent| self.codec.decode(latent, grid))
            .collect();
        let stride = self.spec().stride;
        let shape = (pictures.len(), 3, grid.height * stride, grid.width * stride);
        ImageBatch::new(Tensor::from_vec(pictures.concat(), shape, &self.device)?)
    }
}

/// The tensor `[N, channels, h, w]` of a grid latent, and `(w, h)`.
///
/// # Errors
/// [`TokenizerError::Shape`] for anything that this tokenizer's `encode` cannot have made.
pub(crate) fn expect_grid<'a>(
    latents: &'a Latents,
    spec: &TokenizerSpec,
    channels: usize,
) -> Result<(&'a Tensor, Size), TokenizerError> {
    let tensor = latents.grid(&spec.id, channels)?;
    let (_, _, height, width) = tensor.dims4()?;
    Ok((tensor, Size::new(width, height)))
}
