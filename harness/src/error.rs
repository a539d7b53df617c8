use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use prismbench_baselines::{FetchError, OpenError, ReconError, ReleasedConfigError};
use prismbench_core::{ProtocolError, TokenizerError, UnevenLabels, UnknownChoice};
use prismbench_kernels::accelerator::DeviceFailure;
use prismbench_metrics::NetworkError;
use prismbench_reports::ReportError;
use prismbench_suites::{
    ArrayError, DataError, FeatureFileError, JournalError, LatentFileError, MomentsFileError,
    PictureError, SuiteError,
};
use prismbench_weights::WeightsError;

use crate::Exit;
use crate::contact_sheets::PicturesError;
use crate::known_references::ReferenceListError;
use crate::plan::PlanError;
use crate::reproduction::ReproductionError;
use crate::shard::ShardError;
use crate::shard::ShardsError;
use crate::submit::SubmitError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error(transparent)]
    Tokenizer(#[from] OpenError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("measure `{dataset}`")]
    Suite { dataset: String, source: Box<SuiteError> },
    #[error("fit `{tokenizer}`")]
    Fit { tokenizer: String, source: Box<FitError> },
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    References(#[from] ReferenceListError),
    #[error(transparent)]
    Choice(#[from] UnknownChoice),
    #[error(transparent)]
    Labels(#[from] UnevenLabels),
    #[error("metric `{metric}` needs the weights of the network `{network}`, which are not there")]
    NetworkMissing { metric: String, network: String, remedy: String },
    #[error(
        "there are no moments for `{metric}`: `stats` makes those for gfid, fd-dinov2 and fd-encoder"
    )]
    NoMomentsFor { metric: String },
    #[error("metric `fd-encoder` needs an encoder, and protocol `{protocol}` names none")]
    NoEncoder { protocol: String },
    #[error(transparent)]
    Network(Box<NetworkError>),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("interrupted")]
    FetchInterrupted,
    #[error("the download ended without a word")]
    FetchEnded,
    #[error("`{model}` has no weights to fetch")]
    NothingToFetch { model: String },
    #[error("there is no {what} called `{found}`")]
    Unknown { what: &'static str, found: String, nearest: Option<String> },
    #[error("`{}` holds another run", path.display())]
    Occupied { path: PathBuf, remedy: &'static str },
    #[error("`{}` is being written by another process", path.display())]
    Locked { path: PathBuf },
    #[error("{what}, which cannot be divided into shards")]
    NoShards { what: &'static str },
    #[error(transparent)]
    Shards(#[from] ShardsError),
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("nothing that is published matches `{words}`")]
    NothingPublished { words: String },
    #[error("nothing in this list has `{words}`")]
    NothingListed { words: String },
    #[error("`{flag}` is for `--format html`")]
    PageOnly { flag: &'static str },
    #[error("show the reconstructions of `{tokenizer}`")]
    Pictures { tokenizer: String, source: Box<PicturesError> },
    #[error("there is no run in `{}`", path.display())]
    NoRuns { path: PathBuf },
    #[error("`{text}` names no two tokenizers")]
    Pair { text: String },
    #[error("the runs have no record of the tokenizer `{tokenizer}`")]
    NoTokenizer { tokenizer: String, nearest: Option<String> },
    #[error(transparent)]
    Reproduction(#[from] ReproductionError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error("`--device {device}` cannot be used: {reason}")]
    NoDevice { device: String, reason: String, remedy: String },
    #[error("cannot write the result")]
    Output(#[source] io::Error),
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        Self::Network(Box::new(error))
    }
}

/// Why a tokenizer could not be fitted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FitError {
    #[error(transparent)]
    Pictures(#[from] PictureError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error("there are no training pictures")]
    Nothing,
    #[error("interrupted after {done} of {total} training pictures")]
    Interrupted { done: u64, total: u64 },
}

const NAME_AN_ENCODER: &str = "name one with --set fd-encoder=ID, as in siglip2-b; `prismbench list tokenizers` shows those that there are";
const SKIP_BAD: &str = "`--skip-bad` leaves such pictures out, counts and names them";

const LOST: &str =
    "look at `nvidia-smi` and `dmesg`; when the device is back, the same command goes on";
const FULL: &str = "a smaller --batch, or end the other programs that `nvidia-smi` lists; the same command goes on";

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        if DeviceFailure::at_the_bottom_of(self).is_some() {
            return Exit::Missing;
        }
        match self {
            Self::Plan(
                PlanError::Read { .. } | PlanError::Sampling(ReleasedConfigError::Read { .. }),
            )
            | Self::Report(ReportError::Missing { .. }) => Exit::Missing,
            Self::Tokenizer(OpenError::Tokenizer(TokenizerError::WeightsMissing { .. })) => {
                Exit::Missing
            }
            Self::Tokenizer(OpenError::Tokenizer(TokenizerError::Reconstruction {
                cause, ..
            })) => match cause.downcast_ref() {
                Some(ReconError::Data(error)) => of_data(error),
                _ => Exit::Usage,
            },
            Self::NetworkMissing { .. }
            | Self::Shards(ShardsError::None { .. } | ShardsError::Missing { .. })
            | Self::Fetch(_)
            | Self::NoRuns { .. }
            | Self::References(ReferenceListError::Read { .. })
            | Self::NoDevice { .. } => Exit::Missing,
            Self::FetchInterrupted => Exit::Interrupted,
            Self::FetchEnded => Exit::Internal,
            Self::Submit(error) => error.exit(),
            Self::Network(error) => match error.as_ref() {
                NetworkError::Weights(WeightsError::Missing { .. }) => Exit::Missing,
                _ => Exit::Usage,
            },
            Self::Data(error) => of_data(error),
            Self::Pictures { source, .. } => match source.as_ref() {
                PicturesError::Data(error) => of_data(error),
                PicturesError::Png { .. } => Exit::Internal,
                _ => Exit::Usage,
            },
            Self::Suite { source, .. } => of_suite(source),
            Self::Fit { source, .. } => match source.as_ref() {
                FitError::Pictures(PictureError::Data(error)) => of_data(error),
                FitError::Interrupted { .. } => Exit::Interrupted,
                _ => Exit::Usage,
            },
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::Missing,
            Self::Write { .. } | Self::Output(_) => Exit::Missing,
            Self::Report(ReportError::Write { .. } | ReportError::Output(_)) => Exit::Missing,
            Self::Report(ReportError::Frame { .. }) => Exit::Internal,
            _ => Exit::Usage,
        }
    }

    /// The command or change that helps, where one is known.
    fn hint(&self) -> Option<String> {
        match DeviceFailure::at_the_bottom_of(self) {
            Some(DeviceFailure::Lost) => Some(LOST.to_owned()),
            Some(DeviceFailure::OutOfMemory) => Some(FULL.to_owned()),
            None => self.own_hint(),
        }
    }

    fn own_hint(&self) -> Option<String> {
        match self {
            Self::Protocol(ProtocolError::UnknownPreset { nearest, .. }) => {
                Some(did_you_mean(*nearest, "prismbench list protocols"))
            }
            Self::Protocol(ProtocolError::UnknownField { nearest, .. }) => {
                Some(did_you_mean(nearest.as_deref(), "prismbench explain default"))
            }
            Self::Fit { source, .. } => Some(hint_of_a_fit(source)),
            Self::NothingPublished { .. } => {
                Some("`prismbench list published` shows what there is".to_owned())
            }
            Self::NoRuns { .. } => Some("give run folders, or a folder that holds some".to_owned()),
            Self::Pair { .. } => Some("as in `--tokenizer jpeg:75=jpeg:50`".to_owned()),
            Self::NoTokenizer { nearest, .. } => {
                Some(did_you_mean(nearest.as_deref(), "prismbench table"))
            }
            Self::Unknown { nearest, .. } => {
                Some(did_you_mean(nearest.as_deref(), "prismbench list"))
            }
            Self::Plan(error) => hint_of_a_plan(error),
            Self::Reproduction(error) => hint_of_a_reproduction(error),
            Self::Shard(error) => Some(error.remedy()),
            Self::Submit(error) => error.remedy(),
            Self::Tokenizer(OpenError::Tokenizer(TokenizerError::WeightsMissing {
                remedy,
                ..
            })) => Some(remedy.clone()),
            Self::NetworkMissing { remedy, .. } | Self::NoDevice { remedy, .. } => {
                Some(remedy.clone())
            }
            Self::Network(error) => match error.as_ref() {
                NetworkError::Weights(WeightsError::Missing { remedy, .. }) => Some(remedy.clone()),
                _ => None,
            },
            Self::Fetch(error) => Some(error.remedy()),
            Self::FetchInterrupted => Some("the same command goes on where it stopped".to_owned()),
            Self::NoEncoder { .. } => Some(NAME_AN_ENCODER.to_owned()),
            Self::NothingToFetch { .. } => Some(
                "`prismbench list tokenizers` and `list generators` show which have some"
                    .to_owned(),
            ),
            Self::Occupied { remedy, .. } => Some((*remedy).to_owned()),
            Self::NoShards { .. } => Some("leave it out, or run without --shard".to_owned()),
            Self::Locked { .. } => Some("wait for it, or choose another folder with --out".into()),
            Self::Data(error) if error.is_sample() => Some(SKIP_BAD.to_owned()),
            Self::Suite { source, .. } => match source.as_ref() {
                SuiteError::Pictures(PictureError::Data(error)) if error.is_sample() => {
                    Some(SKIP_BAD.to_owned())
                }
                SuiteError::Pictures(PictureError::Crop { .. }) => {
                    Some(format!("{SKIP_BAD}; `--set crop=adm-center` enlarges small ones"))
                }
                SuiteError::Interrupted { .. } => {
                    Some("the same command goes on behind them".to_owned())
                }
                _ => self.hint_of_the_disk(),
            },
            _ => self.hint_of_the_disk(),
        }
    }

    fn hint_of_the_disk(&self) -> Option<String> {
        let place = match self {
            Self::Suite { source, .. } if matches!(**source, SuiteError::Spool(_)) => {
                "free some space where temporary files go, or name another folder by TMPDIR"
            }
            _ => "free some space, or choose another place with --out",
        };
        is_full(self).then(|| place.to_owned())
    }

    /// What the user sees on standard error.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {self}\n");
        let mut shown = self.to_string();
        for cause in causes(self) {
            let cause = cause.to_string();
            // Transparent errors repeat the words of what they wrap.
            if !shown.ends_with(&cause) {
                let _ = writeln!(text, "  cause: {cause}");
            }
            shown = cause;
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(text, "  hint: {hint}");
        }
        text
    }
}

fn hint_of_a_fit(error: &FitError) -> String {
    match error {
        FitError::Interrupted { .. } => "the same command goes on behind them",
        _ => "`--fit DATA` fits on other pictures, as in `--fit synthetic:1:64`",
    }
    .to_owned()
}

fn hint_of_a_plan(error: &PlanError) -> Option<String> {
    match error {
        PlanError::NoReference => Some(
            "`--reference FILE` names moments, `--data IMAGES` real pictures; `prismbench stats` makes a \
             file of the former out of the latter"
                .to_owned(),
        ),
        PlanError::Unjudged { .. } => {
            Some("add `--suite generation`, which judges it, or leave --suite out".to_owned())
        }
        PlanError::NoDecoder => Some("`--tokenizer ID`, as in `--tokenizer sd-vae`".to_owned()),
        PlanError::UnknownKey { nearest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
        _ => None,
    }
}

fn hint_of_a_reproduction(error: &ReproductionError) -> Option<String> {
    const SHOWN: usize = 8;
    match error {
        ReproductionError::Unknown { nearest, .. } => {
            Some(did_you_mean(*nearest, "prismbench list plans"))
        }
        ReproductionError::Several { keys, .. } => {
            let more = keys.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let keys: Vec<&str> = keys.iter().take(SHOWN).map(String::as_str).collect();
            Some(format!("give more words or a key: {}{more}", keys.join(", ")))
        }
        ReproductionError::NoProtocol { .. } => {
            Some("`--protocol NAME` says by which protocol to measure it".to_owned())
        }
        ReproductionError::WhichData { .. } => Some("name it: `--data NAME=DATA`".to_owned()),
        ReproductionError::NoSubject { .. } => {
            Some("as in `--tokenizer sd-vae=recon:PATH`".to_owned())
        }
        ReproductionError::Plan { .. } => None,
    }
}

fn of_suite(error: &SuiteError) -> Exit {
    match error {
        SuiteError::Interrupted { .. } => Exit::Interrupted,
        SuiteError::Pictures(PictureError::Data(error)) => of_data(error),
        SuiteError::Reference(FeatureFileError::Read { .. })
        | SuiteError::Spool(_)
        | SuiteError::Journal(
            JournalError::File { .. }
            | JournalError::Missing { .. }
            | JournalError::Unfinished { .. },
        )
        | SuiteError::Moments(MomentsFileError::Write { .. })
        | SuiteError::Latents(LatentFileError::Io { .. }) => Exit::Missing,
        SuiteError::Moments(MomentsFileError::Data(error))
        | SuiteError::Latents(LatentFileError::Npz(error)) => of_data(error),
        SuiteError::Save(error) if is_full(error.as_ref()) => Exit::Missing,
        SuiteError::Batch(_) => Exit::Internal,
        _ => Exit::Usage,
    }
}

fn of_data(error: &DataError) -> Exit {
    match error {
        DataError::NotFound { .. }
        | DataError::Empty { .. }
        | DataError::Io { .. }
        | DataError::NoFiles { .. } => Exit::Missing,
        _ => Exit::Usage,
    }
}

fn did_you_mean(nearest: Option<&str>, list: &str) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("`{list}` shows what there is"),
    }
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause.source())
}

