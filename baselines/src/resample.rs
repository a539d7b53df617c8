use prismbench_core::TokenizerSpec;
use prismbench_kernels::Size;
use prismbench_kernels::resample::{Filter, resize_plane};

use crate::grid::GridCodec;
use crate::reference::Factor;

/// The latent is a small picture: box filter down, bicubic up.
///
/// Both in Pillow's float arithmetic (mode `F`), not in 8 bits: the latent holds the means of the
/// `f x f` squares, and the overshoot of the bicubic filter is left for the harness to clamp.
pub(crate) struct Resample {
    spec: TokenizerSpec,
}

impl Resample {
    pub(crate) fn new(id: String, factor: Factor) -> Self {
        let source = "control: Pillow's box and bicubic filters on floats".to_owned();
        let stride = factor.side();
        Self { spec: TokenizerSpec { id, stride, parameters: 0, weights: Vec::new(), source } }
    }

    fn size(&self, grid: Size) -> Size {
        Size::new(grid.width * self.spec.stride, grid.height * self.spec.stride)
    }
}

impl GridCodec for Resample {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn channels(&self) -> usize {
        3
    }

    fn encode(&self, planes: &[f32], grid: Size) -> Vec<f32> {
        let size = self.size(grid);
        planes
            .chunks_exact(size.area())
            .flat_map(|plane| resize_plane(plane, size, grid, Filter::Box))
            .collect()
    }

    fn decode(&self, latent: &[f32], grid: Size) -> Vec<f32> {
        let size = self.size(grid);
        latent
            .chunks_exact(grid.area())
            .flat_map(|plane| resize_plane(plane, grid, size, Filter::Bicubic))
            .collect()
    }
}
