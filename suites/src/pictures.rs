mod block;

use std::collections::VecDeque;
use std::ops::Range;

use candle_core::Device;
use prismbench_core::{Outcome, Protocol, RgbImage, Sample, SampleKey};
use prismbench_kernels::Size;
use prismbench_kernels::device_pictures::{DevicePictures, Sender};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Stage;
use crate::crop::{self, CropError};
use crate::feature_file::Item;
pub use block::PictureBlock;
use prismbench_data::{DataError, Dataset, Pending, Samples};

/// What is measured on: a part of a data set, cropped as a protocol says.
#[derive(Clone, Copy)]
pub struct Pictures<'a> {
    /// The set.
    pub dataset: &'a dyn Dataset,
    /// Which of its samples.
    pub part: Part,
    /// Only samples with an index below this.
    pub limit: Option<u64>,
    /// Crop and size.
    pub protocol: &'a Protocol,
    /// What a picture that cannot be used does to the run.
    pub on_bad: OnBad,
}

/// Which samples of a set are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every sample.
    All,
    /// Every fourth sample, from the first: what tokenizers are fitted on.
    Train,
    /// The other samples: what is measured when something was fitted on [`Part::Train`].
    Test,
}

/// What a picture that cannot be used does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// It ends it.
    Stop,
    /// It is left out, counted and named.
    Skip,
}

/// A picture ready to be measured.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Position in the data set.
    pub index: u64,
    /// Name within the data set.
    pub id: String,
    /// Class index, where there are classes.
    pub label: Option<u32>,
    /// What it shows, in words; empty where nobody has said so.
    pub captions: Vec<String>,
    /// The crop.
    pub image: RgbImage,
    /// Columns and rows of the picture before it; `None` for what is of no data set.
    pub original: Option<(u32, u32)>,
    /// sha256 over the id, the size and the pixels of the crop.
    pub digest: [u8; 32],
}

impl Prepared {
    /// A picture that is not of a data set.
    pub(crate) fn new(index: u64, id: String, label: Option<u32>, image: RgbImage) -> Self {
        let digest = digest(&id, &image);
        Self { index, id, label, captions: Vec::new(), image, original: None, digest }
    }

    /// Who it is.
    #[must_use]
    pub fn key(&self) -> SampleKey<'_> {
        SampleKey { index: self.index, id: &self.id }
    }

    /// What its features are kept under.
    pub(crate) fn item(&self) -> Item<'_> {
        Item { name: &self.id, digest: self.digest }
    }
}

/// A picture that was left out under [`OnBad::Skip`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Position in the data set.
    pub index: u64,
    /// Name within the data set.
    pub id: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// Why pictures cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The data set or one of its files.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device did not take pictures.
    #[error("send pictures to the device")]
    Device(#[from] candle_core::Error),
    /// A picture does not suit the protocol.
    #[error("picture `{id}` does not suit protocol `{protocol}`")]
    Crop {
        /// Name within the data set.
        id: String,
        /// Name of the protocol.
        protocol: String,
        /// What is wrong.
        #[source]
        cause: CropError,
    },
}

impl Part {
    /// The word that records put into the column `split`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Train => "train",
            Self::Test => "test",
        }
    }

    fn holds(self, index: u64) -> bool {
        match self {
            Self::All => true,
            Self::Train => index.is_multiple_of(4),
            Self::Test => !index.is_multiple_of(4),
        }
    }

    /// Samples of the part among the first `len`.
    #[must_use]
    pub fn count(self, len: u64) -> u64 {
        match self {
            Self::All => len,
            Self::Train => len.div_ceil(4),
            Self::Test => len - len.div_ceil(4),
        }
    }
}

