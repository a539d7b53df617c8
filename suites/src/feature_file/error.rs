use std::io;
use std::path::PathBuf;

/// A features file does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureFileError {
    /// It cannot be read.
    #[error("cannot read features from `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It was written by a build that lays features out otherwise.
    #[error("`{}` is of format `{found}`; this build reads `{expected}`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The format of this build.
        expected: &'static str,
    },
    /// It is not what this program writes, or has been cut short or changed.
    #[error("`{}` is no features file of prismbench, or is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its features were made under another protocol or by another network.
    #[error(
        "the reference `{}` was made with {field} = {found}, this run has {expected}: make it anew \
         with `--save features` under this protocol",
        path.display()
    )]
    Origin {
        /// The file.
        path: PathBuf,
        /// The field that differs.
        field: String,
        /// Its value in the file.
        found: String,
        /// Its value here.
        expected: String,
    },
    /// It lacks what a metric of this run takes.
    #[error(
        "the reference `{}` has no features `{tap}`: make it anew by a run that measures the same \
         metrics, with `--save features`",
        path.display()
    )]
    NoTap {
        /// The file.
        path: PathBuf,
        /// Id of the features.
        tap: &'static str,
    },
    /// It holds moments, which serve generation and not reconstruction.
    #[error(
        "`{}` holds moments (mu, sigma) of a reference; reconstruction metrics need the features of \
         the pictures: leave --reference out, or give a file made with `--save features`",
        path.display()
    )]
    MomentsOnly {
        /// The file.
        path: PathBuf,
    },
}
