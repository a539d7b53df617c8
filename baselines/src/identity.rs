use prismbench_core::{StageCost, TokenizerSpec};
use prismbench_kernels::Size;

use crate::grid::GridCodec;

/// The latent is the picture.
pub(crate) struct Identity {
    spec: TokenizerSpec,
}

impl Identity {
    pub(crate) fn new(id: String) -> Self {
        let source = "control: the picture itself".to_owned();
        Self { spec: TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source } }
    }
}

impl GridCodec for Identity {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn channels(&self) -> usize {
        3
    }

    fn cost(&self, _: Size) -> Option<[StageCost; 2]> {
        Some([StageCost::default(); 2])
    }

    fn encode(&self, planes: &[f32], _: Size) -> Vec<f32> {
        planes.to_vec()
    }

    fn decode(&self, latent: &[f32], _: Size) -> Vec<f32> {
        latent.to_vec()
    }
}
