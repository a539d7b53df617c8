use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::frame::{self, Frame, HEADER};
use super::{Head, JournalError, Recalled};
use crate::spool::StoredRows;
use crate::store::Store;

/// Longest line about the origin of a journal, and longest description of a block, that is read.
const MAX_LINE: u64 = 1 << 20;
const MAX_HEAD: u64 = 1 << 28;

/// One file.
pub(super) struct Part {
    pub(super) store: Store,
    /// `None` for one that is gone with the pass.
    pub(super) file: Option<(PathBuf, File)>,
    pub(super) frames: Vec<Frame>,
    /// Frames that an earlier process wrote.
    pub(super) found: usize,
    /// Where the next frame goes.
    pub(super) end: u64,
}

impl Part {
    pub(super) fn read(path: &Path, file: File) -> Result<Self, JournalError> {
        let at = |source| JournalError::File { path: path.to_owned(), source };
        let store = Store::of(file.try_clone().map_err(at)?);
        let file = Some((path.to_owned(), file));
        Ok(Self { store, file, frames: Vec::new(), found: 0, end: 0 })
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        self.file.as_ref().map_or(Ok(self.end), |(_, file)| Ok(file.metadata()?.len()))
    }

    pub(super) fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |(_, file)| file.set_len(length))
    }

    /// Pictures that are measured or left out in it.
    pub(super) fn done(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.pictures)).sum()
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
            self.end = frame.end();
            self.frames.push(frame);
            if frame.is_end() {
                break;
            }
        }
        Ok(())
    }

    /// Lets go of the newest blocks as long as they are not what was written: a power cut may leave the
    /// length of a file and not its bytes.
    pub(super) fn drop_damaged(&mut self) -> io::Result<()> {
        while let Some(frame) = self.frames.last() {
            if self.head(frame)?.is_some() && self.are_rows_whole(frame)? {
                break;
            }
            self.end = frame.start;
            self.frames.pop();
        }
        Ok(())
    }

    /// Lets go of everything from the first block on in which something failed.
    pub(super) fn drop_failed(&mut self) {
        if let Some(first) = self.frames.iter().position(|frame| frame.has_failed()) {
            self.end = self.frames[first].start;
            self.frames.truncate(first);
        }
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

    pub(super) fn recall<S: DeserializeOwned>(
        &self,
        frame: &Frame,
        check_rows: bool,
    ) -> Result<Recalled<'_, S>, JournalError> {
        let path = || self.file.as_ref().map_or_else(PathBuf::new, |(path, _)| path.clone());
        let at = |source| JournalError::File { path: path(), source };
        let damaged =
            |problem: String| JournalError::Damaged { path: path(), offset: frame.start, problem };
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
