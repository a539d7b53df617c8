//! By which of its fields a protocol is compared.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Protocol;
use crate::hexadecimal;
use crate::{ElementType, FdEncoder};

/// A family of numbers, and with it the fields that decide them.
///
/// A field that decides nothing of a family is not part of the hash of its numbers: a new pooling
/// leaves a PSNR comparable with every earlier one, and a dialect of SSIM does not set two probes
/// apart. A field is here for every family that it decides something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Concern {
    /// What is measured on reconstructions.
    Reconstruction,
    /// What is measured on a generator's samples.
    Generation,
    /// Features of pictures: what is kept of a tokenizer from one run to the next.
    Features,
    /// Classifiers of features.
    Probing,
    /// Texts and pictures in one space.
    Retrieval,
    /// Latents by frequency.
    Spectrum,
    /// What a tokenizer costs, and how fast it is.
    Throughput,
}

/// How a picture gets to a tokenizer, and how a network computes.
const INPUT: [&str; 6] = ["crop", "size", "filter", "resampler", "frequency-filter", "arithmetic"];

/// How a latent is read out of an encoder.
const LATENT: [&str; 3] = ["posterior", "latent-noise", "band-mask"];

impl Concern {
    fn groups(self) -> [&'static [&'static str]; 3] {
        match self {
            Self::Reconstruction => [
                &INPUT,
                &LATENT,
                &[
                    "quantiser",
                    "psnr",
                    "ssim",
                    "ms-ssim",
                    "lpips",
                    "inception",
                    "dinov2",
                    "fd-encoder",
                    "inception-score",
                    "kid-subset",
                    "precision-recall",
                ],
            ],
            Self::Generation => [
                &INPUT,
                &LATENT,
                &[
                    "quantiser",
                    "inception",
                    "dinov2",
                    "fd-encoder",
                    "inception-score",
                    "kid-subset",
                    "precision-recall",
                ],
            ],
            Self::Features => [&INPUT, &LATENT, &["tap", "pooling"]],
            Self::Probing => [&INPUT, &LATENT, &["tap", "pooling", "probe"]],
            Self::Retrieval => {
                [&INPUT, &LATENT, &["tap", "pooling", "joint-space", "queries", "sweep"]]
            }
            Self::Spectrum => [&INPUT, &LATENT, &["tap"]],
            Self::Throughput => [&INPUT, &LATENT, &["macs", "timing", "element-type"]],
        }
    }

    /// Whether the field decides something of the family.
    #[must_use]
    pub fn has(self, field: &str) -> bool {
        self.groups().into_iter().flatten().any(|&known| known == field)
    }
}

impl Protocol {
    /// The numbers that tokenizers compute with for a family: those of the protocol where they are among
    /// what decides it, else f32.
    #[must_use]
    pub fn element_type_for(&self, concern: Concern) -> ElementType {
        if concern.has("element-type") { self.element_type } else { ElementType::F32 }
    }

    /// One line of JSON with all fields that decide something, in alphabetical order.
    #[must_use]
    pub fn canonical(&self) -> String {
        Value::from(self.deciding().collect::<Map<_, _>>()).to_string()
    }

    /// sha256 of [`canonical`](Self::canonical), in hexadecimal: two protocols are one when it is
    /// the same.
    #[must_use]
    pub fn sha256(&self) -> String {
        hexadecimal(Sha256::digest(self.canonical()))
    }

    /// One line of JSON with the fields that decide a family's numbers, in alphabetical order: what
    /// is hashed into their records.
    #[must_use]
    pub fn canonical_for(&self, concern: Concern) -> String {
        let fields = self.deciding().filter(|(field, _)| concern.has(field));
        Value::from(fields.collect::<Map<_, _>>()).to_string()
    }

    /// The fields but for those whose value decides no number: a protocol without an encoder for
    /// `fd-encoder` is the one that it was before there was that field.
    fn deciding(&self) -> impl Iterator<Item = (String, Value)> {
        let decides = |(field, value): &(String, Value)| {
            field != FdEncoder::FIELD || !value.as_str().is_some_and(FdEncoder::decides_nothing)
        };
        self.fields().into_iter().filter(decides)
    }

    /// sha256 of [`canonical_for`](Self::canonical_for), in hexadecimal: two numbers of the family
    /// are comparable when it is the same.
    #[must_use]
    pub fn sha256_for(&self, concern: Concern) -> String {
        hexadecimal(Sha256::digest(self.canonical_for(concern)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Concern; 7] = [
        Concern::Reconstruction,
        Concern::Generation,
        Concern::Features,
        Concern::Probing,
        Concern::Retrieval,
        Concern::Spectrum,
        Concern::Throughput,
    ];

    #[test]
    fn a_field_moves_the_hashes_that_it_concerns_and_no_other() {
        let default = Protocol::preset("default").unwrap();
        let moved = |field: &str, value: &str| {
            let changed = default.with(field, value).unwrap();
            assert_ne!(changed.sha256(), default.sha256());
            ALL.map(|concern| changed.sha256_for(concern) != default.sha256_for(concern))
        };
        assert_eq!(moved("pooling", "cls"), [false, false, true, true, true, false, false]);
        assert_eq!(moved("tap", "block:3"), [false, false, true, true, true, true, false]);
        assert_eq!(moved("probe", "probe/knn"), [false, false, false, true, false, false, false]);
        let queries = moved("queries", "class-names");
        assert_eq!(queries, [false, false, false, false, true, false, false]);
        assert_eq!(moved("psnr", "rae"), [true, false, false, false, false, false, false]);
        assert_eq!(moved("quantiser", "none"), [true, true, false, false, false, false, false]);
        assert_eq!(moved("dinov2", "tfid"), [true, true, false, false, false, false, false]);
        assert_eq!(
            moved("fd-encoder", "dinov2-l"),
            [true, true, false, false, false, false, false]
        );
        assert_eq!(moved("timing", "timm"), [false, false, false, false, false, false, true]);
        assert_eq!(moved("size", "128"), [true; 7]);
        assert_eq!(moved("band-mask", "zigzag:3"), [true; 7]);
        assert_eq!(moved("frequency-filter", "fft-ideal:low:0.5"), [true; 7]);
    }

    #[test]
    fn an_encoder_that_is_not_named_is_no_part_of_the_hash() {
        let default = Protocol::preset("default").unwrap();
        assert!(!default.canonical().contains("fd-encoder"));
        let named = default.with("fd-encoder", "mae-b").unwrap();
        assert!(named.canonical_for(Concern::Generation).contains(r#""fd-encoder":"mae-b""#));
        assert_eq!(named.with("fd-encoder", "none").unwrap().sha256(), default.sha256());
    }

    #[test]
    fn every_field_concerns_some_family_and_every_name_is_a_field() {
        let fields = Protocol::preset("default").unwrap().fields();
        for field in fields.keys() {
            assert!(ALL.iter().any(|concern| concern.has(field)), "{field}");
        }
        for name in ALL.iter().flat_map(|concern| concern.groups()).flatten() {
            assert!(fields.contains_key(*name), "{name}");
        }
    }
}
