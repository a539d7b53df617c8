use std::collections::BTreeMap;

use prismbench_core::Better;
use prismbench_metrics::mean_differs;

use super::Limit;
use super::evidence::gain;
use super::limits::Slicing;
use super::side::Pairs;

/// Images that a slice needs.
const FEWEST: usize = 10;

/// A part of the images that is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What its images have in common: `class 3`.
    pub name: String,
    /// Images.
    pub n: usize,
    /// Mean gain over them; negative, since it is worse.
    pub gain: f64,
    /// Probability of as large a difference where there is none, before it is corrected for the number of
    /// slices.
    pub p_value: f64,
}

/// The slices that are worse beyond noise and floor.
///
/// Each of k slices is held to the k-th part of the allowed error (Bonferroni), so that many classes raise
/// no more false alarms than one metric does. Nothing is worse about a metric without direction.
pub(super) fn worse_slices(pairs: &Pairs, better: Better, limit: Limit, floor: f64) -> Vec<Slice> {
    if limit.slices == Slicing::Off || better == Better::Neither {
        return Vec::new();
    }
    let mut classes: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (&(before, after), label) in pairs.values.iter().zip(&pairs.labels) {
        let difference = gain(better, before, after);
        if let Some(label) = label
            && difference.is_finite()
        {
            classes.entry(*label).or_default().push(difference);
        }
    }
    classes.retain(|_, gains| gains.len() >= FEWEST);
    if classes.len() < 2 {
        return Vec::new();
    }
    let allowed = (1.0 - limit.confidence) / classes.len() as f64;
    let slices = classes.into_iter().filter_map(|(class, gains)| {
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        let p_value = mean_differs(&gains)?;
        let worse = mean < 0.0 && mean.abs() >= floor && p_value < allowed;
        worse.then(|| Slice { name: format!("class {class}"), n: gains.len(), gain: mean, p_value })
    });
    slices.collect()
}
