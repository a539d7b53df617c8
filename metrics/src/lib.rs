//! Image or features in, number out: the metrics and how their values are gathered.
//!
//! **Invariant:** nothing here knows a tokenizer or a data set. A metric is a pure function of
//! pixels; what it gives is keyed by sample, so that order of arrival never matters.

mod accumulator;
mod alignment;
mod bag_of_words;
mod bootstrap;
mod change_bound;
mod change_point;
mod cmmd;
mod cost;
mod encoder_input;
mod error;
mod feature_network;
mod features;
mod frechet;
mod image_metric;
mod image_scores;
mod inception;
mod inception_score;
mod jackknife;
mod kid;
#[cfg(feature = "lapack")]
mod lapack;
mod lpips;
mod moments;
mod ms_ssim;
mod neighbours;
mod network_error;
mod numpy_random;
mod pair_sums;
mod paired;
mod planes;
pub mod probe;
mod psnr;
mod random_filters;
mod rate;
mod retrieval;
mod sample_means;
mod score_sequence;
mod spectrum;
mod spilled;
mod ssim;
mod store;
mod student;
mod symmetric;
mod wilson;

/// What computes eigenvalues: this build's choice.
pub const EIGENVALUES_BY: &str =
    if cfg!(feature = "lapack") { "the system's OpenBLAS (LAPACK)" } else { "faer" };

pub use accumulator::Accumulator;
pub use alignment::{Aligned, Alignment};
pub use bag_of_words::BagOfWords;
pub use change_bound::change_bound;
pub use change_point::{ChangePoint, change_points};
pub use cmmd::{CMMD, cmmd, cmmd_jackknife};
pub use cost::{
    COPY_BANDWIDTH, DECODE_DEVICE_TIME, DECODE_LATENCY, DECODE_LATENCY_P95, DECODE_RATE,
    DECODE_ROOFLINE, DECODER_FLOPS, DECODER_INTENSITY, DECODER_MACS, DECODER_MACS_SPLIT,
    DECODER_PARAMETERS, DECODER_REST, ENCODE_DEVICE_TIME, ENCODE_LATENCY, ENCODE_LATENCY_P95,
    ENCODE_RATE, ENCODE_ROOFLINE, ENCODER_FLOPS, ENCODER_INTENSITY, ENCODER_MACS,
    ENCODER_MACS_SPLIT, ENCODER_PARAMETERS, ENCODER_REST, FIRST_CALL_TIME, HEAD_MACS, LOAD_TIME,
    MATRIX_PEAK, PARAMETERS, PEAK_DEVICE_MEMORY, PEAK_HOST_MEMORY, ROUND_TRIP_DEVICE_TIME,
    ROUND_TRIP_LATENCY, ROUND_TRIP_LATENCY_P95, ROUND_TRIP_RATE, ROUND_TRIP_ROOFLINE, is_counted,
    is_timed,
};
pub use encoder_input::{CLIP_SIDE, DINOV2_SIDE, clip_input, dinov2_input};
pub use error::MetricError;
pub use feature_network::{FeatureNetwork, FeatureRows, NetworkCost, Tap};
pub use features::{Columns, FeatureMatrix, Features, Selected, check_finite};
pub use frechet::{
    FD_DINOV2, FD_ENCODER, FD_RANDOM, FID_INFINITY, FLOOR_FID, FeatureSet, FewSamples,
    FrechetDistance, FrechetInfinity, GFID, RFID, SFID, frechet_distance, frechet_infinity,
    frechet_jackknife,
};
pub use image_metric::ImageMetric;
pub use image_scores::{Aggregation, ImageScores, Interval, Summary};
pub use inception::{INCEPTION_SIDE, Inception, inception_input};
pub use inception_score::{
    INCEPTION_SCORE, InceptionScore, inception_score, inception_score_jackknife,
};
pub use jackknife::{Jackknife, jackknife, jackknife_interval, paired_jackknife};
pub use kid::{
    KID, KernelInceptionDistance, SubsetSize, Subsets, kernel_inception_distance,
    kernel_inception_jackknife,
};
pub use lpips::{LPIPS, Lpips, LpipsFeatures, LpipsHead, LpipsInput};
pub use moments::Moments;
pub use ms_ssim::{MS_SSIM, ms_ssim};
pub use neighbours::{
    COVERAGE, DENSITY, DensityCoverage, PRECISION, PrecisionRecall, RECALL, density_coverage,
    density_coverage_jackknife, precision_recall, precision_recall_on,
};
pub use network_error::NetworkError;
pub use paired::{mean_differs, paired_interval};
pub use psnr::{PSNR, mean_squared_error, psnr};
pub use random_filters::RandomFilters;
pub use rate::{BITS_PER_PIXEL, LATENT_FLOATS};
pub use retrieval::{
    Direction, Groups, IMAGE_TO_TEXT, RECALL_AT, Recall, Retrieval, TEXT_TO_IMAGE, class_query,
    retrieve,
};
pub use sample_means::{MeanVector, SampleMeans};
pub use score_sequence::{BOOTSTRAP_MAX, ScoreSequence};
pub use spectrum::{
    BAND_ENERGY, BAND_RESPONSE, BANDS, BandCurves, ENERGY_BELOW, GridEnergy, GridLayout,
    LatentGrid, LatentSpectrum, PRISM_FIGURE, SPECTRAL_CENTROID, SPECTRAL_SLOPE, Spectrum,
    mean_square, prism_figure, shares,
};
pub use ssim::{SSIM, ssim};
pub use store::Store;
pub use student::student_quantile;
pub use wilson::{clustered_wilson, wilson};
