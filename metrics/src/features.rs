use std::io;
use std::ops::Range;

use crate::MetricError;

/// One feature vector per sample, in the order of the samples' indices; in memory or on disk.
///
/// Metrics read rows in index order or by index, a block at a time, and never need them all at once. Values are finite: an implementation refuses others before it hands them out
/// ([`check_finite`]).
pub trait Features: Sync {
    /// How many samples there are.
    fn rows(&self) -> usize;

    /// Values of one sample.
    fn columns(&self) -> usize;

    /// Copies consecutive rows, from `first` on, as many as `into` holds.
    ///
    /// # Errors
    /// Those of the file behind it; [`io::ErrorKind::InvalidInput`] for rows that do not exist or a
    /// buffer that does not hold whole rows.
    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()>;

    /// Copies the named rows, in the order of the names.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    fn gather(&self, rows: &[usize], into: &mut [f32]) -> io::Result<()> {
        if into.len() != rows.len() * self.columns() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let lines = into.chunks_exact_mut(self.columns().max(1));
        rows.iter().zip(lines).try_for_each(|(&row, line)| self.read(row, line))
    }

    /// What the sample of this row is called in messages.
    fn name(&self, row: usize) -> String {
        row.to_string()
    }

    /// The same where an order is decided by it, which a name that cannot be read must not change.
    ///
    /// # Errors
    /// Those of the file behind it.
    fn ordering_name(&self, row: usize) -> io::Result<String> {
        Ok(self.name(row))
    }
}

/// Checks rows of features for values that are not finite.
///
/// `name` tells what the sample of a row is called.
///
/// # Errors
/// [`MetricError::NotFinite`] with the first such sample and its column.
pub fn check_finite(
    rows: &[f32],
    columns: usize,
    name: impl Fn(usize) -> String,
) -> Result<(), MetricError> {
    match rows.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(MetricError::NotFinite {
            sample: name(at / columns.max(1)),
            column: at % columns.max(1),
            value: rows[at].to_string(),
        }),
    }
}

/// Features in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMatrix {
    columns: usize,
    values: Vec<f32>,
    names: Option<Vec<String>>,
}

impl FeatureMatrix {
    /// Rows of `columns` values, one after the other; samples are named by their index.
    ///
    /// # Errors
    /// [`MetricError::Shape`] when there are no columns or the rows are not whole,
    /// [`MetricError::NotFinite`] for a value that is NaN or infinite.
    pub fn new(columns: usize, values: Vec<f32>) -> Result<Self, MetricError> {
        Self::check(columns, &values, None)?;
        Ok(Self { columns, values, names: None })
    }

    /// The same, with what each sample is called in messages.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); [`MetricError::Shape`] as well when there is not one name for
    /// each row.
    pub fn named(
        columns: usize,
        values: Vec<f32>,
        names: Vec<String>,
    ) -> Result<Self, MetricError> {
        Self::check(columns, &values, Some(&names))?;
        Ok(Self { columns, values, names: Some(names) })
    }

    fn check(columns: usize, values: &[f32], names: Option<&[String]>) -> Result<(), MetricError> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            let expected = format!("whole rows of {columns} values, at least 1 each");
            return Err(MetricError::Shape { expected, found: values.len() });
        }
        let rows = values.len() / columns;
        match names {
            Some(names) if names.len() != rows => {
                let expected = format!("one name for each of {rows} rows");
                Err(MetricError::Shape { expected, found: names.len() })
            }
            Some(names) => check_finite(values, columns, |row| names[row].clone()),
            None => check_finite(values, columns, |row| row.to_string()),
        }
    }
}

impl Features for FeatureMatrix {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let from = first.checked_mul(self.columns);
        let rest = from.and_then(|from| self.values.get(from..));
        match rest.and_then(|rest| rest.get(..into.len())) {
            Some(values) if into.len().is_multiple_of(self.columns) => into.copy_from_slice(values),
            _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
        Ok(())
    }

    fn name(&self, row: usize) -> String {
        let named = self.names.as_ref().and_then(|names| names.get(row));
        named.cloned().unwrap_or_else(|| row.to_string())
    }
}

/// Some rows of a set, in the given order.
#[derive(Clone)]
pub struct Selected<'a> {
    features: &'a dyn Features,
    rows: Vec<usize>,
}

impl<'a> Selected<'a> {
    /// The named rows; those that do not exist are found out when they are read.
    #[must_use]
    pub fn new(features: &'a dyn Features, rows: Vec<usize>) -> Self {
        Self { features, rows }
    }
}

impl Features for Selected<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> usize {
        self.features.columns()
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let rest = self.rows.get(first..).unwrap_or_default();
        match rest.get(..into.len() / self.columns()) {
            Some(rows) => self.features.gather(rows, into),
            None => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
    }

    fn name(&self, row: usize) -> String {
        self.rows.get(row).map_or_else(|| row.to_string(), |&row| self.features.name(row))
    }

    fn ordering_name(&self, row: usize) -> io::Result<String> {
        let row = self.rows.get(row).ok_or(io::ErrorKind::InvalidInput)?;
        self.features.ordering_name(*row)
    }
}

/// Neighbouring columns of a set.
#[derive(Clone)]
pub struct Columns<'a> {
    features: &'a dyn Features,
    range: Range<usize>,
}

impl<'a> Columns<'a> {
    /// The columns of `range`.
    ///
    /// # Errors
    /// [`MetricError::Shape`] for none, or for one that there is not.
    pub fn new(features: &'a dyn Features, range: Range<usize>) -> Result<Self, MetricError> {
        if range.is_empty() || range.end > features.columns() {
            let expected = format!("columns {range:?}, at least one");
            return Err(MetricError::Shape { expected, found: features.columns() });
        }
        Ok(Self { features, range })
    }

