//! Samples that were made here, as files that others read.

use serde::{Deserialize, Serialize};

use crate::journal::Recalled;
use crate::pictures::Prepared;
use crate::{ArrayWriter, Context, SuiteError};

use super::source::SampleSource;

/// The file that samples are written to: ADM's `arr_0` with the pictures, `arr_1` with their classes
/// where they have such, and `ids`.
pub(super) struct Saving {
    writer: ArrayWriter<u8>,
    labels: Vec<Option<u32>>,
}

/// The pixels of one sample.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    width: usize,
    height: usize,
    #[serde(with = "serde_bytes")]
    pixels: Vec<u8>,
}

impl Saved {
    pub(super) fn of(sample: &Prepared) -> Self {
        let (width, height) = (sample.image.width(), sample.image.height());
        Self { width, height, pixels: sample.image.pixels().to_vec() }
    }
}

impl Saving {
    /// `None` where nothing is to be saved, or nothing is made.
    pub(super) fn new(
        samples: &dyn SampleSource,
        context: &Context<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, SuiteError> {
        let Some(path) = context.save_samples else { return Ok(None) };
        if !samples.is_made_here() {
            warnings.push("samples that were not made here are not saved again".to_owned());
            return Ok(None);
        }
        let writer =
            ArrayWriter::create(path).map_err(|error| SuiteError::Save(Box::new(error)))?;
        Ok(Some(Self { writer, labels: Vec::new() }))
    }

    pub(super) fn push<S>(
        &mut self,
        block: &Recalled<'_, S>,
        saved: &[Saved],
    ) -> Result<(), SuiteError> {
        for (sample, Saved { width, height, pixels }) in block.pictures.iter().zip(saved) {
            let pushed = self.writer.push(&sample.id, &[*height, *width, 3], pixels);
            pushed.map_err(|error| SuiteError::Save(Box::new(error)))?;
            self.labels.push(sample.label);
        }
        Ok(())
    }

    /// Puts the file into its place.
    pub(super) fn finish(self) -> Result<(), SuiteError> {
        let labels: Option<Vec<u32>> = self.labels.into_iter().collect();
        let finished = match labels {
            Some(labels) => self.writer.finish_labelled(&labels),
            None => self.writer.finish(),
        };
        finished.map(|_| ()).map_err(|error| SuiteError::Save(Box::new(error)))
    }
}
