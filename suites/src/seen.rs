use sha2::{Digest, Sha256};

use crate::Measured;
use crate::journal::Entry;
use crate::pictures::Skipped;

/// The pictures of a pass so far and the hash over their digests.
#[derive(Default)]
pub(crate) struct Seen {
    measured: Measured,
    hash: Sha256,
}

impl Seen {
    pub(crate) fn add(&mut self, pictures: &[Entry], skipped: Vec<Skipped>) {
        for picture in pictures {
            self.measured.indices.push(picture.index);
            self.measured.ids.push(picture.id.clone());
            self.measured.labels.push(picture.label);
            self.measured.sizes.push(picture.original);
            self.hash.update(picture.digest);
        }
        self.measured.skipped.extend(skipped);
    }

    pub(crate) fn finish(mut self) -> Measured {
        let digest = self.hash.finalize();
        self.measured.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.measured
    }
}
