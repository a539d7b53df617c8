use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use prismbench_core::{
    Crop, Draw, Generator, Latents, Protocol, Quantiser, Tokenizer, TokenizerError, Weights,
    hexadecimal,
};
use prismbench_data::{LatentFiles, numbered};
use sha2::{Digest, Sha256};

use crate::follow::Source;
use crate::pictures::{PictureBlock, Pictures, Prepared, Skipped};
use crate::quantised::{EightBit, Quantised};
use crate::{Part, PictureHashes, Stage, SuiteError};

/// Latents that are read at once when they are hashed.
const READ: usize = 64;

/// Samples of a generator as pictures, in order.
pub trait SampleSource {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of a latent, where there is one.
    fn latent(&self) -> String {
        String::new()
    }

    /// Looks at the first sample, so that what cannot be judged is said before anything is computed.
    ///
    /// # Errors
    /// As [`each`](Self::each).
    fn check(&self) -> Result<(), SuiteError> {
        Ok(())
    }

    /// Everything that decides the samples, by name: of equal origins they are the same.
    ///
    /// # Errors
    /// What reading that they are made of can give.
    fn origin(&self) -> Result<BTreeMap<String, String>, SuiteError>;

    /// Whether they are made here, and not only read.
    fn is_made_here(&self) -> bool {
        true
    }

    /// Makes samples of no particular noise to see how long that takes; `None` where they are not drawn here.
    ///
    /// # Errors
    /// What making samples can give.
    fn trial(&self, count: usize, device: &Device) -> Result<Option<Trial>, SuiteError> {
        let _ = (count, device);
        Ok(None)
    }

    /// Hands the samples of a range over, `batch` at a time, with those that were left out on the way to
    /// each block; returns those that were left out behind the last. A sample is the same whatever the
    /// range and the batch.
    ///
    /// # Errors
    /// What reading or making samples can give, with the sample; what `take` gives.
    fn each(
        &self,
        range: Range<u64>,
        how: (usize, &Device),
        take: &mut TakeSamples<'_>,
    ) -> Result<Vec<Skipped>, SuiteError>;
}

/// How long some samples took.
pub struct Trial {
    /// To draw them.
    pub drawing: Duration,
    /// To decode them.
    pub decoding: Duration,
    /// Pictures of their size.
    pub block: PictureBlock,
}

/// Takes a block of samples, and those that were left out on the way to it.
pub type TakeSamples<'t> = dyn FnMut(PictureBlock, Vec<Skipped>) -> Result<(), SuiteError> + 't;

/// Samples as a pass goes over them.
pub(super) struct Sampled<'a>(pub(super) &'a dyn SampleSource);

impl Source for Sampled<'_> {
    fn origin(&self) -> Result<BTreeMap<String, String>, SuiteError> {
        self.0.origin()
    }

    fn key(&self) -> String {
        String::new()
    }

    fn total(&self) -> u64 {
        self.0.len()
    }

    fn count(&self, range: &Range<u64>) -> u64 {
        range.end - range.start
    }

    fn each(
        &self,
        range: Range<u64>,
        how: (usize, &Device),
        take: &mut TakeSamples<'_>,
    ) -> Result<Vec<Skipped>, SuiteError> {
        self.0.each(range, how, take)
    }
}

/// Pictures that somebody made: a folder, an archive of ADM's form.
pub struct Finished<'a> {
    /// The set; its protocol's crop is not applied.
    pub pictures: Pictures<'a>,
}

/// Latents that somebody's generator wrote, decoded here.
pub struct Decoded<'a> {
    /// The files.
    pub files: &'a LatentFiles,
    /// How they are scaled.
    pub scale: LatentScale,
    /// Only the first so many.
    pub limit: Option<u64>,
    /// What decodes them.
    pub tokenizer: &'a dyn Tokenizer,
    /// How a decoder's output becomes 8-bit, and the size that is expected.
    pub protocol: &'a Protocol,
}

/// Latents drawn here.
pub struct Drawn<'a> {
    /// What draws them.
    pub generator: &'a dyn Generator,
    /// The class of each sample.
    pub classes: &'a [u32],
    /// Seed of the noise.
    pub seed: u64,
    /// What decodes them.
    pub tokenizer: &'a dyn Tokenizer,
    /// How a decoder's output becomes 8-bit.
    pub protocol: &'a Protocol,
}

/// The scale of latents in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatentScale {
    /// As generators are trained on them: [`Tokenizer::normalise`] was applied.
    Normalised,
    /// As the encoder gave them.
    Raw,
}

