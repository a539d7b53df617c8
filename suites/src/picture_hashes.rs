use std::sync::atomic::{AtomicBool, Ordering};

use prismbench_core::hexadecimal;
use sha2::{Digest, Sha256};

use crate::SuiteError;
use crate::journal::Entry;
use crate::pictures::Pictures;

/// sha256 over pictures in their order, in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureHashes {
    /// Over ids and pixels: what numbers compare with.
    pub pixels: String,
    /// Over everything that is known of them, classes, captions and sizes before the crop among it: what a
    /// pass is of.
    pub contents: String,
}

/// Makes them, a picture after the other.
#[derive(Default)]
pub(crate) struct Hashing {
    pixels: Sha256,
    contents: Sha256,
}

impl Hashing {
    pub(crate) fn add(&mut self, picture: &Entry) {
        self.pixels.update(picture.digest);
        self.contents.update(picture.digest);
        let (label, size) = (picture.label.map(u64::from), picture.original);
        let (columns, rows) = size.unzip();
        for number in [label, columns.map(u64::from), rows.map(u64::from)] {
            // Nothing that is there is so large.
            self.contents.update(number.unwrap_or(u64::MAX).to_le_bytes());
        }
        self.contents.update((picture.captions.len() as u64).to_le_bytes());
        for caption in &picture.captions {
            self.contents.update((caption.len() as u64).to_le_bytes());
            self.contents.update(caption);
        }
    }

    pub(crate) fn finish(self) -> PictureHashes {
        let [pixels, contents] =
            [self.pixels, self.contents].map(|hash| hexadecimal(hash.finalize()));
        PictureHashes { pixels, contents }
    }
}

impl Pictures<'_> {
    /// The hashes that a pass over the pictures gives, without measuring anything.
    ///
    /// # Errors
    /// What reading pictures can give, and [`SuiteError::Interrupted`].
    pub fn hashes(
        &self,
        batch: usize,
        interrupted: &AtomicBool,
    ) -> Result<PictureHashes, SuiteError> {
        let (mut hashing, mut done) = (Hashing::default(), 0);
        let mut blocks = self.blocks(batch)?;
        while let Some(block) = blocks.next_block()? {
            if interrupted.load(Ordering::Relaxed) {
                return Err(SuiteError::Interrupted { done, total: self.count() });
            }
            block.iter().for_each(|picture| hashing.add(&Entry::of(picture)));
            done += block.len() as u64;
        }
        Ok(hashing.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let captions = vec!["a cat".to_owned(), "on a mat".to_owned()];
        let (original, digest) = (Some((3, 5)), [7; 32]);
        Entry { index: 1, id: "a".to_owned(), label: Some(2), captions, original, digest }
    }

    fn hashes(entry: &Entry) -> PictureHashes {
        let mut hashing = Hashing::default();
        hashing.add(entry);
        hashing.finish()
    }

    #[test]
    fn classes_captions_and_sizes_are_contents_and_no_pixels() {
        let of = hashes(&entry());
        assert_eq!(hashes(&entry()), of);
        let run_together = vec!["a catona mat".to_owned(), " ".to_owned()];
        for other in [
            Entry { label: None, ..entry() },
            Entry { label: Some(3), ..entry() },
            Entry { original: Some((5, 3)), ..entry() },
            Entry { original: None, ..entry() },
            Entry { captions: Vec::new(), ..entry() },
            Entry { captions: run_together, ..entry() },
        ] {
            let other = hashes(&other);
            assert_eq!(other.pixels, of.pixels);
            assert_ne!(other.contents, of.contents);
        }
        let other = hashes(&Entry { digest: [8; 32], ..entry() });
        assert!(other.pixels != of.pixels && other.contents != of.contents);
    }
}
