//! Tokenizers that are a fixed map between a picture and a grid of numbers.

use candle_core::{Device, Tensor};
use prismbench_core::{
    Cost, Encoding, ImageBatch, LatentShape, Latents, StageCost, Tokenizer, TokenizerError,
    TokenizerSpec,
};
use prismbench_kernels::Size;
use rayon::prelude::*;

/// A fixed map between a picture and a grid of `channels` numbers per `stride x stride` pixels.
pub(crate) trait GridMap: Send + Sync {
    /// What this tokenizer is.
    fn spec(&self) -> &TokenizerSpec;

    /// Numbers per latent position.
    fn channels(&self) -> usize;

    /// Pictures `[N, 3, H, W]` whose sides are multiples of the stride to `[N, channels, h, w]`.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] when the tensor library fails.
    fn latents(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError>;

    /// Latents `[N, channels, h, w]` to `[N, 3, H, W]`.
    ///
    /// # Errors
    /// As [`latents`](Self::latents).
    fn pictures(&self, latents: &Tensor) -> Result<Tensor, TokenizerError>;

    /// What a picture of these sides, multiples of the stride, costs both ways; `None` where nobody
    /// counts.
    ///
    /// # Errors
    /// As [`latents`](Self::latents).
    fn cost(&self, height: usize, width: usize) -> Result<Option<[StageCost; 2]>, TokenizerError>;
}

/// A [`GridMap`] as a tokenizer.
///
/// A fixed map has no posterior to sample from: mode and sample are the same.
pub(crate) struct GridTokenizer<M>(pub(crate) M);

impl<M: GridMap> Tokenizer for GridTokenizer<M> {
    fn spec(&self) -> &TokenizerSpec {
        self.0.spec()
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        let stride = self.spec().stride;
        LatentShape::Tensor(vec![self.0.channels(), height / stride, width / stride])
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec().id)?;
        self.spec().check_sides(images)?;
        Ok(Latents::Tensor(self.0.latents(images)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let latents = latents.grid(&self.spec().id, self.0.channels())?;
        ImageBatch::new(self.0.pictures(latents)?)
    }

    fn cost(&self, height: usize, width: usize) -> Result<Cost, TokenizerError> {
        self.spec().check_stride(height, width)?;
        let Some([encoder, decoder]) = self.0.cost(height, width)? else {
            let tokenizer = self.spec().id.clone();
            return Err(TokenizerError::Unsupported {
                tokenizer,
                capability: "count of its operations",
            });
        };
        Ok(Cost { encoder, decoder: Some(decoder), head: None })
    }
}

/// A map that is computed on the host, one image at a time.
pub(crate) trait GridCodec: Send + Sync {
    /// As [`GridMap::spec`].
    fn spec(&self) -> &TokenizerSpec;

    /// As [`GridMap::channels`].
    fn channels(&self) -> usize;

    /// `3 x H x W` pixels to `channels x h x w` numbers; `grid` is `(w, h)`.
    fn encode(&self, planes: &[f32], grid: Size) -> Vec<f32>;

    /// `channels x h x w` numbers to `3 x H x W` pixels; `grid` is `(w, h)`.
    fn decode(&self, latent: &[f32], grid: Size) -> Vec<f32>;

    /// What a picture of `grid` costs both ways; `None` where nobody counts.
    fn cost(&self, grid: Size) -> Option<[StageCost; 2]> {
        let _ = grid;
        None
    }
}

/// Runs a [`GridCodec`] over batches, the images in parallel.
pub(crate) struct OnHost<C> {
    codec: C,
    device: Device,
}

impl<C: GridCodec> OnHost<C> {
    /// The tokenizer of a codec; `device` is where latents and pictures are put.
    pub(crate) fn tokenizer(codec: C, device: Device) -> GridTokenizer<Self> {
        GridTokenizer(Self { codec, device })
    }
}

impl<C: GridCodec> GridMap for OnHost<C> {
    fn spec(&self) -> &TokenizerSpec {
        self.codec.spec()
    }

    fn channels(&self) -> usize {
        self.codec.channels()
    }

    fn latents(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        let (count, height, width) = images.dims();
        let stride = self.codec.spec().stride;
        let grid = Size::new(width / stride, height / stride);
        let planes = images.to_planes()?;
        let latents: Vec<Vec<f32>> =
            planes.par_iter().map(|planes| self.codec.encode(planes, grid)).collect();
        let shape = (count, self.codec.channels(), grid.height, grid.width);
        Ok(Tensor::from_vec(latents.concat(), shape, &self.device)?)
    }

    fn pictures(&self, latents: &Tensor) -> Result<Tensor, TokenizerError> {
        let (count, channels, height, width) = latents.dims4()?;
        let (grid, stride) = (Size::new(width, height), self.codec.spec().stride);
        let flat = latents.flatten_all()?.to_vec1::<f32>()?;
        let pictures: Vec<Vec<f32>> = flat
            .par_chunks_exact(channels * grid.area())
            .map(|latent| self.codec.decode(latent, grid))
            .collect();
        let shape = (count, 3, height * stride, width * stride);
        Ok(Tensor::from_vec(pictures.concat(), shape, &self.device)?)
    }

    fn cost(&self, height: usize, width: usize) -> Result<Option<[StageCost; 2]>, TokenizerError> {
        let stride = self.codec.spec().stride;
        Ok(self.codec.cost(Size::new(width / stride, height / stride)))
    }
}
