//! Members of a shard to samples.

use std::collections::HashSet;
use std::fs::File;

use super::ShardError;
use super::tar::{Member, Members};

/// Most bytes of a class, a text or a JSON.
const MAX_TEXT: u64 = 1 << 20;

/// Most bytes of a packed picture: far above any, far below the memory of a machine.
const MAX_PICTURE: u64 = 1 << 30;

/// Extensions of pictures.
const PICTURES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Extensions of what is known about them.
const ANNOTATIONS: [&str; 3] = ["cls", "json", "txt"];

/// A sample: where its members lie.
#[derive(Debug)]
pub(super) struct Record {
    /// `SHARD/KEY`.
    pub(super) id: String,
    /// Where the key begins in the id.
    key: usize,
    pub(super) picture: Part,
    /// At most one of each extension.
    pub(super) annotations: Vec<Part>,
}

/// The bytes of one member.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) extension: &'static str,
    pub(super) start: u64,
    pub(super) len: u64,
}

/// Members of one key, as far as they are known.
struct Open {
    key: String,
    picture: Option<Part>,
    annotations: Vec<Part>,
    /// Extensions that are passed over.
    others: Vec<String>,
}

impl Record {
    /// What the members of the sample have in common.
    pub(super) fn key(&self) -> &str {
        &self.id[self.key..]
    }
}

/// Adds the samples of a shard to `records`.
pub(super) fn read(file: File, shard: &str, records: &mut Vec<Record>) -> Result<(), ShardError> {
    let len = file.metadata().map_err(ShardError::Read)?.len();
    let mut members = Members::new(file, len);
    let mut seen = HashSet::new();
    let mut open: Option<Open> = None;
    while let Some(member) = members.next()? {
        let Some((key, extension)) = divide(&member.name) else { continue };
        if open.as_ref().is_none_or(|open| open.key != key) {
            if !seen.insert(key.to_owned()) {
                return Err(ShardError::Scattered { key: key.to_owned() });
            }
            if let Some(done) = open.take() {
                records.push(done.close(shard)?);
            }
        }
        open.get_or_insert_with(|| Open::new(key)).add(&member, extension)?;
    }
    if let Some(done) = open {
        records.push(done.close(shard)?);
    }
    Ok(())
}

/// Key and extension of a member: its path before and after the first dot of the file name. A name
/// without a dot, one that begins with it and one of WebDataset's own (`__name__`) belong to no sample.
fn divide(name: &str) -> Option<(&str, &str)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    (dot > file && !name[file..].starts_with("__")).then(|| (&name[..dot], &name[dot + 1..]))
}

impl Open {
    fn new(key: &str) -> Self {
        Self { key: key.to_owned(), picture: None, annotations: Vec::new(), others: Vec::new() }
    }

    fn add(&mut self, member: &Member, extension: &str) -> Result<(), ShardError> {
        let known = |list: &'static [&'static str]| {
            list.iter().copied().find(|known| extension.eq_ignore_ascii_case(known))
        };
        let (&Member { start, len, .. }, key) = (member, &self.key);
        let part = |extension, most| {
            if len <= most {
                return Ok(Part { extension, start, len });
            }
            Err(ShardError::Claim { member: member.name.clone(), claimed: len, most })
        };
        let twice = |first: &Part, second| {
            Err(ShardError::Twice { key: key.clone(), first: first.extension, second })
        };
        if let Some(extension) = known(&PICTURES) {
            if let Some(first) = &self.picture {
                return twice(first, extension);
            }
            self.picture = Some(part(extension, MAX_PICTURE)?);
        } else if let Some(extension) = known(&ANNOTATIONS) {
            if let Some(first) = self.annotations.iter().find(|part| part.extension == extension) {
                return twice(first, extension);
            }
            self.annotations.push(part(extension, MAX_TEXT)?);
        } else {
            self.others.push(extension.to_owned());
        }
        Ok(())
    }

    fn close(self, shard: &str) -> Result<Record, ShardError> {
        let Some(picture) = self.picture else {
            let known = self.annotations.iter().map(|part| part.extension);
            let found: Vec<String> = known
                .chain(self.others.iter().map(String::as_str))
                .map(|extension| format!(".{extension}"))
                .collect();
            return Err(ShardError::NoPicture { key: self.key, found: found.join(" ") });
        };
        let id = format!("{shard}/{}", self.key);
        let key = shard.len() + 1;
        Ok(Record { id, key, picture, annotations: self.annotations })
    }
}

#[cfg(test)]
mod tests {
    use super::divide;

    #[test]
    fn a_key_goes_to_the_first_dot_of_the_file_name() {
        for (name, expected) in [
            ("000.jpg", Some(("000", "jpg"))),
            ("a.b/c.d.seg.png", Some(("a.b/c", "d.seg.png"))),
            ("x/README", None),
            ("x/.hidden.jpg", None),
            ("._000.jpg", None),
            ("__index__.json", None),
        ] {
            assert_eq!(divide(name), expected, "{name}");
        }
    }
}
