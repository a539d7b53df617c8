//! Orders of samples that do not depend on the one in which they came.

use std::io;
use std::sync::Arc;

use prismbench_metrics::{Features, MetricError, Selected};
use sha2::{Digest, Sha256};

/// Rows that are read at once.
const BLOCK: usize = 256;

/// The features of some samples in an order that these alone decide.
pub(crate) fn by_content(features: &dyn Features) -> Result<Selected<'_>, MetricError> {
    Ok(Selected::new(features, order_of(&[features])?))
}

/// The same samples' features in two sets, both in the order that the two decide together.
pub(crate) fn pairs_by_content<'a>(
    first: &'a dyn Features,
    second: &'a dyn Features,
) -> Result<(Selected<'a>, Selected<'a>), MetricError> {
    let order = order_of(&[first, second])?;
    Ok((Selected::new(first, order.clone()), Selected::new(second, order)))
}

/// The features of some samples in the order of the samples' names, as a listing of files has them.
pub(crate) fn by_name(features: &dyn Features) -> Result<Selected<'_>, MetricError> {
    let name = |row| Ok((features.ordering_name(row)?, row));
    let named: io::Result<Vec<(String, usize)>> = (0..features.rows()).map(name).collect();
    let mut named = named.map_err(|error| MetricError::Read(Arc::new(error)))?;
    named.sort();
    Ok(Selected::new(features, named.into_iter().map(|(_, row)| row).collect()))
}

/// Numbers of the rows by the sha256 of what each sample has in all `sets`. Samples that have the same
/// bytes in all of them cannot be told apart by anything that is computed of these.
fn order_of(sets: &[&dyn Features]) -> Result<Vec<usize>, MetricError> {
    let rows = sets.iter().map(|set| set.rows()).min().unwrap_or(0);
    let mut hashes = vec![Sha256::new(); rows];
    for set in sets {
        for first in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - first);
            let mut values = vec![0.0; count * set.columns()];
            set.read(first, &mut values).map_err(|error| MetricError::Read(Arc::new(error)))?;
            let lines = values.chunks_exact(set.columns().max(1));
            for (hash, line) in hashes[first..first + count].iter_mut().zip(lines) {
                line.iter().for_each(|value| hash.update(value.to_le_bytes()));
            }
        }
    }
    let mut order: Vec<([u8; 32], usize)> =
        hashes.into_iter().map(|hash| hash.finalize().into()).zip(0..).collect();
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use prismbench_metrics::FeatureMatrix;

    use super::*;

    fn set(rows: &[(&str, f32)]) -> FeatureMatrix {
        let values = rows.iter().flat_map(|&(_, value)| [value, -value]).collect();
        FeatureMatrix::named(2, values, rows.iter().map(|(name, _)| (*name).to_owned()).collect())
            .unwrap()
    }

    fn read(features: &dyn Features) -> Vec<(String, u32)> {
        let row = |row| {
            let mut values = [0.0; 2];
            features.read(row, &mut values).unwrap();
            (features.name(row), values[0].to_bits())
        };
        (0..features.rows()).map(row).collect()
    }

    #[test]
    fn neither_order_depends_on_that_in_which_the_rows_came() {
        let forwards = [("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 3.0), ("e", -0.0)];
        let mut backwards = forwards;
        backwards.reverse();
        let [forwards, backwards] = [set(&forwards), set(&backwards)];
        let names = read(&by_name(&backwards).unwrap());
        assert_eq!(names, read(&forwards));
        let values = |set: &FeatureMatrix| -> Vec<u32> {
            let rows = read(&by_content(set).unwrap());
            rows.into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(values(&forwards), values(&backwards));
        assert_ne!(values(&forwards), read(&forwards).iter().map(|row| row.1).collect::<Vec<_>>());
    }

    #[test]
    fn pairs_stay_together() {
        let rows: Vec<(String, f32)> =
            (0..300).map(|row| (row.to_string(), (row % 7) as f32)).collect();
        let rows: Vec<(&str, f32)> = rows.iter().map(|(name, value)| (&**name, *value)).collect();
        let first = set(&rows);
        let second: Vec<(&str, f32)> =
            rows.iter().map(|&(name, value)| (name, value + 100.0)).collect();
        let second = set(&second);
        let (a, b) = pairs_by_content(&first, &second).unwrap();
        for (a, b) in read(&a).into_iter().zip(read(&b)) {
            assert_eq!((a.0, f32::from_bits(a.1) + 100.0), (b.0, f32::from_bits(b.1)));
        }
    }
}
