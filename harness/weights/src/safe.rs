use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::stored::{Element, Stored};

/// Bytes before a safetensors header: its length.
const LENGTH: usize = 8;

/// The tensors of a safetensors file.
///
/// The reader checks that the header fits the file, that shapes fit their spans, and that the spans
/// tile the data without gap or overlap.
pub(crate) fn index(file: &[u8]) -> Result<BTreeMap<String, Stored>, SafeTensorError> {
    let (header, metadata) = SafeTensors::read_metadata(file)?;
    let data = LENGTH + header;
    let tensors = metadata.tensors().into_iter().map(|(name, info)| {
        let (start, end) = info.data_offsets;
        let element = element(info.dtype);
        let bytes = data + start..data + end;
        (name, Stored { element, shape: info.shape.clone(), strides: None, bytes })
    });
    Ok(tensors.collect())
}

fn element(dtype: Dtype) -> Element {
    match dtype {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::BF16,
        Dtype::I64 => Element::Other("I64", 8),
        Dtype::I32 => Element::Other("I32", 4),
        Dtype::I16 => Element::Other("I16", 2),
        Dtype::I8 => Element::Other("I8", 1),
        Dtype::U8 => Element::Other("U8", 1),
        Dtype::BOOL => Element::Other("BOOL", 1),
        _ => Element::Other("of a type that weights do not have", 1),
    }
}
