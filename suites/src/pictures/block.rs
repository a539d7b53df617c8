use std::ops::Deref;

use candle_core::Device;
use prismbench_core::{ImageBatch, RgbImage, TokenizerError};
use prismbench_kernels::device_pictures::DevicePictures;
use prismbench_kernels::network_input::Levels;

use super::Prepared;

/// Pictures of one size that are measured together, and where they are besides the host's memory.
#[derive(Default)]
pub struct PictureBlock {
    pictures: Vec<Prepared>,
    sent: Option<DevicePictures>,
}

impl PictureBlock {
    /// `sent` are the same pictures on the device that measures.
    pub(crate) fn new(pictures: Vec<Prepared>, sent: Option<DevicePictures>) -> Self {
        let sent = sent.filter(|sent| sent.count() == pictures.len());
        Self { pictures, sent }
    }

    /// The pixels on the device; `None` where that is the host.
    pub(crate) fn sent(&self) -> Option<&DevicePictures> {
        self.sent.as_ref()
    }

    /// The pictures as tokenizers see them.
    ///
    /// # Errors
    /// What the device says.
    pub(crate) fn batch(&self, device: &Device) -> Result<ImageBatch, TokenizerError> {
        match &self.sent {
            // The level of a picture divided by 255, as `from_images` has it.
            Some(sent) => {
                ImageBatch::new(sent.numbers(&Levels::of(|_, level| f32::from(level) / 255.0))?)
            }
            None => {
                let images: Vec<&RgbImage> = self.iter().map(|picture| &picture.image).collect();
                ImageBatch::from_images(&images, device)
            }
        }
    }
}

impl Deref for PictureBlock {
    type Target = [Prepared];

    fn deref(&self) -> &[Prepared] {
        &self.pictures
    }
}

impl<'p> IntoIterator for &'p PictureBlock {
    type Item = &'p Prepared;
    type IntoIter = std::slice::Iter<'p, Prepared>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