impl<'a> Pictures<'a> {
    /// Samples there are, bad ones included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.part.count(self.end())
    }

    /// `256` or, without a crop, `native`.
    #[must_use]
    pub fn resolution(&self) -> String {
        match self.protocol.crop {
            prismbench_core::Crop::None => "native".to_owned(),
            _ => self.protocol.size.to_string(),
        }
    }

    /// One past the last position that is looked at.
    pub(crate) fn end(&self) -> u64 {
        let len = self.dataset.len();
        self.limit.map_or(len, |limit| limit.min(len))
    }

    /// The pictures in order, `size` at a time, decoded and cropped on all cores.
    ///
    /// # Errors
    /// [`PictureError::Data`] when the set cannot be opened again.
    pub fn blocks(&self, size: usize) -> Result<Blocks<'a>, PictureError> {
        self.blocks_of(0..self.end(), size)
    }

    /// The same from a position of the set on.
    ///
    /// # Errors
    /// As [`blocks`](Self::blocks), and for a position beyond the end.
    pub fn blocks_from(&self, first: u64, size: usize) -> Result<Blocks<'a>, PictureError> {
        self.blocks_of(first..self.end(), size)
    }

    /// The same of the pictures at some positions of the set.
    ///
    /// # Errors
    /// As [`blocks`](Self::blocks), and for positions beyond the end.
    pub(crate) fn blocks_of(
        &self,
        range: Range<u64>,
        size: usize,
    ) -> Result<Blocks<'a>, PictureError> {
        Ok(Blocks {
            pictures: *self,
            pending: self.dataset.samples(range)?,
            size: size.max(1),
            skipped: Vec::new(),
            ready: VecDeque::new(),
            sender: None,
        })
    }
}

/// Iterator over blocks of pictures; see [`Pictures::blocks`].
pub struct Blocks<'a> {
    pictures: Pictures<'a>,
    pending: Samples<'a>,
    size: usize,
    skipped: Vec<Skipped>,
    ready: VecDeque<Prepared>,
    /// Where the blocks are sent.
    sender: Option<Sender>,
}

