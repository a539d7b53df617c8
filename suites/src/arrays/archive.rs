//! A zip of stored members, each of which may say at its end what its first bytes are.
//!
//! Byte for byte what Python's `zipfile` makes for `numpy.savez`: no times, room for sizes of
//! 64 bits in front of each member, and wide fields in the directory where they are needed.
//! Format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3. A writer of zip files that only
//! goes forward would need every byte twice: the header of an array tells the number of its items.

use std::io::{self, Seek, SeekFrom, Write};

use flate2::Crc;

/// 1 January 1980, the zero of the format's calendar.
const DATE: u16 = 1 << 5 | 1;
/// The version of the format that has sizes of 64 bits, and the one to declare for it.
const VERSION: u16 = 45;
/// Made on Unix.
const SYSTEM: u16 = 3 << 8;
/// Permissions of an unpacked member, as Unix has them in the upper half: its owner's only.
const ATTRIBUTES: u32 = 0o600 << 16;
/// Tag of the field that holds sizes of 64 bits.
const WIDE: u16 = 1;
/// Largest number that is written in 32 bits. The format allows twice that; some readers do not.
const MAX_NARROW: u64 = (1 << 31) - 1;

/// A zip file that is being written to `sink`, which is at its beginning.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    sink: W,
    /// Bytes written.
    at: u64,
    entries: Vec<Entry>,
}

/// A member that is being written.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    /// Place of its local header.
    start: u64,
    /// Bytes kept for its header.
    room: usize,
    /// Bytes of its body.
    size: u64,
    /// Checksum of its body.
    crc: Crc,
}

/// What the directory says of a member.
#[derive(Debug)]
struct Entry {
    name: String,
    start: u64,
    size: u64,
    crc: u32,
}

impl<W: Write + Seek> Archive<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, at: 0, entries: Vec::new() }
    }

    /// Begins a member whose first `room` bytes come last.
    pub(super) fn begin(&mut self, name: &str, room: usize) -> io::Result<Member> {
        let name = name.to_owned();
        let unknown = Entry { name: name.clone(), start: self.at, size: 0, crc: 0 };
        let member = Member { name, start: self.at, room, size: 0, crc: Crc::new() };
        let mut blank = unknown.local_header();
        blank.resize(blank.len() + room, 0);
        self.append(&blank)?;
        Ok(member)
    }

    /// Writes to the body of the member that was begun last.
    pub(super) fn write(&mut self, member: &mut Member, bytes: &[u8]) -> io::Result<()> {
        member.crc.update(bytes);
        member.size += bytes.len() as u64;
        self.append(bytes)
    }

    /// Ends the member that was begun last and fills in its first bytes.
    pub(super) fn end(&mut self, member: Member, first: &[u8]) -> io::Result<()> {
        if first.len() != member.room {
            return Err(io::Error::other("a header has not the length that was kept for it"));
        }
        let mut crc = Crc::new();
        crc.update(first);
        crc.combine(&member.crc);
        let size = first.len() as u64 + member.size;
        let entry = Entry { name: member.name, start: member.start, size, crc: crc.sum() };
        self.sink.seek(SeekFrom::Start(entry.start))?;
        self.sink.write_all(&entry.local_header())?;
        self.sink.write_all(first)?;
        self.sink.seek(SeekFrom::Start(self.at))?;
        self.entries.push(entry);
        Ok(())
    }

    /// A whole member: its first bytes, and the others.
    pub(crate) fn add(&mut self, name: &str, first: &[u8], rest: &[u8]) -> io::Result<()> {
        let mut member = self.begin(name, first.len())?;
        self.write(&mut member, rest)?;
        self.end(member, first)
    }

    /// Writes the directory and hands back the sink, flushed.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let start = self.at;
        let entries: Vec<u8> = self.entries.iter().flat_map(Entry::central_header).collect();
        self.append(&entries)?;
        self.append(&trailer(self.entries.len() as u16, start, entries.len() as u32))?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.sink.write_all(bytes)
    }
}

impl Entry {
    /// The header in front of the member. Its length does not depend on the numbers.
    fn local_header(&self) -> Vec<u8> {
        let wide = Fields::default().u16(WIDE).u16(16).u64(self.size).u64(self.size);
        let head = Fields::default().bytes(b"PK\x03\x04").u16(VERSION);
        self.described(head, [u32::MAX; 2], &wide).bytes(self.name.as_bytes()).bytes(&wide.0).0
    }

    /// The header in the directory, with wide fields for what is too large.
    fn central_header(&self) -> Vec<u8> {
        let mut wide = Fields::default();
        let sizes = narrow([self.size; 2], &mut wide);
        let [start] = narrow([self.start], &mut wide);
        if !wide.0.is_empty() {
            wide = Fields::default().u16(WIDE).u16(wide.0.len() as u16).bytes(&wide.0);
        }
        let head = Fields::default().bytes(b"PK\x01\x02").u16(SYSTEM | VERSION).u16(VERSION);
        self.described(head, sizes, &wide)
            .u16(0) // no comment
            .u16(0) // on the first disk
            .u16(0) // nothing said of the contents
            .u32(ATTRIBUTES)
            .u32(start)
            .bytes(self.name.as_bytes())
            .bytes(&wide.0)
            .0
    }

    /// The fields that both headers have. Stored: the packed size is the size.
    fn described(&self, head: Fields, sizes: [u32; 2], wide: &Fields) -> Fields {
        head.u16(0) // no flags
            .u16(0) // stored
            .u16(0) // midnight
            .u16(DATE)
            .u32(self.crc)
            .u32(sizes[0])
            .u32(sizes[1])
            .u16(self.name.len() as u16)
            .u16(wide.0.len() as u16)
    }
}

/// What follows the directory of `count` members, which lies at `start`.
fn trailer(count: u16, start: u64, size: u32) -> Vec<u8> {
    let mut trailer = Fields::default();
    if start > MAX_NARROW {
        let (count, size) = (u64::from(count), u64::from(size));
        trailer = trailer.bytes(b"PK\x06\x06").u64(44).u16(VERSION).u16(VERSION).u32(0).u32(0);
        trailer = trailer.u64(count).u64(count).u64(size).u64(start);
        trailer = trailer.bytes(b"PK\x06\x07").u32(0).u64(start + size).u32(1);
    }
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    trailer.bytes(b"PK\x05\x06").u32(0).u16(count).u16(count).u32(size).u32(start).u16(0).0
}

/// Numbers as the directory holds them: all of them move to the wide field if one is too large.
fn narrow<const N: usize>(numbers: [u64; N], wide: &mut Fields) -> [u32; N] {
    if numbers.iter().all(|&number| number <= MAX_NARROW) {
        return numbers.map(|number| number as u32);
    }
    for number in numbers {
        wide.0.extend(number.to_le_bytes());
    }
    [u32::MAX; N]
}

/// Fields of a record, lowest byte first.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u16(self, field: u16) -> Self {
        self.bytes(&field.to_le_bytes())
    }

    fn u32(self, field: u32) -> Self {
        self.bytes(&field.to_le_bytes())
    }

    fn u64(self, field: u64) -> Self {
        self.bytes(&field.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}
