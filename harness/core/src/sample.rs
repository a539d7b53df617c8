use crate::RgbImage;

/// One picture of a data set, with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Position in the data set. Results are keyed by it, never by order of arrival.
    pub index: u64,
    /// Stable name within the data set: a path relative to its root, or the index as text.
    pub id: String,
    /// The picture as decoded.
    pub image: RgbImage,
    /// Class index, where the data set has classes.
    pub label: Option<u32>,
    /// Captions, where the data set has them.
    pub captions: Vec<String>,
}
