use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;

const EXTENSIONS: [&str; 10] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Pictures, as paths relative to the folder, in bytewise order.
    pub(super) ids: Vec<String>,
    /// Files that are neither pictures nor hidden.
    pub(super) ignored: u64,
}

/// Lists a folder and the folders below it; hidden files and folders are passed over.
///
/// Links to files and folders are followed, as `ImageFolder` does, except for a link to a folder
/// that encloses it, which would never end.
pub(super) fn list(root: &Path) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    visit(root, "", &mut Vec::new(), &mut listing)?;
    listing.ids.sort_unstable();
    Ok(listing)
}

/// Whether a file is named as a picture; its content is looked at only when it is loaded.
pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(is_extension)
}

fn is_extension(found: &str) -> bool {
    EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known))
}

/// An id without the extension of a picture, if it has one: `a/b.c` for `a/b.c.JPEG`.
#[must_use]
pub fn without_extension(id: &str) -> &str {
    match id.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty() && !stem.ends_with('/') && is_extension(extension) =>
        {
            stem
        }
        _ => id,
    }
}

fn visit(
    folder: &Path,
    prefix: &str,
    enclosing: &mut Vec<PathBuf>,
    listing: &mut Listing,
) -> Result<(), DataError> {
    let io = |cause| DataError::io(folder, cause);
    let real = folder.canonicalize().map_err(io)?;
    if enclosing.contains(&real) {
        return Ok(());
    }
    enclosing.push(real);
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(name) = path.file_name() else { continue };
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link that leads nowhere is no folder: if it is named as a picture, loading it says so.
        let is_folder = path.is_dir();
        if !is_folder && !is_picture(&path) {
            listing.ignored += 1;
            continue;
        }
        let Some(name) = name.to_str() else { return Err(DataError::Name { path }) };
        if is_folder {
            visit(&path, &format!("{prefix}{name}/"), enclosing, listing)?;
        } else {
            listing.ids.push(format!("{prefix}{name}"));
        }
    }
    enclosing.pop();
    Ok(())
}
