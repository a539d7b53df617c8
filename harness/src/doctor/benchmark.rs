use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use prismbench_kernels::nn::{Arithmetic, Conv2d, ConvOptions, MapShape, Maps, NnError, Window};
use prismbench_kernels::peaks;
use serde::Serialize;

use super::Check;

const PRODUCT: Duration = Duration::from_secs(4);
const COPY: Duration = Duration::from_secs(2);
const CONVOLUTION: Duration = Duration::from_secs(4);

/// Channels and side of the maps of the convolution, one of SD-VAE's decoder.
const CHANNELS: usize = 256;
const SIDE: usize = 128;

/// What this machine reaches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Benchmark {
    /// Of a product of f32 matrices.
    product_gflops: f64,
    /// Read and written by copying.
    copy_gigabytes_per_second: f64,
    /// Of a 3x3 convolution of 256 channels at 128x128, by its definition.
    convolution_gflops: f64,
    /// The convolution by the product: above 1 where Winograd's filtering saves products.
    convolution_share: f64,
}

impl Benchmark {
    pub(crate) fn run() -> Self {
        let product = peaks::matrix_product(PRODUCT);
        let copy = peaks::copy(COPY);
        // Its shapes are constants that fit.
        let convolution = convolution().unwrap_or_default();
        Self {
            product_gflops: product / 1e9,
            copy_gigabytes_per_second: copy / 1e9,
            convolution_gflops: convolution / 1e9,
            convolution_share: convolution / product,
        }
    }

    pub(super) fn check(&self) -> Check {
        let Self {
            product_gflops,
            copy_gigabytes_per_second,
            convolution_gflops,
            convolution_share,
        } = self;
        let found = format!(
            "product {product_gflops:.0} GFLOP/s, copying {copy_gigabytes_per_second:.1} GB/s, convolution \
             {convolution_gflops:.0} GFLOP/s ({:.0} % of the product)",
            100.0 * convolution_share
        );
        if *convolution_share < 0.7 {
            let remedy = "other programs took the cores meanwhile, or the clock fell: end them, and look again";
            return Check::note("speed", found, remedy);
        }
        Check::good("speed", found)
    }
}

/// Floating-point operations a second of the fastest call.
fn convolution() -> Result<f64, NnError> {
    let options = ConvOptions::new(Window::new(3, 3).padding(1, 1));
    let options = ConvOptions { arithmetic: Arithmetic::Fast, ..options };
    let weight = Tensor::ones((CHANNELS, CHANNELS, 3, 3), DType::F32, &Device::Cpu)?;
    let layer = Conv2d::new(&weight, None, options)?;
    let shape = MapShape { images: 1, height: SIDE, width: SIDE, channels: CHANNELS };
    let maps = Maps::from_rows(shape, vec![0.5; shape.len()])?;
    layer.forward(&maps)?;
    let (start, mut fastest) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < CONVOLUTION {
        let call = Instant::now();
        layer.forward(&maps)?;
        fastest = fastest.min(call.elapsed().as_secs_f64());
    }
    Ok(2.0 * (SIDE * SIDE * 9 * CHANNELS * CHANNELS) as f64 / fastest)
}
