use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use prismbench_core::hexadecimal;
use prismbench_data::npy::Header;
use prismbench_data::{DataError, Floats, NpzArrays};
use prismbench_metrics::{MetricError, Moments};
use sha2::{Digest, Sha256};

use crate::NetworkKind;
use crate::arrays::{Archive, beside};
use crate::feature_file::Origin;

const FORMAT: &str = "prismbench-moments-1";
/// Numbers of Inception's pooled features.
const POOLED: usize = 2048;

/// The arrays of moments in one network's features, and how many numbers these have.
#[derive(Clone, Copy)]
struct Layout {
    kind: NetworkKind,
    pooled: Arrays,
    /// sFID's.
    spatial: Option<Arrays>,
    /// The array that says where moments written by this program are from.
    provenance: &'static str,
}

#[derive(Clone, Copy)]
struct Arrays {
    mean: &'static str,
    covariance: &'static str,
    /// Of the network; `None` for one that the moments tell the width of.
    columns: Option<usize>,
}

/// Inception's moments are where every evaluator has them; others lie beside them under names of their
/// own, as CLIP's do in ADM's files.
const LAYOUTS: [Layout; 3] = [
    Layout {
        kind: NetworkKind::Inception,
        pooled: Arrays { mean: "mu", covariance: "sigma", columns: Some(POOLED) },
        spatial: Some(Arrays { mean: "mu_s", covariance: "sigma_s", columns: Some(2023) }),
        provenance: "prismbench",
    },
    Layout {
        kind: NetworkKind::Dinov2,
        pooled: Arrays { mean: "mu_dinov2", covariance: "sigma_dinov2", columns: Some(1024) },
        spatial: None,
        provenance: "prismbench_dinov2",
    },
    Layout {
        kind: NetworkKind::Encoder,
        pooled: Arrays { mean: "mu_encoder", covariance: "sigma_encoder", columns: None },
        spatial: None,
        provenance: "prismbench_encoder",
    },
];

/// Most values of an array that is read into memory: a covariance of pooled features.
const MOST: u64 = (POOLED * POOLED) as u64;

/// Moments of a reference as evaluators keep them: an `.npz` with `mu` and `sigma` of Inception's
/// pooled features, and `mu_s` and `sigma_s` of its spatial ones; `mu_dinov2` and `sigma_dinov2` of
/// DINOv2's; `mu_encoder` and `sigma_encoder` of the encoder's that a protocol names.
///
/// ADM's reference batches are read, pytorch-fid's, clean-fid's, MAR's and JiT's statistics, and our
/// own, which add where they are from.
#[derive(Debug)]
pub struct MomentsFile {
    path: PathBuf,
    sets: Vec<MomentSet>,
    has_pictures: bool,
}

/// Moments in one network's features.
#[derive(Debug)]
pub(crate) struct MomentSet {
    kind: NetworkKind,
    pooled: Moments,
    spatial: Option<Moments>,
    fingerprint: String,
    /// Where the moments are from, if they are ours.
    origin: Option<BTreeMap<String, String>>,
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
        "`{}` has no arrays `mu` and `sigma`, nor those of `_dinov2` or `_encoder` (it has: {}); \
         `prismbench stats IMAGES -o FILE` makes a reference",
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
        "`{array}` of `{}` has shape {found:?}; {expected:?} is that of the features of {network}, which \
         it is made of",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The array.
        array: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The network whose array has this name.
        network: &'static str,
        /// The shape of that.
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
        let is_there = |layout: &&Layout| {
            arrays.has(layout.pooled.mean) && arrays.has(layout.pooled.covariance)
        };
        let sets: Vec<MomentSet> = LAYOUTS
            .iter()
            .filter(is_there)
            .map(|layout| MomentSet::read(&arrays, path, *layout))
            .collect::<Result<_, _>>()?;
        if sets.is_empty() {
            let found = arrays.names().to_vec();
            return Err(MomentsFileError::NoMoments { path: path.to_owned(), found });
        }
        let has_pictures = arrays.has("arr_0");
        Ok(Self { path: path.to_owned(), sets, has_pictures })
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

    /// sha256 of the means of Inception's pooled features as f64, little-endian: what a reference is recognised
    /// by, whoever has packed it. `None` for moments in other features alone.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.set(NetworkKind::Inception).map(MomentSet::fingerprint)
    }

    /// The moments in the features of a network, where the file has them.
    pub(crate) fn set(&self, kind: NetworkKind) -> Option<&MomentSet> {
        self.sets.iter().find(|set| set.kind == kind)
    }

    /// Whether the file also holds pictures, as ADM's batches do.
    #[must_use]
    pub fn has_pictures(&self) -> bool {
        self.has_pictures
    }
}

