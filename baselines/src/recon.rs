//! Finished reconstructions: pictures that were made elsewhere, paired with those of the data set.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candle_core::Device;
use prismbench_core::{
    Encoding, ImageBatch, LatentShape, Latents, RgbImage, SampleKey, Tokenizer, TokenizerError,
    TokenizerSpec,
};
use prismbench_data::{DataError, DataSpec, Dataset, Limits, OpenParquet, Pending, open_within};
use rayon::prelude::*;

mod names;

use names::Names;

/// Why there is no reconstruction of a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconError {
    /// The folder or file cannot be read, or one of its pictures cannot.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No picture belongs to the sample.
    #[error(
        "there is none for `{id}`; it would bear that name{}, with any picture's extension",
        if *flat { " or its last part" } else { "" }
    )]
    Missing {
        /// The sample.
        id: String,
        /// Whether names without their folders were tried, too.
        flat: bool,
    },
    /// The array has no picture at the sample's place.
    #[error("there is none for picture {index} of the data: it has {len}, and no `ids` to pair by")]
    Beyond {
        /// The sample's place in its data set.
        index: u64,
        /// Reconstructions there are.
        len: u64,
    },
    /// Several pictures may belong to the sample.
    #[error("for `{id}` there are `{first}` and `{second}`; keep one")]
    Ambiguous {
        /// The sample.
        id: String,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// One picture belongs to two samples.
    #[error("`{name}` would stand for both `{first}` and `{second}`; keep the data's folders")]
    Shared {
        /// The reconstruction.
        name: String,
        /// The sample that it was taken for first.
        first: String,
        /// The other one.
        second: String,
    },
    /// The reconstruction is of another size than what it is compared with.
    #[error("that of `{id}` has {}x{} pixels where the cropped picture has {}x{}", found.0, found.1, expected.0, expected.1)]
    Size {
        /// The sample.
        id: String,
        /// Columns and rows of the picture.
        expected: (usize, usize),
        /// Columns and rows of the reconstruction.
        found: (usize, usize),
    },
}

/// Pictures on disk in the place of a tokenizer.
pub(crate) struct Recon {
    spec: TokenizerSpec,
    pictures: Box<dyn Dataset>,
    /// How samples find their pictures; `None` where there are only places.
    names: Option<Names>,
    /// Which sample each picture was taken for.
    taken: Mutex<HashMap<u64, String>>,
    device: Device,
}

impl Recon {
    /// Lists the pictures.
    ///
    /// # Errors
    /// [`TokenizerError::Reconstruction`] when there is nothing that can be listed.
    pub(crate) fn open(
        id: String,
        path: &Path,
        (device, limits): (Device, Limits),
    ) -> Result<Self, TokenizerError> {
        let no_parquet: OpenParquet = |files| Err(DataError::NoParquet { id: files.id });
        let pictures = open_within(&DataSpec::Path(path.to_owned()), no_parquet, limits)
            .map_err(|cause| failed(&id, cause.into()))?;
        let names = Names::of(pictures.as_ref());
        let source = "reconstructions that were made elsewhere".to_owned();
        let spec = TokenizerSpec { id, stride: 1, parameters: 0, weights: Vec::new(), source };
        Ok(Self { spec, pictures, names, taken: Mutex::default(), device })
    }

    /// Place of the picture that belongs to a sample.
    fn find(&self, sample: &SampleKey<'_>) -> Result<u64, ReconError> {
        let Some(names) = &self.names else {
            let (index, len) = (sample.index, self.pictures.len());
            return if index < len { Ok(index) } else { Err(ReconError::Beyond { index, len }) };
        };
        let place = names.find(sample.id, self.pictures.as_ref())?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.entry(place).or_insert_with(|| sample.id.to_owned());
        if first == sample.id {
            return Ok(place);
        }
        let name = self.pictures.name(place).unwrap_or_default().to_owned();
        Err(ReconError::Shared { name, first: first.clone(), second: sample.id.to_owned() })
    }

    fn load(&self, samples: &[SampleKey<'_>]) -> Result<Vec<RgbImage>, ReconError> {
        let pending = samples.iter().map(|sample| {
            let place = self.find(sample)?;
            let pending = self.pictures.samples(place..place + 1)?.next();
            Ok(pending.ok_or(ReconError::Beyond { index: place, len: self.pictures.len() })??)
        });
        let pending = pending.collect::<Result<Vec<Pending<'_>>, ReconError>>()?;
        let loaded = pending.into_par_iter().map(|pending| Ok(pending.load()?.image));
        loaded.collect()
    }
}

fn failed(id: &str, cause: ReconError) -> TokenizerError {
    TokenizerError::Reconstruction { tokenizer: id.to_owned(), cause: Box::new(cause) }
}

impl Tokenizer for Recon {
    fn spec(&self) -> &TokenizerSpec {
        &self.spec
    }

    fn latent_shape(&self, _: usize, _: usize) -> LatentShape {
        LatentShape::Unknown
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        encoding.refuse_extras(&self.spec.id)?;
        let (count, height, width) = images.dims();
        let samples = encoding.samples;
        if samples.len() != count {
            return Err(TokenizerError::Shape {
                expected: format!("the ids of {count} samples to pair by"),
                found: samples.len().to_string(),
            });
        }
        let made = self.load(samples).map_err(|cause| failed(&self.spec.id, cause))?;
        let expected = (width, height);
        for (sample, made) in samples.iter().zip(&made) {
            let found = (made.width(), made.height());
            if found != expected {
                let id = sample.id.to_owned();
                return Err(failed(&self.spec.id, ReconError::Size { id, expected, found }));
            }
        }
        let made: Vec<&RgbImage> = made.iter().collect();
        Ok(Latents::Finished(ImageBatch::from_images(&made, &self.device)?))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        match latents {
            Latents::Finished(images) => Ok(images.clone()),
            other => Err(TokenizerError::Shape {
                expected: format!("reconstructions of `{}`", self.spec.id),
                found: other.kind().to_owned(),
            }),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let Some(names) = &self.names else { return Vec::new() };
        let mut remarks = Vec::new();
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let (id, len) = (&self.spec.id, self.pictures.len());
        if taken < len {
            remarks.push(format!("`{id}`: {} of {len} pictures belong to no sample", len - taken));
        }
        if names.lossy > 0 {
            remarks.push(format!(
                "`{id}`: {} of {len} pictures are JPEG files, whose own loss is in every number",
                names.lossy
            ));
        }
        remarks
    }
}
