use candle_core::{Device, Tensor};
use prismbench_core::{
    Crop, Draw, Generator, Latents, Protocol, Quantiser, Reconstruction, RgbImage, Tokenizer,
    TokenizerError,
};
use prismbench_data::{LatentFiles, numbered};

use crate::pictures::{Pictures, Prepared};
use crate::{Part, SuiteError};

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

    /// Hands all samples over, `batch` at a time.
    ///
    /// # Errors
    /// What reading or making samples can give, with the sample; what `take` gives.
    fn each(
        &self,
        batch: usize,
        device: &Device,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError>;
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
        let first = Self { pictures: Pictures { limit: Some(1), ..self.pictures } };
        first.in_blocks(1, &mut |_| Ok(()))
    }

    fn each(
        &self,
        batch: usize,
        _: &Device,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError> {
        self.in_blocks(batch, take)
    }
}

impl Finished<'_> {
    fn in_blocks(
        &self,
        batch: usize,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError> {
        let protocol = self.pictures.protocol;
        // A sample is what it is: cropping it would judge another generator.
        let as_they_are = Protocol { crop: Crop::None, ..protocol.clone() };
        let pictures = Pictures { protocol: &as_they_are, part: Part::All, ..self.pictures };
        let mut blocks = pictures.blocks(batch)?;
        while let Some(block) = blocks.next_block()? {
            block.iter().try_for_each(|sample| check_size(sample, protocol))?;
            take(block)?;
        }
        Ok(())
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

    fn each(
        &self,
        batch: usize,
        device: &Device,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError> {
        let total = self.len();
        let mut first = 0;
        while first < total {
            let end = total.min(first + batch as u64);
            let values = self.files.read(first..end)?;
            let latents = self
                .latents(values, (end - first) as usize, device)
                .map_err(|source| SuiteError::Decode { first, source })?;
            let images = decoded(self.tokenizer, &latents, (first, self.protocol))?;
            let label = |index: u64| self.files.labels()?.get(index as usize).copied();
            take(samples(images, first, total, label, self.protocol)?)?;
            first = end;
        }
        Ok(())
    }
}

impl SampleSource for Drawn<'_> {
    fn len(&self) -> u64 {
        self.classes.len() as u64
    }

    fn latent(&self) -> String {
        joined(&self.generator.spec().latent)
    }

    fn each(
        &self,
        batch: usize,
        _: &Device,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError> {
        let total = self.len();
        for (block, classes) in self.classes.chunks(batch.max(1)).enumerate() {
            let first = (block * batch.max(1)) as u64;
            let draws: Vec<Draw> =
                (first..).zip(classes).map(|(index, &class)| Draw { index, class }).collect();
            let latents = self
                .generator
                .sample(&draws, self.seed)
                .and_then(|latents| self.tokenizer.denormalise(&latents))
                .map_err(|source| SuiteError::Decode { first, source })?;
            let images = decoded(self.tokenizer, &latents, (first, self.protocol))?;
            let label = |index: u64| self.classes.get(index as usize).copied();
            take(samples(images, first, total, label, self.protocol)?)?;
        }
        Ok(())
    }
}

/// Latents as 8-bit pictures.
fn decoded(
    tokenizer: &dyn Tokenizer,
    latents: &Latents,
    (first, protocol): (u64, &Protocol),
) -> Result<Vec<RgbImage>, SuiteError> {
    if protocol.quantiser == Quantiser::None {
        return Err(SuiteError::NotQuantised);
    }
    let made = tokenizer
        .decode(latents)
        .and_then(|images| images.quantise(protocol.quantiser))
        .map_err(|source| SuiteError::Decode { first, source })?;
    // The quantiser was seen to give bytes.
    let image = |made| match made {
        Reconstruction::U8(image) => Ok(image),
        Reconstruction::F32 { .. } => Err(SuiteError::NotQuantised),
    };
    made.into_iter().map(image).collect()
}

fn samples(
    images: Vec<RgbImage>,
    first: u64,
    total: u64,
    label: impl Fn(u64) -> Option<u32>,
    protocol: &Protocol,
) -> Result<Vec<Prepared>, SuiteError> {
    let sample = |(index, image)| {
        let sample = Prepared::new(index, numbered(index, total), label(index), image);
        check_size(&sample, protocol).map(|()| sample)
    };
    (first..).zip(images).map(sample).collect()
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
