use std::borrow::Cow;

use prismbench_kernels::gram::Gram;

use super::trace::Side;
use super::{FeatureSet, FrechetDistance, between, checked};
use crate::features::in_blocks;
use crate::jackknife::{GROUPS, where_enough};
use crate::moments::{BLOCK, mean};
use crate::{Features, Jackknife, MetricError, Moments, Selected, jackknife};

/// The Fréchet distance of `made` to a reference, and its [`jackknife`]; `None` for fewer samples than that
/// takes. Where the samples of the reference are the same as those of `made`, in the same order, they are
/// `paired`: groups are then left out of both.
///
/// With more samples than columns the sums over a group are taken away from those over all, so that all
/// ten replicates pass over the samples as often as the distance itself does; what that costs in digits is
/// in the replicates alone, and below 1e-12 of them. The bits do not depend on the number of threads.
///
/// # Errors
/// Those of [`frechet_distance`](super::frechet_distance).
pub fn frechet_jackknife(
    reference: FeatureSet<'_>,
    made: &dyn Features,
    paired: bool,
) -> Result<(FrechetDistance, Option<Jackknife>), MetricError> {
    let set = FeatureSet::Features(made);
    checked(reference, set)?;
    // A group less must leave more samples than columns.
    let has_moments = made.rows() - made.rows().div_ceil(GROUPS) > made.columns();
    if !has_moments {
        let whole = between(&Side::new(reference)?, &Side::new(set)?, (reference, set))?;
        let without = |left: &[usize]| {
            let made = Selected::new(made, left.to_vec());
            let made = FeatureSet::Features(&made);
            let distance = match reference {
                FeatureSet::Features(features) if paired => {
                    let features = Selected::new(features, left.to_vec());
                    super::frechet_distance(FeatureSet::Features(&features), made)?
                }
                reference => super::frechet_distance(reference, made)?,
            };
            Ok(distance.value)
        };
        let some = where_enough(jackknife(made.rows(), whole.value, without))?;
        return Ok((whole, some));
    }
    let made_sums = Sums::of(made)?;
    let made_side = made_sums.side(None)?;
    let both = match reference {
        FeatureSet::Features(features) if paired => Some((features, Sums::of(features)?)),
        _ => None,
    };
    let reference_side = match &both {
        Some((_, sums)) => sums.side(None)?,
        None => Side::new(reference)?,
    };
    let whole = between(&reference_side, &made_side, (reference, set))?;
    let without = |group: usize| {
        let made = made_sums.side(Some((made, group)))?;
        let less;
        let reference_side = match &both {
            Some((features, sums)) => {
                less = sums.side(Some((*features, group)))?;
                &less
            }
            None => &reference_side,
        };
        Ok(between(reference_side, &made, (reference, set))?.value)
    };
    let some = where_enough(jackknife::of_groups(made.rows(), whole.value, without))?;
    Ok((whole, some))
}

/// Sums over all rows about their mean.
struct Sums {
    mean: Vec<f64>,
    all: Gram,
}

impl Sums {
    fn of(features: &dyn Features) -> Result<Self, MetricError> {
        let mean = mean(features)?;
        let mut all = Gram::about(mean.clone());
        in_blocks(features, BLOCK, |_, rows| {
            all.add(rows);
            Ok(())
        })?;
        Ok(Self { mean, all })
    }

    /// The moments of all rows, or of those outside a group.
    fn side(&self, without: Option<(&dyn Features, usize)>) -> Result<Side<'static>, MetricError> {
        let moments = match without {
            None => Moments::from_gram(&self.all),
            Some((features, group)) => {
                let columns = features.columns();
                let (mut sums, mut some) = (Gram::about(self.mean.clone()), Vec::new());
                in_blocks(features, BLOCK, |first, rows| {
                    some.clear();
                    let of_group = |&(row, _): &(usize, &[f32])| row % GROUPS == group;
                    let rows = (first..).zip(rows.chunks_exact(columns));
                    rows.filter(of_group).for_each(|(_, row)| some.extend_from_slice(row));
                    sums.add(&some);
                    Ok(())
                })?;
                Moments::from_gram(&self.all.without(&sums))
            }
        };
        // There are more rows than columns.
        let moments = moments.ok_or_else(|| crate::moments::too_few(0))?;
        Ok(Side::Moments(Cow::Owned(moments)))
    }
}

#[cfg(test)]
mod tests {
    use prismbench_core::Stream;

    use super::*;
    use crate::{FeatureMatrix, frechet_distance};

    fn features(rows: usize, columns: usize, seed: u64) -> FeatureMatrix {
        let mut stream = Stream::new("features", seed, 0);
        // Far from zero, as pooled features are.
        let values = (0..rows * columns).map(|_| (3.0 + stream.uniform().powi(2)) as f32).collect();
        FeatureMatrix::new(columns, values).unwrap()
    }

    /// Groups are left out of the rows themselves.
    fn by_rows(reference: &FeatureMatrix, made: &FeatureMatrix, paired: bool) -> Vec<f64> {
        let without = |left: &[usize]| {
            let (some, made) =
                (Selected::new(reference, left.to_vec()), Selected::new(made, left.to_vec()));
            let reference: &dyn Features = if paired { &some } else { reference };
            let distance =
                frechet_distance(FeatureSet::Features(reference), FeatureSet::Features(&made))?;
            Ok(distance.value)
        };
        jackknife(made.rows(), 0.0, without).unwrap().replicates
    }

    #[test]
    fn taking_sums_away_is_leaving_rows_out() {
        // More rows than columns, hardly more, and fewer; a number of rows that ten does not divide.
        for (rows, columns) in [(2_511, 6), (67, 59), (64, 59), (40, 59)] {
            let (reference, made) = (features(rows, columns, 1), features(rows, columns, 2));
            let more = features(rows + 31, columns, 3);
            for (reference, paired) in [(&reference, true), (&reference, false), (&more, false)] {
                let set = FeatureSet::Features(reference);
                let (whole, found) = frechet_jackknife(set, &made, paired).unwrap();
                let expected = frechet_distance(set, FeatureSet::Features(&made)).unwrap();
                assert_eq!(whole, expected, "{rows} x {columns}");
                let found = found.unwrap().replicates;
                for (found, expected) in found.iter().zip(by_rows(reference, &made, paired)) {
                    // Roots of eigenvalues that are nearly zero: half of the digits.
                    let close = (found - expected).abs() < 1e-9 * expected.abs().max(0.1);
                    assert!(close, "{rows} x {columns}, {paired}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn moments_serve_as_a_reference_and_few_samples_have_no_jackknife() {
        let (reference, made) = (features(300, 4, 1), features(200, 4, 2));
        let moments = Moments::of(&reference).unwrap();
        let of = |set| frechet_jackknife(set, &made, false).unwrap().1.unwrap();
        assert_eq!(of(FeatureSet::Moments(&moments)), of(FeatureSet::Features(&reference)));
        let few = features(19, 4, 3);
        let (distance, none) =
            frechet_jackknife(FeatureSet::Moments(&moments), &few, false).unwrap();
        assert!(none.is_none() && distance.value > 0.0);
    }
}
