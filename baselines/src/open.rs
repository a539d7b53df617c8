use std::time::Duration;

use candle_core::Device;
use prismbench_core::{ElementType, ImageBatch, Tokenizer, TokenizerError};
use prismbench_data::Limits;
use prismbench_kernels::nn::Arithmetic;

use crate::dct::Dct;
use crate::exec::Exec;
use crate::grid::OnHost;
use crate::identity::Identity;
use crate::jpeg::Jpeg;
use crate::model::Opening;
use crate::pca::PcaFit;
use crate::recon::Recon;
use crate::reference::Kind;
use crate::resample::Resample;
use crate::{Hub, OpenError, TokenizerRef};

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

    /// What it knows of the pictures so far: bytes by which another fit of this id goes on.
    fn seen(&self) -> Vec<u8>;

    /// Goes on behind the pictures that another fit of this id has [`seen`](Self::seen), with the same bits.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for bytes that no fit of this id gives.
    fn go_on(&mut self, seen: &[u8]) -> Result<(), TokenizerError>;

    /// What has been learnt: bytes to be kept, which with the id are the tokenizer.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] when it has seen too little to be determined.
    fn learnt(&self) -> Result<Vec<u8>, TokenizerError>;

    /// The tokenizer of what a fit of this id has [`learnt`](Self::learnt), be it another's.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for bytes that no fit of this id gives.
    fn of_learnt(&self, learnt: &[u8]) -> Result<Box<dyn Tokenizer>, TokenizerError>;

    /// The tokenizer.
    ///
    /// # Errors
    /// Those of [`learnt`](Self::learnt).
    fn finish(self: Box<Self>) -> Result<Box<dyn Tokenizer>, TokenizerError> {
        self.of_learnt(&self.learnt()?)
    }
}

/// How tokenizers are made.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Where weights, latents and pictures are put.
    pub device: Device,
    /// How exactly networks compute.
    pub arithmetic: Arithmetic,
    /// The numbers that products of published models are of. Half precision computes by the layers for
    /// devices, which on the CPU is slow and for tests.
    pub element: ElementType,
    /// Where weights are looked for that no path is given for.
    pub hub: Hub,
    /// What the command line gives such a path with, where that is not `--tokenizer ID`.
    pub argument: Option<String>,
    /// How long a program of the user's may go without taking or giving a byte.
    pub exec_timeout: Duration,
    /// What finished reconstructions may be.
    pub limits: Limits,
}

impl OpenOptions {
    /// What [`exec_timeout`](Self::exec_timeout) is unless something else is asked for.
    pub const EXEC_TIMEOUT: Duration = Duration::from_secs(600);

    /// Fast arithmetic, f32, the hub's cache of this machine.
    #[must_use]
    pub fn on(device: &Device) -> Self {
        let (device, hub) = (device.clone(), Hub::from_environment());
        let (arithmetic, exec_timeout) = (Arithmetic::Fast, Self::EXEC_TIMEOUT);
        let (element, limits) = (ElementType::F32, Limits::default());
        Self { device, arithmetic, element, hub, argument: None, exec_timeout, limits }
    }
}

/// Makes the tokenizer that `reference` names.
///
/// # Errors
/// [`OpenError::UnknownTokenizer`] and [`OpenError::BadOption`] for a reference that was not made
/// by parsing; [`OpenError::Tokenizer`] when weights are missing, unreadable or of another
/// architecture, a program does not introduce itself, or reconstructions cannot be listed.
pub fn open(reference: &TokenizerRef, options: &OpenOptions) -> Result<Opened, OpenError> {
    let id = reference.id.clone();
    let device = options.device.clone();
    Ok(Opened::Ready(match reference.kind()? {
        Kind::Identity => Box::new(OnHost::tokenizer(Identity::new(id), device)),
        Kind::Resample { factor } => Box::new(OnHost::tokenizer(Resample::new(id, factor), device)),
        Kind::Jpeg { quality } => Box::new(Jpeg::new(id, quality, device)),
        Kind::Dct { kept } => Box::new(OnHost::tokenizer(Dct::new(id, kept), device)),
        Kind::Pca { factor, components } => {
            let fit = PcaFit::new(id, factor.side(), components, device);
            return Ok(Opened::Unfitted(Box::new(fit)));
        }
        Kind::Exec { command } => Box::new(Exec::open(id, &command, options.exec_timeout, device)?),
        Kind::Recon { path } => Box::new(Recon::open(id, &path, (device, options.limits))?),
        Kind::Model(model) => {
            let opening = Opening {
                argument: options.argument.clone().unwrap_or_else(|| format!("--tokenizer {id}")),
                id,
                model,
                path: reference.weights.as_deref(),
                revision: reference.revision(),
                hub: &options.hub,
                device: &options.device,
                arithmetic: options.arithmetic,
                element: options.element,
            };
            (model.open)(&opening)?
        }
    }))
}
