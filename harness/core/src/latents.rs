use std::fmt;

use candle_core::Tensor;

/// What an encoder gave for a batch.
#[derive(Clone, Debug)]
pub enum Latents {
    /// Numbers on the tokenizer's device: f32 `[N, C, h, w]` (grid) or `[N, T, D]` (sequence), in
    /// the space that the decoder and a generator expect.
    Tensor(Tensor),
    /// One bit stream per image: what a conventional codec stores.
    BitStreams(Vec<Vec<u8>>),
}

/// Shape of one image's latent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatentShape {
    /// Sizes without the batch: `[C, h, w]` or `[T, D]`.
    Tensor(Vec<usize>),
    /// A bit stream, whose length depends on the picture.
    BitStream,
}

impl LatentShape {
    /// Numbers per image; `None` for a bit stream.
    #[must_use]
    pub fn floats(&self) -> Option<usize> {
        match self {
            Self::Tensor(dims) => Some(dims.iter().product()),
            Self::BitStream => None,
        }
    }
}

impl fmt::Display for LatentShape {
    /// `32x32x32`; nothing for a bit stream.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(dims) => {
                let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
                f.write_str(&dims.join("x"))
            }
            Self::BitStream => Ok(()),
        }
    }
}
