mod identity;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::choice::choice;
use crate::{
    BandMask, Choice, Dinov2Resize, ElementType, FdEncoder, FeatureTap, FilterShape,
    FrequencyFilter, InceptionResize, InceptionScoreDialect, JointSpace, LatentNoise, LpipsTrunk,
    MacDialect, MsSsimDialect, NetworkArithmetic, Pooling, PosteriorRule, PrecisionRecallDialect,
    ProbeRecipe, PsnrDialect, RetrievalQueries, SsimDialect, Timing, nearest,
};
pub use identity::Concern;

/// Everything that decides a number besides the tokenizer and the pictures.
///
/// A protocol is data: presets differ by field values only. Two numbers of a family are comparable
/// when the [`sha256_for`](Self::sha256_for) of their protocols agree; the name is only what people
/// call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protocol {
    /// Name of the preset, with what was changed: `rae+quantiser=round`. Not part of the hash.
    #[serde(skip)]
    pub name: String,
    /// How a picture becomes a square.
    pub crop: Crop,
    /// Side of the square, in pixels; no effect under `crop = "none"`.
    pub size: usize,
    /// Filter of `crop = "resize-center"`; the other crops fix their own.
    pub filter: ResizeFilter,
    /// Which releases of Pillow a resize agrees with.
    pub resampler: Resampler,
    /// Which frequencies of the square a tokenizer sees.
    pub frequency_filter: FrequencyFilter,
    /// How a decoder's output becomes 8-bit.
    pub quantiser: Quantiser,
    /// Which latent is decoded.
    pub posterior: PosteriorRule,
    /// What is added to it.
    pub latent_noise: LatentNoise,
    /// Which of its frequencies are kept.
    pub band_mask: BandMask,
    /// Definition of PSNR.
    pub psnr: PsnrDialect,
    /// Definition of SSIM.
    pub ssim: SsimDialect,
    /// Definition of MS-SSIM.
    pub ms_ssim: MsSsimDialect,
    /// The network that LPIPS compares pictures with.
    pub lpips: LpipsTrunk,
    /// How pictures become the input of FID's Inception network.
    pub inception: InceptionResize,
    /// How pictures become the input of DINOv2, where they are compared in its space.
    pub dinov2: Dinov2Resize,
    /// The encoder whose space `fd-encoder` compares pictures in.
    #[serde(default)]
    pub fd_encoder: FdEncoder,
    /// How exactly networks compute, feature networks and tokenizers alike.
    pub arithmetic: NetworkArithmetic,
    /// Definition of the Inception Score.
    pub inception_score: InceptionScoreDialect,
    /// Samples of each set in a subset of KID; sets with fewer have no KID.
    pub kid_subset: usize,
    /// Definition of precision and recall.
    pub precision_recall: PrecisionRecallDialect,
    /// Where features are read off.
    pub tap: FeatureTap,
    /// How they become one row for each picture.
    pub pooling: Pooling,
    /// How a classifier is fitted to them.
    pub probe: ProbeRecipe,
    /// How texts and pictures come into one space.
    pub joint_space: JointSpace,
    /// What texts look for pictures.
    pub queries: RetrievalQueries,
    /// The filter that retrieval sweeps over its cutoffs.
    pub sweep: FilterShape,
    /// What counts as an operation of a tokenizer.
    pub macs: MacDialect,
    /// How the time of a tokenizer is taken.
    pub timing: Timing,
    /// The numbers that a tokenizer computes with; `f32` alone is there on the CPU.
    pub element_type: ElementType,
}

choice! {
    /// How a picture becomes the square that is measured.
    pub enum Crop = "crop" {
        /// Box halvings, bicubic, centre crop.
        AdmCenter = "adm-center":
            "while the shorter side is at least 2 x size: Pillow BOX to (w//2, h//2); then Pillow \
             BICUBIC so that the shorter side is size (other side rounded half to even); then the \
             centre square, offset (side - size) // 2. Source: openai/guided-diffusion, \
             guided_diffusion/image_datasets.py, center_crop_arr",
        /// Torchvision's `Resize` and `CenterCrop`.
        ResizeCenter = "resize-center":
            "Pillow resize by `filter` so that the shorter side is size (other side truncated), \
             then the centre square, offset round-half-to-even((side - size) / 2). Source: \
             torchvision transforms Resize(size) and CenterCrop(size) on a PIL image",
        /// The centre square, no resize.
        Center = "center":
            "the centre square, offset (side - size) // 2, without a resize; a picture smaller \
             than size is an error",
        /// As it is.
        None = "none": "the picture as it is; sides must suit every tokenizer",
    }
}

