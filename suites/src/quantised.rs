use std::sync::OnceLock;

use prismbench_core::{ImageBatch, Quantiser, Reconstruction, RgbImage, TokenizerError};
use prismbench_kernels::device_pictures::{DevicePictures, Rounding};

/// What a decoder gave for a block, clamped and rounded as a protocol says. What was made on a device stays
/// there until the host asks for it.
pub(crate) struct Quantised {
    device: Option<DevicePictures>,
    host: OnceLock<Vec<Reconstruction>>,
}

/// 8-bit pictures on the host, and the same on the device where they were made.
pub(crate) struct EightBit {
    pub(crate) images: Vec<RgbImage>,
    pub(crate) sent: Option<DevicePictures>,
}

impl Quantised {
    /// # Errors
    /// [`TokenizerError::NotFinite`] when a decoder gave NaN or an infinity; what the device says.
    pub(crate) fn new(decoded: &ImageBatch, quantiser: Quantiser) -> Result<Self, TokenizerError> {
        let rounding = match quantiser {
            Quantiser::None => None,
            Quantiser::Truncate => Some(Rounding::Truncate),
            Quantiser::Round => Some(Rounding::HalfEven),
            Quantiser::RoundHalfUp => Some(Rounding::HalfUp),
        };
        let device = match rounding {
            Some(rounding) => DevicePictures::quantised(decoded.tensor(), rounding)?,
            None => None,
        };
        let host = OnceLock::new();
        if device.is_none() {
            // It was made here, and holds nothing yet.
            let _ = host.set(decoded.quantise(quantiser)?);
        }
        Ok(Self { device, host })
    }

    /// How many pictures there are.
    pub(crate) fn count(&self) -> usize {
        match &self.device {
            Some(device) => device.count(),
            None => self.host.get().map_or(0, Vec::len),
        }
    }

    /// The pixels on the device; `None` where the host has them alone.
    pub(crate) fn device(&self) -> Option<&DevicePictures> {
        self.device.as_ref()
    }

    /// The pictures on the host: copied the first time.
    ///
    /// # Errors
    /// What the device says.
    pub(crate) fn host(&self) -> Result<&[Reconstruction], TokenizerError> {
        if let (None, Some(device)) = (self.host.get(), &self.device) {
            let size = device.size();
            let image = |pixels| RgbImage::new(size.width, size.height, pixels);
            let images = device.to_host()?.into_iter().map(image);
            let made = images.map(|image| image.map(Reconstruction::U8));
            // Another thread may have been quicker, with the same pictures.
            let _ = self.host.set(made.collect::<Result<_, _>>()?);
        }
        Ok(self.host.get().map_or(&[], Vec::as_slice))
    }

    /// What metrics of 8-bit pictures take; `None` where nothing was rounded.
    ///
    /// # Errors
    /// As [`host`](Self::host).
    pub(crate) fn into_eight_bit(self) -> Result<Option<EightBit>, TokenizerError> {
        self.host()?;
        let image = |made| match made {
            Reconstruction::U8(image) => Some(image),
            Reconstruction::F32 { .. } => None,
        };
        let images = self.host.into_inner().unwrap_or_default().into_iter().map(image);
        Ok(images.collect::<Option<Vec<_>>>().map(|images| EightBit { images, sent: self.device }))
    }

    /// What was made elsewhere.
    #[cfg(test)]
    pub(crate) fn on_host(made: Vec<Reconstruction>) -> Self {
        Self { device: None, host: OnceLock::from(made) }
    }
}
