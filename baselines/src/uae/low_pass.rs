use candle_core::{Device, Tensor};
use prismbench_core::{BandMask, TokenizerError};
use prismbench_kernels::Size;
use prismbench_kernels::bands::{CosineTransform, zigzag};
use rayon::prelude::*;

/// Keeps the first coefficients, in zigzag order, of the orthonormal DCT-II of each channel of a
/// latent: `keep_low` with `reorder_1d` of src/stage1/uae.py.
pub(super) struct LowPass {
    transform: CosineTransform,
    order: Vec<usize>,
}

impl LowPass {
    /// For latents of `grid x grid` positions.
    pub(super) fn new(grid: usize) -> Self {
        let size = Size::new(grid, grid);
        Self { transform: CosineTransform::new(size), order: zigzag(size) }
    }

    /// How many coefficients a mask keeps.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for more than there are; [`TokenizerError::Unsupported`] for rings.
    pub(super) fn kept(&self, id: &str, mask: BandMask) -> Result<usize, TokenizerError> {
        let all = self.order.len();
        match mask {
            BandMask::None => Ok(all),
            BandMask::Zigzag(count) if count <= all => Ok(count),
            BandMask::Zigzag(count) => Err(TokenizerError::Shape {
                expected: format!("a band mask for `{id}` of zigzag:{all} at most"),
                found: format!("zigzag:{count}"),
            }),
            BandMask::Rings(_) => Err(TokenizerError::Unsupported {
                tokenizer: id.to_owned(),
                capability: "rings to keep, its band mask is zigzag:COUNT",
            }),
        }
    }

    /// Latents `[N, C, h, w]` without all but the first `kept` coefficients. Those of which all are
    /// kept stay as they are, to the bit.
    pub(super) fn apply(&self, latents: Tensor, kept: usize) -> Result<Tensor, TokenizerError> {
        let dropped = self.order.get(kept..).unwrap_or_default();
        if dropped.is_empty() {
            return Ok(latents);
        }
        let mut values: Vec<f32> = latents.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?;
        // Each plane by itself: neither batch nor threads show in the result.
        values.par_chunks_exact_mut(self.order.len()).for_each(|plane| {
            let mut coefficients = self.transform.forward(plane);
            dropped.iter().for_each(|&at| coefficients[at] = 0.0);
            plane.copy_from_slice(&self.transform.inverse(&coefficients));
        });
        Ok(Tensor::from_vec(values, latents.shape(), latents.device())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latents(grid: usize) -> Tensor {
        let values =
            (0..2 * 3 * grid * grid).map(|i| ((i * i * 37 + 11) % 101) as f32 / 50.0 - 1.0);
        let shape = (2, 3, grid, grid);
        Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn one_coefficient_is_the_mean_of_each_plane() {
        let latents = latents(4);
        let means = flat(&latents.mean((2, 3)).unwrap());
        let kept = flat(&LowPass::new(4).apply(latents, 1).unwrap());
        for (plane, mean) in kept.chunks(16).zip(means) {
            assert!(plane.iter().all(|value| (value - mean).abs() < 1e-6), "{plane:?} {mean}");
        }
    }

    #[test]
    fn what_a_mask_takes_away_is_exactly_the_coefficients_behind_it() {
        let (grid, kept) = (8, 20);
        let low_pass = LowPass::new(grid);
        let before = latents(grid);
        let after = flat(&low_pass.apply(before.clone(), kept).unwrap());
        let transform = CosineTransform::new(Size::new(grid, grid));
        for (before, after) in flat(&before).chunks(64).zip(after.chunks(64)) {
            let (before, after) = (transform.forward(before), transform.forward(after));
            for (rank, &at) in zigzag(Size::new(grid, grid)).iter().enumerate() {
                let expected = if rank < kept { before[at] } else { 0.0 };
                assert!((after[at] - expected).abs() < 1e-6, "{rank}: {} {expected}", after[at]);
            }
        }
    }

    #[test]
    fn masks_that_do_not_fit_are_refused_by_both_numbers() {
        let low_pass = LowPass::new(16);
        assert_eq!(low_pass.kept("x", BandMask::None).unwrap(), 256);
        assert_eq!(low_pass.kept("x", BandMask::Zigzag(256)).unwrap(), 256);
        let error = low_pass.kept("x", BandMask::Zigzag(257)).unwrap_err().to_string();
        let expected = "expected a band mask for `x` of zigzag:256 at most, found zigzag:257";
        assert_eq!(error, expected);
        let error = low_pass.kept("x", BandMask::Rings(1)).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
    }
}
