use std::fmt;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::{ImageBatch, TokenizerError};

/// What an encoder gave for a batch.
#[derive(Clone, Debug)]
pub enum Latents {
    /// Numbers on the tokenizer's device: f32 `[N, C, h, w]` (grid) or `[N, T, D]` (sequence), in
    /// the space that the decoder and a generator expect.
    Tensor(Tensor),
    /// One bit stream per image: what a conventional codec stores.
    BitStreams(Vec<Vec<u8>>),
    /// Reconstructions that were made elsewhere: what lay between the pictures and them is not
    /// known.
    Finished(ImageBatch),
}

impl Latents {
    /// The tensor `[N, channels, h, w]` of a grid latent that tokenizer `id` made.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for latents that it cannot have made: another rank, element type or
    /// number of channels, an empty side, bit streams.
    pub fn grid(&self, id: &str, channels: usize) -> Result<&Tensor, TokenizerError> {
        let expected = || format!("latents of `{id}`, f32 [N, {channels}, h, w]");
        self.fitting(expected, |[_, c, h, w]| c == channels && h > 0 && w > 0)
    }

    /// As [`grid`](Self::grid), for a tokenizer whose latents have one shape: `[channels, h, w]`.
    ///
    /// # Errors
    /// As [`grid`](Self::grid).
    pub fn grid_of(&self, id: &str, shape: [usize; 3]) -> Result<&Tensor, TokenizerError> {
        let [channels, height, width] = shape;
        let expected = || format!("latents of `{id}`, f32 [N, {channels}, {height}, {width}]");
        self.fitting(expected, |[_, c, h, w]| [c, h, w] == shape)
    }

    fn fitting(
        &self,
        expected: impl Fn() -> String,
        fits: impl Fn([usize; 4]) -> bool,
    ) -> Result<&Tensor, TokenizerError> {
        let found = match self {
            Self::Tensor(tensor) => match *tensor.dims() {
                [n, c, h, w] if n > 0 && tensor.dtype() == DType::F32 && fits([n, c, h, w]) => {
                    return Ok(tensor);
                }
                _ => format!("{:?} {:?}", tensor.dtype(), tensor.dims()),
            },
            _ => self.kind().to_owned(),
        };
        Err(TokenizerError::Shape { expected: expected(), found })
    }

    /// The bit streams that tokenizer `id` made.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when the latents are numbers.
    pub fn bit_streams(&self, id: &str) -> Result<&[Vec<u8>], TokenizerError> {
        match self {
            Self::BitStreams(streams) => Ok(streams),
            _ => Err(TokenizerError::Shape {
                expected: format!("bit streams of `{id}`"),
                found: self.kind().to_owned(),
            }),
        }
    }

    /// What they are, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tensor(_) => "a tensor",
            Self::BitStreams(_) => "bit streams",
            Self::Finished(_) => "finished reconstructions",
        }
    }
}

/// Shape of one image's latent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LatentShape {
    /// Sizes without the batch: `[C, h, w]` or `[T, D]`.
    Tensor(Vec<usize>),
    /// A bit stream, whose length depends on the picture.
    BitStream,
    /// Nobody knows: only the reconstructions are there.
    Unknown,
}

impl LatentShape {
    /// Numbers per image; `None` for a bit stream and for what is not known.
    #[must_use]
    pub fn floats(&self) -> Option<usize> {
        match self {
            Self::Tensor(dims) => Some(dims.iter().product()),
            Self::BitStream | Self::Unknown => None,
        }
    }
}

impl fmt::Display for LatentShape {
    /// `32x32x32`; nothing for a bit stream and for what is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(dims) => {
                let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
                f.write_str(&dims.join("x"))
            }
            Self::BitStream | Self::Unknown => Ok(()),
        }
    }
}
