use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::object::Storage;
use super::state_dict::tensors;
use super::unpickle::unpickle;
use super::{TorchError, legacy};
use crate::stored::Stored;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The tensors of a zip archive: `*/data.pkl`, and one uncompressed member per storage.
pub(super) fn index(file: &[u8], wanted: &[&str]) -> Result<BTreeMap<String, Stored>, TorchError> {
    let mut archive = ZipArchive::new(Cursor::new(file))?;
    const PICKLE: &str = "data.pkl";
    let prefix = archive
        .file_names()
        .find_map(|name| name.ok().and_then(|name| name.strip_suffix(PICKLE).map(str::to_owned)));
    let prefix = prefix.ok_or_else(|| TorchError::NoMember { member: PICKLE.to_owned() })?;
    let order = format!("{prefix}byteorder");
    if archive.index_for_name(&order).is_some() {
        let range = member(&mut archive, file.len(), &order)?;
        if &file[range] != b"little" {
            return Err(TorchError::ByteOrder);
        }
    }
    let pickle = member(&mut archive, file.len(), &format!("{prefix}{PICKLE}"))?;
    let pickle = unpickle(&file[pickle])?;
    // Many tensors may share a storage, whose checksum is compared once.
    let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
    tensors(&pickle, wanted, |storage: &Storage| {
        let range = match seen.get(&storage.key) {
            Some(range) => range.clone(),
            None => {
                let name = format!("{prefix}data/{}", storage.key);
                let range = member(&mut archive, file.len(), &name)?;
                seen.insert(storage.key.clone(), range.clone());
                range
            }
        };
        legacy::check_size(storage, range)
    })
}

/// The bytes of a member within the file.
fn member(archive: &mut Archive<'_>, len: usize, name: &str) -> Result<Range<usize>, TorchError> {
    let member = name.to_owned();
    if archive.index_for_name(name).is_none() {
        return Err(TorchError::NoMember { member });
    }
    let mut entry = archive.by_name(name)?;
    if entry.compression() != CompressionMethod::Stored {
        return Err(TorchError::Compressed { member });
    }
    // Reading to the end compares the checksum.
    let mut chunk = vec![0; 1 << 16];
    let mut read = 0_usize;
    loop {
        match entry.read(&mut chunk) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(cause) => return Err(TorchError::Member { member, cause }),
        }
    }
    let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
    let end = start.and_then(|start| start.checked_add(read)).filter(|&end| end <= len);
    start.zip(end).map(|(start, end)| start..end).ok_or(TorchError::Truncated)
}
