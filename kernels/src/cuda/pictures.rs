//! 8-bit pictures that stay on a device while several things are computed of them.

use super::resample::whole;
use super::{Buffer, CudaError, Device, Operand};
use crate::Size;
use crate::network_input::{Levels, ResizedWindow};
use crate::resample::{Filter, Method, Passes, Window};
use crate::similarity::Similarity;

/// Pictures of one size, `[picture][row][column][channel]`, of three channels.
#[derive(Debug)]
pub struct Pictures {
    device: Device,
    pixels: Buffer<u8>,
    size: Size,
    count: usize,
}

impl Pictures {
    /// The pictures that lie in a buffer of the device.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where they are not whole.
    pub fn new(device: &Device, pixels: Buffer<u8>, size: Size) -> Result<Self, CudaError> {
        let count = whole("Pictures::new", pixels.len(), 3 * size.area())?;
        Ok(Self { device: device.clone(), pixels, size, count })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Columns and rows of each.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The bytes, on the host. Waits for what makes them.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`].
    pub fn to_host(&self) -> Result<Vec<u8>, CudaError> {
        self.pixels.to_vec()
    }

    /// Each level as a number, `[picture][channel][row][column]`: what
    /// [`network_input`](crate::network_input::network_input) gives without a resize.
    ///
    /// # Errors
    /// What any call may meet.
    pub fn planes(&self, levels: &Levels) -> Result<Buffer<f32>, CudaError> {
        let method = Method { filter: Filter::Bicubic, passes: Passes::Pillow13 };
        let window = Window { left: 0, top: 0, size: self.size };
        let resized = ResizedWindow { to: self.size, method, window };
        self.device.network_input(&self.pixels, self.size, &resized, levels)
    }

    /// [`Similarity::means`] with other pictures: a value for each pair.
    ///
    /// # Errors
    /// As [`Device::similarity_means`].
    pub fn similarity_means(
        &self,
        similarity: &Similarity,
        other: &Self,
    ) -> Result<Buffer<f64>, CudaError> {
        if self.size != other.size {
            return Err(CudaError::Lengths {
                operation: "similarity_means",
                expected: format!("pictures of {:?}", self.size),
                found: format!("{:?}", other.size),
            });
        }
        let pair: [Operand<'_, u8>; 2] = [(&self.pixels).into(), (&other.pixels).into()];
        self.device.similarity_means(similarity, pair, self.size, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, on_every_device};
    use super::*;
    use crate::similarity::{Border, Stabilisers, Term, Window as Moments};

    #[test]
    fn what_is_computed_has_the_bits_of_the_host() {
        let size = Size::new(23, 17);
        let [x, y] = [1, 2].map(|seed| bytes(2 * 3 * size.area(), seed));
        let levels = Levels::normalised([0.5, 0.25, 0.125], [0.5, 0.3, 0.7]);
        let stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.0 };
        let (window, border, term) = (Moments::Gaussian, Border::Reflect, Term::Similarity);
        let similarity = Similarity { window, border, stabilisers, term };
        on_every_device(|device| {
            let mut uploads = device.uploads().unwrap();
            let [a, b] = [&x, &y].map(|pixels| {
                let parts: Vec<&[u8]> = pixels.chunks_exact(3 * size.area()).collect();
                Pictures::new(device, uploads.gather(&parts).unwrap(), size).unwrap()
            });
            assert_eq!((a.count(), a.size()), (2, size));
            assert_eq!(a.to_host().unwrap(), x);
            let planes = a.planes(&levels).unwrap().to_vec().unwrap();
            let of_channel = |at: usize| {
                let (picture, at) = (at / (3 * size.area()), at % (3 * size.area()));
                let (channel, place) = (at / size.area(), at % size.area());
                let level = x[3 * (picture * size.area() + place) + channel];
                levels.table()[256 * channel + usize::from(level)]
            };
            let expected: Vec<f32> = (0..planes.len()).map(of_channel).collect();
            assert!(planes == expected && planes.len() == x.len());
            let means = a.similarity_means(&similarity, &b).unwrap().to_vec().unwrap();
            assert_eq!(means, similarity.means([&x, &y], size, 3).unwrap());
        });
    }

    #[test]
    fn pictures_that_do_not_fit_are_refused() {
        on_every_device(|device| {
            let of = |length: usize, size: Size| {
                Pictures::new(device, device.upload(&bytes(length, 1)).unwrap(), size)
            };
            assert!(matches!(of(13, Size::new(2, 2)), Err(CudaError::Lengths { .. })));
            let [a, b] = [Size::new(12, 11), Size::new(11, 12)].map(|size| of(396, size).unwrap());
            let stabilisers = Stabilisers { c1: 1.0, c2: 1.0, moment_factor: 1.0 };
            let (window, border, term) = (Moments::Gaussian, Border::Reflect, Term::Similarity);
            let similarity = Similarity { window, border, stabilisers, term };
            let found = a.similarity_means(&similarity, &b);
            assert!(matches!(found, Err(CudaError::Lengths { .. })), "{found:?}");
        });
    }
}
