use rayon::prelude::*;

/// Added to the length of a feature vector, after the root.
const EPSILON: f32 = 1e-10;

/// Sums run in this many interleaved parts, whatever the width of the machine's vectors.
const LANES: usize = 16;

/// Divides the `channels` values at each place by their length.
pub(super) fn normalise(maps: &mut [f32], channels: usize) {
    maps.par_chunks_exact_mut(channels.max(1)).with_min_len(256).for_each(|place| {
        let length = sum(place.len(), |i| place[i] * place[i]).sqrt() + EPSILON;
        place.iter_mut().for_each(|value| *value /= length);
    });
}

/// The squared difference at each place, channels weighted by `head`.
pub(super) fn differences(head: &[f32], a: &[f32], b: &[f32]) -> Vec<f32> {
    let channels = head.len().max(1);
    let places = a.par_chunks_exact(channels).zip(b.par_chunks_exact(channels));
    places
        .with_min_len(256)
        .map(|(a, b)| {
            sum(head.len(), |channel| {
                let difference = a[channel] - b[channel];
                head[channel] * (difference * difference)
            })
        })
        .collect()
}

fn sum(len: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut parts = [0.0_f32; LANES];
    let whole = len - len % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, part) in parts.iter_mut().enumerate() {
            *part += term(start + lane);
        }
    }
    let rest: f32 = (whole..len).map(&term).sum();
    parts.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_features_stays_without() {
        let mut maps = vec![0.0, 0.0, 3.0, 4.0];
        normalise(&mut maps, 2);
        assert_eq!(maps, [0.0, 0.0, 0.6, 0.8]);
    }

    #[test]
    fn every_channel_counts_by_its_weight() {
        let head: Vec<f32> = (0..19_u8).map(f32::from).collect();
        let (a, b) = (vec![2.0; 19], vec![0.0; 19]);
        assert_eq!(differences(&head, &a, &b), [4.0 * 171.0]);
    }
}
