//! PyTorch's `.pth` and `.pt`: zip archives since version 1.6, a row of pickles before.

mod archive;
mod error;
mod legacy;
mod object;
mod opcode;
mod state_dict;
mod unpickle;

use std::collections::BTreeMap;

pub(crate) use error::TorchError;

use crate::stored::Stored;

const ZIP: &[u8] = b"PK\x03\x04";
/// How every pickle of protocol 2 begins, which no safetensors file does: its header would be
/// longer than safetensors allows.
const PICKLE: &[u8] = &[0x80, 2];

/// Whether the first bytes are those of a PyTorch file, of whichever age.
pub(crate) fn is_torch(file: &[u8]) -> bool {
    file.starts_with(ZIP) || file.starts_with(PICKLE) || is_tar(file)
}

/// The tensors of the state dictionary in the file; of several, the first of `wanted` that is there.
pub(crate) fn index(file: &[u8], wanted: &[&str]) -> Result<BTreeMap<String, Stored>, TorchError> {
    if is_tar(file) {
        Err(TorchError::Tar)
    } else if file.starts_with(ZIP) {
        archive::index(file, wanted)
    } else {
        legacy::index(file, wanted)
    }
}

fn is_tar(file: &[u8]) -> bool {
    file.get(257..262).is_some_and(|magic| magic == b"ustar")
}

#[cfg(test)]
mod tests;
