use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use prismbench_core::hexadecimal;
use sha2::{Digest, Sha256};

use crate::journal::Entry;
use crate::pictures::{Pictures, Skipped};
use crate::{Measured, MeasuredPicture, SuiteError};

/// The pictures of a pass so far and the hash over their digests.
#[derive(Default)]
pub(crate) struct Seen {
    measured: Measured,
    hash: Sha256,
}

impl Seen {
    pub(crate) fn add(&mut self, pictures: &[Entry], skipped: Vec<Skipped>) -> io::Result<()> {
        for picture in pictures {
            let (index, id) = (picture.index, picture.id.clone());
            let (label, size) = (picture.label, picture.original);
            self.measured.pictures.push(MeasuredPicture { index, id, label, size })?;
            self.hash.update(picture.digest);
        }
        self.measured.skipped.extend(skipped);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Measured {
        self.measured.sha256 = hexadecimal(self.hash.finalize());
        self.measured
    }
}

impl Pictures<'_> {
    /// The hash over the pictures' digests that a pass over them gives, without measuring anything.
    ///
    /// # Errors
    /// What reading pictures can give, and [`SuiteError::Interrupted`].
    pub fn sha256(&self, batch: usize, interrupted: &AtomicBool) -> Result<String, SuiteError> {
        let (mut hash, mut done) = (Sha256::new(), 0);
        let mut blocks = self.blocks(batch)?;
        while let Some(block) = blocks.next_block()? {
            if interrupted.load(Ordering::Relaxed) {
                return Err(SuiteError::Interrupted { done, total: self.count() });
            }
            block.iter().for_each(|picture| hash.update(picture.digest));
            done += block.len() as u64;
        }
        Ok(hexadecimal(hash.finalize()))
    }
}