impl MomentSet {
    fn read(arrays: &NpzArrays, path: &Path, layout: Layout) -> Result<Self, MomentsFileError> {
        let origin = provenance(arrays, path, layout.provenance)?;
        let samples = origin.as_ref().and_then(|origin| origin.get("n")?.parse().ok());
        let network = layout.kind.name();
        let read = |of: Arrays| moments(arrays, path, of, (network, samples));
        let (fingerprint, pooled) = read(layout.pooled)?;
        let spatial = match layout.spatial {
            Some(of) if arrays.has(of.mean) && arrays.has(of.covariance) => Some(read(of)?.1),
            _ => None,
        };
        Ok(Self { kind: layout.kind, pooled, spatial, fingerprint, origin })
    }

    /// Moments of the network's pooled features.
    pub(crate) fn pooled(&self) -> &Moments {
        &self.pooled
    }

    /// Moments of Inception's spatial features, where the file has them.
    pub(crate) fn spatial(&self) -> Option<&Moments> {
        self.spatial.as_ref()
    }

    /// sha256 over the means of the pooled features as f64: what a reference is recognised by,
    /// whoever has packed it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether the file says how they were made.
    pub(crate) fn tells_its_origin(&self) -> bool {
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
    array: &str,
) -> Result<Option<BTreeMap<String, String>>, MomentsFileError> {
    let Some(texts) = arrays.texts(array, 1)? else { return Ok(None) };
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
    Arrays { mean, covariance, columns }: Arrays,
    (network, samples): (&'static str, Option<u64>),
) -> Result<(String, Moments), MomentsFileError> {
    let read = |array: &'static str, expected: &dyn Fn(&[usize]) -> Vec<usize>| {
        let Floats { shape: found, values } = arrays.floats(array, MOST)?.unwrap_or_default();
        let expected = expected(&found);
        if found == expected {
            return Ok(values);
        }
        let path = path.to_owned();
        Err(MomentsFileError::Shape { path, array, found, network, expected })
    };
    let mean = read(mean, &|found| vec![columns.unwrap_or(found.iter().product())])?;
    let covariance = read(covariance, &|_| vec![mean.len(); 2])?;
    let mut hash = Sha256::new();
    mean.iter().for_each(|value| hash.update(value.to_le_bytes()));
    let fingerprint = hexadecimal(hash.finalize());
    let moments = Moments::from_parts(samples, mean, covariance)
        .map_err(|cause| MomentsFileError::Moments { path: path.to_owned(), cause })?;
    Ok((fingerprint, moments))
}

/// Moments to be written: in the features of one network, and where they are from.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) kind: NetworkKind,
    pub(super) pooled: Moments,
    pub(super) spatial: Option<Moments>,
    pub(super) origin: Origin,
}

/// Writes moments with where they are from: the fields of each one's origin, and `more`. The file
/// appears whole or not at all, and never in the place of another.
pub(super) fn write(
    path: &Path,
    all: &[Taken],
    more: &[(&str, String)],
) -> Result<(), MomentsFileError> {
    MomentsFile::refuse_existing(path)?;
    let pack = || -> io::Result<()> {
        let mut archive = Archive::new(BufWriter::new(beside(path)?));
        for taken in all {
            let Some(layout) = LAYOUTS.iter().find(|layout| layout.kind == taken.kind) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            pack_one(&mut archive, layout, taken, more)?;
        }
        let file = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    };
    pack().map_err(|cause| MomentsFileError::Write { path: path.to_owned(), cause })
}

fn pack_one<W: Write + Seek>(
    archive: &mut Archive<W>,
    layout: &Layout,
    taken: &Taken,
    more: &[(&str, String)],
) -> io::Result<()> {
    let mut fields: BTreeMap<&str, &str> = taken.origin.fields().collect();
    fields.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
    fields.insert("format", FORMAT);
    let pooled = Some((layout.pooled, &taken.pooled));
    for (of, moments) in pooled.into_iter().chain(layout.spatial.zip(taken.spatial.as_ref())) {
        let columns = moments.columns() as u64;
        for (array, values, shape) in [
            (of.mean, moments.mean(), vec![columns]),
            (of.covariance, moments.covariance(), vec![columns; 2]),
        ] {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            archive.add(&format!("{array}.npy"), &Header::encode("<f8", &shape), &bytes)?;
        }
    }
    let text = serde_json::to_string(&fields)?;
    let letters: Vec<u8> =
        text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    let descr = format!("<U{}", text.chars().count());
    archive.add(&format!("{}.npy", layout.provenance), &Header::encode(&descr, &[]), &letters)
}
