//! What the published files of CLIP and SigLIP2 hold of their towers of texts, written out once more.

use crate::planned::{Planned, planned};
use crate::vision_weights::{Sizes, clip_blocks, linear, norm};

fn tower(width: usize, depth: usize, (vocabulary, context): (usize, usize)) -> Vec<Planned> {
    let mut all = Vec::new();
    let embedding = |name: &str| format!("text_model.embeddings.{name}.weight");
    all.push(planned(embedding("token_embedding"), [vocabulary, width]));
    all.push(planned(embedding("position_embedding"), [context, width]));
    clip_blocks(&mut all, "text_model.", Sizes::new(width, depth, 0));
    norm(&mut all, "text_model.final_layer_norm", width);
    all.push(planned("logit_scale", []));
    all
}

/// CLIP's, with the counter of positions that old files have.
pub(crate) fn clip(width: usize, depth: usize, vocabulary: usize) -> Vec<Planned> {
    let mut all = tower(width, depth, (vocabulary, 77));
    all.push(planned("text_model.embeddings.position_ids", [1, 77]));
    all.push(planned("text_projection.weight", [width, width]));
    all
}

/// SigLIP2's; its scale and bias have one dimension.
pub(crate) fn siglip2(depth: usize, vocabulary: usize) -> Vec<Planned> {
    let mut all = tower(768, depth, (vocabulary, 64));
    linear(&mut all, "text_model.head", 768, 768);
    all.retain(|tensor| tensor.name != "logit_scale");
    all.extend([planned("logit_scale", [1]), planned("logit_bias", [1])]);
    all
}
