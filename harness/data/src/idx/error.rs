use std::io;
use std::path::PathBuf;

/// Why a file in the format of MNIST cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxError {
    /// The file does not begin as it should.
    #[error("it is no {expected}: it begins with {found}")]
    Header {
        /// What would be right.
        expected: &'static str,
        /// Its first bytes.
        found: String,
    },
    /// The pictures have no pixels, there are none, or they are larger than any worth measuring.
    #[error("its header claims sides {found:?}; expected [N, height, width], none of them 0")]
    Shape {
        /// The sides claimed.
        found: Vec<u64>,
    },
    /// The pictures are larger than is wanted.
    #[error(
        "its pictures are {width}x{height} pixels; at most {most} are read (--max-image-pixels)"
    )]
    TooLarge {
        /// Rows.
        height: u64,
        /// Columns.
        width: u64,
        /// The limit.
        most: u64,
    },
    /// The header claims another size than the file has.
    #[error("its header claims {claimed} bytes of data and {there} are there")]
    Size {
        /// Bytes by the header.
        claimed: u64,
        /// Bytes in the file.
        there: u64,
    },
    /// A gzipped file does not end with the size that its header claims.
    #[error(
        "its header claims {claimed} bytes of data and the gzip ends otherwise: it is cut short or made of several parts; fetch it again, or `gunzip` it"
    )]
    Gzip {
        /// Bytes by the header.
        claimed: u64,
    },
    /// Labels of another set.
    #[error("it has {labels} labels for the {pictures} pictures of `{}`", images.display())]
    Count {
        /// Labels there are.
        labels: u64,
        /// Pictures there are.
        pictures: u64,
        /// The file of pictures.
        images: PathBuf,
    },
    /// The data end early, or the system refused to read them.
    #[error("its data cannot be read to their end; it is cut short or damaged")]
    Read(#[source] io::Error),
}
