use prismbench_core::TokenizerSpec;
use prismbench_kernels::Size;
use prismbench_kernels::dct::{AREA, SIDE, ZIGZAG, forward, inverse};

use crate::grid::GridCodec;
use crate::patches;

/// Keeps the lowest zigzag coefficients of the orthonormal DCT-II of each 8x8 block.
///
/// The band-limited tokenizer of the Prism Hypothesis (UAE, arXiv 2512.19693), on pixels. Latent
/// channel `3 k + c` holds zigzag coefficient `k` of colour channel `c`: the first channels of one
/// `dct:K` are all the channels of a smaller one. Pixels are taken as they are, without JPEG's
/// level shift, so that the coefficient of the mean lies in `[0, 8]`.
pub(crate) struct Dct {
    spec: TokenizerSpec,
    kept: usize,
}

impl Dct {
    /// `kept` coefficients of 64.
    pub(crate) fn new(id: String, kept: usize) -> Self {
        let source =
            "8x8 DCT-II and zigzag of ITU-T T.81, band limit of arXiv 2512.19693".to_owned();
        let spec = TokenizerSpec { id, stride: SIDE, parameters: 0, weights: Vec::new(), source };
        Self { spec, kept }
    }
}

impl GridCodec for Dct {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn channels(&self) -> usize {
        3 * self.kept
    }

    fn encode(&self, planes: &[f32], grid: Size) -> Vec<f32> {
        let mut latent = vec![0.0; self.channels() * grid.area()];
        let mut patch = [0.0; 3 * AREA];
        for (position, at) in patches::positions(grid).enumerate() {
            patches::read(planes, grid, SIDE, at, &mut patch);
            for (colour, block) in patch.as_chunks().0.iter().enumerate() {
                let coefficients = forward(block);
                for (k, &raster) in ZIGZAG.iter().take(self.kept).enumerate() {
                    let channel = 3 * k + colour;
                    latent[channel * grid.area() + position] = coefficients[raster] as f32;
                }
            }
        }
        latent
    }

    fn decode(&self, latent: &[f32], grid: Size) -> Vec<f32> {
        let mut planes = vec![0.0; 3 * AREA * grid.area()];
        let mut patch = [0.0; 3 * AREA];
        for (position, at) in patches::positions(grid).enumerate() {
            for (colour, block) in patch.as_chunks_mut().0.iter_mut().enumerate() {
                let mut coefficients = [0.0; AREA];
                for (k, &raster) in ZIGZAG.iter().take(self.kept).enumerate() {
                    let channel = 3 * k + colour;
                    coefficients[raster] = f64::from(latent[channel * grid.area() + position]);
                }
                *block = inverse(&coefficients);
            }
            patches::write(&mut planes, grid, SIDE, at, &patch);
        }
        planes
    }
}