choice! {
    /// Resampling filter, in Pillow's fixed-point arithmetic.
    pub enum ResizeFilter = "filter" {
        /// Cubic convolution, a = -0.5.
        Bicubic = "bicubic": "Pillow BICUBIC: cubic convolution with a = -0.5, support 2, widened \
            by the scale when shrinking",
        /// Triangle.
        Bilinear = "bilinear": "Pillow BILINEAR: triangle, support 1, widened when shrinking",
        /// Box.
        Box = "box": "Pillow BOX: support 0.5, widened when shrinking",
        /// Windowed sinc.
        Lanczos = "lanczos": "Pillow LANCZOS: sinc windowed by sinc(x/3), support 3, widened when \
            shrinking",
    }
}

choice! {
    /// Which releases of Pillow a resize agrees with, bit for bit.
    pub enum Resampler = "resampler" {
        /// Before 13.
        Pillow12 = "pillow-12": "as Pillow up to 12.3, which every published number so far was \
            measured with: horizontal pass first (pictures over 100:1 tall apart)",
        /// From 13.
        Pillow13 = "pillow-13": "as Pillow 13.0: vertical pass first when it removes more than \
            twice as many rows as the other removes columns (pictures over 2:1 tall, mostly)",
    }
}

choice! {
    /// How a value in `[0, 1]` becomes a byte. Every rule clamps first.
    pub enum Quantiser = "quantiser" {
        /// `floor(255 x)`.
        Truncate = "truncate": "floor(255 clamp(x, 0, 1)). Source: RAE src/eval, \
            torchmetrics normalize=True. Adds about 1/3 level^2 of error",
        /// Ties to even.
        Round = "round": "255 clamp(x, 0, 1), rounded half to even. Source: 1d-tokenizer (TiTok) \
            evaluator. Adds about 1/12 level^2 of error",
        /// Ties upwards.
        RoundHalfUp = "round-half-up": "floor(255 clamp(x, 0, 1) + 0.5): LlamaGen's \
            clamp(127.5 x + 128, 0, 255) for x in [-1, 1]; torchvision save_image",
        /// Stay in floating point.
        None = "none": "clamp(x, 0, 1), not rounded: differs from what any saved file gives",
    }
}

