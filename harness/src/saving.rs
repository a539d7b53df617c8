use std::path::{Path, PathBuf};

use prismbench_suites::{ArrayError, ArrayWriter, Element, LatentRows, Made, Pixels, WantedArrays};

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
        self.wanted().any()
    }

    /// What there is for each tokenizer.
    pub(crate) fn wanted(self) -> WantedArrays {
        WantedArrays { reconstructions: self.reconstructions, latents: self.latents }
    }
}

/// The pictures that reconstructions are of, as they were after the crop, while they grow: the data set may
/// have moved when somebody wants to see both side by side.
pub(crate) struct Originals(ArrayWriter<u8>);

impl Originals {
    /// The file appears with [`finish`](Self::finish).
    pub(crate) fn create(path: &Path) -> Result<Self, ArrayError> {
        ArrayWriter::create(path).map(Self)
    }

    pub(crate) fn push(&mut self, ids: &[&str], pictures: &[Pixels]) -> Result<(), ArrayError> {
        push(&mut self.0, ids, pictures)
    }

    pub(crate) fn finish(self) -> Result<(), ArrayError> {
        self.0.finish().map(|_| ())
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

    pub(crate) fn push(&mut self, ids: &[&str], made: &Made) -> Result<(), ArrayError> {
        if let Some(writer) = &mut self.reconstructions {
            push(writer, ids, &made.reconstructions)?;
        }
        if let Some(writer) = &mut self.latents {
            let Some(LatentRows { shape, values }) = &made.latents else {
                self.no_numbers = true;
                return Ok(());
            };
            let each = values.len() / ids.len().max(1);
            for (id, values) in ids.iter().zip(values.chunks_exact(each.max(1))) {
                writer.push(id, shape, values)?;
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

fn push(writer: &mut ArrayWriter<u8>, ids: &[&str], pictures: &[Pixels]) -> Result<(), ArrayError> {
    let mut pairs = ids.iter().zip(pictures);
    pairs.try_for_each(|(id, picture)| {
        writer.push(id, &[picture.height, picture.width, 3], &picture.bytes)
    })
}