/// Whether a full disk, a quota or a limit on file sizes is at the bottom of an error.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::once(error).chain(causes(error)).any(|cause| {
        let kind = match cause.downcast_ref::<ArrayError>() {
            Some(error) => error.kind(),
            None => cause.downcast_ref::<io::Error>().map(io::Error::kind),
        };
        matches!(
            kind,
            Some(
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            )
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_fails_is_missing_and_what_helps_is_told() {
        let failure = |code: &str| {
            let driver = io::Error::other(format!("DriverError({code}, \"in words\")"));
            let reason = candle_core::Error::Cuda(Box::new(driver)).to_string();
            let source = Box::new(SuiteError::DeviceLost { reason });
            Failure::Suite { dataset: "folder".to_owned(), source }
        };
        let lost = failure("CUDA_ERROR_ILLEGAL_ADDRESS");
        assert_eq!(lost.exit(), Exit::Missing);
        let text = lost.render();
        assert!(
            text.contains("cause: the device was lost; what was finished before stays: "),
            "{text}"
        );
        assert!(
            text.contains("CUDA_ERROR_ILLEGAL_ADDRESS") && text.contains("nvidia-smi"),
            "{text}"
        );
        let full = failure("CUDA_ERROR_OUT_OF_MEMORY");
        assert_eq!(full.exit(), Exit::Missing);
        assert!(full.render().contains("hint: a smaller --batch"), "{}", full.render());
    }
}
