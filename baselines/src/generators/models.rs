use prismbench_core::{Integrator, Tokenizer, TokenizerError};

use super::config::{Config, StackConfig};
use super::entry::PublishedGuide;
use crate::model::{HubFile, Model, Opening, Part};

/// One generator: where its weights are, what it must be, how it is sampled.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) model: Model,
    pub(super) family: Family,
    /// What its file must hold; `None` where the file says.
    pub(super) config: Option<Config>,
    /// Of its published configuration.
    pub(super) integrator: Integrator,
    pub(super) tokenizer: Option<&'static str>,
    pub(super) guide: Option<PublishedGuide>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    DitDh,
    LightningDit,
}

impl Family {
    /// What a file of it is called.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::DitDh => "a DiT^DH",
            Self::LightningDit => "a LightningDiT",
        }
    }

    /// The reference for a file of any size.
    pub(super) fn of_any_size(self) -> &'static str {
        match self {
            Self::DitDh => "ditdh=PATH",
            Self::LightningDit => "lightningdit=PATH",
        }
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Self::DitDh => "DiT^DH, arXiv 2510.11690 (bytetriper/RAE)",
            Self::LightningDit => "LightningDiT, arXiv 2501.01423, as in bytetriper/RAE",
        }
    }
}

const LICENCE: &str = "not stated (RAE's code is MIT)";
const S: StackConfig = StackConfig::new(384, 12, 6);
const B: StackConfig = StackConfig::new(768, 12, 12);
const L: StackConfig = StackConfig::new(1024, 24, 16);
const XL: StackConfig = StackConfig::new(1152, 28, 16);

/// Never called: no reference to a tokenizer finds these rows.
fn no_tokenizer(opening: &Opening<'_>) -> Result<Box<dyn Tokenizer>, TokenizerError> {
    Err(TokenizerError::Unsupported { tokenizer: opening.id.clone(), capability: "encoder" })
}

const fn model(
    (id, summary): (&'static str, &'static str),
    licence: &'static str,
    parameters: u64,
    parts: &'static [Part],
) -> Model {
    Model { id, summary, licence, parameters, parts, open: no_tokenizer }
}

/// A file of RAE's collection.
macro_rules! rae_file {
    ($path:literal) => {
        &[Part { files: &[HubFile { repository: "nyu-visionx/RAE-collections", path: $path }] }]
    };
}

const NOWHERE: &[Part] = &[Part { files: &[] }];
const GUIDE_256: PublishedGuide = PublishedGuide { id: "ditdh-s", guidance: "autoguidance:1.42" };
const GUIDE_512: PublishedGuide =
    PublishedGuide { id: "ditdh-s-512", guidance: "autoguidance:1.5" };

/// A DiT^DH of RAE.
const fn of_rae(
    model: Model,
    config: Config,
    tokenizer: &'static str,
    guide: Option<PublishedGuide>,
) -> Row {
    let (family, integrator) = (Family::DitDh, Integrator::Euler);
    Row { model, family, config: Some(config), integrator, tokenizer: Some(tokenizer), guide }
}

/// One without published weights.
const fn of_file(model: Model, family: Family, config: Option<Config>) -> Row {
    let integrator = Integrator::Euler;
    Row { model, family, config, integrator, tokenizer: None, guide: None }
}

const fn lightningdit(
    words: (&'static str, &'static str),
    parameters: u64,
    stack: StackConfig,
) -> Row {
    let model = model(words, "that of the file", parameters, NOWHERE);
    of_file(model, Family::LightningDit, Some(Config::lightningdit(stack)))
}

