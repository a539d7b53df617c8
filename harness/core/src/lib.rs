//! The contract of prismbench: what a tokenizer is, what a protocol fixes, what a record says.
//!
//! **Invariant:** nothing here opens a file, prints, or knows a concrete tokenizer.

mod choice;
mod cost;
mod dinov2_resize;
mod distribution_dialects;
mod encoding;
mod error;
mod fd_encoder;
mod features;
mod frequency_filter;
mod generator;
mod hexadecimal;
mod image;
mod image_dialects;
mod inception_resize;
mod joint_space;
mod label_rule;
mod latents;
mod lpips_trunk;
mod metric;
mod nearest;
mod pooling;
mod probe_recipe;
mod protocol;
mod record;
mod sample;
mod sampling;
mod seed;
mod thousandths;
mod timing;
mod tokenizer;
mod unversioned;

pub use choice::{Choice, UnknownChoice};
pub use cost::{Cost, MacDialect, Peaks, StageCost};
pub use dinov2_resize::Dinov2Resize;
pub use distribution_dialects::{InceptionScoreDialect, NetworkArithmetic, PrecisionRecallDialect};
pub use encoding::{BadSetting, BandMask, Encoding, LatentNoise, PosteriorRule, SampleKey, Tau};
pub use error::TokenizerError;
pub use fd_encoder::FdEncoder;
pub use features::{FeatureTap, Features, TextTower};
pub use frequency_filter::{FilterCutoff, FilterPass, FilterShape, FrequencyFilter};
pub use generator::{Draw, Generator, GeneratorSpec};
pub use hexadecimal::hexadecimal;
pub use image::{ImageBatch, Reconstruction, RgbImage};
pub use image_dialects::{MsSsimDialect, PsnrDialect, SsimDialect};
pub use inception_resize::InceptionResize;
pub use joint_space::{JointSpace, RetrievalQueries};
pub use label_rule::{LabelRule, UnevenLabels};
pub use latents::{LatentShape, Latents};
pub use lpips_trunk::LpipsTrunk;
pub use metric::{Better, MetricDef, Unit};
pub use nearest::nearest;
pub use pooling::Pooling;
pub use probe_recipe::{HeadChoice, ProbeRecipe};
pub use protocol::{Concern, Crop, Protocol, ProtocolError, Quantiser, Resampler, ResizeFilter};
pub use record::{Outcome, Record};
pub use sample::Sample;
pub use sampling::{
    GridPoints, Guidance, GuidanceInterval, GuidanceScale, GuidanceTerms, Integrator, Sampling,
    ShiftFactor, TimeShift,
};
pub use seed::Stream;
pub use timing::{ElementType, Timing};
pub use tokenizer::{Tokenizer, TokenizerSpec, Weights};
pub use unversioned::unversioned;
