use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use prismbench_data::npy::Header;
use prismbench_data::{DataError, Floats, NpzArrays};
use prismbench_metrics::{MetricError, Moments};
use sha2::{Digest, Sha256};

use crate::arrays::{Archive, beside};
use crate::feature_file::Origin;

/// Numbers of Inception's pooled features.
const POOLED: usize = 2048;
/// Numbers of its spatial features.
const SPATIAL: usize = 2023;
/// The array that says where moments written by this program are from.
const PROVENANCE: &str = "prismbench";
const FORMAT: &str = "prismbench-moments-1";
/// Most values of an array that is read into memory: a covariance of spatial or pooled features.
const MOST: u64 = (POOLED * POOLED) as u64;

/// Moments of a reference as evaluators keep them: an `.npz` with `mu` and `sigma` of Inception's
/// pooled features, and `mu_s` and `sigma_s` of its spatial ones.
///
/// ADM's reference batches are read, pytorch-fid's, clean-fid's, MAR's and JiT's statistics, and our
/// own, which add where they are from.
#[derive(Debug)]
pub struct MomentsFile {
    path: PathBuf,
    pooled: Moments,
    spatial: Option<Moments>,
    fingerprint: String,
    /// Where the moments are from, if they are ours.
    origin: Option<BTreeMap<String, String>>,
    has_pictures: bool,
}

/// A field in which a reference differs from this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// The field: `inception`, `size`.
    pub field: String,
    /// Its value in the reference.
    pub found: String,
    /// Its value here.
    pub expected: String,
}

/// Why a file serves as no reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MomentsFileError {
    /// It cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It lacks what every reference has.
    #[error(
        "`{}` has no arrays `mu` and `sigma` (it has: {}); `prismbench stats IMAGES -o FILE` makes a reference",
        path.display(), found.join(", ")
    )]
    NoMoments {
        /// The file.
        path: PathBuf,
        /// Its arrays.
        found: Vec<String>,
    },
    /// Moments of other features.
    #[error(
        "`{array}` of `{}` has shape {found:?}; {expected:?} is that of Inception's features, which a reference is made of",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The array.
        array: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape of Inception's.
        expected: Vec<usize>,
    },
    /// Numbers that are no moments: a covariance that is not symmetric, say.
    #[error("`{}` cannot serve as a reference", path.display())]
    Moments {
        /// The file.
        path: PathBuf,
        /// What is wrong with the numbers.
        #[source]
        cause: MetricError,
    },
    /// What it says of itself cannot be read.
    #[error("the provenance in `{}` cannot be read: {problem}", path.display())]
    Provenance {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is something at the path already.
    #[error("`{}` is there already; nothing is overwritten", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
}

impl MomentsFile {
    /// Reads and checks the moments.
    ///
    /// # Errors
    /// [`MomentsFileError`] but for `Exists` and `Write`.
    pub fn open(path: &Path) -> Result<Self, MomentsFileError> {
        let arrays = NpzArrays::open(path)?;
        if !arrays.has("mu") || !arrays.has("sigma") {
            let found = arrays.names().to_vec();
            return Err(MomentsFileError::NoMoments { path: path.to_owned(), found });
        }
        let origin = provenance(&arrays, path)?;
        let samples = origin.as_ref().and_then(|origin| origin.get("n")?.parse().ok());
        let (fingerprint, pooled) = moments(&arrays, path, ("mu", "sigma", POOLED), samples)?;
        let spatial = match arrays.has("mu_s") && arrays.has("sigma_s") {
            true => Some(moments(&arrays, path, ("mu_s", "sigma_s", SPATIAL), samples)?.1),
            false => None,
        };
        let has_pictures = arrays.has("arr_0");
        Ok(Self { path: path.to_owned(), pooled, spatial, fingerprint, origin, has_pictures })
    }

