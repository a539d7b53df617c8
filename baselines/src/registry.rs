use std::borrow::Cow;
use std::sync::LazyLock;

use crate::{Model, autoencoder_kl, encoders, openvision3, rae, tiny_autoencoder, uae};

/// Every model with published weights, in the order of `prismbench list tokenizers`.
fn models() -> impl Iterator<Item = &'static Model> {
    [
        autoencoder_kl::MODELS,
        tiny_autoencoder::MODELS,
        rae::MODELS,
        uae::MODELS,
        openvision3::MODELS,
        encoders::DINOV2_MODELS,
        encoders::CLIP_MODELS,
        encoders::SIGLIP_MODELS,
        encoders::MAE_MODELS,
    ]
    .into_iter()
    .flatten()
}

/// One family of tokenizers, as `prismbench list tokenizers` shows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The first word of a reference.
    pub family: &'static str,
    /// How a reference is written; brackets mark what may be left out.
    pub syntax: Cow<'static, str>,
    /// The range and default of each option; empty when there are none.
    pub options: &'static str,
    /// What must be there before it can encode.
    pub needs: Needs,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Where its weights are, for a model.
    pub model: Option<&'static Model>,
}

/// What a tokenizer needs before it can encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A fixed transform.
    Nothing,
    /// It is fitted on pictures of the data set first.
    TrainingPictures,
    /// Published weights, from the hub's cache or a folder.
    Weights,
    /// Something of the user's: a program or finished pictures.
    Own,
}

/// Every family, in the order of `prismbench list tokenizers`.
#[must_use]
pub fn registry() -> &'static [Entry] {
    static REGISTRY: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let models = models().map(|model| Entry {
            family: model.id,
            syntax: format!("{0}[@REVISION] or {0}=PATH", model.id).into(),
            options: PATH,
            needs: Needs::Weights,
            summary: model.summary,
            model: Some(model),
        });
        TRANSFORMS.into_iter().chain(models).chain(OWN).collect()
    });
    &REGISTRY
}

const PATH: &str = "REVISION of the hub, PATH a folder or file instead";

const TRANSFORMS: [Entry; 5] = [
    Entry {
        family: "identity",
        syntax: Cow::Borrowed("identity"),
        options: "",
        needs: Needs::Nothing,
        summary: "keeps the picture: the ceiling of every reconstruction metric",
        model: None,
    },
    Entry {
        family: "resample",
        syntax: Cow::Borrowed("resample[:FACTOR]"),
        options: "FACTOR f8 (default) or f16",
        needs: Needs::Nothing,
        summary: "box filter down, bicubic up",
        model: None,
    },
    Entry {
        family: "jpeg",
        syntax: Cow::Borrowed("jpeg[:QUALITY]"),
        options: "QUALITY 1 to 100 (default 75)",
        needs: Needs::Nothing,
        summary: "baseline JPEG without chroma subsampling; its latent is the file",
        model: None,
    },
    Entry {
        family: "dct",
        syntax: Cow::Borrowed("dct[:K]"),
        options: "K 1 to 64 (default 16)",
        needs: Needs::Nothing,
        summary: "the K lowest zigzag coefficients of each 8x8 block and colour channel",
        model: None,
    },
    Entry {
        family: "pca",
        syntax: Cow::Borrowed("pca[:FACTOR[:K]]"),
        options: "FACTOR f8 (default) or f16, K 1 to 192 (f8) or 768 (f16) components (default 16)",
        needs: Needs::TrainingPictures,
        summary: "Karhunen-Loeve transform of square patches",
        model: None,
    },
];

/// What users bring themselves.
const OWN: [Entry; 2] = [
    Entry {
        family: "exec",
        syntax: Cow::Borrowed("exec:COMMAND"),
        options: "COMMAND a program and its arguments, started without a shell",
        needs: Needs::Own,
        summary: "a tokenizer in a program of your own, in any language (baselines/python/README.md)",
        model: None,
    },
    Entry {
        family: "recon",
        syntax: Cow::Borrowed("recon:PATH"),
        options: "PATH a folder of pictures or an .npz, paired with the data by id",
        needs: Needs::Own,
        summary: "finished reconstructions; nothing is known of their latents",
        model: None,
    },
];
