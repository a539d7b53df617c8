use std::collections::BTreeMap;
use std::ops::Range;

use super::TorchError;
use super::object::{Object, Storage};
use super::state_dict::tensors;
use super::unpickle::{Pickle, unpickle};
use crate::stored::Stored;

/// The number 0x1950a86a20f9469cfc6c as protocol 2 pickles it: how such files begin.
const MAGIC: &[u8] =
    &[0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, b'.'];
/// Bytes before a storage: its elements.
const LENGTH: usize = 8;

/// The tensors of a file of PyTorch before 1.6: pickles of a magic number, a version, facts about
/// the machine, the object and the list of its storages; then each storage, its length first.
pub(super) fn index(file: &[u8], wanted: &[&str]) -> Result<BTreeMap<String, Stored>, TorchError> {
    if !file.starts_with(MAGIC) {
        return Err(TorchError::StateDict("it is a pickle, but not of PyTorch's".to_owned()));
    }
    let mut at = MAGIC.len();
    let mut next = || -> Result<Pickle, TorchError> {
        let pickle = unpickle(&file[at..])?;
        at += pickle.len;
        Ok(pickle)
    };
    let (_version, machine, object, keys) = (next()?, next()?, next()?, next()?);
    if is_big_endian(&machine) {
        return Err(TorchError::ByteOrder);
    }
    let storages = storages(file, at, &object, &keys)?;
    tensors(&object, wanted, |storage| {
        let range = storages.get(storage.key.as_str()).cloned().ok_or(TorchError::Truncated)?;
        check_size(storage, range)
    })
}

/// The bytes of a storage as it claims them, if it has as many.
pub(super) fn check_size(
    storage: &Storage,
    bytes: Range<usize>,
) -> Result<Range<usize>, TorchError> {
    let needed = storage.elements.checked_mul(storage.element.size());
    match needed {
        Some(needed) if needed <= bytes.len() => Ok(bytes.start..bytes.start + needed),
        _ => Err(TorchError::Tensor {
            name: storage.key.clone(),
            what: "claims bytes that it lacks",
        }),
    }
}

/// Where each storage lies, by its key.
fn storages<'a>(
    file: &[u8],
    mut at: usize,
    object: &Pickle,
    keys: &'a Pickle,
) -> Result<BTreeMap<&'a str, Range<usize>>, TorchError> {
    let sizes: BTreeMap<&str, usize> = object
        .objects
        .iter()
        .filter_map(|object| match object {
            Object::Storage(storage) => Some((storage.key.as_str(), storage.element.size())),
            _ => None,
        })
        .collect();
    let Object::Sequence(list) = keys.root() else {
        return Err(TorchError::StateDict("the list of storages is missing".to_owned()));
    };
    let mut storages = BTreeMap::new();
    for &key in list {
        let Object::Text(key) = &keys.objects[key] else {
            return Err(TorchError::StateDict("a storage's key is not a text".to_owned()));
        };
        let Some(size) = sizes.get(key.as_str()) else {
            return Err(TorchError::StateDict("a storage belongs to no tensor".to_owned()));
        };
        let (start, end) = extent(file, at, *size).ok_or(TorchError::Truncated)?;
        storages.insert(key.as_str(), start..end);
        at = end;
    }
    Ok(storages)
}

/// First byte of the storage whose length stands at `at`, and the byte after its last.
fn extent(file: &[u8], at: usize, size: usize) -> Option<(usize, usize)> {
    let start = at.checked_add(LENGTH)?;
    let length = <[u8; LENGTH]>::try_from(file.get(at..start)?).ok()?;
    let length = usize::try_from(i64::from_le_bytes(length)).ok()?;
    let end = start.checked_add(length.checked_mul(size)?)?;
    (end <= file.len()).then_some((start, end))
}

fn is_big_endian(machine: &Pickle) -> bool {
    let Object::Dict(entries) = machine.root() else { return false };
    entries.iter().any(|&(key, value)| {
        let key = matches!(&machine.objects[key], Object::Text(name) if name == "little_endian");
        key && matches!(machine.objects[value], Object::Int(0))
    })
}
