use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use candle_core::Device;
use prismbench_core::{
    Concern, ElementType, MetricDef, Outcome, Protocol, Tokenizer, TokenizerError, hexadecimal,
};
use prismbench_data::LatentFileError;
use prismbench_metrics::MetricError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::column::Column;
use crate::feature_file::FeatureFileError;
use crate::generation::{Forecast, MomentsFileError, Unlike};
use crate::journal::{JournalError, Journals};
use crate::networks::Networks;
use crate::pictures::{PictureError, Pictures, Skipped};
use crate::reconstruction::{Made, Pixels, WantedArrays};

/// A family of measurements that share data and the passes over it.
pub trait Suite: Send + Sync {
    /// Id without version: `reconstruction`.
    fn id(&self) -> &'static str;

    /// Bumped whenever equal inputs may give another value.
    fn version(&self) -> u32;

    /// What it measures, in one line.
    fn summary(&self) -> &'static str;

    /// Which fields of a protocol decide its numbers.
    fn concern(&self) -> Concern;

    /// Whether it learns from pictures before it measures on others.
    fn learns(&self) -> Learns {
        Learns::Nothing
    }

    /// Tokenizers that may be in memory while it measures: 1 where others would disturb.
    fn subjects_at_once(&self) -> usize {
        usize::MAX
    }

    /// Every metric it can measure, in the order of the tables' columns.
    fn metrics(&self) -> Vec<&'static MetricDef>;

    /// Ids of those metrics that cost so much that they are measured only when they are named.
    fn on_request(&self) -> &'static [&'static str] {
        &[]
    }

    /// Measures `subjects` in one pass over `pictures`. `None` where this is a shard, whose journals are
    /// all that it leaves.
    ///
    /// # Errors
    /// [`SuiteError`] when nothing can be measured or the run was interrupted. What fails for one
    /// tokenizer or one metric is an [`Outcome`] instead, and the others go on.
    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError>;
}

/// What a suite does with [`Context::training`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// Nothing.
    Nothing,
    /// Fits something to features of them.
    FromTraining,
}

/// What the runner lends a suite. Nothing in it is global, so that a test can hand over fakes.
pub struct Context<'a> {
    /// Ids of the metrics to measure; others of the suite are left out.
    pub metrics: &'a [String],
    /// Where tokenizers run.
    pub device: &'a Device,
    /// Pictures that go through a tokenizer at once. Values do not depend on it.
    pub batch: usize,
    /// Seed of what is drawn.
    pub seed: u64,
    /// What decides the numbers.
    pub protocol: &'a Protocol,
    /// The feature networks of the protocol.
    pub networks: &'a Networks,
    /// Whether moments that were made otherwise than this run makes features may serve as a reference;
    /// rows that they decide are marked.
    pub allow_unlike_reference: bool,
    /// Pictures to learn from, for a suite that [learns](Suite::learns).
    pub training: Option<Pictures<'a>>,
    /// The tokenizer whose text tower the protocol names.
    pub text_tower: Option<&'a dyn Tokenizer>,
    /// Features that stand for those of the originals; `None` to take them of the originals.
    pub reference: Option<&'a Path>,
    /// Where features of originals are kept between runs.
    pub cache: Option<&'a Path>,
    /// Where the features of the originals are written for later use as a reference.
    pub save_features: Option<&'a Path>,
    /// Where a pass keeps what it has measured until its numbers are made: what lies there of a run that
    /// was cut short is not measured again.
    pub journals: &'a Journals,
    /// Where samples that were made here are written as an `.npz`.
    pub save_samples: Option<&'a Path>,
    /// How long it took to open each subject; empty where nobody has looked.
    pub load_times: &'a [Duration],
    /// Set when the user wants to stop; looked at after every block.
    pub interrupted: &'a AtomicBool,
    /// Told what happens: the progress bar and the saved arrays hang off it.
    pub observer: &'a mut dyn Observer,
}

/// What stops a run that saves arrays.
pub type SaveError = Box<dyn std::error::Error + Send + Sync>;

/// Told what a suite does while it does it. Every method does nothing unless overridden.
pub trait Observer {
    /// `done` of `total` pictures are measured.
    fn progress(&mut self, done: u64, total: u64) {
        let _ = (done, total);
    }

    /// Samples are about to be drawn, and this is how long it will take.
    fn forecast(&mut self, forecast: &Forecast) {
        let _ = forecast;
    }

    /// What becomes of what an earlier process has measured.
    fn found(&mut self, earlier: &str) {
        let _ = earlier;
    }

    /// Something failed in a block of pictures: what the pass gives is not all that was asked for.
    fn failed(&mut self) {}

