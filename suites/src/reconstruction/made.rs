use prismbench_core::{Latents, Reconstruction, RgbImage};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::pictures::Prepared;
use crate::quantised::Quantised;
use crate::suite::SaveError;

/// Arrays that somebody wants of a pass, beside its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedArrays {
    /// Of reconstructions, and of the pictures that they are of.
    pub reconstructions: bool,
    /// Of latents.
    pub latents: bool,
}

/// An 8-bit RGB picture in a journal.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height x width x 3`, from the top, as they were written.
    pub bytes: ByteBuf,
}

/// What a tokenizer made of a block of pictures, as it is saved.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Made {
    /// One for each picture, where they are wanted.
    pub reconstructions: Vec<Pixels>,
    /// The latents of all pictures, where they are wanted and are numbers.
    pub latents: Option<LatentRows>,
}

/// Latents of some pictures.
#[derive(Debug, Serialize, Deserialize)]
pub struct LatentRows {
    /// Of one picture.
    pub shape: Vec<usize>,
    /// Those of one picture after those of the other, in C order.
    pub values: Vec<f32>,
}

/// What a block gave that is saved.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrays {
    /// The pictures after the crop, where reconstructions are wanted.
    pub(super) originals: Vec<Pixels>,
    /// Of each tokenizer; `None` of one that made nothing.
    pub(super) made: Vec<Option<Made>>,
}

impl WantedArrays {
    /// Whether there are any.
    #[must_use]
    pub fn any(self) -> bool {
        self.reconstructions || self.latents
    }

    /// What decides a journal.
    pub(super) fn origin(self) -> Option<(String, String)> {
        self.any().then(|| ("arrays".to_owned(), format!("{self:?}")))
    }

    pub(super) fn originals(self, block: &[Prepared]) -> Vec<Pixels> {
        let block = if self.reconstructions { block } else { &[] };
        block.iter().map(|picture| Pixels::of(&picture.image)).collect()
    }

    pub(super) fn made(self, latents: &Latents, made: &Quantised) -> Result<Made, SaveError> {
        let made = if self.reconstructions { made.host()? } else { &[] };
        let pixels = |made: &Reconstruction| match made {
            Reconstruction::U8(image) => Ok(Pixels::of(image)),
            _ => Err("`quantiser = \"none\"` leaves nothing 8-bit to save".into()),
        };
        let reconstructions = made.iter().map(pixels).collect::<Result<_, SaveError>>()?;
        let latents = match latents {
            Latents::Tensor(tensor) if self.latents => Some(LatentRows {
                shape: tensor.dims().get(1..).unwrap_or_default().to_vec(),
                values: tensor.flatten_all()?.to_vec1::<f32>()?,
            }),
            _ => None,
        };
        Ok(Made { reconstructions, latents })
    }
}

impl Pixels {
    fn of(image: &RgbImage) -> Self {
        let bytes = ByteBuf::from(image.pixels());
        Self { width: image.width(), height: image.height(), bytes }
    }
}
