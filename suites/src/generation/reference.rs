use prismbench_core::Protocol;
use prismbench_metrics::{FeatureNetwork, FeatureSet, Features, Tap};

use super::moments_file::{MomentSet, MomentsFile, Unlike};
use super::source::{Finished, SampleSource};
use crate::feature_file::Origin;
use crate::follow::{Passing, follow, of_network};
use crate::journal::{Block, Recalled};
use crate::pictures::PictureBlock;
use crate::sets::Own;
use crate::{Context, NetworkKind, Observer, Pictures, SuiteError};

/// What samples are compared with.
#[derive(Clone, Copy)]
pub enum ReferenceChoice<'a> {
    /// Moments, and the pictures that the same file holds, where it does.
    Moments(&'a MomentsFile, Option<&'a Pictures<'a>>),
    /// The real pictures that were given.
    Pictures,
}

/// What samples are compared with in one network's features, as far as it is there.
pub(super) struct Reference<'a> {
    /// Whether it is something else than the real pictures that were given.
    is_apart: bool,
    moments: Option<&'a MomentSet>,
    pictures: Option<Own>,
    sha256: String,
    /// Pictures whose features are there.
    pub(super) count: usize,
}

impl<'a> Reference<'a> {
    /// Takes the features `taps` of the reference's pictures, unless moments serve all that is asked
    /// for: `compares` says whether single features are compared with.
    pub(super) fn new(
        choice: ReferenceChoice<'a>,
        real: Option<&Pictures<'a>>,
        (kind, (network, taps), compares): (NetworkKind, (&dyn FeatureNetwork, &[Tap]), bool),
        context: &mut Context<'a>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SuiteError> {
        let (file, pictures) = match choice {
            ReferenceChoice::Moments(file, own) => {
                if let Some(own) = own {
                    // Pictures of a reference belong to its moments: another size is another reference.
                    Finished { pictures: *own }.check()?;
                }
                (Some(file), own.or(real))
            }
            ReferenceChoice::Pictures => (None, real),
        };
        if let (None, None) = (file, pictures) {
            return Err(SuiteError::NoReference);
        }
        let moments = file.and_then(|file| file.set(kind));
        let is_apart = file.is_some();
        let mut reference =
            Self { is_apart, moments, pictures: None, sha256: String::new(), count: 0 };
        if let Some(pictures) = pictures.filter(|_| compares || !is_apart)
            && let Some(Taken { own, sha256, count }) =
                features(pictures, ("reference", network, taps), context, warnings)?
        {
            (reference.pictures, reference.sha256, reference.count) = (Some(own), sha256, count);
        }
        if let Some(moments) = moments {
            moments.fingerprint().clone_into(&mut reference.sha256);
        }
        Ok(reference)
    }

    /// sha256 of what the samples are compared with; empty where that is nothing.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether it is something else than the real pictures that were given.
    pub(super) fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// What a Fréchet distance compares with; `None` where the file of moments lacks those.
    pub(super) fn set(&self, tap: Tap, place: usize) -> Option<FeatureSet<'_>> {
        match (self.is_apart, tap) {
            (true, Tap::Spatial) => self.moments?.spatial().map(FeatureSet::Moments),
            (true, _) => Some(FeatureSet::Moments(self.moments?.pooled())),
            (false, _) => Some(FeatureSet::Features(self.features(place)?)),
        }
    }

    /// The features of the reference's pictures, tap number `place`.
    pub(super) fn features(&self, place: usize) -> Option<&dyn Features> {
        Some(self.pictures.as_ref()?.spool(place)?)
    }
}

/// The field in which moments were made otherwise than a protocol and a network make features.
pub(super) fn unlike(
    moments: &MomentSet,
    network: &dyn FeatureNetwork,
    protocol: &Protocol,
) -> Option<Unlike> {
    moments.unlike(&Origin::new(network, protocol))
}

/// Refuses moments that were made otherwise than this run makes features; where the run allows it,
/// what marks its rows.
pub(super) fn mark(
    choice: ReferenceChoice<'_>,
    (kind, network): (NetworkKind, &dyn FeatureNetwork),
    context: &Context<'_>,
    said: &mut Vec<String>,
) -> Result<String, SuiteError> {
    let ReferenceChoice::Moments(file, _) = choice else { return Ok(String::new()) };
    let Some(moments) = file.set(kind) else { return Ok(String::new()) };
    let path = file.path().to_owned();
    if !moments.tells_its_origin() {
        let under =
            network.resize().map(|(field, value)| format!(" under `{field} = \"{value}\"`"));
        said.push(format!(
            "`{}` does not say how it was made; it is taken for one of {}'s features{}",
            path.display(),
            kind.name(),
            under.unwrap_or_default()
        ));
    }
    let Some(unlike) = unlike(moments, network, context.protocol) else {
        return Ok(String::new());
    };
    if !context.allow_unlike_reference {
        return Err(SuiteError::Unlike { path, unlike: Box::new(unlike) });
    }
    let Unlike { field, found, expected } = unlike;
    said.push(format!(
        "the reference `{}` was made with {field} = {found}, this run has {expected}: allowed, and \
         its rows are marked",
        path.display()
    ));
    Ok(format!("-against-{field}={found}"))
}

/// Features of a set of pictures.
pub(super) struct Taken {
    pub(super) own: Own,
    /// Of the pictures.
    pub(super) sha256: String,
    /// Pictures.
    pub(super) count: usize,
}

/// Features of pictures, remembered ones where the cache has them. `None` in a shard, whose journal (the
/// name begins with the given one) is all that it leaves.
pub(super) fn features<'a>(
    pictures: &Pictures<'a>,
    (name, network, taps): (&str, &dyn FeatureNetwork, &[Tap]),
    context: &mut Context<'a>,
    warnings: &mut Vec<String>,
) -> Result<Option<Taken>, SuiteError> {
    let mut own = Own::new(network, taps, pictures.protocol);
    if let Some(folder) = context.cache {
        own = own.with_cache(folder, (pictures, context.device), warnings);
    }
    let mut pass = OfPictures { network, own };
    let name = format!("{name}-{}", network.id());
    let taps: Vec<&str> = taps.iter().map(|tap| tap.id()).collect();
    let origin = [of_network(network), ("taps".to_owned(), taps.join(" "))].into_iter().collect();
    let Some(measured) = follow(&mut pass, pictures, (&name, origin), context)? else {
        return Ok(None);
    };
    let measured = measured.some(pictures)?;
    pass.own.keep(warnings);
    let count = measured.count();
    Ok(Some(Taken { own: pass.own, sha256: measured.sha256, count }))
}

/// A pass that takes features of pictures.
struct OfPictures<'n> {
    network: &'n dyn FeatureNetwork,
    own: Own,
}

impl Passing for OfPictures<'_> {
    /// How many were computed.
    type State = u64;

    fn measure(
        &mut self,
        block: &PictureBlock,
        _: &mut Context<'_>,
    ) -> Result<Block<u64>, SuiteError> {
        let (rows, state) = self.own.measure(self.network, block)?;
        Ok(Block { state, rows, failures: Vec::new() })
    }

    fn take(
        &mut self,
        block: Recalled<'_, u64>,
        fresh: u64,
        _: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        Ok(self.own.take(&block, (0, fresh))?)
    }
}
