use std::io;
use std::sync::Arc;

/// Why a metric has no value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Reference and reconstruction differ in size.
    #[error(
        "compare a {}x{} reconstruction with a {}x{} reference",
        reconstruction.0, reconstruction.1, reference.0, reference.1
    )]
    Size {
        /// Columns and rows of the reference.
        reference: (usize, usize),
        /// Columns and rows of the reconstruction.
        reconstruction: (usize, usize),
    },
    /// The picture is smaller than the metric's windows.
    #[error(
        "compute {metric} ({dialect}) on {}x{} pixels: sides of at least {needed} are needed",
        found.0, found.1
    )]
    TooSmall {
        /// Metric id.
        metric: &'static str,
        /// Dialect id.
        dialect: &'static str,
        /// Columns and rows.
        found: (usize, usize),
        /// The shortest side that works.
        needed: usize,
    },
    /// A device did not compute it.
    #[error("compute {metric} on the device: {cause}")]
    Device {
        /// Metric id.
        metric: &'static str,
        /// What it said.
        cause: String,
    },
    /// Not enough samples for the definition.
    #[error("take a mean over {got} samples: at least {needed} are needed")]
    TooFew {
        /// Samples seen.
        got: u64,
        /// Samples needed.
        needed: u64,
    },
    /// One sample was measured twice.
    #[error("count sample {index} twice")]
    Duplicate {
        /// Index of the sample.
        index: u64,
    },
    /// Two states that were built by different rules.
    #[error("merge states of different aggregations")]
    Aggregation,
    /// A feature that is NaN or infinite.
    #[error(
        "take {value} as a feature: column {column} of sample `{sample}` must be finite; check the \
         picture and the network's weights"
    )]
    NotFinite {
        /// What the sample is called.
        sample: String,
        /// Column of the value.
        column: usize,
        /// The value.
        value: String,
    },
    /// A matrix or vector of the wrong size.
    #[error("take {found} values: {expected} are expected")]
    Shape {
        /// What would fit.
        expected: String,
        /// Values given.
        found: usize,
    },
    /// Two sets of features, or features and moments, of different spaces.
    #[error(
        "compare features of {first} columns with features of {second}: both must come from one \
         layer of one network"
    )]
    Columns {
        /// Columns of the first.
        first: usize,
        /// Columns of the second.
        second: usize,
    },
    /// Too few samples in a set for the metric.
    #[error("compute {metric} of {found} samples: at least {needed} are needed; {remedy}")]
    TooFewSamples {
        /// Metric id.
        metric: &'static str,
        /// Samples in the set.
        found: usize,
        /// Samples needed.
        needed: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// Features too wide for normal equations.
    #[error(
        "align images by {columns} columns: at most {most} fit the normal equations; choose a \
         pooling with fewer, such as `mean` or `spatial-4x4`"
    )]
    TooWide {
        /// Columns of the image features.
        columns: usize,
        /// Columns that can be solved for.
        most: usize,
    },
    /// Captions that say nothing.
    #[error("take a vocabulary from {captions} captions: none of them has a word")]
    NoWords {
        /// How many there are.
        captions: u64,
    },
    /// A matrix that is no covariance.
    #[error("take a matrix as a covariance: {problem}")]
    Covariance {
        /// What is wrong with it.
        problem: String,
    },
    /// A feature vector without a direction.
    #[error("normalise the features of sample `{sample}`: they are all zero")]
    NoDirection {
        /// What the sample is called.
        sample: String,
    },
    /// A curve without anything in it.
    #[error("take shares of a curve whose values are all zero")]
    NoEnergy,
    /// An iteration that did not end.
    #[error("find the eigenvalues of a {side}x{side} matrix: the iteration did not converge")]
    NoConvergence {
        /// Rows of the matrix.
        side: usize,
    },
    /// A label that is no class.
    #[error("take label {label} of sample `{sample}`: classes are numbered from 0 to {last}")]
    Label {
        /// What the sample is called.
        sample: String,
        /// The label.
        label: u32,
        /// The last class.
        last: usize,
    },
    /// A class with too few samples to fit a classifier, or to split.
    #[error(
        "{purpose} class {class}: it has {found} training samples and at least {needed} are \
         needed; leave the class out or take more samples of it"
    )]
    SmallClass {
        /// What was to be done with the class.
        purpose: &'static str,
        /// The class.
        class: usize,
        /// Training samples of the class.
        found: usize,
        /// Samples needed.
        needed: usize,
    },
    /// Fewer than two classes.
    #[error("tell {found} classes apart: at least 2 are needed")]
    TooFewClasses {
        /// Classes of the set.
        found: usize,
    },
    /// Two sets of different classes.
    #[error("train on {train} classes and test on {test}: both sets must have the same classes")]
    Classes {
        /// Classes of the training set.
        train: usize,
        /// Classes of the test set.
        test: usize,
    },
    /// A classifier whose sums leave the range of f32.
    #[error("fit {recipe}: sums over the features leave the range of f32; scale the features down")]
    Overflow {
        /// Id of the recipe.
        recipe: &'static str,
    },
    /// Features that cannot be read back.
    #[error("read stored features")]
    Read(#[source] Arc<io::Error>),
}

impl MetricError {
    pub(crate) fn read(error: io::Error) -> Self {
        Self::Read(Arc::new(error))
    }
}
