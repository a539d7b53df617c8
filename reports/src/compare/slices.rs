use std::collections::BTreeMap;

use prismbench_core::Better;
use prismbench_metrics::mean_differs;

use super::Limit;
use super::evidence::gain;
use super::side::Pairs;

/// Images that a slice needs.
const FEWEST: usize = 10;

/// A part of the images that is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What its images have in common: `class 3`, `shorter side 256 to 511`.
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
    if better == Better::Neither {
        return Vec::new();
    }
    let mut slices: Vec<(String, Vec<f64>)> = Vec::new();
    if limit.slices.by_class() {
        let classes = parts(pairs, better, |at| *pairs.labels.get(at)?);
        slices.extend(classes.map(|(class, gains)| (format!("class {class}"), gains)));
    }
    if limit.slices.by_resolution() {
        let octaves = parts(pairs, better, |at| {
            let (width, height) = (*pairs.sizes.get(at)?)?;
            width.min(height).checked_ilog2()
        });
        slices.extend(octaves.map(|(octave, gains)| (resolution(octave), gains)));
    }
    let allowed = (1.0 - limit.confidence) / slices.len() as f64;
    let worse = slices.into_iter().filter_map(|(name, gains)| {
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        let p_value = mean_differs(&gains)?;
        let worse = mean < 0.0 && mean.abs() >= floor && p_value < allowed;
        worse.then_some(Slice { name, n: gains.len(), gain: mean, p_value })
    });
    worse.collect()
}

/// The finite gains of each part of the pictures that has enough of them. One part alone is the whole.
fn parts(
    pairs: &Pairs,
    better: Better,
    part: impl Fn(usize) -> Option<u32>,
) -> impl Iterator<Item = (u32, Vec<f64>)> {
    let mut parts: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (at, &(before, after)) in pairs.values.iter().enumerate() {
        let difference = gain(better, before, after);
        if let Some(part) = part(at).filter(|_| difference.is_finite()) {
            parts.entry(part).or_default().push(difference);
        }
    }
    parts.retain(|_, gains| gains.len() >= FEWEST);
    if parts.len() < 2 {
        parts.clear();
    }
    parts.into_iter()
}

/// Pictures whose shorter side before the crop is within one power of two: how much a crop shrank or
/// enlarged them decides what is in them.
fn resolution(octave: u32) -> String {
    let least = 1_u64 << octave;
    format!("shorter side {least} to {}", 2 * least - 1)
}
