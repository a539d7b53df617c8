//! Image in, number out: the metrics and how their values are gathered.
//!
//! **Invariant:** nothing here knows a tokenizer or a data set. A metric is a pure function of
//! pixels; what it gives is keyed by sample, so that order of arrival never matters.

mod accumulator;
mod bootstrap;
mod error;
mod feature_network;
mod image_metric;
mod image_scores;
mod inception;
mod lpips;
mod ms_ssim;
mod network_error;
mod planes;
mod psnr;
mod random_filters;
mod rate;
mod ssim;

pub use accumulator::Accumulator;
pub use error::MetricError;
pub use feature_network::{FeatureNetwork, FeatureRows, Tap};
pub use image_metric::ImageMetric;
pub use image_scores::{Aggregation, ImageScores, Interval, Summary};
pub use inception::{INCEPTION_SIDE, Inception, inception_input};
pub use lpips::{Lpips, LpipsFeatures, LpipsHead};
pub use ms_ssim::{MS_SSIM, ms_ssim};
pub use network_error::NetworkError;
pub use psnr::{PSNR, mean_squared_error, psnr};
pub use random_filters::RandomFilters;
pub use rate::{BITS_PER_PIXEL, LATENT_FLOATS};
pub use ssim::{SSIM, ssim};
