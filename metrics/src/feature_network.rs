use prismbench_core::{RgbImage, Weights};
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_kernels::nn::Work;

use crate::{MetricError, NetworkError};

/// A network whose features distributions of pictures are compared in.
///
/// An image's features do not depend on the other images of its batch, nor on the threads.
pub trait FeatureNetwork: Send + Sync {
    /// Names the network and everything fixed about it: `inception-2015-12-05`.
    fn id(&self) -> &'static str;

    /// What its numbers were read from; empty for one whose numbers are part of its definition.
    fn weights(&self) -> &[Weights];

    /// The field of a protocol that says how pictures become its input, and the value that it was
    /// made with; `None` where its id says it.
    fn resize(&self) -> Option<(&'static str, &str)> {
        None
    }

    /// Height and width of its input, whatever the picture; `None` where that is the picture's.
    fn input_side(&self) -> Option<usize> {
        None
    }

    /// What it can give.
    fn taps(&self) -> &'static [Tap];

    /// Numbers per image in the features `tap`; `None` where it has none.
    fn width(&self, tap: Tap) -> Option<usize>;

    /// Features of each image, for each of `taps` in their order. Images may differ in size.
    ///
    /// # Errors
    /// [`NetworkError::NoTap`] for features that it does not have, [`NetworkError::NotFinite`] when
    /// one is NaN or infinite, [`NetworkError::Layer`] when a layer fails.
    fn features(
        &self,
        images: &[&RgbImage],
        taps: &[Tap],
    ) -> Result<Vec<FeatureRows>, NetworkError>;

    /// [`features`](Self::features) of pictures that are on its device already; `None` where it takes them from
    /// the host. On a device of another kind than the host, features are near the host's and not equal.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    fn features_on_device(
        &self,
        pictures: &DevicePictures,
        taps: &[Tap],
    ) -> Option<Result<Vec<FeatureRows>, NetworkError>> {
        let _ = (pictures, taps);
        None
    }

    /// What a picture of `height x width` pixels costs, up to the last tap, counted from the shapes that
    /// run.
    ///
    /// # Errors
    /// [`NetworkError::Layer`] for a picture that is too small.
    fn cost(&self, height: usize, width: usize) -> Result<NetworkCost, NetworkError>;
}

/// What a feature network costs for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkCost {
    /// Learned or fixed numbers, as the weights files have them.
    pub parameters: u64,
    /// What its layers do, without the resize of pictures to its input.
    pub work: Work,
}

/// Where in a network features are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tap {
    /// What the network is known for: Inception's global mean (`pool3`), 2,048 numbers.
    Pooled,
    /// Means behind Inception's first max pooling, 64 numbers.
    First,
    /// Means behind Inception's second max pooling, 192 numbers.
    Second,
    /// Means behind Inception's last block of 17x17, 768 numbers.
    Third,
    /// Seven channels of Inception's `Mixed_6d` at each of 17x17 places, `[row][column][channel]`:
    /// 2,023 numbers. What sFID is computed on.
    Spatial,
    /// Inception's 1,008 class scores, bias included.
    Logits,
    /// The same without the bias: what the Inception Score is computed on.
    LogitsUnbiased,
}

impl Tap {
    /// Stable id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::First => "64",
            Self::Second => "192",
            Self::Third => "768",
            Self::Spatial => "spatial",
            Self::Logits => "logits",
            Self::LogitsUnbiased => "logits-unbiased",
        }
    }
}

/// One row of features per image.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureRows {
    width: usize,
    values: Vec<f32>,
}

impl FeatureRows {
    /// Rows of `width` numbers, one after the other.
    ///
    /// # Errors
    /// [`MetricError::Shape`] when the rows are not whole.
    pub fn new(width: usize, values: Vec<f32>) -> Result<Self, MetricError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            let expected = format!("whole rows of {width} values, at least 1 each");
            return Err(MetricError::Shape { expected, found: values.len() });
        }
        Ok(Self { width, values })
    }

    /// Numbers per image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All rows, one after the other.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The row of each image.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// Puts together what each image (or each batch of images) gave: `parts[i][tap]`.
    pub(crate) fn gather(widths: &[usize], parts: &[Vec<Vec<f32>>]) -> Vec<Self> {
        let gather = |(tap, &width): (usize, &usize)| {
            let values = parts.iter().flat_map(|part| part[tap].iter().copied()).collect();
            Self { width, values }
        };
        widths.iter().enumerate().map(gather).collect()
    }
}

/// Widths of the asked-for taps.
pub(crate) fn widths(
    network: &dyn FeatureNetwork,
    taps: &[Tap],
) -> Result<Vec<usize>, NetworkError> {
    let width = |&tap: &Tap| {
        network.width(tap).ok_or_else(|| NetworkError::NoTap {
            network: network.id(),
            tap: tap.id(),
            known: network.taps().iter().map(|tap| tap.id()).collect(),
        })
    };
    taps.iter().map(width).collect()
}

/// Refuses rows with a number that is not finite.
pub(crate) fn check_finite(network: &'static str, all: &[FeatureRows]) -> Result<(), NetworkError> {
    for features in all {
        for (image, row) in features.rows().enumerate() {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return Err(NetworkError::NotFinite { network, value: value.to_string(), image });
            }
        }
    }
    Ok(())
}

/// Means of each channel over the positions, summed in f64: rows of `channels` per image.
pub(crate) fn channel_means(values: &[f32], positions: usize, channels: usize) -> Vec<f32> {
    let images = values.chunks_exact((positions * channels).max(1));
    images
        .flat_map(|image| {
            let mut sums = vec![0.0_f64; channels];
            for position in image.chunks_exact(channels.max(1)) {
                sums.iter_mut().zip(position).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            sums.into_iter().map(move |sum| (sum / positions as f64) as f32)
        })
        .collect()
}
