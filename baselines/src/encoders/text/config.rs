use prismbench_weights::{Expected, WeightsFile};

use crate::vit::{BlockConfig, Blocks, CLIP_BLOCK, Names, Scope, expect_linear, expect_norm};

/// A tower of texts as it was published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextConfig {
    pub(crate) block: BlockConfig,
    /// Tokens that the published table has; that of a file may be of another length.
    pub(crate) vocabulary: usize,
    /// Positions.
    pub(crate) context: usize,
    /// Numbers of an embedding.
    pub(crate) outputs: usize,
    pub(crate) style: TextStyle,
}

/// How a text becomes tokens, and its tokens one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextStyle {
    /// Between a mark of begin and one of end; the end's token is projected, without bias.
    Clip,
    /// In lower case, with a mark of end, padded to the whole context; the last token, seldom one of
    /// the text, goes through a linear layer.
    Siglip,
}

/// What a file decides about a tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextSize {
    /// Tokens of its table.
    pub(crate) vocabulary: usize,
    /// Blocks.
    pub(crate) depth: usize,
}

/// Beginnings of the names that only a file with a tower of texts has.
const PREFIXES: [&str; 3] = ["text_model.", "text_projection.", "logit_"];

/// Counters that files of old versions of `transformers` carry along.
pub(crate) const IGNORED: [&str; 2] =
    ["text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"];

const TOKENS: Names = &["embeddings.token_embedding.weight"];
pub(super) const POSITIONS: Names = &["embeddings.position_embedding.weight"];
pub(super) const LAYERS: Names = &["encoder.layers."];
pub(super) const NORM: Names = &["final_layer_norm"];
pub(super) const HEAD: Names = &["head"];
pub(super) const PROJECTION: &str = "text_projection.weight";
const LOGIT_SCALE: &str = "logit_scale";
const LOGIT_BIAS: &str = "logit_bias";

/// Where its tensors are.
pub(super) fn scope() -> Scope {
    Scope::new(&PREFIXES[..1])
}

impl TextConfig {
    /// What the file says of its tower of texts; `None` for a file that has nothing of one, as
    /// `CLIPVisionModelWithProjection` writes it.
    pub(crate) fn size(&self, file: &WeightsFile) -> Option<TextSize> {
        let ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if !file.names().any(ours) {
            return None;
        }
        let vocabulary = match scope().shape(TOKENS, file) {
            Some(&[vocabulary, _]) => vocabulary,
            _ => self.vocabulary,
        };
        let depth = Blocks::count(file, &scope().under(LAYERS), &CLIP_BLOCK);
        Some(TextSize { vocabulary, depth })
    }

    /// Every tensor of the tower.
    pub(crate) fn expected(&self, size: TextSize) -> Vec<Expected> {
        let mut all = self.network(size);
        all.push(self.tokens(size));
        all.extend(self.logit());
        all
    }

    /// Learned numbers of the published tower, with so many blocks.
    #[cfg(test)]
    pub(crate) fn parameters(&self, depth: usize) -> u64 {
        let size = TextSize { vocabulary: self.vocabulary, depth };
        Expected::count(&self.expected(size))
    }

    /// The embeddings of tokens, `[vocabulary, width]`.
    pub(super) fn tokens(&self, size: TextSize) -> Expected {
        scope().expect(TOKENS, [size.vocabulary, self.block.width])
    }

    /// What comes behind the embeddings of tokens.
    pub(super) fn network(&self, size: TextSize) -> Vec<Expected> {
        let (scope, width) = (scope(), self.block.width);
        let mut all = vec![scope.expect(POSITIONS, [self.context, width])];
        let layers = scope.under(LAYERS);
        all.extend(Blocks::expected(&self.block, &layers, &CLIP_BLOCK, size.depth));
        all.extend(expect_norm(&scope, NORM, width));
        match self.style {
            TextStyle::Clip => all.push(Expected::new(PROJECTION, [self.outputs, width])),
            TextStyle::Siglip => all.extend(expect_linear(&scope, HEAD, (self.outputs, width))),
        }
        all
    }

    /// What makes a logit of a cosine: the scale's logarithm and, in SigLIP, the bias.
    pub(super) fn logit(&self) -> Vec<Expected> {
        let single = |name| Expected::new(name, []).or_shape([1]);
        let names: &[&str] = match self.style {
            TextStyle::Clip => &[LOGIT_SCALE],
            TextStyle::Siglip => &[LOGIT_SCALE, LOGIT_BIAS],
        };
        names.iter().copied().map(single).collect()
    }
}
