use std::collections::BTreeMap;

use candle_core::Device;
use prismbench_core::{Choice, Concern, NetworkArithmetic, Protocol, TokenizerSpec, hexadecimal};
use prismbench_kernels::nn::BITS;
use prismbench_metrics::FeatureNetwork;
use sha2::{Digest, Sha256};

/// What features are of, besides the pictures or texts: two files with equal origins have comparable rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(super) BTreeMap<String, String>);

impl Origin {
    pub(crate) fn new(network: &dyn FeatureNetwork, protocol: &Protocol) -> Self {
        let weights: Vec<&str> = network.weights().iter().map(|file| &*file.sha256).collect();
        let fields = [
            ("network", network.id().to_owned()),
            ("weights", weights.join("+")),
            ("arithmetic", protocol.arithmetic.id().to_owned()),
            ("layers", BITS.to_string()),
            ("crop", protocol.crop.id().to_owned()),
            ("size", protocol.size.to_string()),
            ("filter", protocol.filter.id().to_owned()),
            ("resampler", protocol.resampler.id().to_owned()),
        ];
        let resize = network.resize().map(|(field, value)| (field, value.to_owned()));
        let fields = fields.into_iter().chain(resize);
        Self(fields.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Features of pictures as a tokenizer gives them: every field of the protocol that decides them.
    pub(crate) fn of_tokenizer(
        tokenizer: &TokenizerSpec,
        protocol: &Protocol,
        device: &Device,
    ) -> Self {
        let mut origin = Self::of_model("tokenizer", tokenizer, device);
        let fields = protocol.fields().into_iter();
        let fields = fields.filter(|(field, _)| Concern::Features.has(field));
        origin.0.extend(fields.map(|(field, value)| match value {
            serde_json::Value::String(text) => (field, text),
            value => (field, value.to_string()),
        }));
        origin
    }

    /// Features of texts as the tower of a model gives them.
    pub(crate) fn of_text_tower(
        tokenizer: &TokenizerSpec,
        arithmetic: NetworkArithmetic,
        device: &Device,
    ) -> Self {
        let mut origin = Self::of_model("text-tower", tokenizer, device);
        origin.0.insert("arithmetic".to_owned(), arithmetic.id().to_owned());
        origin
    }

    /// What is said of a model whatever it looks at. The version of the program stands for the code
    /// of the adapters, which nothing else counts.
    fn of_model(role: &str, model: &TokenizerSpec, device: &Device) -> Self {
        let weights: Vec<&str> = model.weights.iter().map(|file| &*file.sha256).collect();
        let fields = [
            (role, model.id.clone()),
            ("weights", weights.join("+")),
            ("layers", BITS.to_string()),
            ("tool", env!("CARGO_PKG_VERSION").to_owned()),
            ("device", if device.is_cpu() { "cpu" } else { "gpu" }.to_owned()),
        ];
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Names and values: the network first, then in the order of the names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let network = self.0.get_key_value("network").into_iter();
        let others = self.0.iter().filter(|(name, _)| *name != "network");
        network.chain(others).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Names a cache entry: the origin and the set that the pictures or texts are of.
    pub(crate) fn key(&self, dataset: &str) -> String {
        let text = format!("{:?}\n{dataset}", self.0);
        hexadecimal(&Sha256::digest(text)[..16])
    }
}
