//! The two formats of captions.
//!
//! COCO: <https://cocodataset.org/#format-data>, "Image Captioning". Karpathy and Fei-Fei's splits:
//! <https://cs.stanford.edu/people/karpathy/deepimagesent/>. Fields that are not needed are not kept.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::{CaptionsError, Split};

/// A picture and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captioned {
    /// File name.
    pub(super) id: String,
    /// Place in the folder of pictures.
    pub(super) path: String,
    pub(super) captions: Vec<String>,
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listing {
    Whole(Vec<Captioned>),
    Splits(BTreeMap<Split, Vec<Captioned>>),
}

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    /// Only in COCO's format.
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Image {
    id: Option<u64>,
    file_name: Option<String>,
    // The rest is Karpathy's.
    filename: Option<String>,
    filepath: Option<String>,
    split: Option<String>,
    sentences: Option<Vec<Sentence>>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

/// Reads either format.
pub(super) fn read(reader: impl Read) -> Result<Listing, CaptionsError> {
    let file: File = serde_json::from_reader(reader).map_err(CaptionsError::Json)?;
    match file.annotations {
        Some(annotations) => captions(file.images, annotations).map(Listing::Whole),
        None => karpathy(file.images).map(Listing::Splits),
    }
}

fn captions(
    images: Vec<Image>,
    annotations: Vec<Annotation>,
) -> Result<Vec<Captioned>, CaptionsError> {
    let mut by_number = BTreeMap::new();
    for (at, image) in images.into_iter().enumerate() {
        let name = image.file_name.ok_or(CaptionsError::NoName { at })?;
        let number = image
            .id
            .ok_or_else(|| CaptionsError::NoField { picture: name.clone(), field: "id" })?;
        let picture = Captioned { id: name.clone(), path: name, captions: Vec::new() };
        if let Some(first) = by_number.insert(number, picture) {
            let picture = format!("{number} ({})", first.id);
            return Err(CaptionsError::Twice { picture });
        }
    }
    for (at, annotation) in annotations.into_iter().enumerate() {
        let image = annotation.image_id;
        let picture = by_number.get_mut(&image).ok_or(CaptionsError::NoImage { at, image })?;
        let caption = annotation.caption.ok_or(CaptionsError::NoCaption { at })?;
        if caption.trim().is_empty() {
            return Err(CaptionsError::Empty { at, picture: picture.id.clone() });
        }
        picture.captions.push(caption);
    }
    Ok(by_number.into_values().collect())
}

fn karpathy(images: Vec<Image>) -> Result<BTreeMap<Split, Vec<Captioned>>, CaptionsError> {
    let mut splits: BTreeMap<Split, Vec<Captioned>> = BTreeMap::new();
    for (at, image) in images.into_iter().enumerate() {
        let id = image.filename.ok_or(CaptionsError::NoName { at })?;
        let missing = |field| CaptionsError::NoField { picture: id.clone(), field };
        let split = match image.split.ok_or_else(|| missing("split"))?.as_str() {
            "train" | "restval" => Split::Train,
            "val" => Split::Validation,
            "test" => Split::Test,
            other => {
                return Err(CaptionsError::Split { picture: id, found: other.to_owned() });
            }
        };
        let sentences = image.sentences.ok_or_else(|| missing("sentences"))?;
        let captions: Vec<String> = sentences.into_iter().map(|sentence| sentence.raw).collect();
        if let Some(at) = captions.iter().position(|caption| caption.trim().is_empty()) {
            return Err(CaptionsError::Empty { at, picture: id });
        }
        let path = match image.filepath {
            Some(folder) if !folder.is_empty() => format!("{folder}/{id}"),
            _ => id.clone(),
        };
        splits.entry(split).or_default().push(Captioned { id, path, captions });
    }
    Ok(splits)
}
