use candle_core::Device;
use prismbench_core::{ImageBatch, Tokenizer, TokenizerError};

use crate::dct::Dct;
use crate::grid::OnHost;
use crate::identity::Identity;
use crate::jpeg::Jpeg;
use crate::pca::PcaFit;
use crate::reference::Kind;
use crate::resample::Resample;
use crate::taef2::Taef2;
use crate::{OpenError, TokenizerRef};

/// A tokenizer that was asked for, as far as it can be had without pictures.
pub enum Opened {
    /// It can encode.
    Ready(Box<dyn Tokenizer>),
    /// It must see training pictures first.
    Unfitted(Box<dyn Fit>),
}

/// A tokenizer that must see training pictures before it can encode.
///
/// The fit depends on the pictures and their order, not on how they are divided into batches.
pub trait Fit: Send {
    /// Id of the tokenizer to be: `pca:f8:16`.
    fn id(&self) -> &str;

    /// Learns from pictures, in order.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when a side is not a multiple of the stride or a pixel is not
    /// finite.
    fn observe(&mut self, images: &ImageBatch) -> Result<(), TokenizerError>;

    /// The tokenizer.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when it has seen too little to be determined.
    fn finish(self: Box<Self>) -> Result<Box<dyn Tokenizer>, TokenizerError>;
}

/// Makes the tokenizer that `reference` names, with its weights on `device`.
///
/// # Errors
/// [`OpenError::UnknownTokenizer`] and [`OpenError::BadOption`] for a reference that was not made
/// by parsing; [`OpenError::Tokenizer`] when weights are missing, unreadable or of another
/// architecture.
pub fn open(reference: &TokenizerRef, device: &Device) -> Result<Opened, OpenError> {
    let id = reference.id.clone();
    let device = device.clone();
    Ok(Opened::Ready(match reference.kind()? {
        Kind::Identity => Box::new(OnHost::new(Identity::new(id), device)),
        Kind::Resample { factor } => Box::new(OnHost::new(Resample::new(id, factor), device)),
        Kind::Jpeg { quality } => Box::new(Jpeg::new(id, quality, device)),
        Kind::Dct { kept } => Box::new(OnHost::new(Dct::new(id, kept), device)),
        Kind::Pca { factor, components } => {
            let fit = PcaFit::new(id, factor.side(), components, device);
            return Ok(Opened::Unfitted(Box::new(fit)));
        }
        Kind::Taef2 => {
            let folder = reference.weights.clone().unwrap_or_default();
            Box::new(Taef2::open(id, &folder, &device)?)
        }
    }))
}
