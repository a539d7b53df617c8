use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use prismbench_metrics::Store;
use serde::de::DeserializeOwned;

use super::frame::{self, Frame, HEADER};
use super::{Head, JournalError, Recalled};
use crate::spool::StoredRows;

/// Longest line about the origin of a journal, and longest description of a block, that is read.
const MAX_LINE: u64 = 1 << 20;
const MAX_HEAD: u64 = 1 << 32;

/// Blocks from one whose place is known to the next.
const STRIDE: usize = 64;

/// One file.
pub(super) struct Part {
    pub(super) store: Store,
    /// `None` for one that is gone with the pass.
    pub(super) file: Option<(PathBuf, File)>,
    /// Where every [`STRIDE`]th block begins; its header says where the next one does. Of a million pictures there
    /// are too many blocks to know all.
    starts: Vec<u64>,
    blocks: usize,
    /// The newest block.
    pub(super) last: Option<Frame>,
    /// The first block in which something failed, and the pictures before it.
    first_failed: Option<(usize, u64)>,
    /// Pictures that are measured or left out in it.
    pub(super) done: u64,
    /// Blocks that an earlier process wrote.
    pub(super) found: usize,
    /// Where the next frame goes.
    pub(super) end: u64,
}

impl Part {
    pub(super) fn new(store: Store, file: Option<(PathBuf, File)>) -> Self {
        let (starts, last, first_failed) = (Vec::new(), None, None);
        Self { store, file, starts, blocks: 0, last, first_failed, done: 0, found: 0, end: 0 }
    }

    pub(super) fn read(path: &Path, file: File) -> Result<Self, JournalError> {
        let at = |source| JournalError::File { path: path.to_owned(), source };
        let store = Store::of(file.try_clone().map_err(at)?);
        Ok(Self::new(store, Some((path.to_owned(), file))))
    }

    /// How many blocks there are.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Whether the range ends with the newest block.
    pub(super) fn is_whole(&self) -> bool {
        self.last.is_some_and(|last| last.is_end())
    }

    /// Notes a block that lies behind the others.
    pub(super) fn push(&mut self, frame: Frame) {
        if frame.has_failed() && self.first_failed.is_none() {
            self.first_failed = Some((self.blocks, self.done));
        }
        if self.blocks.is_multiple_of(STRIDE) {
            self.starts.push(frame.start);
        }
        self.blocks += 1;
        self.done += u64::from(frame.pictures);
        self.end = frame.end();
        self.last = Some(frame);
    }

    /// Forgets the blocks from number `blocks` on, before which there are `done` pictures.
    pub(super) fn truncate(&mut self, blocks: usize, done: u64) -> io::Result<()> {
        if blocks < self.blocks {
            self.end = self.frame(blocks)?.start;
            self.last = blocks.checked_sub(1).map(|last| self.frame(last)).transpose()?;
            self.starts.truncate(blocks.div_ceil(STRIDE));
            (self.blocks, self.done) = (blocks, done);
        }
        self.first_failed = self.first_failed.filter(|&(first, _)| first < blocks);
        Ok(())
    }

    /// What the header of block number `number` says.
    pub(super) fn frame(&self, number: usize) -> io::Result<Frame> {
        let known = self.starts.get(number / STRIDE).ok_or(io::ErrorKind::InvalidInput)?;
        let first = self.frame_at(*known)?;
        (0..number % STRIDE).try_fold(first, |frame, _| self.frame_at(frame.end()))
    }

    fn frame_at(&self, start: u64) -> io::Result<Frame> {
        let mut header = [0; HEADER];
        self.store.read(start, &mut header)?;
        Frame::read(&header, start).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads the blocks back, in order. Those of an earlier process are checked against their sha256.
    pub(super) fn each<S: DeserializeOwned, E: From<JournalError>>(
        &self,
        take: &mut impl FnMut(Recalled<'_, S>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(&(mut next)) = self.starts.first() else { return Ok(()) };
        for number in 0..self.blocks {
            let at = |source| JournalError::File { path: self.path(), source };
            let frame = self.frame_at(next).map_err(at)?;
            next = frame.end();
            take(self.recall(&frame, number < self.found)?)?;
        }
        Ok(())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.file.as_ref().map_or_else(PathBuf::new, |(path, _)| path.clone())
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        self.file.as_ref().map_or(Ok(self.end), |(_, file)| Ok(file.metadata()?.len()))
    }

    pub(super) fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |(_, file)| file.set_len(length))
    }

