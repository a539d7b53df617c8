//! Features of two sets of pictures in one network's space: what reconstruction and generation have in
//! common.

mod order;
mod own;
mod value;

use prismbench_core::{Choice, MetricDef, Protocol, RgbImage};
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_metrics::{
    FeatureNetwork, FeatureRows, INCEPTION_SCORE, NetworkError, PRECISION, RECALL, SFID, Tap,
};

use crate::networks::network_id;
use crate::pictures::Prepared;
pub(crate) use order::{by_content, by_name, pairs_by_content};
pub(crate) use own::Own;
pub(crate) use value::{Memo, Value, frechet, inception, of_two_sets};

/// Where in Inception a metric takes its features.
pub(crate) fn tap_of(metric: &MetricDef) -> Tap {
    match metric.id {
        id if id == SFID.id => Tap::Spatial,
        id if id == INCEPTION_SCORE.id => Tap::LogitsUnbiased,
        _ => Tap::Pooled,
    }
}

/// The dialect of a metric in a network's space: rules, resize (or the network, where it has one
/// alone) and weights.
pub(crate) fn dialect(
    network: &dyn FeatureNetwork,
    metric: &MetricDef,
    protocol: &Protocol,
) -> String {
    if network.weights().is_empty() {
        return network.id().to_owned();
    }
    let rule = match metric.id {
        id if id == INCEPTION_SCORE.id => format!("{}-", protocol.inception_score.id()),
        id if id == PRECISION.id || id == RECALL.id => {
            format!("{}-", protocol.precision_recall.id())
        }
        _ => String::new(),
    };
    let resize = network.resize().map_or(network.id(), |(_, value)| value);
    network_id(&format!("{rule}{resize}"), network)
}

/// The features of pictures, which their network takes from the device where they are there and it can.
pub(crate) fn features_of(
    network: &dyn FeatureNetwork,
    (images, sent): (&[&RgbImage], Option<&DevicePictures>),
    taps: &[Tap],
) -> Result<Vec<FeatureRows>, NetworkError> {
    match sent.and_then(|sent| network.features_on_device(sent, taps)) {
        Some(found) => found,
        None => network.features(images, taps),
    }
}

/// The picture that an error of a network is about, where it is about one.
pub(crate) fn blamed<'p>(
    error: &NetworkError,
    pictures: impl IntoIterator<Item = &'p Prepared>,
) -> Option<String> {
    match error {
        NetworkError::NotFinite { image, .. } => {
            pictures.into_iter().nth(*image).map(|picture| picture.id.clone())
        }
        _ => None,
    }
}
