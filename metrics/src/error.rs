/// Why a metric has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
}
