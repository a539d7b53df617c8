use std::path::PathBuf;

/// Why a file of captions cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptionsError {
    /// The file is no JSON of either format.
    #[error("it is neither COCO's `captions_*.json` nor a `dataset_*.json` of Karpathy's")]
    Json(#[source] serde_json::Error),
    /// An entry of `images` has no file name.
    #[error("entry {at} of `images` has neither `file_name` nor `filename`")]
    NoName {
        /// Its place.
        at: usize,
    },
    /// An entry of `images` lacks what its format asks for.
    #[error("`{picture}` has no `{field}`")]
    NoField {
        /// File name.
        picture: String,
        /// The field that is missing.
        field: &'static str,
    },
    /// A caption for a picture that the file does not list.
    #[error("caption {at} is of image {image}, which `images` does not list")]
    NoImage {
        /// Place of the caption in `annotations`.
        at: usize,
        /// The number of the image.
        image: u64,
    },
    /// A caption is empty or is none.
    #[error("caption {at} of `{picture}` is empty")]
    Empty {
        /// Place of the caption: in `annotations`, or among those of its picture.
        at: usize,
        /// File name.
        picture: String,
    },
    /// An annotation that has no caption: the file is one of instances or keypoints.
    #[error("annotation {at} has no `caption`; give COCO's `captions_*.json`")]
    NoCaption {
        /// Its place.
        at: usize,
    },
    /// A split has another name.
    #[error("`{picture}` is of split `{found}`; expected train, restval, val or test")]
    Split {
        /// File name.
        picture: String,
        /// The split.
        found: String,
    },
    /// A name stands for two pictures.
    #[error("it lists `{picture}` twice")]
    Twice {
        /// File name or number.
        picture: String,
    },
    /// A name leads out of the folder of pictures.
    #[error("the name `{picture}` leads out of the folder of pictures")]
    Escapes {
        /// The name.
        picture: String,
    },
    /// Pictures are not in the folder.
    #[error("it has captions of {count} pictures that are not in `{}`, the first of them `{first}`", folder.display())]
    Missing {
        /// Name of the first one.
        first: String,
        /// How many.
        count: usize,
        /// The folder of pictures.
        folder: PathBuf,
    },
    /// There is no picture at all.
    #[error("it lists no picture")]
    None,
}
