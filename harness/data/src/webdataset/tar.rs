//! Where the members of a `.tar` lie.
//!
//! Formats: ustar and POSIX pax (IEEE Std 1003.1-2017, `pax`), GNU tar's long names. Header fields are
//! decoded by the crate `tar`; the walk is our own, because that crate's reads names and extended
//! headers of any length into memory.

use std::io::{Read, Seek, SeekFrom};

use ::tar::{EntryType, Header, PaxExtensions};

use super::ShardError;

const BLOCK: usize = 512;

/// Most bytes of an extended header: names and times take some hundred.
const MAX_EXTENDED: u64 = 1 << 20;

/// A regular file in the archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Path without `.` parts; it has no `..` and does not begin with `/`.
    pub(super) name: String,
    /// Place of its bytes in the archive.
    pub(super) start: u64,
    /// Bytes; the archive has as many.
    pub(super) len: u64,
}

/// Walks the headers of an archive of `len` bytes.
pub(super) struct Members<R> {
    reader: R,
    len: u64,
    /// Where the next header is.
    at: u64,
}

/// What extended headers say about the member behind them.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read + Seek> Members<R> {
    pub(super) fn new(reader: R, len: u64) -> Self {
        Self { reader, len, at: 0 }
    }

    /// The next regular file; nothing after the empty block that ends an archive.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ShardError> {
        let mut extended = Extended::default();
        loop {
            let block = self.block()?;
            if block.iter().all(|&byte| byte == 0) {
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            check_sum(header).map_err(|problem| self.damaged(problem))?;
            let name = extended.name.clone().unwrap_or_else(|| header.path_bytes().into_owned());
            let kind = header.entry_type();
            let size = match (extended.size, is_extended(kind)) {
                (Some(size), false) => size,
                _ => header.entry_size().map_err(|error| self.damaged(error.to_string()))?,
            };
            let member = self.claim(&name, size)?;
            match kind {
                EntryType::GNULongName => {
                    let mut text = self.text(&member)?;
                    text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(text.len()));
                    extended.name = Some(text);
                }
                EntryType::XHeader => extended.read(&self.text(&member)?, &member)?,
                EntryType::GNULongLink | EntryType::XGlobalHeader => {}
                EntryType::Directory => extended = Extended::default(),
                EntryType::Regular | EntryType::Continuous => {
                    return clean(member, &name).map(Some);
                }
                other => return Err(ShardError::Kind { member: member.name, kind: word(other) }),
            }
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ShardError> {
        if self.len.saturating_sub(self.at) < BLOCK as u64 {
            return Err(ShardError::CutShort { at: self.at });
        }
        let mut block = [0; BLOCK];
        self.reader
            .seek(SeekFrom::Start(self.at))
            .and_then(|_| self.reader.read_exact(&mut block))
            .map_err(ShardError::Read)?;
        Ok(block)
    }

    /// The member whose header is at hand, if the archive can hold it; the walk goes on behind it.
    fn claim(&mut self, name: &[u8], claimed: u64) -> Result<Member, ShardError> {
        let member = String::from_utf8_lossy(name).into_owned();
        let start = self.at + BLOCK as u64;
        let most = self.len - start;
        if claimed > most {
            return Err(ShardError::Claim { member, claimed, most });
        }
        // The last member's padding may be beyond the end: the next block then says so.
        self.at = start + claimed.next_multiple_of(BLOCK as u64);
        Ok(Member { name: member, start, len: claimed })
    }

    /// The bytes of an extended header.
    fn text(&mut self, member: &Member) -> Result<Vec<u8>, ShardError> {
        if member.len > MAX_EXTENDED {
            let (member, claimed) = (member.name.clone(), member.len);
            return Err(ShardError::Claim { member, claimed, most: MAX_EXTENDED });
        }
        let mut text = vec![0; member.len as usize];
        self.reader
            .seek(SeekFrom::Start(member.start))
            .and_then(|_| self.reader.read_exact(&mut text))
            .map_err(ShardError::Read)?;
        Ok(text)
    }

    fn damaged(&self, problem: String) -> ShardError {
        ShardError::Header { at: self.at, problem }
    }
}

impl Extended {
    /// Reads the records of a pax header; a later record stands for an earlier one.
    fn read(&mut self, text: &[u8], member: &Member) -> Result<(), ShardError> {
        let at = member.start - BLOCK as u64;
        let damaged = |problem: &str| ShardError::Header { at, problem: problem.to_owned() };
        for record in PaxExtensions::new(text) {
            let record = record.map_err(|error| damaged(&error.to_string()))?;
            match record.key_bytes() {
                b"path" => self.name = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|value| value.parse().ok());
                    self.size = Some(size.ok_or_else(|| damaged("its size is no number"))?);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    let member = member.name.clone();
                    return Err(ShardError::Kind { member, kind: "a sparse file" });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The sum of a header's bytes, its own field read as spaces.
fn check_sum(header: &Header) -> Result<(), String> {
    let claimed = header.cksum().map_err(|error| error.to_string())?;
    let bytes = header.as_bytes().iter().enumerate();
    let sum =
        bytes.map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }));
    if sum.sum::<u32>() == claimed { Ok(()) } else { Err("its checksum is wrong".to_owned()) }
}

/// Headers whose own size is never that of the member behind them.
fn is_extended(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::XHeader
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink
    )
}

fn word(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link | EntryType::Symlink => "a link",
        EntryType::GNUSparse => "a sparse file",
        _ => "neither a file nor a folder",
    }
}

/// A member under a name that stays inside the archive.
fn clean(member: Member, name: &[u8]) -> Result<Member, ShardError> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Err(ShardError::Name { member: member.name });
    };
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if name.starts_with('/') || parts.contains(&"..") || name.contains('\0') {
        return Err(ShardError::Escapes { member: member.name });
    }
    Ok(Member { name: parts.join("/"), ..member })
}
