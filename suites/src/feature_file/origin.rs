use std::collections::BTreeMap;

use prismbench_core::{Choice, Protocol};
use prismbench_kernels::nn::BITS;
use prismbench_metrics::FeatureNetwork;
use sha2::{Digest, Sha256};

/// What features are of, besides the pictures: two files with equal origins have comparable rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(super) BTreeMap<String, String>);

impl Origin {
    pub(crate) fn new(network: &dyn FeatureNetwork, protocol: &Protocol) -> Self {
        let weights: Vec<&str> = network.weights().iter().map(|file| &*file.sha256).collect();
        let fields = [
            ("network", network.id().to_owned()),
            ("weights", weights.join("+")),
            ("inception", protocol.inception.id().to_owned()),
            ("arithmetic", protocol.arithmetic.id().to_owned()),
            ("layers", BITS.to_string()),
            ("crop", protocol.crop.id().to_owned()),
            ("size", protocol.size.to_string()),
            ("filter", protocol.filter.id().to_owned()),
            ("resampler", protocol.resampler.id().to_owned()),
        ];
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Names a cache entry: the origin and the set that the pictures are of.
    pub(crate) fn key(&self, dataset: &str) -> String {
        let text = format!("{:?}\n{dataset}", self.0);
        Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
