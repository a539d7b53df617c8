/// One family of tokenizers, as `prismbench list tokenizers` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first word of a reference.
    pub family: &'static str,
    /// How a reference is written; brackets mark what may be left out.
    pub syntax: &'static str,
    /// The range and default of each option; empty when there are none.
    pub options: &'static str,
    /// What must be there before it can encode.
    pub needs: Needs,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// What a tokenizer needs before it can encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A fixed transform.
    Nothing,
    /// It is fitted on pictures of the data set first.
    TrainingPictures,
    /// A file or folder of weights.
    Weights,
}

/// Every family, in the order of `prismbench list tokenizers`.
#[must_use]
pub fn registry() -> &'static [Entry] {
    &REGISTRY
}

const REGISTRY: [Entry; 6] = [
    Entry {
        family: "identity",
        syntax: "identity",
        options: "",
        needs: Needs::Nothing,
        summary: "keeps the picture: the ceiling of every reconstruction metric",
    },
    Entry {
        family: "resample",
        syntax: "resample[:FACTOR]",
        options: "FACTOR f8 (default) or f16",
        needs: Needs::Nothing,
        summary: "box filter down, bicubic up",
    },
    Entry {
        family: "jpeg",
        syntax: "jpeg[:QUALITY]",
        options: "QUALITY 1 to 100 (default 75)",
        needs: Needs::Nothing,
        summary: "baseline JPEG without chroma subsampling; its latent is the file",
    },
    Entry {
        family: "dct",
        syntax: "dct[:K]",
        options: "K 1 to 64 (default 16)",
        needs: Needs::Nothing,
        summary: "the K lowest zigzag coefficients of each 8x8 block and colour channel",
    },
    Entry {
        family: "pca",
        syntax: "pca[:FACTOR[:K]]",
        options: "FACTOR f8 (default) or f16, K 1 to 192 (f8) or 768 (f16) components (default 16)",
        needs: Needs::TrainingPictures,
        summary: "Karhunen-Loeve transform of square patches",
    },
    Entry {
        family: "taef2",
        syntax: "taef2=FOLDER",
        options: "FOLDER with taef2_encoder.safetensors and taef2_decoder.safetensors",
        needs: Needs::Weights,
        summary: "tiny autoencoder for the FLUX.2 latent space (madebyollin/taef2)",
    },
];
