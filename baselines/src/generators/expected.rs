use prismbench_weights::Expected;

use super::config::{Config, HeadNorms, MlpKind, NormKind, PositionTable, StackConfig};
use crate::vit::{Scope, expect_linear};

/// What the tables of cosines and sines are called, of the part with the head or without.
pub(super) const ROTARY: [&str; 3] = ["enc_feat_rope.", "dec_feat_rope.", "feat_rope."];
pub(super) const TABLES: [&str; 2] = ["freqs_cos", "freqs_sin"];

impl Config {
    /// Every tensor of the state dictionary: buffers are saved with the weights, and the reference
    /// loads them strictly.
    pub(super) fn expected(&self, scope: &Scope) -> Vec<Expected> {
        let mut all = self.learned(scope);
        let tables = match &self.head {
            Some(head) => vec![(ROTARY[0], &self.encoder), (ROTARY[1], head)],
            None => vec![(ROTARY[2], &self.encoder)],
        };
        for (rotary, stack) in tables {
            let shape = [self.tokens(), stack.head_width()];
            let scope = scope.under(&[rotary]);
            all.extend(TABLES.map(|table| scope.expect(&[table], shape)));
        }
        all
    }

    /// Numbers that are parameters to the reference, frozen ones among them; not the tables of
    /// rotary embeddings, which are buffers.
    pub(super) fn parameters(&self) -> u64 {
        Expected::count(&self.learned(&Scope::new(&[""])))
    }

    fn learned(&self, scope: &Scope) -> Vec<Expected> {
        let (first, last) = (self.encoder.width, self.last().width);
        let mut all = Vec::new();
        if self.options.positions == PositionTable::Added {
            all.push(scope.expect(&["pos_embed"], [1, self.tokens(), first]));
        }
        all.extend(self.patches(scope, "x_embedder.proj", last));
        if self.head.is_some() {
            all.extend(self.patches(scope, "s_embedder.proj", first));
        }
        if first != last {
            all.extend(expect_linear(scope, &["s_projector"], (last, first)));
        }
        all.push(scope.expect(&["t_embedder.W"], [self.frequencies]));
        all.extend(expect_linear(scope, &["t_embedder.mlp.0"], (first, 2 * self.frequencies)));
        all.extend(expect_linear(scope, &["t_embedder.mlp.2"], (first, first)));
        // The last row is of no class.
        all.push(scope.expect(&["y_embedder.embedding_table.weight"], [self.classes + 1, first]));
        let stacks = [Some(&self.encoder), self.head.as_ref()].into_iter().flatten();
        let blocks = stacks.flat_map(|stack| (0..stack.depth).map(move |_| stack));
        for (index, stack) in blocks.enumerate() {
            all.extend(self.block(&scope.under(&["blocks."]).block(index), stack));
        }
        let scope = scope.under(&["final_layer."]);
        if self.options.norm == NormKind::Rms {
            all.push(scope.expect(&["norm_final.weight"], [last]));
        }
        all.extend(expect_linear(&scope, &["linear"], (self.outputs(), last)));
        all.extend(expect_linear(&scope, &["adaLN_modulation.1"], (2 * last, last)));
        all
    }

    /// A convolution over single positions, which is a linear layer.
    fn patches(&self, scope: &Scope, name: &str, width: usize) -> [Expected; 2] {
        let [weight, bias] = expect_linear(scope, &[name], (width, self.channels));
        [weight.or_shape([width, self.channels, 1, 1]), bias]
    }

    fn block(&self, scope: &Scope, stack: &StackConfig) -> Vec<Expected> {
        let StackConfig { width, hidden, .. } = *stack;
        let mut all = Vec::new();
        if self.options.norm == NormKind::Rms {
            all.extend(
                ["norm1", "norm2"].map(|norm| scope.under(&[norm]).expect(&[".weight"], [width])),
            );
        }
        all.extend(expect_linear(scope, &["attn.qkv"], (3 * width, width)));
        if self.options.head_norms == HeadNorms::Rms {
            let names = ["attn.q_norm.weight", "attn.k_norm.weight"];
            all.extend(names.map(|name| scope.expect(&[name], [stack.head_width()])));
        }
        all.extend(expect_linear(scope, &["attn.proj"], (width, width)));
        let (wide, narrow, factor) = match self.options.mlp {
            MlpKind::SwiGlu => ("mlp.w12", "mlp.w3", 2),
            MlpKind::Gelu => ("mlp.fc1", "mlp.fc2", 1),
        };
        all.extend(expect_linear(scope, &[wide], (factor * hidden, width)));
        all.extend(expect_linear(scope, &[narrow], (width, hidden)));
        all.extend(expect_linear(scope, &["adaLN_modulation.1"], (6 * width, width)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the reference's own count: encoder, parameters, buffers and tensors.
    #[test]
    fn the_published_sizes_have_the_numbers_that_the_reference_counts() {
        let (s, b, l, xl) = (
            StackConfig::new(384, 12, 6),
            StackConfig::new(768, 12, 12),
            StackConfig::new(1024, 24, 16),
            StackConfig::new(1152, 28, 16),
        );
        let cases = [
            (Config::ditdh(16, s), 196_455_764, 98_304, 190),
            (Config::ditdh(16, b), 294_295_892, 98_304, 190),
            (Config::ditdh(16, l), 621_744_436, 98_304, 334),
            (Config::ditdh(16, xl), 838_675_796, 102_400, 382),
            (Config::ditdh(32, s), 196_750_676, 393_216, 190),
            (Config::ditdh(32, xl), 839_560_532, 409_600, 382),
            (Config::lightningdit(s), 33_649_792, 32_768, 160),
            (Config::lightningdit(b), 131_884_288, 32_768, 160),
            (Config::lightningdit(l), 459_923_424, 32_768, 304),
            (Config::lightningdit(xl), 677_248_384, 36_864, 352),
        ];
        for (config, parameters, buffers, tensors) in cases {
            let expected = config.expected(&Scope::new(&[""]));
            assert_eq!(config.parameters(), parameters, "{config}");
            assert_eq!(Expected::count(&expected), parameters + buffers, "{config}");
            assert_eq!(expected.len(), tensors, "{config}");
        }
    }

    #[test]
    fn hidden_channels_are_those_of_the_reference() {
        let hidden = [384, 768, 1024, 1152, 1280, 1536, 2048, 2688, 16, 32]
            .map(|width| StackConfig::new(width, 1, 1).hidden);
        assert_eq!(hidden, [1024, 2048, 2730, 3072, 3413, 4096, 5461, 7168, 42, 85]);
    }
}
