use std::io;

/// Why an `.npz` cannot be read as pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The file is no zip, or its directory, which stands at its end, is gone.
    #[error("it is no whole zip file; it may be cut short")]
    Zip(#[source] zip::result::ZipError),
    /// There is no `arr_0`.
    #[error(
        "it has no array `arr_0` (it has: {}); write it with `numpy.savez(path, pictures)`",
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    )]
    NoPictures {
        /// The arrays that are there.
        found: Vec<String>,
    },
    /// An array's own header cannot be read.
    #[error("the header of `{array}` is damaged: {problem}")]
    Header {
        /// The array.
        array: String,
        /// What is wrong.
        problem: String,
    },
    /// An array is of another type.
    #[error("`{array}` is of type `{found}`; expected {expected}")]
    Type {
        /// The array.
        array: String,
        /// What would be right.
        expected: String,
        /// numpy's name of its type.
        found: String,
    },
    /// An array has another shape.
    #[error("`{array}` has shape {found:?}; expected {expected}")]
    Shape {
        /// The array.
        array: String,
        /// What would be right.
        expected: String,
        /// Its shape.
        found: Vec<u64>,
    },
    /// The first axis changes fastest.
    #[error("`{array}` is in Fortran order; save `numpy.ascontiguousarray({array})`")]
    FortranOrder {
        /// The array.
        array: String,
    },
    /// One picture of the claimed size would be larger than is wanted.
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
    /// The header claims more than the file can hold.
    #[error(
        "the header of `{array}` claims {} bytes of data and the file has {there} at most; it is cut short or damaged",
        claimed.map_or("over 2^64".to_owned(), |bytes| bytes.to_string())
    )]
    Claim {
        /// The array.
        array: String,
        /// Bytes by its shape and type; nothing where the product overflows.
        claimed: Option<u64>,
        /// Most bytes that its member can hold.
        there: u64,
    },
    /// A member is encrypted or packed in an unusual way.
    #[error("`{array}` is {method}; numpy stores or deflates")]
    Packing {
        /// The array.
        array: String,
        /// `encrypted` or the method.
        method: String,
    },
    /// A label or an id is none.
    #[error("in `{array}`, {problem}")]
    Value {
        /// The array.
        array: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// The data end early, or the system refused to read them.
    #[error("its data cannot be read to their end")]
    Read(#[source] io::Error),
}