    /// Arrays that [`seen`](Self::seen) and [`made`](Self::made) are to be told.
    fn wants(&self) -> WantedArrays {
        WantedArrays::default()
    }

    /// The next pictures of a pass that is whole, after the crop, and their ids.
    ///
    /// # Errors
    /// What stops the run: a full disk, say.
    fn seen(&mut self, ids: &[&str], pictures: &[Pixels]) -> Result<(), SaveError> {
        let _ = (ids, pictures);
        Ok(())
    }

    /// Subject number `subject` made this of them.
    ///
    /// # Errors
    /// What stops the run: a full disk, say.
    fn made(&mut self, subject: usize, ids: &[&str], made: &Made) -> Result<(), SaveError> {
        let _ = (subject, ids, made);
        Ok(())
    }
}

/// What one pass over the pictures gave.
#[derive(Debug)]
pub struct Pass {
    /// The pictures that were measured.
    pub pictures: Measured,
    /// One report per subject, in their order.
    pub reports: Vec<Report>,
    /// What a reader must know beyond the numbers.
    pub warnings: Vec<String>,
}

/// The pictures that entered a pass.
#[derive(Debug, Default)]
pub struct Measured {
    /// In their order.
    pub pictures: Column<MeasuredPicture>,
    /// sha256 over the ids and pixels of all, in hexadecimal.
    pub sha256: String,
    /// The same over everything that is known of them.
    pub contents_sha256: String,
    /// Those that were left out.
    pub skipped: Vec<Skipped>,
}

/// A picture that entered a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredPicture {
    /// Its index within the data set.
    pub index: u64,
    /// Its id.
    pub id: String,
    /// Its class, where it has one.
    pub label: Option<u32>,
    /// Columns and rows before the crop, where they are known.
    pub size: Option<(u32, u32)>,
}

impl Measured {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pictures.len()
    }

    /// The class of each picture; `None` where one has none.
    ///
    /// # Errors
    /// Those of the temporary file that holds them.
    pub fn labels(&self) -> io::Result<Option<Vec<u32>>> {
        self.pictures.iter().map(|picture| Ok(picture?.label)).collect()
    }
}

/// What a pass says of one tokenizer.
#[derive(Debug, Default)]
pub struct Report {
    /// Shape of one image's latent, or `mixed`.
    pub latent: String,
    /// Seconds spent in encoding and decoding.
    pub seconds: f64,
    /// One per metric, in the order of the suite's metrics.
    pub measurements: Vec<Measurement>,
    /// Per-image values in the metric's unit, in the order of the pictures, by metric id.
    pub per_image: Vec<(String, Column<f64>)>,
}

/// One number of a tokenizer, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// What the number means.
    pub metric: &'static MetricDef,
    /// Variant of the definition; empty where there is one only.
    pub dialect: String,
    /// What is varied, for a metric with several values; else empty.
    pub setting: String,
    /// The value or the reason.
    pub outcome: Outcome,
    /// Images that entered the value.
    pub n: u64,
    /// sha256 of the pictures that it compares with, where they are not those that were measured.
    pub reference: Option<String>,
    /// What a reader must know beyond the number.
    pub warnings: Vec<String>,
    /// The value without each tenth of the samples in turn, where its interval is a jackknife's.
    pub replicates: Vec<f64>,
}

