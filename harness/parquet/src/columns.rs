//! Which columns are the pictures, the classes and the captions.

use polars::prelude::{ArrowDataType, ArrowSchema};
use serde::Deserialize;
use std::collections::HashMap;

use super::ParquetError;

/// Names of caption columns, in the order in which captions are taken from them.
const CAPTIONS: [&str; 3] = ["caption", "captions", "text"];

/// The columns that a sample is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Structs of packed bytes and a path, or packed bytes alone.
    pub(super) image: String,
    /// Class numbers.
    pub(super) label: Option<String>,
    /// Texts, or lists of texts.
    pub(super) captions: Vec<String>,
    /// Names of the classes by number; empty where the file does not tell them.
    pub(super) classes: Vec<String>,
}

/// What the library `datasets` writes under the key `huggingface`.
#[derive(Default, Deserialize)]
struct Hub {
    info: HubInfo,
}

#[derive(Default, Deserialize)]
struct HubInfo {
    #[serde(default)]
    features: HashMap<String, serde_json::Value>,
}

impl Columns {
    /// Finds the columns by name and type; `hub` is the JSON of the key `huggingface`.
    ///
    /// The pictures are the only column of their type or, of several, the one called `image` or `img`. The
    /// classes are `label` or, without one, the only column that the JSON calls a `ClassLabel`.
    pub(super) fn find(schema: &ArrowSchema, hub: Option<&str>) -> Result<Self, ParquetError> {
        let names: HashMap<String, Vec<String>> = class_names(hub);
        let image = image(schema)?;
        let label = schema.iter().map(|(name, _)| name.as_str()).find(|&name| name == "label");
        let mut labelled = names.keys().map(String::as_str);
        let label = match (label, labelled.next(), labelled.next()) {
            (Some(label), _, _) => Some(label.to_owned()),
            (None, Some(only), None) if schema.get(only).is_some() => Some(only.to_owned()),
            _ => None,
        };
        if let Some(label) = &label {
            expect(schema, label, is_integer, "integers of 32 or 64 bits")?;
        }
        let captions: Vec<String> = CAPTIONS
            .iter()
            .filter(|name| schema.get(name).is_some())
            .map(|&name| name.to_owned())
            .collect();
        for caption in &captions {
            expect(schema, caption, is_text, "texts or lists of texts")?;
        }
        let classes = label.as_ref().and_then(|label| names.get(label)).cloned();
        Ok(Self { image, label, captions, classes: classes.unwrap_or_default() })
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, name: &str) -> bool {
        let more = self.label.iter().chain(&self.captions);
        std::iter::once(&self.image).chain(more).any(|column| column == name)
    }

    /// The names of all of them.
    pub(super) fn names(&self) -> Vec<String> {
        let more = self.label.iter().chain(&self.captions);
        std::iter::once(&self.image).chain(more).cloned().collect()
    }
}

fn image(schema: &ArrowSchema) -> Result<String, ParquetError> {
    let all: Vec<&str> = schema
        .iter()
        .filter(|(_, field)| is_image(field.dtype()))
        .map(|(name, _)| name.as_str())
        .collect();
    let named = |name: &str| match schema.get(name) {
        // A column of that name may hold the packed bytes without a struct around them.
        Some(field) => is_image(field.dtype()) || is_binary(field.dtype()),
        None => false,
    };
    match (["image", "img"].into_iter().find(|name| named(name)), &all[..]) {
        (Some(name), _) | (None, &[name]) => Ok(name.to_owned()),
        (None, []) => {
            let found =
                schema.iter().map(|(name, field)| format!("`{name}` of {:?}", field.dtype()));
            Err(ParquetError::NoImage { found: found.collect::<Vec<_>>().join(", ") })
        }
        (None, all) => {
            let found = all.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            Err(ParquetError::Images { found: found.join(", ") })
        }
    }
}

fn expect(
    schema: &ArrowSchema,
    column: &str,
    is_right: fn(&ArrowDataType) -> bool,
    expected: &'static str,
) -> Result<(), ParquetError> {
    match schema.get(column).map(|field| field.dtype()) {
        Some(found) if !is_right(found) => Err(ParquetError::Type {
            column: column.to_owned(),
            expected,
            found: format!("{found:?}"),
        }),
        _ => Ok(()),
    }
}

fn is_image(dtype: &ArrowDataType) -> bool {
    let ArrowDataType::Struct(fields) = dtype else { return false };
    fields.iter().any(|field| field.name == "bytes" && is_binary(field.dtype()))
}

fn is_binary(dtype: &ArrowDataType) -> bool {
    matches!(dtype, ArrowDataType::Binary | ArrowDataType::LargeBinary | ArrowDataType::BinaryView)
}

fn is_integer(dtype: &ArrowDataType) -> bool {
    use ArrowDataType::{Int32, Int64, UInt32, UInt64};
    matches!(dtype, Int32 | Int64 | UInt32 | UInt64)
}

fn is_text(dtype: &ArrowDataType) -> bool {
    match dtype {
        ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View => true,
        ArrowDataType::List(inner) | ArrowDataType::LargeList(inner) => {
            !matches!(inner.dtype(), ArrowDataType::List(_) | ArrowDataType::LargeList(_))
                && is_text(inner.dtype())
        }
        _ => false,
    }
}

/// Names of the classes of each column that is a `ClassLabel`. A JSON that says otherwise says nothing:
/// it is a note beside the data.
fn class_names(hub: Option<&str>) -> HashMap<String, Vec<String>> {
    let hub: Hub = hub.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let names = |feature: &serde_json::Value| {
        let is_label = feature.get("_type").and_then(|kind| kind.as_str()) == Some("ClassLabel");
        let names = feature.get("names").filter(|_| is_label)?;
        serde_json::from_value(names.clone()).ok()
    };
    let features = hub.info.features.into_iter();
    features.filter_map(|(name, feature)| Some((name, names(&feature)?))).collect()
}
