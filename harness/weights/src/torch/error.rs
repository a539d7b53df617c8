use zip::result::ZipError;

/// Why a PyTorch file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TorchError {
    /// The zip archive itself.
    #[error("the zip archive is damaged")]
    Zip(#[from] ZipError),
    /// Bytes of a member, whose checksum the reader compares.
    #[error("the member `{member}` is damaged")]
    Member {
        member: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("`{member}` is compressed, which PyTorch never does")]
    Compressed { member: String },
    #[error("there is no `{member}` in the archive")]
    NoMember { member: String },
    #[error("it is in the tar format of PyTorch before 0.1.10: load and save it with a newer one")]
    Tar,
    #[error("it was saved on a machine of the other byte order")]
    ByteOrder,
    /// Not malformed: refused. The error that the caller shows names the file.
    #[error("it asks for `{0}`")]
    Global(String),
    #[error("the pickle ends before its end")]
    Truncated,
    #[error("opcode {code:#04x} at byte {at} of the pickle is not one that tensors need")]
    Opcode { code: u8, at: usize },
    #[error("the pickle is malformed at byte {at}: {what}")]
    Malformed { what: &'static str, at: usize },
    #[error("the pickle makes more than {0} objects")]
    TooMany(usize),
    #[error("the tensor `{name}` {what}")]
    Tensor { name: String, what: &'static str },
    #[error("{0}")]
    StateDict(String),
}
