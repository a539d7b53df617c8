use candle_core::{Device, Tensor};
use prismbench_core::{FeatureTap, ImageBatch, TokenizerError};
use prismbench_kernels::nn::{MapShape, Maps, Work, count};

use super::{Input, Tapped, Tower, few_at_a_time};
use crate::cost::picture;
use crate::error::layer;

/// A tower with what comes before it: from pictures to tokens.
pub(crate) struct Vision {
    /// Of the tokenizer, for messages.
    pub(crate) id: String,
    pub(crate) input: Input,
    pub(crate) tower: Tower,
    /// Where it computes.
    pub(crate) device: Device,
}

impl Vision {
    /// `(rows, columns)` of patches of pictures of `(height, width)` pixels.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for pictures that it does not take.
    pub(crate) fn grid(&self, size: (usize, usize)) -> Result<(usize, usize), TokenizerError> {
        let (height, width) = self.input.side.of(&self.id, size)?;
        Ok((height / self.tower.patch(), width / self.tower.patch()))
    }

    /// Runs pictures through the tower, a few at a time, and gives the tokens of each lot to `take`.
    ///
    /// # Errors
    /// As [`grid`](Self::grid), and what `take` fails with.
    pub(crate) fn each(
        &self,
        images: &ImageBatch,
        tap: FeatureTap,
        mut take: impl FnMut(Tapped) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError> {
        let (_, height, width) = images.dims();
        let seen = self.input.side.of(&self.id, (height, width))?;
        let grid = self.grid((height, width))?;
        let positions = self.tower.positions(grid)?;
        for few in few_at_a_time(images.tensor(), self.tower.prefix_len() + grid.0 * grid.1) {
            let pictures = self.input.prepare(&few?.to_device(&self.device)?, seen)?;
            take(self.tower.forward(&pictures, &positions, tap).map_err(layer)?)?;
        }
        Ok(())
    }

    /// The patch tokens at the tower's end, `[N, width, rows, columns]`.
    ///
    /// # Errors
    /// As [`grid`](Self::grid).
    pub(crate) fn latents(&self, images: &ImageBatch) -> Result<Tensor, TokenizerError> {
        let (_, height, width) = images.dims();
        let (height, width) = self.grid((height, width))?;
        let mut latents = Vec::new();
        self.each(images, FeatureTap::Output, |Tapped { tokens, .. }| {
            let patches = self.patches(&tokens)?;
            let grid = MapShape { height, width, ..patches.shape() };
            latents.push(patches.reshape(grid).and_then(|grid| grid.to_tensor()).map_err(layer)?);
            Ok(())
        })?;
        Ok(Tensor::cat(&latents, 0)?)
    }

    /// What the tower does with a picture of `(height, width)` pixels, its resize included, and the shape
    /// of all tokens.
    ///
    /// # Errors
    /// As [`grid`](Self::grid).
    pub(crate) fn work(&self, size: (usize, usize)) -> Result<(Work, MapShape), TokenizerError> {
        let seen = self.input.side.of(&self.id, size)?;
        let positions = self.tower.blank_positions(self.grid(size)?)?;
        count(picture(size.0, size.1), |maps| {
            let maps = self.input.see(maps, seen)?;
            let tapped = self.tower.forward(&maps, &positions, FeatureTap::Output);
            Ok(tapped.map_err(layer)?.tokens)
        })
    }

    /// Those of all tokens that are patches.
    ///
    /// # Errors
    /// [`TokenizerError::Tensor`] for maps that are no tokens of this tower.
    pub(crate) fn patches(&self, tokens: &Maps) -> Result<Maps, TokenizerError> {
        tokens.tokens(self.tower.prefix_len()..tokens.shape().width).map_err(layer)
    }

    /// Refuses a block that the tower does not have.
    ///
    /// # Errors
    /// As [`Tower::check`].
    pub(crate) fn check(&self, tap: FeatureTap) -> Result<(), TokenizerError> {
        self.tower.check(tap, &self.id)
    }
}
