use std::collections::BTreeMap;

use super::DIGEST;

/// The header of a safetensors file as this module writes it.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    #[serde(rename = "__metadata__")]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) tensors: BTreeMap<String, Entry>,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    dtype: String,
    shape: [usize; 2],
    data_offsets: [u64; 2],
}

/// Where the rows of a file lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) layers: BTreeMap<String, Layer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) columns: usize,
    /// First byte in the file.
    pub(super) start: u64,
}

impl Header {
    /// `layers` are name and columns, in the order in which their rows follow the digests.
    pub(super) fn new<'a>(
        metadata: BTreeMap<String, String>,
        rows: usize,
        layers: impl Iterator<Item = (&'a str, usize)>,
    ) -> Self {
        let mut end = 0;
        let mut entry = |dtype: &str, columns: usize, width: usize| {
            let start = end;
            end += (rows * columns * width) as u64;
            Entry { dtype: dtype.to_owned(), shape: [rows, columns], data_offsets: [start, end] }
        };
        let mut tensors = BTreeMap::from([("digests".to_owned(), entry("U8", DIGEST, 1))]);
        for (name, columns) in layers {
            tensors.insert(name.to_owned(), entry("F32", columns, size_of::<f32>()));
        }
        Self { metadata, tensors }
    }

    /// Rows and layers, when they fill the `length` bytes of data that start at `data` without gap
    /// or overlap, the digests first. Nothing is believed that the file is too short for.
    pub(super) fn layout(&self, length: u64, data: u64) -> Result<Layout, String> {
        let digests = self.tensors.get("digests").ok_or("it has no digests")?;
        if digests.dtype != "U8" || digests.shape[1] != DIGEST || digests.data_offsets[0] != 0 {
            return Err("its digests are not what they should be".to_owned());
        }
        let rows = digests.shape[0];
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, entry)| entry.data_offsets);
        let (mut layers, mut filled) = (BTreeMap::new(), 0);
        for (name, Entry { dtype, shape, data_offsets: [start, end] }) in tensors {
            let width = match dtype.as_str() {
                "U8" if name == "digests" => 1,
                "F32" if name != "digests" => 4,
                _ => return Err(format!("`{name}` is of type {dtype}")),
            };
            let bytes = (shape[0] as u64)
                .checked_mul(shape[1] as u64)
                .and_then(|values| values.checked_mul(width));
            let fits = shape[0] == rows && shape[1] > 0 && *start == filled && *end <= length;
            if !fits || end.checked_sub(*start) != bytes {
                return Err(format!("`{name}` does not fit"));
            }
            filled = *end;
            if name != "digests" {
                let layer = Layer { columns: shape[1], start: data + start };
                layers.insert(name.clone(), layer);
            }
        }
        if filled != length {
            return Err(format!("{length} bytes of data, {filled} expected"));
        }
        Ok(Layout { rows, layers })
    }
}
