use std::collections::BTreeMap;

use super::TorchError;
use super::object::{Global, Id, Object, Storage, TensorRecord};
use super::opcode as op;

/// More objects than any network's weights need: a hostile file could ask for one per byte.
const OBJECTS: usize = 4_000_000;

/// A machine for the pickles of tensors. It makes data and calls nothing.
pub(super) struct Unpickler<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

/// What one pickle holds.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) objects: Vec<Object>,
    pub(super) root: Id,
    /// Bytes that it took.
    pub(super) len: usize,
}

impl Pickle {
    pub(super) fn root(&self) -> &Object {
        &self.objects[self.root]
    }
}

/// Reads the pickle at the beginning of `bytes`.
pub(super) fn unpickle(bytes: &[u8]) -> Result<Pickle, TorchError> {
    let (objects, stack, marks) = (Vec::new(), Vec::new(), Vec::new());
    let mut machine = Unpickler { bytes, at: 0, objects, stack, marks, memo: BTreeMap::new() };
    loop {
        let code = machine.byte()?;
        if code == op::STOP {
            let root = machine.pop()?;
            return Ok(Pickle { objects: machine.objects, root, len: machine.at });
        }
        machine.step(code)?;
    }
}

impl Unpickler<'_> {
    fn step(&mut self, code: u8) -> Result<(), TorchError> {
        match code {
            op::PROTO => self.protocol(),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => self.pop().map(|_| ()),
            op::NONE => self.push(Object::None),
            op::NEWTRUE => self.push(Object::Int(1)),
            op::NEWFALSE => self.push(Object::Int(0)),
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.integer(code),
            op::BINFLOAT => {
                self.take(8)?;
                self.push(Object::Number)
            }
            op::BINSTRING | op::SHORT_BINSTRING | op::BINUNICODE => self.text(code),
            op::BINGET | op::LONG_BINGET | op::BINPUT | op::LONG_BINPUT => self.remember(code),
            op::EMPTY_TUPLE | op::EMPTY_LIST => self.push(Object::Sequence(Vec::new())),
            op::EMPTY_DICT => self.push(Object::Dict(Vec::new())),
            op::TUPLE | op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => self.tuple(code),
            op::APPEND | op::APPENDS => self.append(code),
            op::SETITEM | op::SETITEMS => self.set_items(code),
            op::GLOBAL => self.global(),
            op::BINPERSID => self.storage(),
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),
            _ => Err(TorchError::Opcode { code, at: self.at - 1 }),
        }
    }

    fn protocol(&mut self) -> Result<(), TorchError> {
        match self.byte()? {
            0..=2 => Ok(()),
            _ => Err(self.malformed("it is of a later protocol than PyTorch writes")),
        }
    }

    fn integer(&mut self, code: u8) -> Result<(), TorchError> {
        let length = match code {
            op::BININT => 4,
            op::BININT1 => 1,
            op::BININT2 => 2,
            _ => usize::from(self.byte()?),
        };
        let bytes = self.take(length)?;
        let mut wide = [0; 8];
        let Some(low) = wide.get_mut(..length) else { return self.push(Object::Number) };
        low.copy_from_slice(bytes);
        let signed = matches!(code, op::BININT | op::LONG1);
        if signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
            wide[length..].fill(0xFF);
        }
        self.push(Object::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, code: u8) -> Result<(), TorchError> {
        let length = match code {
            op::SHORT_BINSTRING => usize::from(self.byte()?),
            _ => self.u32()? as usize,
        };
        let text = std::str::from_utf8(self.take(length)?).map(str::to_owned);
        match text {
            Ok(text) => self.push(Object::Text(text)),
            Err(_) => Err(self.malformed("a text is not UTF-8")),
        }
    }

    fn remember(&mut self, code: u8) -> Result<(), TorchError> {
        let place = match code {
            op::BINGET | op::BINPUT => u32::from(self.byte()?),
            _ => self.u32()?,
        };
        if matches!(code, op::BINPUT | op::LONG_BINPUT) {
            let top = self.top()?;
            self.memo.insert(place, top);
            return Ok(());
        }
        match self.memo.get(&place) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => Err(self.malformed("it recalls what it has not remembered")),
        }
    }

    fn tuple(&mut self, code: u8) -> Result<(), TorchError> {
        let parts = match code {
            op::TUPLE => self.since_mark()?,
            _ => {
                let start = self.stack.len().checked_sub(usize::from(code - op::TUPLE1) + 1);
                self.split(start)?
            }
        };
        self.push(Object::Sequence(parts))
    }

    fn append(&mut self, code: u8) -> Result<(), TorchError> {
        let more = if code == op::APPEND { vec![self.pop()?] } else { self.since_mark()? };
        let list = self.top()?;
        match &mut self.objects[list] {
            Object::Sequence(parts) => {
                parts.extend(more);
                Ok(())
            }
            _ => Err(self.malformed("it appends to what is not a list")),
        }
    }

    fn set_items(&mut self, code: u8) -> Result<(), TorchError> {
        let flat = if code == op::SETITEM {
            let value = self.pop()?;
            vec![self.pop()?, value]
        } else {
            self.since_mark()?
        };
        let (pairs, rest) = flat.as_chunks::<2>();
        let dict = self.top()?;
        match &mut self.objects[dict] {
            Object::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(self.malformed("it sets items of what is not a dictionary")),
        }
    }

    fn global(&mut self) -> Result<(), TorchError> {
        let (module, name) = (self.line()?, self.line()?);
        match Global::find(&module, &name) {
            Some(global) => self.push(Object::Global(global)),
            None => Err(TorchError::Global(format!("{module}.{name}"))),
        }
    }

    /// `('storage', type, key, place, elements)`, in old files with the view that it is of another.
    fn storage(&mut self) -> Result<(), TorchError> {
        let id = self.pop()?;
        let Object::Sequence(parts) = &self.objects[id] else {
            return Err(self.malformed("a reference out of the pickle is not a storage"));
        };
        let mut parts = parts.iter().map(|&part| &self.objects[part]);
        let storage = match (parts.next(), parts.next(), parts.next(), parts.nth(1), parts.next()) {
            (
                Some(Object::Text(tag)),
                Some(&Object::Global(Global::StorageType(element))),
                Some(Object::Text(key)),
                Some(&Object::Int(elements)),
                None | Some(Object::None),
            ) if tag == "storage" => usize::try_from(elements).ok().map(|elements| Storage {
                element,
                key: key.clone(),
                elements,
            }),
            _ => None,
        };
        match storage {
            Some(storage) => self.push(Object::Storage(storage)),
            None => Err(self.malformed("a storage is not described as PyTorch does it")),
        }
    }

    fn reduce(&mut self) -> Result<(), TorchError> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Object::Sequence(arguments) = self.objects[arguments].clone() else {
            return Err(self.malformed("the arguments of a call are not a tuple"));
        };
        let made = match self.objects[callee] {
            Object::Global(Global::OrderedDict) => self.ordered_dict(&arguments),
            Object::Global(Global::RebuildTensor) => self.tensor(&arguments).map(Object::Tensor),
            Object::Global(Global::RebuildParameter) => {
                arguments.first().map(|&data| self.objects[data].clone())
            }
            _ => None,
        };
        match made {
            Some(made) => self.push(made),
            None => Err(self.malformed("a call is not one that PyTorch writes for tensors")),
        }
    }

    /// `OrderedDict()`, or of a list of pairs, as Python 2 wrote it.
    fn ordered_dict(&self, arguments: &[Id]) -> Option<Object> {
        let Some(&items) = arguments.first() else { return Some(Object::Dict(Vec::new())) };
        let Object::Sequence(items) = &self.objects[items] else { return None };
        let pairs = items.iter().map(|&item| match &self.objects[item] {
            Object::Sequence(pair) => <[Id; 2]>::try_from(pair.as_slice()).ok().map(Into::into),
            _ => None,
        });
        pairs.collect::<Option<Vec<_>>>().map(Object::Dict)
    }

    /// `(storage, offset, shape, strides, ...)`.
    fn tensor(&self, arguments: &[Id]) -> Option<TensorRecord> {
        let [storage, offset, shape, strides, ..] = *arguments else { return None };
        let Object::Storage(storage) = &self.objects[storage] else { return None };
        let (shape, strides) = (self.extents(shape)?, self.extents(strides)?);
        if shape.len() != strides.len() {
            return None;
        }
        Some(TensorRecord {
            storage: storage.clone(),
            offset: self.extent(offset)?,
            shape,
            strides,
        })
    }

    fn extents(&self, id: Id) -> Option<Vec<usize>> {
        let Object::Sequence(parts) = &self.objects[id] else { return None };
        parts.iter().map(|&part| self.extent(part)).collect()
    }

    fn extent(&self, id: Id) -> Option<usize> {
        let Object::Int(extent) = self.objects[id] else { return None };
        usize::try_from(extent).ok()
    }

    /// Attributes of a dictionary (`_metadata`), which say nothing about the tensors.
    fn build(&mut self) -> Result<(), TorchError> {
        self.pop()?;
        let object = self.top()?;
        match self.objects[object] {
            Object::Dict(_) => Ok(()),
            _ => Err(self.malformed("it gives attributes to what is not a dictionary")),
        }
    }

    fn push(&mut self, object: Object) -> Result<(), TorchError> {
        if self.objects.len() == OBJECTS {
            return Err(TorchError::TooMany(OBJECTS));
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, TorchError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id, TorchError> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(bottom..).and_then(<[Id]>::last);
        above.copied().ok_or_else(|| self.malformed("its stack is empty"))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, TorchError> {
        let mark = self.marks.pop();
        self.split(mark)
    }

    fn split(&mut self, start: Option<usize>) -> Result<Vec<Id>, TorchError> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        match start {
            Some(start) if (bottom..=self.stack.len()).contains(&start) => {
                Ok(self.stack.split_off(start))
            }
            _ => Err(self.malformed("its stack is empty")),
        }
    }

    fn take(&mut self, length: usize) -> Result<&[u8], TorchError> {
        let end = self.at.checked_add(length).ok_or(TorchError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(TorchError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, TorchError> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, TorchError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn line(&mut self) -> Result<String, TorchError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(TorchError::Truncated)?;
        let line = String::from_utf8_lossy(self.take(length + 1)?);
        Ok(line.trim_end_matches('\n').to_owned())
    }

    fn malformed(&self, what: &'static str) -> TorchError {
        TorchError::Malformed { what, at: self.at }
    }
}