impl SampleSource for Finished<'_> {
    fn len(&self) -> u64 {
        self.pictures.count()
    }

    fn check(&self) -> Result<(), SuiteError> {
        self.each(0..self.len().min(1), (1, &Device::Cpu), &mut |_, _| Ok(())).map(|_| ())
    }

    fn origin(&self) -> Result<BTreeMap<String, String>, SuiteError> {
        Source::origin(&self.all(&self.as_they_are()))
    }

    fn is_made_here(&self) -> bool {
        false
    }

    fn each(
        &self,
        range: Range<u64>,
        how: (usize, &Device),
        take: &mut TakeSamples<'_>,
    ) -> Result<Vec<Skipped>, SuiteError> {
        let (protocol, as_they_are) = (self.pictures.protocol, self.as_they_are());
        Source::each(&self.all(&as_they_are), range, how, &mut |block, skipped| {
            block.iter().try_for_each(|sample| check_size(sample, protocol))?;
            take(block, skipped)
        })
    }
}

impl Finished<'_> {
    /// The hashes that a pass over the samples gives, without judging anything.
    ///
    /// # Errors
    /// As [`Pictures::hashes`].
    pub fn hashes(
        &self,
        batch: usize,
        interrupted: &AtomicBool,
    ) -> Result<PictureHashes, SuiteError> {
        self.all(&self.as_they_are()).hashes(batch, interrupted)
    }

    fn all<'p>(&'p self, as_they_are: &'p Protocol) -> Pictures<'p> {
        Pictures { protocol: as_they_are, part: Part::All, ..self.pictures }
    }

    /// A sample is what it is: cropping it would judge another generator.
    fn as_they_are(&self) -> Protocol {
        Protocol { crop: Crop::None, ..self.pictures.protocol.clone() }
    }
}

impl Decoded<'_> {
    fn latents(
        &self,
        values: Vec<f32>,
        count: usize,
        device: &Device,
    ) -> Result<Latents, TokenizerError> {
        let shape = [&[count], self.files.shape()].concat();
        let tensor = Tensor::from_vec(values, shape, device).map_err(TokenizerError::from)?;
        let latents = Latents::Tensor(tensor);
        Ok(match self.scale {
            LatentScale::Raw => latents,
            LatentScale::Normalised => self.tokenizer.denormalise(&latents)?,
        })
    }
}

impl SampleSource for Decoded<'_> {
    fn len(&self) -> u64 {
        self.limit.map_or(self.files.len(), |limit| limit.min(self.files.len()))
    }

    fn latent(&self) -> String {
        joined(self.files.shape())
    }

    fn origin(&self) -> Result<BTreeMap<String, String>, SuiteError> {
        let mut origin = origin(self.tokenizer, self.protocol);
        let mut hash = Sha256::new();
        let total = self.len();
        for first in (0..total).step_by(READ) {
            let values = self.files.read(first..total.min(first + READ as u64))?;
            values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        for label in self.files.labels().unwrap_or_default() {
            hash.update(label.to_le_bytes());
        }
        origin.insert("latents".to_owned(), hexadecimal(hash.finalize()));
        origin.insert("scale".to_owned(), format!("{:?}", self.scale));
        Ok(origin)
    }

    fn each(
        &self,
        range: Range<u64>,
        (batch, device): (usize, &Device),
        take: &mut TakeSamples<'_>,
    ) -> Result<Vec<Skipped>, SuiteError> {
        let (total, mut first) = (self.len(), range.start);
        while first < range.end {
            let end = range.end.min(first + batch.max(1) as u64);
            let values = self.files.read(first..end)?;
            let latents = self
                .latents(values, (end - first) as usize, device)
                .map_err(|source| SuiteError::Decode { first, source })?;
            let images = decoded(self.tokenizer, &latents, (first, self.protocol))?;
            let label = |index: u64| self.files.labels()?.get(index as usize).copied();
            take(samples(images, first, total, label, self.protocol)?, Vec::new())?;
            first = end;
        }
        Ok(Vec::new())
    }
}

