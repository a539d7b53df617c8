use std::io;
use std::path::PathBuf;

/// Why what was measured cannot be put down, or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file.
    #[error("cannot use the journal `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error(
        "the block at byte {offset} of the journal `{}` is damaged: {problem}; remove the file and \
         measure its pictures again with the command that made it",
        path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where the block begins.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A shard without it.
    #[error(
        "there is no `{}`: shard {number} of {count} has not been measured as far; run it with \
         `--shard {number}/{count}`",
        path.display()
    )]
    Missing {
        /// Which.
        path: PathBuf,
        /// The shard, from 1.
        number: usize,
        /// Shards there are.
        count: usize,
    },
    /// A shard that was stopped.
    #[error(
        "shard {number} of {count} is not finished (`{}` ends with picture {done} of {total}); the \
         command that began it goes on with it",
        path.display()
    )]
    Unfinished {
        /// Which.
        path: PathBuf,
        /// The shard, from 1.
        number: usize,
        /// Shards there are.
        count: usize,
        /// Pictures measured.
        done: u64,
        /// Pictures that belong to it.
        total: u64,
    },
    /// Shards that were made otherwise, or of other pictures.
    #[error(
        "`{}` is of another run than this merge: its {field} is `{found}`, and `{expected}` is \
         expected; run that shard again with what the others were run with",
        path.display()
    )]
    Unlike {
        /// Which.
        path: PathBuf,
        /// What differs.
        field: String,
        /// What the file says.
        found: String,
        /// What the merge is of.
        expected: String,
    },
}
