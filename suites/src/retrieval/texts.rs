use prismbench_core::{RetrievalQueries, hexadecimal};
use prismbench_metrics::{Groups, class_query};
use sha2::{Digest, Sha256};

use crate::{Measured, Pictures};

/// The texts that are compared with a set of pictures.
pub(super) struct Texts {
    pub(super) texts: Vec<String>,
    pub(super) groups: Groups,
    /// The pictures' set, for the names of kept features.
    pub(super) set: String,
}

impl Texts {
    /// The captions of the pictures, or the names of their classes; as an error why there are none.
    pub(super) fn of_set(
        queries: RetrievalQueries,
        measured: &Measured,
        captions: &[Vec<String>],
        pictures: &Pictures<'_>,
    ) -> Result<Self, String> {
        let set = format!("{} {}", pictures.dataset.id(), pictures.part.name());
        let (texts, groups) = match queries {
            RetrievalQueries::Captions => {
                let (texts, image_of) = flat(captions);
                (texts, Groups::of_captions(captions.len(), &image_of))
            }
            RetrievalQueries::ClassNames => {
                let classes = pictures.dataset.classes();
                let labels = measured.labels().map_err(|error| error.to_string())?;
                let labels = labels.filter(|_| !classes.is_empty());
                let labels = labels.ok_or("its pictures have no classes with names")?;
                let texts = classes.iter().map(|class| class_query(class)).collect();
                (texts, Groups::of_classes(classes.len() as u32, &labels))
            }
        };
        if texts.is_empty() {
            let remedy = "name a set that has, or `--set queries=class-names`";
            return Err(format!("its pictures have no captions; {remedy}"));
        }
        Ok(Self { texts, groups: groups.map_err(|error| error.to_string())?, set })
    }

    /// sha256 over the texts in their order.
    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for text in &self.texts {
            // The length keeps two texts apart from one that is both.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hexadecimal(hash.finalize())
    }
}

/// All captions one after the other, and the number of the picture that each is of.
pub(super) fn flat(captions: &[Vec<String>]) -> (Vec<String>, Vec<usize>) {
    let numbered = captions.iter().enumerate();
    numbered.flat_map(|(image, all)| all.iter().map(move |text| (text.clone(), image))).unzip()
}