impl Blocks<'_> {
    /// The same, each block sent to a device when it is made; nothing changes where that is the host.
    ///
    /// # Errors
    /// [`PictureError::Device`].
    pub(crate) fn sent_to(self, device: &Device) -> Result<Self, PictureError> {
        Ok(Self { sender: Sender::to(device)?, ..self })
    }

    /// The pictures left out so far, in order.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The pictures that were left out before the last of a block, but for those taken already.
    pub(crate) fn take_skipped(&mut self, block: &[Prepared]) -> Vec<Skipped> {
        let end = block.last().map_or(0, |last| last.index);
        let before = self.skipped.partition_point(|skipped| skipped.index < end);
        self.skipped.drain(..before).collect()
    }

    /// Those that were left out behind the last block.
    pub(crate) fn into_skipped(self) -> Vec<Skipped> {
        self.skipped
    }

    /// The next block of pictures of one size; shorter than asked for at the end or where the size
    /// changes. `None` at the end.
    ///
    /// # Errors
    /// [`PictureError`] when the set breaks off, for a bad picture under [`OnBad::Stop`], or when a device
    /// fails.
    pub fn next_block(&mut self) -> Result<Option<PictureBlock>, PictureError> {
        while self.ready.is_empty() {
            if !self.refill()? {
                return Ok(None);
            }
        }
        let size = |picture: &Prepared| (picture.image.width(), picture.image.height());
        let first = self.ready.front().map(size);
        let run = self.ready.iter().take_while(|&picture| Some(size(picture)) == first).count();
        let pictures: Vec<Prepared> = self.ready.drain(..run).collect();
        let sent = self.sender.as_mut().map(|sender| send(sender, &pictures)).transpose()?;
        Ok(Some(PictureBlock::new(pictures, sent)))
    }

    /// Loads the next `size` samples of the part; false at the end.
    fn refill(&mut self) -> Result<bool, PictureError> {
        let part = self.pictures.part;
        let mut batch: Vec<Result<Pending<'_>, DataError>> = Vec::with_capacity(self.size);
        while batch.len() < self.size {
            match self.pending.next() {
                Some(Ok(pending)) if !part.holds(pending.index) => {}
                Some(next) => batch.push(next),
                None => break,
            }
        }
        if batch.is_empty() {
            return Ok(false);
        }
        let protocol = self.pictures.protocol;
        let loaded: Vec<((u64, String), Result<Prepared, PictureError>)> = batch
            .into_par_iter()
            .map(|pending| match pending {
                Ok(pending) => ((pending.index, pending.id.clone()), prepare(pending, protocol)),
                Err(error) => ((0, String::new()), Err(error.into())),
            })
            .collect();
        for ((index, id), picture) in loaded {
            match picture {
                Ok(picture) => self.ready.push_back(picture),
                Err(error) if self.pictures.on_bad == OnBad::Skip && error.is_one_picture() => {
                    self.skipped.push(Skipped { index, id, reason: Outcome::chain(&error) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl PictureError {
    /// Whether one picture is at fault and the rest can go on without it.
    fn is_one_picture(&self) -> bool {
        match self {
            Self::Data(error) => error.is_sample(),
            Self::Crop { .. } => true,
            Self::Device(_) => false,
        }
    }
}

fn send(sender: &mut Sender, pictures: &[Prepared]) -> Result<DevicePictures, PictureError> {
    let pixels: Vec<&[u8]> = pictures.iter().map(|picture| picture.image.pixels()).collect();
    let size = |picture: &Prepared| Size::new(picture.image.width(), picture.image.height());
    Ok(sender.send(&pixels, pictures.first().map_or(Size::new(0, 0), size))?)
}

fn prepare(pending: Pending<'_>, protocol: &Protocol) -> Result<Prepared, PictureError> {
    let read = Stage::Read.enter();
    let Sample { index, id, image, label, captions } = pending.load()?;
    drop(read);
    let side = |side: usize| u32::try_from(side).ok();
    let original = side(image.width()).zip(side(image.height()));
    let _crop = Stage::Crop.enter();
    let image = match crop::apply(protocol, image) {
        Ok(image) => image,
        Err(cause) => {
            return Err(PictureError::Crop { id, protocol: protocol.name.clone(), cause });
        }
    };
    Ok(Prepared { captions, original, ..Prepared::new(index, id, label, image) })
}

fn digest(id: &str, image: &RgbImage) -> [u8; 32] {
    let mut hash = Sha256::new();
    // Lengths first, so that no two (id, picture) pairs run together to the same bytes.
    for length in [id.len(), image.width(), image.height()] {
        hash.update((length as u64).to_le_bytes());
    }
    hash.update(id);
    hash.update(image.pixels());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use prismbench_core::Protocol;

    use super::*;
    use prismbench_data::Synthetic;

    fn ids(dataset: &dyn Dataset, part: Part, limit: Option<u64>, block: usize) -> Vec<String> {
        let protocol = Protocol::preset("default").unwrap().with("size", "32").unwrap();
        let pictures = Pictures { dataset, part, limit, protocol: &protocol, on_bad: OnBad::Stop };
        let mut blocks = pictures.blocks(block).unwrap();
        let mut ids = Vec::new();
        while let Some(block) = blocks.next_block().unwrap() {
            ids.extend(block.iter().map(|picture| picture.id.clone()));
        }
        assert_eq!(ids.len() as u64, pictures.count(), "count() tells the truth");
        ids
    }

    #[test]
    fn train_and_test_are_disjoint_and_together_everything() {
        let set = Synthetic::new(3, 11);
        let train = ids(&set, Part::Train, None, 2);
        assert_eq!(train, ["000000", "000004", "000008"]);
        let mut both = [train, ids(&set, Part::Test, None, 2)].concat();
        both.sort();
        assert_eq!(both, ids(&set, Part::All, None, 3));
    }

    #[test]
    fn a_limit_takes_the_first_pictures_of_the_set_whatever_the_blocks() {
        let set = Synthetic::new(3, 11);
        for block in [1, 4, 64] {
            assert_eq!(
                ids(&set, Part::Test, Some(6), block),
                ["000001", "000002", "000003", "000005"]
            );
        }
        assert_eq!(ids(&set, Part::All, Some(99), 5).len(), 11);
    }

    #[test]
    fn the_digest_tells_apart_ids_sizes_and_pixels() {
        let image = |width, height, level| {
            RgbImage::new(width, height, vec![level; 3 * width * height]).unwrap()
        };
        let base = digest("a", &image(2, 3, 5));
        assert_eq!(base, digest("a", &image(2, 3, 5)));
        assert_ne!(base, digest("b", &image(2, 3, 5)));
        assert_ne!(base, digest("a", &image(3, 2, 5)));
        assert_ne!(base, digest("a", &image(2, 3, 6)));
    }
}
