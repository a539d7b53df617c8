//! The suites: what is measured, on what pictures, in which passes.
//!
//! **Invariant:** a suite names no concrete tokenizer and prints nothing.

mod arrays;
mod column;
mod crop;
mod encoder_space;
mod extraction;
mod feature_file;
mod filtered;
mod follow;
mod generation;
mod journal;
mod networks;
mod origin;
mod picture_hashes;
mod pictures;
mod probing;
mod quantised;
mod read_ahead;
mod reconstruction;
mod retrieval;
mod seen;
mod sets;
mod spectrum;
mod spool;
mod stage;
mod suite;
mod throughput;

pub use arrays::{ArrayError, ArrayWriter, Element};
pub use column::Column;
pub use crop::CropError;
pub use encoder_space::{EncoderRule, EncoderSpace};
pub use extraction::{Extracted, Extraction, embed, extract};
pub use feature_file::FeatureFileError;
pub use filtered::{band_limited, filtered};
pub use generation::{
    Decoded, Drawn, Finished, Forecast, GenerationSuite, LatentScale, MomentsFile,
    MomentsFileError, ReferenceChoice, SampleSource, Statistics, TakeSamples, Trial, Unlike,
};
pub use journal::{JournalError, JournalProgress, Journals};
pub use networks::{Lent, NetworkKind, Networks};
pub use origin::{Difference, Origin, enter_files};
pub use picture_hashes::PictureHashes;
pub use pictures::{Blocks, OnBad, Part, PictureBlock, PictureError, Pictures, Prepared, Skipped};
pub use probing::ProbingSuite;
pub use read_ahead::{ReadAhead, read_ahead};
pub use reconstruction::{LatentRows, Made, Pixels, ReconstructionSuite, WantedArrays};
pub use retrieval::RetrievalSuite;
pub use spectrum::SpectrumSuite;
pub use stage::Stage;
pub use suite::{
    Context, Learns, Measured, MeasuredPicture, Measurement, Observer, Pass, Report, SaveError,
    Suite, SuiteError,
};
pub use throughput::ThroughputSuite;

/// Every suite, in the order of `prismbench list suites`.
#[must_use]
pub fn suites() -> Vec<Box<dyn Suite>> {
    vec![
        Box::new(ReconstructionSuite),
        Box::new(GenerationSuite),
        Box::new(ProbingSuite),
        Box::new(RetrievalSuite),
        Box::new(SpectrumSuite),
        Box::new(ThroughputSuite::default()),
    ]
}

pub use prismbench_data::{
    DataError, DataSpec, Dataset, DecodeError, FileState, LatentFileError, LatentFiles, NpzError,
    Pending, Samples, Synthetic, open,
};