/// A protocol cannot be made as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// No preset has this name.
    #[error("unknown protocol `{found}`")]
    UnknownPreset {
        /// What was asked for.
        found: String,
        /// The closest preset.
        nearest: Option<&'static str>,
    },
    /// No field has this name.
    #[error("a protocol has no field `{found}`")]
    UnknownField {
        /// What was asked for.
        found: String,
        /// The closest field.
        nearest: Option<String>,
    },
    /// The value does not suit the field.
    #[error("protocol field `{field}`: {reason}")]
    BadValue {
        /// The field.
        field: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl Protocol {
    /// Names of the presets, the default first.
    pub const PRESETS: [&'static str; 6] =
        ["default", "rae", "llamagen", "titok", "dinov2-linear", "timm"];

    /// A preset by name.
    ///
    /// # Errors
    /// [`ProtocolError::UnknownPreset`] with the nearest known name.
    pub fn preset(name: &str) -> Result<Self, ProtocolError> {
        let base = Self {
            name: name.to_owned(),
            crop: Crop::AdmCenter,
            size: 256,
            filter: ResizeFilter::Bicubic,
            resampler: Resampler::Pillow12,
            frequency_filter: FrequencyFilter::None,
            quantiser: Quantiser::Round,
            posterior: PosteriorRule::Mode,
            latent_noise: LatentNoise::None,
            band_mask: BandMask::None,
            psnr: PsnrDialect::PerImage,
            ssim: SsimDialect::TorchMetrics,
            ms_ssim: MsSsimDialect::TorchMetrics,
            lpips: LpipsTrunk::Alex,
            inception: InceptionResize::Tf1,
            dinov2: Dinov2Resize::Dgm,
            fd_encoder: FdEncoder::None,
            arithmetic: NetworkArithmetic::Fast,
            inception_score: InceptionScoreDialect::TorchFidelity,
            kid_subset: 1000,
            precision_recall: PrecisionRecallDialect::Exact,
            tap: FeatureTap::Output,
            pooling: Pooling::Mean,
            probe: ProbeRecipe::Logistic,
            joint_space: JointSpace::BagOfWords,
            queries: RetrievalQueries::Captions,
            sweep: FilterShape::DctRadialAxis,
            macs: MacDialect::Mac,
            timing: Timing::Sweep,
            element_type: ElementType::F32,
        };
        match name {
            "default" => Ok(base),
            "rae" => Ok(Self {
                quantiser: Quantiser::Truncate,
                psnr: PsnrDialect::Rae,
                lpips: LpipsTrunk::Vgg,
                ..base
            }),
            "llamagen" => Ok(Self {
                quantiser: Quantiser::RoundHalfUp,
                ssim: SsimDialect::LlamaGen,
                lpips: LpipsTrunk::Vgg,
                ..base
            }),
            "titok" => Ok(Self { crop: Crop::ResizeCenter, ..base }),
            "dinov2-linear" => Ok(Self {
                tap: FeatureTap::Last(const { NonZeroUsize::new(4).unwrap() }),
                pooling: Pooling::ClsMean,
                probe: ProbeRecipe::Dinov2,
                ..base
            }),
            "timm" => Ok(Self { timing: Timing::Timm, ..base }),
            _ => Err(ProtocolError::UnknownPreset {
                found: name.to_owned(),
                nearest: nearest(name, Self::PRESETS),
            }),
        }
    }

    /// What a preset is for and where it differs from the scripts whose name it bears.
    #[must_use]
    pub fn purpose(preset: &str) -> &'static str {
        match preset {
            "default" => {
                "prismbench's own: ADM crop, rounding, the definitions most libraries share"
            }
            "rae" => {
                "RAE (bytetriper/RAE src/eval) and UAE: ADM crop, truncation, PSNR cap 100 dB, LPIPS by VGG"
            }
            "llamagen" => {
                "LlamaGen (reconstruction_vq_ddp.py): ADM crop, round half up, SSIM with R = 2, LPIPS by VGG. The \
                 script compares with the picture before 8-bit rounding; here with the 8-bit crop, \
                 which moves PSNR by less than 2e-5 dB"
            }
            "titok" => {
                "1d-tokenizer (TiTok) evaluator: torchvision resize and centre crop, rounding. It \
                 reports no PSNR or SSIM of its own; the default definitions are used"
            }
            "dinov2-linear" => {
                "DINOv2's linear probe (eval/linear.py): 52 heads on the class tokens of the last four blocks \
                 and the mean patch token. Cropped as by default, where the script resizes to 256 and \
                 crops 224, and the head is chosen on held-out training pictures, not on the test set"
            }
            "timm" => {
                "pytorch-image-models (timm) benchmark.py, for the suite `throughput`: random pictures, batches \
                 of 256, 10 calls to warm up and 40 timed ones. There it runs on a GPU with TF32 and \
                 cuDNN's search allowed, which this does not"
            }
            _ => "",
        }
    }

    /// The protocol with one field changed; the name says so and the hash differs.
    ///
    /// # Errors
    /// [`ProtocolError`] when there is no such field or the value does not suit it.
    pub fn with(&self, field: &str, value: &str) -> Result<Self, ProtocolError> {
        let mut fields = self.fields();
        let Some(slot) = fields.get_mut(field) else {
            return Err(ProtocolError::UnknownField {
                found: field.to_owned(),
                nearest: nearest(field, fields.keys().map(String::as_str)).map(str::to_owned),
            });
        };
        let bad = |reason: String| ProtocolError::BadValue { field: field.to_owned(), reason };
        *slot = match slot {
            serde_json::Value::Number(_) => {
                let number: u64 =
                    value.parse().ok().filter(|number| (8..=16_384).contains(number)).ok_or_else(
                        || bad(format!("`{value}` is no whole number from 8 to 16384")),
                    )?;
                number.into()
            }
            _ => value.into(),
        };
        let mut changed: Self =
            serde_json::from_value(fields.into()).map_err(|error| bad(error.to_string()))?;
        if changed.fields() == self.fields() {
            return Ok(self.clone());
        }
        changed.name = format!("{}+{field}={value}", self.name);
        Ok(changed)
    }

    /// Field names and values, in alphabetical order.
    #[must_use]
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(fields)) => fields,
            // A struct of text and numbers always serialises to an object.
            _ => serde_json::Map::new(),
        }
    }

    /// Every field with its value and what that value means, for `prismbench explain`.
    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, String, &'static str)> {
        fn row<C: Choice>(field: &'static str, choice: C) -> (&'static str, String, &'static str) {
            (field, choice.id().to_owned(), choice.describe())
        }
        vec![
            row("crop", self.crop),
            ("size", self.size.to_string(), "side of the square, in pixels"),
            row("filter", self.filter),
            row("resampler", self.resampler),
            (
                "frequency-filter",
                self.frequency_filter.to_string(),
                self.frequency_filter.describe(),
            ),
            row("quantiser", self.quantiser),
            row("posterior", self.posterior),
            ("latent-noise", self.latent_noise.to_string(), self.latent_noise.describe()),
            ("band-mask", self.band_mask.to_string(), self.band_mask.describe()),
            row("psnr", self.psnr),
            row("ssim", self.ssim),
            row("ms-ssim", self.ms_ssim),
            row("lpips", self.lpips),
            row("inception", self.inception),
            row("dinov2", self.dinov2),
            (FdEncoder::FIELD, self.fd_encoder.to_string(), self.fd_encoder.describe()),
            row("arithmetic", self.arithmetic),
            row("inception-score", self.inception_score),
            (
                "kid-subset",
                self.kid_subset.to_string(),
                "samples of each set in each of KID's 100 subsets; papers take 1,000",
            ),
            row("precision-recall", self.precision_recall),
            ("tap", self.tap.to_string(), self.tap.describe()),
            row("pooling", self.pooling),
            row("probe", self.probe),
            ("joint-space", self.joint_space.to_string(), self.joint_space.describe()),
            row("queries", self.queries),
            row("sweep", self.sweep),
            row("macs", self.macs),
            row("timing", self.timing),
            row("element-type", self.element_type),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_the_fields_and_not_the_name() {
        let default = Protocol::preset("default").unwrap();
        let renamed = Protocol { name: "other".to_owned(), ..default.clone() };
        assert_eq!(default.sha256(), renamed.sha256());
        let rounded = Protocol::preset("rae").unwrap().with("quantiser", "round").unwrap();
        assert_eq!(rounded.name, "rae+quantiser=round");
        assert_ne!(rounded.sha256(), Protocol::preset("rae").unwrap().sha256());
        let same = rounded.with("psnr", "per-image").unwrap().with("lpips", "alex").unwrap();
        assert_eq!(same.sha256(), default.sha256());
    }

    #[test]
    fn a_change_to_the_value_it_has_is_no_change() {
        let rae = Protocol::preset("rae").unwrap();
        assert_eq!(rae.with("quantiser", "truncate").unwrap(), rae);
    }

    #[test]
    fn a_filter_is_part_of_the_hash_by_its_canonical_text() {
        let default = Protocol::preset("default").unwrap();
        let low = default.with("frequency-filter", "dct-radial-axis:low:0.20").unwrap();
        assert_ne!(low.sha256(), default.sha256());
        assert!(low.canonical().contains(r#""frequency-filter":"dct-radial-axis:low:0.2""#));
        let same = default.with("frequency-filter", "dct-radial-axis:low:0.2").unwrap();
        assert_eq!(same.sha256(), low.sha256());
    }

    #[test]
    fn presets_are_distinct_and_round_trip_through_their_fields() {
        let mut hashes = Vec::new();
        for name in Protocol::PRESETS {
            let preset = Protocol::preset(name).unwrap();
            let mut again: Protocol = serde_json::from_str(&preset.canonical()).unwrap();
            again.name.clone_from(&preset.name);
            assert_eq!(again, preset);
            assert_eq!(preset.explain().len(), preset.fields().len(), "explain names every field");
            hashes.push(preset.sha256());
        }
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), Protocol::PRESETS.len());
    }

    #[test]
    fn mistakes_are_named_with_what_would_be_right() {
        let default = Protocol::preset("default").unwrap();
        let error = default.with("quantizer", "round").unwrap_err();
        assert_eq!(
            error,
            ProtocolError::UnknownField {
                found: "quantizer".to_owned(),
                nearest: Some("quantiser".to_owned())
            }
        );
        let error = default.with("quantiser", "floor").unwrap_err().to_string();
        assert!(error.contains("truncate, round, round-half-up, none"), "{error}");
        assert!(default.with("size", "-1").is_err());
        let error = default.with("frequency-filter", "low").unwrap_err().to_string();
        assert!(error.contains("as in dct-radial-axis:low:0.2"), "{error}");
        assert!(default.with("size", "99999999").is_err());
    }
}
