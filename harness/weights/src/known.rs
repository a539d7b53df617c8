//! Published files that carry the beginning of their sha256 in their names, as torch.hub has it.

use std::path::Path;

use crate::WeightsError;

/// Name and first digits of the sha256.
const PUBLISHED: [(&str, &str); 5] = [
    // github.com/mseitzer/pytorch-fid, release fid_weights.
    ("pt_inception-2015-12-05-6726825d.pth", "6726825d"),
    // github.com/toshas/torch-fidelity, release v0.2.0: taken to be the same bytes.
    ("weights-inception-2015-12-05-6726825d.pth", "6726825d"),
    // download.pytorch.org/models, IMAGENET1K_V1: the trunks of LPIPS.
    ("alexnet-owt-7be5be79.pth", "7be5be79"),
    ("vgg16-397923af.pth", "397923af"),
    ("squeezenet1_1-b8a52dc0.pth", "b8a52dc0"),
];

/// Refuses a file that bears a published file's name without its digest.
pub(crate) fn check(path: &Path, sha256: &str) -> Result<(), WeightsError> {
    let published = PUBLISHED.iter().find(|(name, _)| path.file_name().is_some_and(|n| n == *name));
    match published {
        Some(&(_, expected)) if !sha256.starts_with(expected) => {
            let (path, found) = (path.to_owned(), sha256.to_owned());
            Err(WeightsError::Digest { path, expected, found })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_name_needs_the_published_digest() {
        let path = Path::new("some/folder/pt_inception-2015-12-05-6726825d.pth");
        assert!(check(path, "6726825d0000").is_ok());
        assert!(check(Path::new("inception.pth"), "ffff").is_ok());
        let Err(WeightsError::Digest { expected, found, .. }) = check(path, "ffff") else {
            panic!("expected a refusal");
        };
        assert_eq!((expected, &*found), ("6726825d", "ffff"));
    }
}
