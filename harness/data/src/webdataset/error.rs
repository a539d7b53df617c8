use std::io;
use std::path::PathBuf;

/// Why a `.tar` cannot be read as a shard of samples.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// A header does not hold together.
    #[error("the header at byte {at} is damaged: {problem}")]
    Header {
        /// Where it begins.
        at: u64,
        /// What is wrong.
        problem: String,
    },
    /// The file ends before the archive does.
    #[error(
        "it is cut short: after {at} bytes there is neither a member nor the end of the archive"
    )]
    CutShort {
        /// Where the next header should be.
        at: u64,
    },
    /// A header claims more than the file has or than a member of its kind may have.
    #[error(
        "the header of `{member}` claims {claimed} bytes and there can be {most} at most; it is cut short or damaged"
    )]
    Claim {
        /// Name of the member.
        member: String,
        /// Bytes by the header.
        claimed: u64,
        /// What the file or the kind of member allows.
        most: u64,
    },
    /// A name leads out of the archive.
    #[error(
        "the name `{member}` leads out of the archive; pack it with paths relative to one folder"
    )]
    Escapes {
        /// The name.
        member: String,
    },
    /// A name is no text.
    #[error("the name `{member}` is not UTF-8; rename it")]
    Name {
        /// The name, as far as it can be shown.
        member: String,
    },
    /// A member is neither a file nor a folder.
    #[error("`{member}` is {kind}; pack it with `tar --dereference --hard-dereference`")]
    Kind {
        /// Name of the member.
        member: String,
        /// What it is.
        kind: &'static str,
    },
    /// A sample has no picture.
    #[error("sample `{key}` has no picture (.jpg .jpeg .png .webp); it has {found}")]
    NoPicture {
        /// Key of the sample.
        key: String,
        /// The extensions there are.
        found: String,
    },
    /// A sample has a member twice, or two pictures.
    #[error("sample `{key}` has .{first} and .{second}; expected one of them")]
    Twice {
        /// Key of the sample.
        key: String,
        /// The extension that came first.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// The members of a sample do not stand together, or two samples have one key.
    #[error(
        "key `{key}` comes again after other keys; sort the members by name, with distinct keys"
    )]
    Scattered {
        /// The key.
        key: String,
    },
    /// Two shards have one name.
    #[error("it has the name of `{}`, and ids are made of names; rename one", other.display())]
    SameName {
        /// The other shard.
        other: PathBuf,
    },
    /// There is no sample in any shard.
    #[error("there is no sample in it, nor in any other shard")]
    Empty,
    /// The system refused to read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
}
