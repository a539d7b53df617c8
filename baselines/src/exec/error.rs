use std::io;

use super::frame::FrameError;

/// What a program did instead of its part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It could not be started.
    #[error("`{program}` cannot be started; is it installed, and is its name right?")]
    Start {
        /// The first word of the command.
        program: String,
        /// The system's own words.
        #[source]
        cause: io::Error,
    },
    /// It reported an error, and goes on.
    #[error("in answer to `{request}` it said: {text}")]
    Said {
        /// What it was asked.
        request: &'static str,
        /// Its words.
        text: String,
    },
    /// It is gone.
    #[error("it ended during `{request}` ({status}); what it wrote to stderr may say why")]
    Ended {
        /// What it was asked.
        request: &'static str,
        /// `exit status: 3`, `signal: 9 (SIGKILL)`.
        status: String,
    },
    /// It is there, but has closed its end of a pipe.
    #[error("it closed its {pipe} during `{request}`; both pipes stay open until its stdin ends")]
    Closed {
        /// What it was asked.
        request: &'static str,
        /// `stdin` or `stdout`.
        pipe: &'static str,
    },
    /// Nothing moved for too long.
    #[error(
        "during `{request}` it neither took nor gave a byte for {seconds} s{}; if it needs longer, \
         raise --exec-timeout",
        begins(head)
    )]
    Silent {
        /// What it was asked.
        request: &'static str,
        /// Seconds waited.
        seconds: f64,
        /// What had come of the answer.
        head: Vec<u8>,
    },
    /// What it wrote to stdout is no frame of the protocol.
    #[error(
        "its answer to `{request}` is no frame of the protocol{}; only frames may go to stdout, \
         print to stderr",
        begins(head)
    )]
    Frame {
        /// What it was asked.
        request: &'static str,
        /// The first bytes.
        head: Vec<u8>,
        /// What is wrong with them.
        #[source]
        cause: FrameError,
    },
    /// It answered, but not what it was asked.
    #[error("in its answer to `{request}`, expected {expected}, found {found}")]
    Answer {
        /// What it was asked.
        request: &'static str,
        /// What would be right.
        expected: String,
        /// What came.
        found: String,
    },
    /// It was ended after an earlier error.
    #[error("it was ended after an earlier error: {reason}")]
    Over {
        /// That error.
        reason: String,
    },
}

impl ExecError {
    /// Whether the program is still in step: it has read the request and given a whole answer.
    pub(super) fn is_in_step(&self) -> bool {
        matches!(self, Self::Said { .. })
    }
}

/// The first bytes of an answer, printable.
fn begins(head: &[u8]) -> String {
    match head {
        [] => String::new(),
        head => format!("; its answer begins with \"{}\"", head.escape_ascii()),
    }
}