impl SampleSource for Drawn<'_> {
    fn len(&self) -> u64 {
        self.classes.len() as u64
    }

    fn latent(&self) -> String {
        joined(&self.generator.spec().latent)
    }

    fn origin(&self) -> Result<BTreeMap<String, String>, SuiteError> {
        let spec = self.generator.spec();
        let mut origin = origin(self.tokenizer, self.protocol);
        let mut hash = Sha256::new();
        self.classes.iter().for_each(|class| hash.update(class.to_le_bytes()));
        let more = [
            ("generator", spec.id.clone()),
            ("generator's weights", sha256s(&spec.weights)),
            ("sampling", spec.sampling.clone()),
            ("generator's seed", self.seed.to_string()),
            ("classes", hexadecimal(hash.finalize())),
        ];
        origin.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Ok(origin)
    }

    fn trial(&self, count: usize, device: &Device) -> Result<Option<Trial>, SuiteError> {
        let failed = |source| SuiteError::Decode { first: 0, source };
        let drawing = self.generator.estimate(count).map_err(failed)?;
        let [channels, height, width] = self.generator.spec().latent;
        // How long decoding takes does not depend on what is decoded.
        let mean = Tensor::zeros((count, channels, height, width), DType::F32, device)
            .map_err(|error| failed(error.into()))?;
        let latents = self.tokenizer.denormalise(&Latents::Tensor(mean)).map_err(failed)?;
        let start = Instant::now();
        let images = decoded(self.tokenizer, &latents, (0, self.protocol))?;
        let decoding = start.elapsed();
        let block = samples(images, 0, count as u64, |_| None, self.protocol)?;
        Ok(Some(Trial { drawing, decoding, block }))
    }

    fn each(
        &self,
        range: Range<u64>,
        (batch, _): (usize, &Device),
        take: &mut TakeSamples<'_>,
    ) -> Result<Vec<Skipped>, SuiteError> {
        let total = self.len();
        let wanted = self.classes.get(range.start as usize..range.end as usize).unwrap_or_default();
        for (block, classes) in wanted.chunks(batch.max(1)).enumerate() {
            let first = range.start + (block * batch.max(1)) as u64;
            let draws: Vec<Draw> =
                (first..).zip(classes).map(|(index, &class)| Draw { index, class }).collect();
            let draw = Stage::Draw.enter();
            let latents = self
                .generator
                .sample(&draws, self.seed)
                .and_then(|latents| self.tokenizer.denormalise(&latents))
                .map_err(|source| SuiteError::Decode { first, source })?;
            drop(draw);
            let images = decoded(self.tokenizer, &latents, (first, self.protocol))?;
            let label = |index: u64| self.classes.get(index as usize).copied();
            take(samples(images, first, total, label, self.protocol)?, Vec::new())?;
        }
        Ok(Vec::new())
    }
}

/// What decides the pictures that are made of latents: the decoder, and the protocol with it. The
/// version of the program stands for the code of both.
fn origin(tokenizer: &dyn Tokenizer, protocol: &Protocol) -> BTreeMap<String, String> {
    let spec = tokenizer.spec();
    let fields = [
        ("tokenizer", spec.id.clone()),
        ("tokenizer's weights", sha256s(&spec.weights)),
        ("protocol", protocol.canonical()),
        ("layers", prismbench_kernels::nn::BITS.to_string()),
        ("tool", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn sha256s(weights: &[Weights]) -> String {
    let all: Vec<&str> = weights.iter().map(|file| file.sha256.as_str()).collect();
    all.join("+")
}

/// Latents as 8-bit pictures.
fn decoded(
    tokenizer: &dyn Tokenizer,
    latents: &Latents,
    (first, protocol): (u64, &Protocol),
) -> Result<EightBit, SuiteError> {
    if protocol.quantiser == Quantiser::None {
        return Err(SuiteError::NotQuantised);
    }
    let _decode = Stage::Decode.enter();
    let made = tokenizer
        .decode(latents)
        .and_then(|images| Quantised::new(&images, protocol.quantiser)?.into_eight_bit())
        .map_err(|source| SuiteError::Decode { first, source })?;
    // The quantiser was seen to give bytes.
    made.ok_or(SuiteError::NotQuantised)
}

fn samples(
    EightBit { images, sent }: EightBit,
    first: u64,
    total: u64,
    label: impl Fn(u64) -> Option<u32>,
    protocol: &Protocol,
) -> Result<PictureBlock, SuiteError> {
    let sample = |(index, image)| {
        let sample = Prepared::new(index, numbered(index, total), label(index), image);
        check_size(&sample, protocol).map(|()| sample)
    };
    let samples = (first..).zip(images).map(sample).collect::<Result<_, _>>()?;
    Ok(PictureBlock::new(samples, sent))
}

/// Samples of another size than the protocol's are of another resolution than its reference.
fn check_size(sample: &Prepared, protocol: &Protocol) -> Result<(), SuiteError> {
    let found = (sample.image.width(), sample.image.height());
    if protocol.crop == Crop::None || found == (protocol.size, protocol.size) {
        return Ok(());
    }
    let (sample, expected) = (sample.id.clone(), protocol.size);
    Err(SuiteError::SampleSize { sample, found, expected })
}

fn joined(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
