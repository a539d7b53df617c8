use std::collections::BTreeMap;
use std::ops::Range;

use super::TorchError;
use super::object::{Id, Object, Storage, TensorRecord};
use super::unpickle::Pickle;
use crate::stored::{Stored, span};

/// The tensors of a state dictionary: of the pickle's root, or of the one dictionary of tensors in
/// it (`{"model": {...}, "epoch": 3}`); of several, the first of `wanted` that is there. `locate` gives
/// the bytes of a storage.
pub(super) fn tensors(
    pickle: &Pickle,
    wanted: &[&str],
    mut locate: impl FnMut(&Storage) -> Result<Range<usize>, TorchError>,
) -> Result<BTreeMap<String, Stored>, TorchError> {
    let mut tensors = BTreeMap::new();
    for &(key, value) in find(pickle, wanted)? {
        let Object::Text(name) = &pickle.objects[key] else {
            return Err(TorchError::StateDict("a tensor's name is not a text".to_owned()));
        };
        let Object::Tensor(record) = &pickle.objects[value] else {
            let what = "is not a tensor, in a dictionary of tensors";
            return Err(TorchError::Tensor { name: name.clone(), what });
        };
        let stored = place(record, &locate(&record.storage)?)
            .map_err(|what| TorchError::Tensor { name: name.clone(), what })?;
        if tensors.insert(name.clone(), stored).is_some() {
            let what = "is there twice";
            return Err(TorchError::Tensor { name: name.clone(), what });
        }
    }
    Ok(tensors)
}

fn find<'a>(pickle: &'a Pickle, wanted: &[&str]) -> Result<&'a [(Id, Id)], TorchError> {
    let Object::Dict(root) = pickle.root() else {
        return Err(TorchError::StateDict("it does not hold a dictionary".to_owned()));
    };
    let has_tensors = |entries: &[(Id, Id)]| {
        entries.iter().any(|&(_, value)| matches!(pickle.objects[value], Object::Tensor(_)))
    };
    if has_tensors(root) {
        return Ok(root);
    }
    let named = |wanted: &&str| {
        root.iter().find_map(|&(key, value)| match (&pickle.objects[key], &pickle.objects[value]) {
            (Object::Text(name), Object::Dict(entries)) if name == wanted => Some(entries),
            _ => None,
        })
    };
    if let Some(entries) = wanted.iter().find_map(named) {
        return Ok(entries);
    }
    let mut nested = root.iter().filter_map(|&(key, value)| match &pickle.objects[value] {
        Object::Dict(entries) if has_tensors(entries) => Some((key, entries)),
        _ => None,
    });
    let name = |key: Id| match &pickle.objects[key] {
        Object::Text(name) => name.clone(),
        _ => "?".to_owned(),
    };
    match (nested.next(), nested.next()) {
        (Some((_, entries)), None) => Ok(entries),
        (Some((one, _)), Some((other, _))) => Err(TorchError::StateDict(format!(
            "it holds several networks, `{}` and `{}` among them: save the one alone",
            name(one),
            name(other),
        ))),
        (None, _) => Err(TorchError::StateDict("it holds no dictionary of tensors".to_owned())),
    }
}

/// Where the tensor lies, once it is sure that it lies within its storage.
fn place(record: &TensorRecord, storage: &Range<usize>) -> Result<Stored, &'static str> {
    const OUTSIDE: &str = "reaches beyond its storage";
    let TensorRecord { offset, ref shape, ref strides, .. } = *record;
    let element = record.storage.element;
    let count = shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side));
    let (count, span) = (count.ok_or(OUTSIDE)?, span(shape, strides).ok_or(OUTSIDE)?);
    let end = offset.checked_add(span).ok_or(OUTSIDE)?;
    if end > record.storage.elements {
        return Err(OUTSIDE);
    }
    // Steps of 0 make a large tensor of a small file.
    if count > span {
        return Err("has elements that share their place");
    }
    // `elements` elements fit the storage's bytes, so these products do.
    let size = element.size();
    let bytes = storage.start + offset * size..storage.start + end * size;
    let strides = (!is_dense(shape, strides)).then(|| strides.clone());
    Ok(Stored { element, shape: shape.clone(), strides, bytes })
}

/// Whether the elements lie in the order of their indices without gaps.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut step = 1;
    shape.iter().zip(strides).rev().all(|(&side, &stride)| {
        let fits = side <= 1 || stride == step;
        step *= side;
        fits
    })
}