    /// The line about its origin; `None` where there is no whole one.
    pub(super) fn origin_line(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; self.len()?.min(MAX_LINE) as usize];
        self.store.read(0, &mut bytes)?;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        Ok(end.map(|end| bytes[..=end].to_vec()))
    }

    /// Finds the blocks that follow from `end` on, without reading what is in them.
    pub(super) fn scan(&mut self) -> io::Result<()> {
        let length = self.len()?;
        let mut header = [0; HEADER];
        while self.end + HEADER as u64 <= length {
            self.store.read(self.end, &mut header)?;
            let Some(frame) = Frame::read(&header, self.end) else { break };
            if frame.head_length > MAX_HEAD || frame.end() > length {
                break;
            }
            self.push(frame);
            if frame.is_end() {
                break;
            }
        }
        Ok(())
    }

    /// Lets go of the newest blocks as long as they are not what was written: a power cut may leave the
    /// length of a file and not its bytes.
    pub(super) fn drop_damaged(&mut self) -> io::Result<()> {
        while let Some(frame) = self.last {
            if self.head(&frame)?.is_some() && self.are_rows_whole(&frame)? {
                break;
            }
            self.truncate(self.blocks - 1, self.done - u64::from(frame.pictures))?;
        }
        Ok(())
    }

    /// Lets go of everything from the first block on in which something failed.
    pub(super) fn drop_failed(&mut self) -> io::Result<()> {
        self.first_failed.map_or(Ok(()), |(first, done)| self.truncate(first, done))
    }

    /// What is written of a block besides features; `None` where that is not what was written.
    pub(super) fn head(&self, frame: &Frame) -> io::Result<Option<Vec<u8>>> {
        let mut head = vec![0; frame.head_length as usize];
        self.store.read(frame.start + HEADER as u64, &mut head)?;
        Ok(frame.is_head(&head).then_some(head))
    }

    pub(super) fn are_rows_whole(&self, frame: &Frame) -> io::Result<bool> {
        let mut hash = frame::Hashing::default();
        self.store.copy_to(frame.rows(), frame.rows_length, &mut hash)?;
        hash.flush()?;
        Ok(frame.are_rows(hash))
    }

    fn recall<S: DeserializeOwned>(
        &self,
        frame: &Frame,
        check_rows: bool,
    ) -> Result<Recalled<'_, S>, JournalError> {
        let at = |source| JournalError::File { path: self.path(), source };
        let damaged = |problem: String| JournalError::Damaged {
            path: self.path(),
            offset: frame.start,
            problem,
        };
        let head = self.head(frame).map_err(at)?;
        let head = head.ok_or_else(|| damaged("its sha256 is another".to_owned()))?;
        if check_rows && !self.are_rows_whole(frame).map_err(at)? {
            return Err(damaged("the sha256 of its features is another".to_owned()));
        }
        let head: Head<S> =
            rmp_serde::from_slice(&head).map_err(|error| damaged(error.to_string()))?;
        let mut start = frame.rows();
        let mut layers = Vec::with_capacity(head.layers.len());
        for &(columns, rows) in &head.layers {
            if rows as usize != head.pictures.len() {
                let pictures = head.pictures.len();
                return Err(damaged(format!("it has {rows} rows for {pictures} pictures")));
            }
            layers.push(StoredRows { store: &self.store, start, columns: columns as usize });
            start += u64::from(columns) * u64::from(rows) * size_of::<f32>() as u64;
        }
        if start != frame.end() {
            return Err(damaged("its features are more or fewer than it says".to_owned()));
        }
        let Head { pictures, skipped, state, .. } = head;
        Ok(Recalled { pictures, skipped, state: state.map(|(state,)| state), layers })
    }
}