/// Why a suite gave no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The pictures.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// Every picture was left out.
    #[error("none of the {skipped} pictures of `{dataset}` can be used")]
    NothingLeft {
        /// The data set.
        dataset: String,
        /// Pictures that were left out.
        skipped: usize,
    },
    /// The pictures do not fit a tensor: a bug in a crop.
    #[error("make a batch of the pictures")]
    Batch(#[from] TokenizerError),
    /// Something is to be learnt, and there is nothing to learn from.
    #[error("there are no pictures to learn from; name them with --data train=DATA,test=DATA")]
    NoTraining,
    /// A device without these numbers.
    #[error(
        "the CPU computes in f32, and the protocol asks for {element}: `--set element-type=f32`"
    )]
    ElementType {
        /// What was asked for.
        element: ElementType,
    },
    /// The device does not answer any more.
    #[error("the device was lost; what was finished before stays: {reason}")]
    DeviceLost {
        /// What it was doing, and what its driver said.
        reason: String,
    },
    /// A suite that judges samples was given none.
    #[error(
        "there are no samples to judge; name pictures with --samples, latents with --latents and a \
         tokenizer, or a generator with --generator and a tokenizer"
    )]
    NoSamples,
    /// There is nothing to compare samples with.
    #[error(
        "there is nothing to compare the samples with; name a reference with --reference, or real \
         pictures with --data"
    )]
    NoReference,
    /// A sample of another resolution.
    #[error(
        "sample `{sample}` has {}x{} pixels and the protocol's size is {expected}; samples are not \
         resized: choose the size with --set size=N, and a reference of that size",
        found.0, found.1
    )]
    SampleSize {
        /// The sample.
        sample: String,
        /// Columns and rows.
        found: (usize, usize),
        /// Side of the protocol's pictures.
        expected: usize,
    },
    /// Decoded samples that are no 8-bit pictures.
    #[error("the network is defined on 8-bit pictures, and `quantiser = \"none\"` gives none")]
    NotQuantised,
    /// Latents could not be drawn, scaled or decoded.
    #[error("make pictures of latents from {first} on")]
    Decode {
        /// The first sample of the batch.
        first: u64,
        /// What went wrong.
        #[source]
        source: TokenizerError,
    },
    /// Moments that were made otherwise than this run makes features.
    #[error(
        "the reference `{}` was made with {} = {}, this run has {}: make one with `prismbench stats` \
         under this protocol, or allow it with --allow-unlike-reference, which marks the rows",
        path.display(), unlike.field, unlike.found, unlike.expected
    )]
    Unlike {
        /// The file.
        path: std::path::PathBuf,
        /// The first field that differs.
        unlike: Box<Unlike>,
    },
    /// Features of the pictures of a reconstruction run, where the moments of a reference are needed.
    #[error(
        "`{}` holds features that a reconstruction run saved, which are of the pictures that were \
         reconstructed; samples are compared with a reference of their own: `prismbench stats IMAGES \
         -o FILE` makes one, or name the pictures with --data",
        path.display()
    )]
    ReconstructionReference {
        /// The file.
        path: std::path::PathBuf,
    },
    /// Latents that no tokenizer decodes.
    #[error(
        "the latents `{files}` are {found} each, and no tokenizer of this run takes that at {size} \
         pixels: {}", if tokenizers.is_empty() { "none is named (--tokenizer)".to_owned() } else { tokenizers.join(", ") }
    )]
    LatentShape {
        /// The files.
        files: String,
        /// Shape of one latent.
        found: String,
        /// Side of the protocol's pictures.
        size: usize,
        /// What each tokenizer takes.
        tokenizers: Vec<String>,
    },
    /// Latents cannot be read.
    #[error(transparent)]
    Latents(#[from] LatentFileError),
    /// Moments do not serve as a reference.
    #[error(transparent)]
    Moments(#[from] MomentsFileError),
    /// Moments cannot be taken.
    #[error("take the moments of the features")]
    Metric(#[from] MetricError),
    /// A feature network failed on the originals.
    #[error("take the features of {}", picture.as_ref().map_or("the originals".to_owned(), |id| format!("picture `{id}`")))]
    Network {
        /// The picture, where one is to blame.
        picture: Option<String>,
        /// What went wrong.
        #[source]
        source: Box<prismbench_metrics::NetworkError>,
    },
    /// A features file does not serve as the reference.
    #[error(transparent)]
    Reference(#[from] FeatureFileError),
    /// Features could not be put aside or read back.
    #[error("put features aside")]
    Spool(#[from] io::Error),
    /// What was measured could not be put down or read back.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Times are of one machine at one moment.
    #[error("the suite `throughput` times this machine and has no shards; run it without --shard")]
    NoShards,
    /// The observer could not go on.
    #[error("save what was made")]
    Save(#[source] SaveError),
    /// The user wants to stop.
    #[error("interrupted after {done} of {total} pictures")]
    Interrupted {
        /// Pictures measured.
        done: u64,
        /// Pictures there are.
        total: u64,
    },
}

impl SuiteError {
    /// A device that was lost while it did what failed with `error`.
    pub(crate) fn lost(error: &TokenizerError) -> Self {
        Self::DeviceLost { reason: Outcome::chain(error) }
    }
}

/// The pictures to learn from, prepared as those that are measured on.
///
/// # Errors
/// [`SuiteError::NoTraining`] when the runner has lent none.
pub(crate) fn training<'p, 'a: 'p>(
    context: &Context<'a>,
    measured: &Pictures<'p>,
) -> Result<Pictures<'p>, SuiteError> {
    let training = context.training.ok_or(SuiteError::NoTraining)?;
    Ok(Pictures { protocol: measured.protocol, ..training })
}

/// sha256 of what two sets of pictures and anything else decide together: what a number compares with.
pub(crate) fn joint_sha256(parts: &[&str]) -> String {
    hexadecimal(Sha256::digest(parts.join("\n")))
}
