use std::io;

use prismbench_kernels::dots::{Part, Vectors, add_products};

use super::{Alignment, BLOCK, unit};
use crate::{Features, MetricError};

/// Features in the joint space of an [`Alignment`], made of others whenever they are read.
pub struct Aligned<'a> {
    alignment: &'a Alignment,
    features: &'a dyn Features,
    are_images: bool,
}

impl<'a> Aligned<'a> {
    pub(super) fn images(
        alignment: &'a Alignment,
        features: &'a dyn Features,
    ) -> Result<Self, MetricError> {
        same_space(features, alignment.image_mean.len())?;
        Ok(Self { alignment, features, are_images: true })
    }

    pub(super) fn texts(
        alignment: &'a Alignment,
        features: &'a dyn Features,
    ) -> Result<Self, MetricError> {
        same_space(features, alignment.text_mean.len())?;
        Ok(Self { alignment, features, are_images: false })
    }

    /// What becomes of some rows.
    fn align(&self, rows: &[f32], into: &mut [f32]) {
        let (columns, width) = (self.features.columns(), self.columns());
        if self.are_images {
            let means = self.alignment.image_mean.iter().cycle();
            let centred: Vec<f64> =
                rows.iter().zip(means).map(|(&value, mean)| f64::from(value) - mean).collect();
            let mut products = vec![0.0; into.len()];
            let centred = Vectors::of_rows(&centred, columns);
            add_products(&centred, &self.alignment.weights, Part::Whole, &mut products);
            into.iter_mut().zip(products).for_each(|(value, product)| *value = product as f32);
            return;
        }
        for (row, line) in rows.chunks_exact(columns).zip(into.chunks_exact_mut(width)) {
            let centred =
                unit(row).zip(&self.alignment.text_mean).map(|(value, mean)| value - mean);
            line.iter_mut().zip(centred).for_each(|(value, centred)| *value = centred as f32);
        }
    }
}

impl Features for Aligned<'_> {
    fn rows(&self) -> usize {
        self.features.rows()
    }

    fn columns(&self) -> usize {
        self.alignment.text_mean.len()
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let (columns, width) = (self.features.columns(), self.columns());
        if !into.len().is_multiple_of(width) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut next = first;
        let mut rows = Vec::new();
        for into in into.chunks_mut(BLOCK * width) {
            let count = into.len() / width;
            rows.resize(count * columns, 0.0);
            self.features.read(next, &mut rows)?;
            self.align(&rows, into);
            next += count;
        }
        Ok(())
    }

    fn name(&self, row: usize) -> String {
        self.features.name(row)
    }

    fn ordering_name(&self, row: usize) -> io::Result<String> {
        self.features.ordering_name(row)
    }
}

fn same_space(features: &dyn Features, columns: usize) -> Result<(), MetricError> {
    if features.columns() == columns {
        return Ok(());
    }
    Err(MetricError::Columns { first: columns, second: features.columns() })
}
