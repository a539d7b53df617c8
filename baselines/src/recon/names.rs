//! Which reconstruction belongs to a sample.
//!
//! Names are looked up in a list and never put behind a path: an id of `../x` finds nothing.

use std::collections::HashMap;

use prismbench_data::{Dataset, without_extension};

use super::ReconError;

/// The names of a set of pictures.
pub(super) struct Names {
    /// As they are.
    whole: HashMap<String, u64>,
    /// Without their extensions: the first two places of each.
    bare: HashMap<String, (u64, Option<u64>)>,
    /// Whether all lie in one folder, so that samples' own folders may be left out.
    flat: bool,
    /// Pictures that are named as JPEG files.
    pub(super) lossy: usize,
}

impl Names {
    /// `None` for a set whose pictures are only numbered.
    pub(super) fn of(pictures: &dyn Dataset) -> Option<Self> {
        let mut names = Self { whole: HashMap::new(), bare: HashMap::new(), flat: true, lossy: 0 };
        for place in 0..pictures.len() {
            let name = pictures.name(place)?;
            names.flat &= !name.contains('/');
            names.lossy += usize::from(is_jpeg(name));
            names.whole.insert(name.to_owned(), place);
            names
                .bare
                .entry(without_extension(name).to_owned())
                .and_modify(|(_, second)| *second = second.or(Some(place)))
                .or_insert((place, None));
        }
        Some(names)
    }

    /// The place of the picture of sample `id`: of its own name, else of its name with another
    /// extension, else, in a flat folder, of its file name alone.
    pub(super) fn find(&self, id: &str, pictures: &dyn Dataset) -> Result<u64, ReconError> {
        if let Some(&place) = self.whole.get(id) {
            return Ok(place);
        }
        let bare = without_extension(id);
        let alone = bare.rsplit('/').next().filter(|_| self.flat);
        let found = self.bare.get(bare).or_else(|| self.bare.get(alone?));
        let name = |place| pictures.name(place).unwrap_or_default().to_owned();
        match found {
            Some(&(place, None)) => Ok(place),
            Some(&(first, Some(second))) => Err(ReconError::Ambiguous {
                id: id.to_owned(),
                first: name(first),
                second: name(second),
            }),
            None => Err(ReconError::Missing { id: id.to_owned(), flat: self.flat }),
        }
    }
}

fn is_jpeg(name: &str) -> bool {
    let extension = name.strip_prefix(without_extension(name)).unwrap_or_default();
    [".jpg", ".jpeg", ".jpe", ".jfif"].iter().any(|jpeg| extension.eq_ignore_ascii_case(jpeg))
}
