use crate::stored::Element;

/// Place of an object among those that a pickle has made.
pub(super) type Id = usize;

/// What a pickle of tensors consists of. Objects refer to each other by place, so that a dictionary
/// that is filled after it was remembered is one dictionary, and sharing costs nothing.
#[derive(Clone, Debug)]
pub(super) enum Object {
    None,
    /// Booleans are integers, as in Python.
    Int(i64),
    /// A number that does not matter to tensors: a float, or an integer of over 64 bits.
    Number,
    Text(String),
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that a pickle may ask for.
    Global(Global),
    Storage(Storage),
    Tensor(TensorRecord),
}

/// The names that a pickle may ask for; there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageType(Element),
}

/// A row of elements somewhere in the file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) element: Element,
    pub(super) key: String,
    /// As the pickle claims.
    pub(super) elements: usize,
}

/// A view of a storage, as the pickle claims it.
#[derive(Clone, Debug)]
pub(super) struct TensorRecord {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        let element = match (module, name) {
            ("collections", "OrderedDict") => return Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                return Some(Self::RebuildTensor);
            }
            ("torch._utils", "_rebuild_parameter") => return Some(Self::RebuildParameter),
            ("torch", "DoubleStorage") => Element::F64,
            ("torch", "FloatStorage") => Element::F32,
            ("torch", "HalfStorage") => Element::F16,
            ("torch", "BFloat16Storage") => Element::BF16,
            ("torch", "LongStorage") => Element::Other("I64", 8),
            ("torch", "IntStorage") => Element::Other("I32", 4),
            ("torch", "ShortStorage") => Element::Other("I16", 2),
            ("torch", "CharStorage") => Element::Other("I8", 1),
            ("torch", "ByteStorage") => Element::Other("U8", 1),
            ("torch", "BoolStorage") => Element::Other("BOOL", 1),
            _ => return None,
        };
        Some(Self::StorageType(element))
    }
}
