use candle_core::Tensor;
use prismbench_core::{Stream, TokenizerError};

/// Bounds of the logarithm of a variance, as diffusers and CompVis have them.
const LOG_VARIANCE: (f32, f32) = (-30.0, 20.0);

/// A normal distribution with independent coordinates for each image.
pub(super) struct Posterior {
    /// `[N, 2 channels, h, w]`: means, then logarithms of variances.
    moments: Tensor,
}

impl Posterior {
    pub(super) fn new(moments: Tensor) -> Self {
        Self { moments }
    }

    /// The means `[N, channels, h, w]`.
    pub(super) fn mode(&self) -> Result<Tensor, TokenizerError> {
        Ok(self.half(0)?.contiguous()?)
    }

    /// One draw for each image: `mean + exp(log variance / 2) n` in f64, `n` from the image's
    /// stream in the order `[channel, row, column]`.
    pub(super) fn sample(&self, streams: Vec<Stream>) -> Result<Tensor, TokenizerError> {
        let (means, logarithms) = (self.half(0)?, self.logarithms()?);
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (mut values, logarithms) = (flat(&means)?, flat(&logarithms)?);
        let length = values.len() / streams.len().max(1);
        let images =
            values.chunks_exact_mut(length.max(1)).zip(logarithms.chunks_exact(length.max(1)));
        for ((values, logarithms), mut stream) in images.zip(streams) {
            for (value, logarithm) in values.iter_mut().zip(logarithms) {
                let (low, high) = LOG_VARIANCE;
                let deviation = libm::exp(0.5 * f64::from(logarithm.clamp(low, high)));
                *value = (f64::from(*value) + deviation * stream.normal()) as f32;
            }
        }
        Ok(Tensor::from_vec(values, means.shape(), self.moments.device())?)
    }

    /// The logarithms of the variances `[N, channels, h, w]`, as the network gives them.
    pub(super) fn logarithms(&self) -> Result<Tensor, TokenizerError> {
        Ok(self.half(1)?.contiguous()?)
    }

    fn half(&self, half: usize) -> Result<Tensor, TokenizerError> {
        let channels = self.moments.dim(1)? / 2;
        Ok(self.moments.narrow(1, half * channels, channels)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Two images of one channel and two positions, with these logarithms of variances.
    fn posterior(logarithms: [f32; 2]) -> Posterior {
        let [a, b] = logarithms;
        let moments = vec![0.5, -1.0, a, b, 3.0, 2.0, a, b];
        Posterior::new(Tensor::from_vec(moments, (2, 2, 1, 2), &Device::Cpu).unwrap())
    }

    fn draw(logarithms: [f32; 2]) -> Vec<f32> {
        let streams = vec![Stream::new("posterior", 7, 3), Stream::new("posterior", 7, 4)];
        let sample = posterior(logarithms).sample(streams).unwrap();
        assert_eq!(sample.dims(), [2, 1, 1, 2]);
        sample.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_mode_is_the_means() {
        let mode = posterior([9.0, 9.0]).mode().unwrap();
        assert_eq!(mode.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.5, -1.0, 3.0, 2.0]);
    }

    #[test]
    fn a_sample_is_the_mean_and_a_deviation_of_the_image_s_own_stream() {
        let sample = draw([0.0, 2.0]);
        let mut stream = Stream::new("posterior", 7, 4);
        let expected = [3.0 + stream.normal(), 2.0 + std::f64::consts::E * stream.normal()];
        assert_eq!(sample[2..], expected.map(|x| x as f32));
    }

    #[test]
    fn variances_are_clamped_on_both_sides() {
        assert_eq!(draw([-300.0, 99.0]), draw([-30.0, 20.0]));
        // A deviation of exp(-15) is 3e-7: seen beside 0.5.
        assert!((draw([-300.0, 0.0])[0] - 0.5).abs() < 2e-6);
        let wider = draw([0.0, 20.0])[1] / draw([0.0, 19.0])[1];
        assert!((wider - 0.5_f32.exp()).abs() < 1e-3, "{wider}");
    }
}
