//! The form of a journal: a line that says what everything in it is of, then blocks, each behind a
//! header of fixed length with the sha256 of what follows.

use std::io::{self, Write};
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::origin::{Difference, Origin};

/// The first word of a journal.
pub(super) const FORMAT: &str = "prismbench-journal-1";
/// Bytes of a header.
pub(super) const HEADER: usize = 4 + 4 + 4 + 4 + 8 + 8 + 8 + 32 + 32;
/// Something failed in the block.
pub(super) const FAILED: u32 = 1;
/// The range ends with it.
pub(super) const END: u32 = 2;

const MAGIC: [u8; 4] = *b"PBJ1";

/// Where a block lies and what it is, from its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    flags: u32,
    /// Pictures that are measured in it or left out before it.
    pub(super) pictures: u32,
    /// Position of the first picture behind it.
    pub(super) next: u64,
    pub(super) head_length: u64,
    pub(super) rows_length: u64,
    /// Of the fields above and the head.
    head: [u8; 32],
    rows: [u8; 32],
    /// Where it begins.
    pub(super) start: u64,
}

impl Frame {
    pub(super) fn new((flags, pictures, next): (u32, u32, u64), head: &[u8], rows: &[u8]) -> Self {
        let (head_length, rows_length) = (head.len() as u64, rows.len() as u64);
        let none = [0; 32];
        let mut frame = Self {
            flags,
            pictures,
            next,
            head_length,
            rows_length,
            head: none,
            rows: none,
            start: 0,
        };
        frame.head = frame.digest(head);
        frame.rows = Sha256::digest(rows).into();
        frame
    }

    /// Where everything is that its header says; the rest is not looked at.
    pub(super) fn read(bytes: &[u8; HEADER], start: u64) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]));
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let digest = |at: usize| std::array::from_fn(|byte| bytes[at + byte]);
        let frame = Self {
            flags: word(4),
            pictures: word(8),
            next: long(16),
            head_length: long(24),
            rows_length: long(32),
            head: digest(40),
            rows: digest(72),
            start,
        };
        let end = start
            .checked_add(HEADER as u64)?
            .checked_add(frame.head_length)?
            .checked_add(frame.rows_length);
        (bytes.starts_with(&MAGIC) && end.is_some()).then_some(frame)
    }

    /// The same, beginning at a byte of the file.
    pub(super) fn at(self, start: u64) -> Self {
        Self { start, ..self }
    }

    pub(super) fn header(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..40].copy_from_slice(&self.fields());
        bytes[40..72].copy_from_slice(&self.head);
        bytes[72..].copy_from_slice(&self.rows);
        bytes
    }

    fn fields(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.pictures.to_le_bytes());
        let longs = [self.next, self.head_length, self.rows_length];
        for (long, value) in bytes[16..].chunks_exact_mut(8).zip(longs) {
            long.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn digest(&self, head: &[u8]) -> [u8; 32] {
        Sha256::new_with_prefix(self.fields()).chain_update(head).finalize().into()
    }

    pub(super) fn is_head(&self, head: &[u8]) -> bool {
        self.digest(head) == self.head
    }

    pub(super) fn are_rows(&self, found: Hashing) -> bool {
        found.0.finalize().as_slice() == self.rows
    }

    pub(super) fn is_end(&self) -> bool {
        self.flags & END != 0
    }

    pub(super) fn has_failed(&self) -> bool {
        self.flags & FAILED != 0
    }

    /// Where its features begin.
    pub(super) fn rows(&self) -> u64 {
        self.start + HEADER as u64 + self.head_length
    }

    /// Where what follows it begins.
    pub(super) fn end(&self) -> u64 {
        self.rows() + self.rows_length
    }
}

/// The first line of a journal.
pub(super) fn origin_line(origin: &Origin, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&(FORMAT, (range.start, range.end), origin))?;
    line.push(b'\n');
    Ok(line)
}

/// The range and the origin of which a first line speaks.
pub(super) fn read_line(line: &[u8]) -> Option<(Range<u64>, Origin)> {
    let (format, (start, end), origin): (String, (u64, u64), Origin) =
        serde_json::from_slice(line).ok()?;
    (format == FORMAT && start <= end).then_some((start..end, origin))
}

/// The first field in which a first line speaks of another origin.
pub(super) fn differs(line: &[u8], origin: &Origin) -> Option<String> {
    let (_, found) = read_line(line)?;
    Difference::between(&found, origin).first().map(str::to_owned)
}

/// Bytes written to it are hashed.
#[derive(Default)]
pub(super) struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
