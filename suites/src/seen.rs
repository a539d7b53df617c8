use std::io;

use crate::journal::Entry;
use crate::picture_hashes::{Hashing, PictureHashes};
use crate::pictures::Skipped;
use crate::{Measured, MeasuredPicture};

/// The pictures of a pass so far and the hashes over them.
#[derive(Default)]
pub(crate) struct Seen {
    measured: Measured,
    hashing: Hashing,
}

impl Seen {
    pub(crate) fn add(&mut self, pictures: &[Entry], skipped: Vec<Skipped>) -> io::Result<()> {
        for picture in pictures {
            let (index, id) = (picture.index, picture.id.clone());
            let (label, size) = (picture.label, picture.original);
            self.measured.pictures.push(MeasuredPicture { index, id, label, size })?;
            self.hashing.add(picture);
        }
        self.measured.skipped.extend(skipped);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Measured {
        let PictureHashes { pixels, contents } = self.hashing.finish();
        (self.measured.sha256, self.measured.contents_sha256) = (pixels, contents);
        self.measured
    }
}
