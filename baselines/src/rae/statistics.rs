use candle_core::{DType, Device, Tensor};
use prismbench_core::TokenizerError;
use prismbench_weights::{Expected, Tensors, WeightsFile};

/// Added to variances: RAE src/stage1/rae.py.
const EPSILON: f64 = 1e-5;

/// Mean and deviation of each number of a latent over a data set: `(z - mean) / std`.
///
/// diffusers adds another 1e-5 to the deviation, RAE does not: here it is as RAE has it.
pub(crate) struct Statistics {
    /// `[1, C, h, w]`, or `[1, 1, 1, 1]`.
    mean: Tensor,
    std: Tensor,
}

impl Statistics {
    /// The tensors of a file by these names, for latents of this shape; diffusers writes a single
    /// number where there are no statistics.
    pub(crate) fn expected(
        file: &WeightsFile,
        names: [&str; 2],
        latent: [usize; 3],
    ) -> [Expected; 2] {
        names.map(|name| match file.shape(name) {
            Some([1]) => Expected::new(name, [1]),
            Some([1, rest @ ..]) if rest == latent => {
                Expected::new(name, [1, latent[0], latent[1], latent[2]])
            }
            _ => Expected::new(name, latent),
        })
    }

    /// Of a model that has none: latents stay as they are.
    pub(crate) fn none(device: &Device) -> Result<Self, TokenizerError> {
        let (mean, std) =
            (Tensor::zeros(1, DType::F32, device)?, Tensor::ones(1, DType::F32, device)?);
        Ok(Self { mean: mean.reshape((1, 1, 1, 1))?, std: std.reshape((1, 1, 1, 1))? })
    }

    /// Mean and deviation as diffusers stores them.
    pub(super) fn of_deviation(
        file: &WeightsFile,
        tensors: &mut Tensors,
        [mean, std]: [&str; 2],
    ) -> Result<Self, TokenizerError> {
        Self::new(file, std, tensors.take(mean)?, tensors.take(std)?)
    }

    /// Mean and variance as RAE stores them.
    pub(crate) fn of_variance(
        file: &WeightsFile,
        tensors: &mut Tensors,
        [mean, variance]: [&str; 2],
    ) -> Result<Self, TokenizerError> {
        let std = (tensors.take(variance)? + EPSILON)?.sqrt()?;
        Self::new(file, variance, tensors.take(mean)?, std)
    }

    fn new(
        file: &WeightsFile,
        name: &str,
        mean: Tensor,
        std: Tensor,
    ) -> Result<Self, TokenizerError> {
        // The smallest is NaN or not positive if any is: both are caught by the negation.
        let smallest = std.flatten_all()?.min(0)?.to_scalar::<f32>()?;
        if !(smallest > 0.0 && std.sum_all()?.to_scalar::<f32>()?.is_finite()) {
            let problems = vec![format!("`{name}` is of deviations that are not positive")];
            return Err(TokenizerError::WeightsMismatch { path: file.path().to_owned(), problems });
        }
        let four = |tensor: Tensor| match *tensor.dims() {
            [1] => tensor.reshape((1, 1, 1, 1)),
            [c, h, w] => tensor.reshape((1, c, h, w)),
            _ => Ok(tensor),
        };
        Ok(Self { mean: four(mean)?, std: four(std)? })
    }

    /// Latents `[N, C, h, w]` as a generator is trained on them.
    pub(crate) fn normalise(&self, latents: &Tensor) -> Result<Tensor, TokenizerError> {
        let latents = latents.to_device(self.mean.device())?;
        Ok(latents.broadcast_sub(&self.mean)?.broadcast_div(&self.std)?)
    }

    /// The inverse.
    pub(crate) fn denormalise(&self, latents: &Tensor) -> Result<Tensor, TokenizerError> {
        let latents = latents.to_device(self.mean.device())?;
        Ok(latents.broadcast_mul(&self.std)?.broadcast_add(&self.mean)?)
    }
}
