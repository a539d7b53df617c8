use crate::nn::MapShape;

/// A layer cannot be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// Weights or maps have another shape than the layer needs.
    #[error("{layer} needs {expected}, found {found}")]
    Shape {
        /// The layer and which of its inputs.
        layer: &'static str,
        /// What it needs.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// The maps are smaller than the window.
    #[error("{layer} finds no place for its window in maps of {}x{} (rows x columns)", maps.height, maps.width)]
    TooSmall {
        /// The layer.
        layer: &'static str,
        /// What it was given.
        maps: MapShape,
    },
    /// Maps of one call are on different devices.
    #[error("{layer} was given maps on different devices")]
    Devices {
        /// The layer.
        layer: &'static str,
    },
    /// Values are asked for of maps that have none.
    #[error("maps without values go through layers only, to count what these compute")]
    Valueless,
    /// A device lacks what the host can do.
    #[error("{layer}: {what} is not supported")]
    Unsupported {
        /// The layer.
        layer: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl NnError {
    /// Whether larger maps would do.
    #[must_use]
    pub fn is_too_small(&self) -> bool {
        matches!(self, Self::TooSmall { .. })
    }
}
