//! Samples that are made here, on disk until they are judged.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use prismbench_core::RgbImage;
use prismbench_data::numbered;
use sha2::{Digest, Sha256};

use crate::pictures::Prepared;
use crate::{ArrayError, ArrayWriter};

const FORMAT: &str = "prismbench-samples-1";
const DIGEST: usize = 32;
/// Width, height, whether there is a label, the label.
const HEAD: usize = 4 + 4 + 1 + 4;
/// Longest side that is read: more than any decoder here makes.
const MAX_SIDE: u32 = 1 << 14;

/// Samples one after the other, each with its sha256. A run that was cut short finds those again that
/// are whole, and makes the others.
pub(super) struct KeptSamples {
    file: File,
    /// Bytes before the first sample.
    header: u64,
    /// Samples that lie in the file.
    count: u64,
    /// Where the next one goes.
    end: u64,
    /// Samples there will be.
    total: u64,
}

impl KeptSamples {
    /// Opens the file, which is made where there is none. What is in it stays if it is of samples of the
    /// same `origin`, which says everything that decides them.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn open(
        path: &Path,
        origin: &BTreeMap<String, String>,
        total: u64,
    ) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut header = serde_json::to_vec(&(FORMAT, origin, total))?;
        header.push(b'\n');
        let mut found = vec![0; header.len()];
        let is_same = match file.read_exact(&mut found) {
            Ok(()) => found == header,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        let length = header.len() as u64;
        let mut kept = Self { file, header: length, count: 0, end: length, total };
        if !is_same {
            kept.file.set_len(0)?;
            kept.file.seek(SeekFrom::Start(0))?;
            kept.file.write_all(&header)?;
        }
        Ok(kept)
    }

    /// Samples that lie in the file, as far as they were read or written.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Hands the samples that an earlier run left to `take`, `batch` at a time, up to the first that is
    /// not whole.
    ///
    /// # Errors
    /// What `take` fails with, and those of the file.
    pub(super) fn each<E: From<io::Error>>(
        &mut self,
        batch: usize,
        mut take: impl FnMut(Vec<Prepared>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = Vec::with_capacity(batch);
        let mut reader = BufReader::with_capacity(1 << 18, self.file.try_clone()?);
        reader.seek(SeekFrom::Start(self.header))?;
        let (mut count, mut end) = (0, self.header);
        while count < self.total
            && let Some((sample, bytes)) = read(&mut reader, (count, self.total))?
        {
            block.push(sample);
            count += 1;
            end += bytes;
            if block.len() >= batch.max(1) {
                take(std::mem::take(&mut block))?;
            }
        }
        (self.count, self.end) = (count, end);
        if block.is_empty() { Ok(()) } else { take(block) }
    }

    /// Adds samples.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn push(&mut self, block: &[Prepared]) -> io::Result<()> {
        // What lies behind the last whole sample is half a sample.
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        let mut writer = BufWriter::with_capacity(1 << 18, &mut self.file);
        for sample in block {
            let bytes = encode(sample);
            writer.write_all(&bytes)?;
            writer.write_all(&Sha256::digest(&bytes))?;
            self.end += (bytes.len() + DIGEST) as u64;
            self.count += 1;
        }
        writer.flush()
    }

    /// Writes all samples as ADM's evaluator has them: `arr_0` with the pictures, `arr_1` with their
    /// classes where they have such, and `ids`.
    ///
    /// # Errors
    /// [`ArrayError`] for a target that cannot be written; those of the file.
    pub(super) fn save(&mut self, path: &Path) -> Result<(), SaveError> {
        let mut writer = ArrayWriter::create(path)?;
        let mut labels = Vec::new();
        self.each(1, |block| {
            for sample in block {
                let shape = [sample.image.height(), sample.image.width(), 3];
                writer.push(&sample.id, &shape, sample.image.pixels())?;
                labels.push(sample.label);
            }
            Ok::<(), SaveError>(())
        })?;
        let labels: Option<Vec<u32>> = labels.into_iter().collect();
        match labels {
            Some(labels) => writer.finish_labelled(&labels)?,
            None => writer.finish()?,
        };
        Ok(())
    }
}

/// Why samples were not saved.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    #[error(transparent)]
    Array(#[from] ArrayError),
    #[error("read the samples back")]
    Read(#[from] io::Error),
}

fn encode(sample: &Prepared) -> Vec<u8> {
    let (width, height) = (sample.image.width() as u32, sample.image.height() as u32);
    let mut bytes = Vec::with_capacity(HEAD + sample.image.pixels().len());
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.push(u8::from(sample.label.is_some()));
    bytes.extend(sample.label.unwrap_or(0).to_le_bytes());
    bytes.extend(sample.image.pixels());
    bytes
}

/// The next sample and how many bytes it takes; `None` where there is no whole one.
fn read(reader: &mut impl Read, (index, total): (u64, u64)) -> io::Result<Option<(Prepared, u64)>> {
    let mut head = [0; HEAD];
    if !filled(reader, &mut head)? {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (width, height) = (word(0), word(4));
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Ok(None);
    }
    let (width, height) = (width as usize, height as usize);
    let mut pixels = vec![0; 3 * width * height];
    let mut digest = [0; DIGEST];
    if !filled(reader, &mut pixels)? || !filled(reader, &mut digest)? {
        return Ok(None);
    }
    let found = Sha256::new_with_prefix(head).chain_update(&pixels).finalize();
    if found.as_slice() != digest {
        return Ok(None);
    }
    let bytes = (HEAD + pixels.len() + DIGEST) as u64;
    let label = (head[8] != 0).then(|| word(9));
    let Ok(image) = RgbImage::new(width, height, pixels) else { return Ok(None) };
    Ok(Some((Prepared::new(index, numbered(index, total), label, image), bytes)))
}

/// Fills a buffer; false where the file ends before.
fn filled(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