    /// Refuses a path where there is something already.
    ///
    /// # Errors
    /// [`MomentsFileError::Exists`].
    pub fn refuse_existing(path: &Path) -> Result<(), MomentsFileError> {
        // A dangling link is in the way, too.
        match fs::symlink_metadata(path) {
            Ok(_) => Err(MomentsFileError::Exists { path: path.to_owned() }),
            Err(_) => Ok(()),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moments of Inception's pooled features.
    #[must_use]
    pub fn pooled(&self) -> &Moments {
        &self.pooled
    }

    /// Moments of its spatial features, where the file has them.
    #[must_use]
    pub fn spatial(&self) -> Option<&Moments> {
        self.spatial.as_ref()
    }

    /// sha256 over the means of the pooled features as f64: what a reference is recognised by,
    /// whoever has packed it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether the file also holds pictures, as ADM's batches do.
    #[must_use]
    pub fn has_pictures(&self) -> bool {
        self.has_pictures
    }

    /// The data set behind the moments, where the file tells.
    #[must_use]
    pub fn dataset(&self) -> Option<&str> {
        self.origin.as_ref()?.get("dataset").map(String::as_str)
    }

    /// Whether the file says how it was made.
    #[must_use]
    pub fn tells_its_origin(&self) -> bool {
        self.origin.is_some()
    }

    /// The first field in which the moments were made otherwise than this run makes features.
    pub(crate) fn unlike(&self, origin: &Origin) -> Option<Unlike> {
        let found = self.origin.as_ref()?;
        origin.fields().find_map(|(field, expected)| {
            let found = found.get(field).map_or("nothing", String::as_str);
            (found != expected).then(|| Unlike {
                field: field.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            })
        })
    }
}

fn provenance(
    arrays: &NpzArrays,
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, MomentsFileError> {
    let Some(texts) = arrays.texts(PROVENANCE, 1)? else { return Ok(None) };
    let bad = |problem: String| MomentsFileError::Provenance { path: path.to_owned(), problem };
    let text = texts.first().map_or("", String::as_str);
    let mut fields: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    match fields.remove("format").as_deref() {
        Some(FORMAT) => Ok(Some(fields)),
        Some(other) => Err(bad(format!("its format is `{other}`, this build reads `{FORMAT}`"))),
        None => Err(bad("it names no format".to_owned())),
    }
}

/// Two arrays as moments, and the sha256 of the means.
fn moments(
    arrays: &NpzArrays,
    path: &Path,
    (mean, covariance, columns): (&'static str, &'static str, usize),
    samples: Option<u64>,
) -> Result<(String, Moments), MomentsFileError> {
    let read = |array: &'static str, expected: &[usize]| {
        let Floats { shape: found, values } = arrays.floats(array, MOST)?.unwrap_or_default();
        if found == expected {
            return Ok(values);
        }
        let (path, expected) = (path.to_owned(), expected.to_vec());
        Err(MomentsFileError::Shape { path, array, found, expected })
    };
    let mean = read(mean, &[columns])?;
    let covariance = read(covariance, &[columns, columns])?;
    let mut hash = Sha256::new();
    mean.iter().for_each(|value| hash.update(value.to_le_bytes()));
    let fingerprint = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let moments = Moments::from_parts(samples, mean, covariance)
        .map_err(|cause| MomentsFileError::Moments { path: path.to_owned(), cause })?;
    Ok((fingerprint, moments))
}

/// Writes moments with where they are from: the fields of `origin`, and `more`. The file appears whole
/// or not at all, and never in the place of another.
pub(super) fn write(
    path: &Path,
    (pooled, spatial): (&Moments, &Moments),
    origin: &Origin,
    more: &[(&str, String)],
) -> Result<(), MomentsFileError> {
    MomentsFile::refuse_existing(path)?;
    let mut fields: BTreeMap<&str, &str> = origin.fields().collect();
    fields.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
    fields.insert("format", FORMAT);
    let arrays = [
        ("mu.npy", pooled.mean(), vec![POOLED as u64]),
        ("sigma.npy", pooled.covariance(), vec![POOLED as u64; 2]),
        ("mu_s.npy", spatial.mean(), vec![SPATIAL as u64]),
        ("sigma_s.npy", spatial.covariance(), vec![SPATIAL as u64; 2]),
    ];
    let pack = || -> io::Result<()> {
        let text = serde_json::to_string(&fields)?;
        let mut archive = Archive::new(BufWriter::new(beside(path)?));
        for (member, values, shape) in &arrays {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            archive.add(member, &Header::encode("<f8", shape), &bytes)?;
        }
        let letters: Vec<u8> =
            text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
        let descr = format!("<U{}", text.chars().count());
        archive.add("prismbench.npy", &Header::encode(&descr, &[]), &letters)?;
        let file = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    };
    pack().map_err(|cause| MomentsFileError::Write { path: path.to_owned(), cause })
}
