use std::process::ExitCode;

/// Why the process ended: a stable interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// A bug, or an error that nobody foresaw.
    Internal = 1,
    /// Wrong usage, configuration or input; nothing was measured.
    Usage = 2,
    /// `gate`: something is worse or lost; `reproduce`: a number does not agree.
    Regressed = 3,
    /// `run`: some records failed; the rest are written.
    Partial = 4,
    /// Weights, data or disk space are missing; the message names the remedy.
    Missing = 5,
    /// `gate`: nothing is worse, and not everything is shown to be as good; or nothing was compared;
    /// `reproduce`: a number could not be measured.
    Inconclusive = 6,
    /// Interrupted; what is finished stays, and the same command goes on.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
