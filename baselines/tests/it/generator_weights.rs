//! Files of generators: the names and shapes of the reference's state dictionaries.

use crate::planned::{Planned, planned};

/// Widths, depths and heads of the parts, and the sides of a latent.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) latent: (usize, usize),
    pub(crate) classes: usize,
    pub(crate) encoder: (usize, usize, usize),
    pub(crate) head: Option<(usize, usize, usize)>,
}

pub(crate) const TINY: Sizes =
    Sizes { latent: (6, 4), classes: 10, encoder: (16, 2, 2), head: Some((32, 2, 2)) };
pub(crate) const DITDH_S: Sizes =
    Sizes { latent: (768, 16), classes: 1000, encoder: (384, 12, 6), head: Some((2048, 2, 16)) };

/// Every tensor, by the reference's names, with values of the recipe: modulations are a quarter of it,
/// because every block would double the tokens.
pub(crate) fn generator(sizes: Sizes) -> Vec<Planned> {
    let Sizes { latent: (channels, side), classes, encoder, head } = sizes;
    let (first, last) = (encoder.0, head.unwrap_or(encoder).0);
    let mut all = vec![
        of("t_embedder.W", &[256], ""),
        of("y_embedder.embedding_table.weight", &[classes + 1, first], ""),
        of("pos_embed", &[1, side * side, first], "grid positions"),
        of("final_layer.norm_final.weight", &[last], ""),
    ];
    linear(&mut all, "t_embedder.mlp.0", &[first, 512]);
    linear(&mut all, "t_embedder.mlp.2", &[first, first]);
    linear(&mut all, "x_embedder.proj", &[last, channels, 1, 1]);
    linear(&mut all, "final_layer.linear", &[channels, last]);
    linear(&mut all, "final_layer.adaLN_modulation.1", &[2 * last, last]);
    let mut ropes = vec![("feat_rope", encoder)];
    if let Some(head) = head {
        linear(&mut all, "s_embedder.proj", &[first, channels, 1, 1]);
        linear(&mut all, "s_projector", &[last, first]);
        ropes = vec![("enc_feat_rope", encoder), ("dec_feat_rope", head)];
    }
    for (name, (width, _, heads)) in ropes {
        let shape = [side * side, width / heads];
        all.push(of(&format!("{name}.freqs_cos"), &shape, "rotary cos"));
        all.push(of(&format!("{name}.freqs_sin"), &shape, "rotary sin"));
    }
    let depth = encoder.1 + head.map_or(0, |(_, depth, _)| depth);
    for index in 0..depth {
        let width = if index < encoder.1 { first } else { last };
        let (at, hidden) = (format!("blocks.{index}."), 8 * width / 3);
        all.push(of(&format!("{at}norm1.weight"), &[width], ""));
        all.push(of(&format!("{at}norm2.weight"), &[width], ""));
        linear(&mut all, &format!("{at}attn.qkv"), &[3 * width, width]);
        linear(&mut all, &format!("{at}attn.proj"), &[width, width]);
        linear(&mut all, &format!("{at}mlp.w12"), &[2 * hidden, width]);
        linear(&mut all, &format!("{at}mlp.w3"), &[width, hidden]);
        linear(&mut all, &format!("{at}adaLN_modulation.1"), &[6 * width, width]);
    }
    all
}

/// A tensor by another recipe than that of its name, unless that is empty.
fn of(name: &str, shape: &[usize], recipe: &str) -> Planned {
    let tensor = planned(name, shape);
    if recipe.is_empty() { tensor } else { Planned { recipe: recipe.to_owned(), ..tensor } }
}

fn linear(all: &mut Vec<Planned>, name: &str, shape: &[usize]) {
    for (end, shape) in [("weight", shape), ("bias", &shape[..1])] {
        let name = format!("{name}.{end}");
        let recipe = match name.contains("adaLN_modulation") {
            true => format!("quarter {name}"),
            false => name.clone(),
        };
        all.push(Planned { recipe, ..planned(name, shape) });
    }
}
