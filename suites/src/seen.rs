use std::io;

use sha2::{Digest, Sha256};

use crate::journal::Entry;
use crate::pictures::Skipped;
use crate::{Measured, MeasuredPicture};

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
        let digest = self.hash.finalize();
        self.measured.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.measured
    }
}
