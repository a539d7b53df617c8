use std::path::{Path, PathBuf};

use prismbench_core::{Latents, Reconstruction};
use prismbench_suites::{ArrayError, ArrayWriter, Element, Prepared};

use crate::plan::PlanError;

/// Which arrays a run keeps beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Save {
    pub(crate) reconstructions: bool,
    pub(crate) latents: bool,
    /// Of the originals, one file for each data set and protocol.
    pub(crate) features: bool,
    /// Of generators, one file for each row.
    pub(crate) samples: bool,
}

impl Save {
    pub(crate) fn parse(words: &[String]) -> Result<Self, PlanError> {
        let mut save = Self::default();
        for word in words {
            match word.as_str() {
                "reconstructions" => save.reconstructions = true,
                "latents" => save.latents = true,
                "features" => save.features = true,
                "samples" => save.samples = true,
                found => {
                    return Err(PlanError::BadValue {
                        key: "save",
                        found: found.to_owned(),
                        expected: "`reconstructions`, `latents`, `features` or `samples`"
                            .to_owned(),
                    });
                }
            }
        }
        Ok(save)
    }

    /// Whether there is an array for each tokenizer.
    pub(crate) fn anything(self) -> bool {
        self.reconstructions || self.latents
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The pictures that reconstructions are of, as they were after the crop, while they grow: the data set may
/// have moved when somebody wants to see both side by side.
pub(crate) struct Originals {
    writer: ArrayWriter<u8>,
    /// Index that the next picture has at least: every tokenizer of a pass shows the same ones.
    next: u64,
}

impl Originals {
    /// The file appears with [`finish`](Self::finish).
    pub(crate) fn create(path: &Path) -> Result<Self, ArrayError> {
        Ok(Self { writer: ArrayWriter::create(path)?, next: 0 })
    }

    pub(crate) fn push(&mut self, pictures: &[Prepared]) -> Result<(), ArrayError> {
        for picture in pictures.iter().filter(|picture| picture.index >= self.next) {
            let shape = [picture.image.height(), picture.image.width(), 3];
            self.writer.push(&picture.id, &shape, picture.image.pixels())?;
        }
        self.next = pictures.last().map_or(self.next, |last| self.next.max(last.index + 1));
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), ArrayError> {
        self.writer.finish().map(|_| ())
    }
}

/// The arrays of one tokenizer, while they grow.
pub(crate) struct Arrays {
    folder: PathBuf,
    save: Save,
    reconstructions: Option<ArrayWriter<u8>>,
    latents: Option<ArrayWriter<f32>>,
    /// Whether the tokenizer turned out to have no numbers to save.
    pub(crate) no_numbers: bool,
}

impl Arrays {
    /// Prepares `folder`, which is made; the files appear with [`finish`](Self::finish).
    pub(crate) fn create(folder: &Path, save: Save) -> Result<Self, ArrayError> {
        fn writer<T: Element>(
            wanted: bool,
            path: &Path,
        ) -> Result<Option<ArrayWriter<T>>, ArrayError> {
            wanted.then(|| ArrayWriter::create(path)).transpose()
        }
        Ok(Self {
            folder: folder.to_owned(),
            save,
            reconstructions: writer(save.reconstructions, &folder.join("reconstructions.npz"))?,
            latents: writer(save.latents, &folder.join("latents.npz"))?,
            no_numbers: false,
        })
    }

    pub(crate) fn push(
        &mut self,
        pictures: &[Prepared],
        latents: &Latents,
        made: &[Reconstruction],
    ) -> Result<(), Error> {
        if let Some(writer) = &mut self.reconstructions {
            for (picture, made) in pictures.iter().zip(made) {
                let Reconstruction::U8(image) = made else {
                    return Err("`quantiser = \"none\"` leaves nothing 8-bit to save".into());
                };
                let shape = [image.height(), image.width(), 3];
                writer.push(&picture.id, &shape, image.pixels())?;
            }
        }
        if let Some(writer) = &mut self.latents {
            let Latents::Tensor(tensor) = latents else {
                self.no_numbers = true;
                return Ok(());
            };
            for (i, picture) in pictures.iter().enumerate() {
                let latent = tensor.get(i)?;
                let values = latent.flatten_all()?.to_vec1::<f32>()?;
                writer.push(&picture.id, latent.dims(), &values)?;
            }
        }
        Ok(())
    }

    /// Puts the files into place; gives the folder and what it holds.
    pub(crate) fn finish(self) -> Result<(PathBuf, Save), ArrayError> {
        if let Some(writer) = self.reconstructions {
            writer.finish()?;
        }
        if let Some(writer) = self.latents.filter(|_| !self.no_numbers) {
            writer.finish()?;
        }
        Ok((self.folder, Save { latents: self.save.latents && !self.no_numbers, ..self.save }))
    }
}
