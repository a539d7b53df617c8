use std::path::PathBuf;

use prismbench_core::TokenizerError;
use prismbench_kernels::nn::NnError;
use prismbench_weights::WeightsError;

/// Why a feature network cannot be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Its weights cannot be had.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The file holds the Inception network of torchvision.
    #[error(
        "`{}` holds an Inception-v3 with {classes} classes, such as torchvision's; FID is defined \
         on the network of 2015-12-05 with 1,008: fetch pt_inception-2015-12-05-6726825d.pth of \
         the repository mseitzer/pytorch-fid",
        path.display()
    )]
    OtherInception {
        /// The file.
        path: PathBuf,
        /// Rows of its last layer.
        classes: usize,
    },
    /// The network has no such features.
    #[error("`{network}` has no features `{tap}`; it has {}", known.join(", "))]
    NoTap {
        /// Id of the network.
        network: &'static str,
        /// What was asked for.
        tap: &'static str,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A feature is NaN or infinite, which finite weights cannot give.
    #[error("`{network}` gave {value} for picture {image} of the batch")]
    NotFinite {
        /// Id of the network.
        network: &'static str,
        /// The number, as text.
        value: String,
        /// Position in the batch.
        image: usize,
    },
    /// Features of pictures of different sizes, or of different networks.
    #[error("compare features of a {found} picture with those of a {expected} one")]
    Sizes {
        /// Columns and rows of the first picture.
        expected: String,
        /// Columns and rows of the second.
        found: String,
    },
    /// The encoder behind it cannot be read, or failed.
    #[error("the encoder of `{network}` cannot be used")]
    Encoder {
        /// Id of the network.
        network: &'static str,
        /// The encoder's own words.
        #[source]
        cause: Box<TokenizerError>,
    },
    /// A layer cannot be made or run: the picture is too small, say.
    #[error("a layer of `{network}` failed")]
    Layer {
        /// Id of the network.
        network: &'static str,
        /// The layer's own words.
        #[source]
        // Boxed: the error is over 100 bytes and would make every result that large.
        cause: Box<NnError>,
    },
}

impl NetworkError {
    /// For `map_err`: an error of a layer of this network.
    pub(crate) fn layer<E: Into<NnError>>(network: &'static str) -> impl Fn(E) -> Self {
        move |cause| Self::Layer { network, cause: Box::new(cause.into()) }
    }
}
