//! Pictures on a GPU, beside candle's tensors on its stream.

use candle_core::{Device, Error, Result, Tensor};

use super::PlaneResize;
use crate::Size;
use crate::cuda::{self, CudaError, Uploads};
use crate::network_input::Levels;
use crate::similarity::Similarity;

pub(super) struct Pictures {
    pictures: cuda::Pictures,
    ours: cuda::Device,
    device: Device,
}

pub(super) struct Sender {
    uploads: Uploads,
    ours: cuda::Device,
    device: Device,
}

impl Sender {
    pub(super) fn to(device: &Device) -> Result<Option<Self>> {
        if !device.is_cuda() {
            return Ok(None);
        }
        let ours = cuda::Device::of_tensors(device).map_err(failed)?;
        let uploads = ours.uploads().map_err(failed)?;
        Ok(Some(Self { uploads, ours, device: device.clone() }))
    }

    pub(super) fn send(&mut self, pictures: &[&[u8]], size: Size) -> Result<Pictures> {
        let pixels = self.uploads.gather(pictures).map_err(failed)?;
        let pictures = cuda::Pictures::new(&self.ours, pixels, size).map_err(failed)?;
        Ok(Pictures { pictures, ours: self.ours.clone(), device: self.device.clone() })
    }
}

impl Pictures {
    pub(super) fn of_levels(levels: &Tensor) -> Result<Option<Self>> {
        let device = levels.device();
        if !device.is_cuda() {
            return Ok(None);
        }
        let (_, height, width, _) = levels.dims4()?;
        let ours = cuda::Device::of_tensors(device).map_err(failed)?;
        let pixels = ours.take_bytes(levels).map_err(failed)?;
        let pictures = cuda::Pictures::new(&ours, pixels, Size::new(width, height));
        Ok(Some(Self { pictures: pictures.map_err(failed)?, device: device.clone(), ours }))
    }

    pub(super) fn count(&self) -> usize {
        self.pictures.count()
    }

    pub(super) fn size(&self) -> Size {
        self.pictures.size()
    }

    pub(super) fn to_host(&self) -> Result<Vec<u8>> {
        self.pictures.to_host().map_err(failed)
    }

    pub(super) fn numbers(&self, levels: &Levels) -> Result<Tensor> {
        let planes = self.pictures.planes(levels).map_err(failed)?;
        self.tensor(&planes, self.size())
    }

    pub(super) fn resized(&self, to: Size, resize: PlaneResize) -> Result<Tensor> {
        let own = Levels::of(|_, level| f32::from(level));
        let (planes, from) = (self.pictures.planes(&own).map_err(failed)?, self.size());
        let resized = match resize {
            PlaneResize::BilinearTf1 => self.ours.bilinear_tf1(&planes, from, to),
            PlaneResize::Pillow(filter) => self.ours.resize_plane(&planes, from, to, filter),
        };
        self.tensor(&resized.map_err(failed)?, to)
    }

    pub(super) fn similarity_means(
        &self,
        similarity: &Similarity,
        other: &Self,
    ) -> Result<Vec<f64>> {
        let means = self.pictures.similarity_means(similarity, &other.pictures);
        means.and_then(|means| means.to_vec()).map_err(failed)
    }

    fn tensor(&self, planes: &cuda::Buffer<f32>, size: Size) -> Result<Tensor> {
        let shape = (self.count(), 3, size.height, size.width);
        self.ours.tensor(planes, shape, &self.device).map_err(failed)
    }
}

pub(super) fn tap_distances(
    weights: &[f32],
    [a, b]: [&Tensor; 2],
    (places, epsilon): (usize, f32),
) -> Result<Option<Vec<f64>>> {
    let distances = || -> std::result::Result<Vec<f64>, CudaError> {
        let ours = cuda::Device::of_tensors(a.device())?;
        let (a, b) = (ours.take(a)?, ours.take(b)?);
        let pair = [(&a).into(), (&b).into()];
        ours.tap_distances_planes(weights, pair, places, epsilon)?.to_vec()
    };
    distances().map(Some).map_err(failed)
}

/// In the tensor library's words, which keep the driver's code.
fn failed(error: CudaError) -> Error {
    Error::Cuda(Box::new(error))
}