    /// Cuts whole rows.
    fn cut(&self, whole: &[f32], into: &mut [f32]) {
        let rows = whole.chunks_exact(self.features.columns());
        for (row, line) in rows.zip(into.chunks_exact_mut(self.range.len())) {
            line.copy_from_slice(&row[self.range.clone()]);
        }
    }

    /// A buffer for the whole rows behind these; rows that are not whole are refused where they are read.
    fn whole(&self, into: &[f32]) -> io::Result<Vec<f32>> {
        if !into.len().is_multiple_of(self.range.len()) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(vec![0.0; into.len() / self.range.len() * self.features.columns()])
    }
}

impl Features for Columns<'_> {
    fn rows(&self) -> usize {
        self.features.rows()
    }

    fn columns(&self) -> usize {
        self.range.len()
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let mut whole = self.whole(into)?;
        self.features.read(first, &mut whole)?;
        self.cut(&whole, into);
        Ok(())
    }

    fn gather(&self, rows: &[usize], into: &mut [f32]) -> io::Result<()> {
        let mut whole = self.whole(into)?;
        self.features.gather(rows, &mut whole)?;
        self.cut(&whole, into);
        Ok(())
    }

    fn name(&self, row: usize) -> String {
        self.features.name(row)
    }

    fn ordering_name(&self, row: usize) -> io::Result<String> {
        self.features.ordering_name(row)
    }
}

/// Reads all rows in order, `block` at a time, and gives each block with its first row to `take`.
pub(crate) fn in_blocks(
    features: &dyn Features,
    block: usize,
    mut take: impl FnMut(usize, &[f32]) -> Result<(), MetricError>,
) -> Result<(), MetricError> {
    let (rows, columns) = (features.rows(), features.columns());
    let mut buffer = vec![0.0; block.min(rows) * columns];
    for first in (0..rows).step_by(block.max(1)) {
        let here = &mut buffer[..block.min(rows - first) * columns];
        features.read(first, here).map_err(MetricError::read)?;
        take(first, here)?;
    }
    Ok(())
}

/// Reads rows `first..first + rows`.
pub(crate) fn slice(
    features: &dyn Features,
    first: usize,
    rows: usize,
) -> Result<Vec<f32>, MetricError> {
    let mut values = vec![0.0; rows * features.columns()];
    features.read(first, &mut values).map_err(MetricError::read)?;
    Ok(values)
}

/// Checks that two sets are of one feature space, as far as numbers tell.
pub(crate) fn same_columns(
    first: &dyn Features,
    second: &dyn Features,
) -> Result<usize, MetricError> {
    let (columns, other) = (first.columns(), second.columns());
    if columns == other {
        return Ok(columns);
    }
    Err(MetricError::Columns { first: columns, second: other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_finite_is_refused_with_its_sample_and_column() {
        let mut values = vec![0.5; 12];
        values[7] = f32::NAN;
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let error = FeatureMatrix::named(4, values.clone(), names).unwrap_err();
        assert_eq!(
            error.to_string(),
            "take NaN as a feature: column 3 of sample `b` must be finite; check the picture and \
             the network's weights"
        );
        values[7] = f32::INFINITY;
        let error = FeatureMatrix::new(4, values).unwrap_err();
        assert!(error.to_string().contains("take inf") && error.to_string().contains("`1`"));
    }

    #[test]
    fn rows_that_are_not_whole_or_not_there_are_refused() {
        for (columns, values) in [(0, 0), (0, 3), (2, 3)] {
            assert!(FeatureMatrix::new(columns, vec![0.0; values]).is_err());
        }
        assert!(FeatureMatrix::named(2, vec![0.0; 4], vec![String::new()]).is_err());
        let features = FeatureMatrix::new(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!(features.read(1, &mut [0.0; 4]).is_err());
        assert!(features.read(usize::MAX, &mut [0.0; 2]).is_err());
        assert!(features.read(0, &mut [0.0; 3]).is_err());
        assert!(features.gather(&[0, 2], &mut [0.0; 4]).is_err());
        let mut row = [0.0; 4];
        features.gather(&[1, 0], &mut row).unwrap();
        assert_eq!(row.map(f32::to_bits), [3.0, 4.0, 1.0, 2.0].map(f32::to_bits));
    }

    #[test]
    fn a_selection_has_the_rows_and_names_of_its_choice() {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let features = FeatureMatrix::named(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], names).unwrap();
        let some = Selected::new(&features, vec![2, 0]);
        assert_eq!((some.rows(), some.columns(), some.name(0)), (2, 2, "c".to_owned()));
        assert_eq!(slice(&some, 0, 2).unwrap(), [5.0, 6.0, 1.0, 2.0]);
        assert!(slice(&some, 1, 2).is_err());
        assert!(slice(&Selected::new(&features, vec![3]), 0, 1).is_err());
    }

    #[test]
    fn columns_are_cut_from_every_row() {
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let features = FeatureMatrix::named(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], names).unwrap();
        let some = Columns::new(&features, 1..3).unwrap();
        assert_eq!((some.rows(), some.columns(), some.name(1)), (2, 2, "b".to_owned()));
        assert_eq!(slice(&some, 0, 2).unwrap(), [2.0, 3.0, 5.0, 6.0]);
        let mut turned = [0.0; 4];
        some.gather(&[1, 0], &mut turned).unwrap();
        assert_eq!(turned.map(f32::to_bits), [5.0_f32, 6.0, 2.0, 3.0].map(f32::to_bits));
        assert!(slice(&some, 1, 2).is_err());
        assert!(some.read(0, &mut [0.0; 3]).is_err());
        for range in [0..4, 2..2, 3..4] {
            assert!(Columns::new(&features, range).is_err());
        }
    }
}