pub(super) static ROWS: [Row; 11] = [
    of_rae(
        model(
            ("ditdh-s", "DiT^DH-S on latents of rae-dinov2-b at 256; it guides ditdh-xl"),
            LICENCE,
            196_455_764,
            rae_file!("DiTs/Dinov2/wReg_base/ImageNet256/DiTDH-S_ep14/stage2_model.pt"),
        ),
        Config::ditdh(16, S),
        "rae-dinov2-b",
        None,
    ),
    of_rae(
        model(
            ("ditdh-xl", "DiT^DH-XL on latents of rae-dinov2-b at 256"),
            LICENCE,
            838_675_796,
            rae_file!("DiTs/Dinov2/wReg_base/ImageNet256/DiTDH-XL/stage2_model.pt"),
        ),
        Config::ditdh(16, XL),
        "rae-dinov2-b",
        Some(GUIDE_256),
    ),
    of_rae(
        model(
            ("ditdh-s-512", "DiT^DH-S on latents of rae-dinov2-b-512; it guides ditdh-xl-512"),
            LICENCE,
            196_750_676,
            rae_file!("DiTs/Dinov2/wReg_base/ImageNet512/DiTDH-S_ep20/stage2_model.pt"),
        ),
        Config::ditdh(32, S),
        "rae-dinov2-b-512",
        None,
    ),
    of_rae(
        model(
            ("ditdh-xl-512", "DiT^DH-XL on latents of rae-dinov2-b-512"),
            LICENCE,
            839_560_532,
            rae_file!("DiTs/Dinov2/wReg_base/ImageNet512/DiTDH-XL_ep400/stage2_model.pt"),
        ),
        Config::ditdh(32, XL),
        "rae-dinov2-b-512",
        Some(GUIDE_512),
    ),
    Row {
        model: model(
            ("uae-ditdh-xl", "UAE's DiT^DH-XL on latents of 64 coefficients a channel"),
            "not stated",
            838_675_796,
            &[Part {
                files: &[HubFile {
                    repository: "weepiess2383/UAE",
                    path: "checkpoints/Generative_Modeling/Latent_Modeling/64_tokens/stage_2.pt",
                }],
            }],
        ),
        family: Family::DitDh,
        config: Some(Config::ditdh(16, XL)),
        integrator: Integrator::Rk4,
        tokenizer: Some("uae-64-dinov2-b"),
        guide: None,
    },
    lightningdit(("lightningdit-s", "LightningDiT-S on latents 768x16x16"), 33_649_792, S),
    lightningdit(("lightningdit-b", "LightningDiT-B on latents 768x16x16"), 131_884_288, B),
    lightningdit(("lightningdit-l", "LightningDiT-L on latents 768x16x16"), 459_923_424, L),
    lightningdit(("lightningdit-xl", "LightningDiT-XL on latents 768x16x16"), 677_248_384, XL),
    of_file(
        model(
            ("ditdh", "a DiT^DH of any size and latent: its file says which"),
            "that of the file",
            ANY,
            NOWHERE,
        ),
        Family::DitDh,
        None,
    ),
    of_file(
        model(
            ("lightningdit", "a LightningDiT of any size and latent: its file says which"),
            "that of the file",
            ANY,
            NOWHERE,
        ),
        Family::LightningDit,
        None,
    ),
];

/// Numbers of a network whose file says how many: nobody is shown the model of such a row.
const ANY: u64 = 0;

#[cfg(test)]
mod tests {
    use prismbench_core::Guidance;

    use super::*;
    use crate::generators::{GeneratorRef, generators};
    use crate::{Needs, registry};

    #[test]
    fn rows_have_the_numbers_of_their_networks() {
        for row in &ROWS {
            let Some(config) = row.config else { continue };
            assert_eq!(config.parameters(), row.model.parameters, "{}", row.model.id);
            assert_eq!(config.head.is_some(), row.family == Family::DitDh);
        }
    }

    #[test]
    fn what_entries_name_is_there() {
        for entry in generators() {
            let reference: GeneratorRef = entry.family.parse().unwrap();
            assert_eq!(reference.id, entry.family);
            if let Some(tokenizer) = entry.tokenizer {
                let known = registry().iter().find(|known| known.family == tokenizer);
                assert_eq!(known.map(|known| known.needs), Some(Needs::Weights));
            }
            if let Some(guide) = entry.guide {
                assert!(generators().iter().any(|entry| entry.family == guide.id));
                assert!(matches!(guide.guidance.parse(), Ok(Guidance::Auto(_))));
            }
            let texts = (entry.sampling.to_string(), entry.family);
            let expected = if entry.family.starts_with("uae") { "rk4:50" } else { "euler:50" };
            assert_eq!(texts.0, expected, "{}", texts.1);
        }
    }
}
