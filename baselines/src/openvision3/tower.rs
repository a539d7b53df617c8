//! OpenCLIP's `VisionTransformer` over latents.

use prismbench_kernels::nn::Mask;
use prismbench_weights::{Expected, WeightsFile};

use super::config::{Config, NormAfter};
use super::decoder_config::Presence;
use crate::vit::{
    AttentionNames, BlockConfig, BlockNames, FinalNorm, Form, Interpolation, PatchBias, Scope,
    TowerConfig, TowerNames, expect_norm,
};

/// What may come before the names: the tower alone, or that of a whole CLIP.
pub(super) const PREFIXES: [&str; 2] = ["", "visual."];

pub(super) const NORM: &[&str] = &["ln_post"];
pub(super) const PROJECTION: &[&str] = &["proj"];

pub(super) const BLOCK: BlockNames = BlockNames {
    norms: [&["ln_1"], &["ln_2"]],
    attention: AttentionNames::Joint {
        weight: &["attn.in_proj_weight"],
        bias: &["attn.in_proj_bias"],
    },
    output: &["attn.out_proj"],
    mlp: [&["mlp.c_fc"], &["mlp.c_proj"]],
    scales: None,
};

const WITHOUT_NORM: TowerNames = TowerNames {
    layers: &["transformer.resblocks."],
    block: BLOCK,
    patches: &["conv1"],
    class: Some(&["class_embedding"]),
    registers: &[],
    positions: &["positional_embedding"],
    mask: None,
    before: None,
    after: NORM,
    form: Form::Plain,
};

const WITH_NORM: TowerNames = TowerNames { before: Some(&["ln_pre"]), ..WITHOUT_NORM };

impl Config {
    /// What a file calls the tower's tensors.
    pub(super) fn names(&self) -> &'static TowerNames {
        match self.before {
            Presence::Present => &WITH_NORM,
            Presence::Absent => &WITHOUT_NORM,
        }
    }

    /// The shape of the tower.
    pub(super) fn tower(&self) -> TowerConfig {
        TowerConfig {
            block: BlockConfig {
                width: self.width,
                hidden: self.hidden,
                heads: self.heads,
                epsilon: self.epsilon,
                activation: self.activation,
                mask: Mask::None,
            },
            channels: self.channels,
            patch: self.patch,
            patch_bias: PatchBias::Absent,
            grid: self.grid(),
            registers: 0,
            interpolation: Interpolation::Plain,
            after: match self.after {
                NormAfter::Tokens => FinalNorm::Learned,
                NormAfter::Pooled => FinalNorm::None,
            },
        }
    }

    /// Every tensor of the tower, its last norm and projection included.
    pub(super) fn expected(&self, scope: &Scope) -> Vec<Expected> {
        let mut all = self.tower().expected(scope, self.names(), self.layers);
        if self.after == NormAfter::Pooled {
            all.extend(expect_norm(scope, NORM, self.width));
        }
        all.push(scope.expect(PROJECTION, [self.width, self.outputs]));
        all
    }

    /// Learned numbers of the tower with its projection, and of the others among `expected`.
    pub(super) fn parameters(&self, scope: &Scope, expected: &[Expected]) -> [u64; 2] {
        let own = Expected::count(&self.expected(scope));
        [own, Expected::count(expected) - own]
    }

    /// Blocks that a file has.
    pub(super) fn depth(&self, scope: &Scope, file: &WeightsFile) -> usize {
        self.names().depth(scope, file)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::PoolType;
    use super::super::pooling::Pooling;
    use super::*;
    use crate::cost::counted;
    use crate::cost::testing::{at_depth, giga, zeros};
    use crate::vit::Tower;
    use prismbench_core::FeatureTap;
    use prismbench_kernels::nn::{Activation, MapShape};

    fn config(width: usize, layers: usize) -> Config {
        Config {
            width,
            layers,
            heads: width / 64,
            hidden: 4 * width,
            channels: 16,
            side: 32,
            patch: 2,
            outputs: width,
            epsilon: 1e-6,
            activation: Activation::Gelu,
            before: Presence::Absent,
            after: NormAfter::Pooled,
            pool: PoolType::Avg,
            decoder: None,
        }
    }

    #[test]
    fn the_two_sizes_cost_what_was_counted_of_openclips_class() {
        for (width, layers, published) in [(768, 12, "23.06"), (1024, 24, "80.88")] {
            let tower = at_depth(layers, |depth| {
                let (config, scope) = (config(width, depth), Scope::new(&PREFIXES));
                let mut tensors = zeros(&config.expected(&scope));
                let names = config.names();
                let tower =
                    Tower::new(&config.tower(), &scope, names, depth, &mut tensors).unwrap();
                let latents = MapShape { images: 1, height: 32, width: 32, channels: 16 };
                let positions = tower.blank_positions((16, 16)).unwrap();
                let pooling = Pooling::new(&config, &scope, &mut tensors).unwrap();
                // The table has the projection of the pooled vector in it.
                let run = |maps| {
                    let tokens = tower.forward(&maps, &positions, FeatureTap::Output)?.tokens;
                    let patches = tokens.tokens(1..tokens.shape().width)?;
                    let pooled = pooling.pool(&tokens.tokens(0..1)?, &patches)?;
                    Ok(pooled.unwrap_or(tokens))
                };
                counted(0, latents, run).unwrap().0
            });
            assert_eq!(giga(tower.macs()), published);
        }
    }

    #[test]
    fn the_two_sizes_have_the_numbers_of_openclips_class() {
        for (width, layers, tensors, numbers) in
            [(768, 12, 150, 85_893_120), (1024, 24, 294, 303_689_728)]
        {
            let expected = config(width, layers).expected(&Scope::new(&PREFIXES));
            assert_eq!(expected.len(), tensors);
            assert_eq!(Expected::count(&expected), numbers);
            // The last norm is one of them wherever it stands.
            let other = Config { after: NormAfter::Tokens, ..config(width, layers) };
            assert_eq!(other.expected(&Scope::new(&PREFIXES)).len(), tensors);
        }
    }
}
