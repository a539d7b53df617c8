//! Pictures on a GPU, beside candle's tensors on its stream.

use candle_core::{Device, Error, Result, Tensor};

use super::PlaneResize;
use crate::Size;
use crate::cuda::{self, CudaError, Uploads};
use crate::filters::PlaneFilter;
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

pub(super) fn filtered(planes: &Tensor, filter: &PlaneFilter) -> Result<Option<Tensor>> {
    let filter = || -> std::result::Result<Tensor, CudaError> {
        let ours = cuda::Device::of_tensors(planes.device())?;
        let filtered = cuda::PlaneFilter::new(&ours, filter)?.apply(&ours.take(planes)?)?;
        ours.tensor(&filtered, planes.shape().clone(), planes.device())
    };
    filter().map(Some).map_err(failed)
}

/// In the tensor library's words, which keep the driver's code.
fn failed(error: CudaError) -> Error {
    Error::Cuda(Box::new(error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::print_stdout, reason = "what is left out is printed")]

    use candle_core::DType;

    use super::super::{DevicePictures, PlaneResize, Rounding, Sender, tap_distances};
    use super::*;
    use crate::resample::{Filter, bilinear_tf1, resize_plane};
    use crate::similarity::{Border, Stabilisers, Term, Window};
    use crate::squared_error::squared_error_u8;

    /// On the first GPU, which must be there where the other tests on one need it.
    #[test]
    fn pictures_on_a_gpu_have_the_bits_of_the_host() {
        let device = match cuda::for_tensors(0) {
            Ok(device) => device,
            Err(error) if std::env::var_os("PRISMBENCH_TEST_CUDA").is_some() => panic!("{error}"),
            Err(error) => return println!("left out: no CUDA device: {error}"),
        };
        let size = Size::new(61, 47);
        let levels = |seed: usize| -> Vec<u8> {
            (0..3 * 3 * size.area()).map(|i| ((i * 7919 + seed * 104_729) % 251) as u8).collect()
        };
        let [x, y] = [1, 2].map(levels);
        let mut sender = Sender::to(&device).unwrap().unwrap();
        let [a, b] = [&x, &y].map(|bytes| {
            let each: Vec<&[u8]> = bytes.chunks_exact(3 * size.area()).collect();
            sender.send(&each, size).unwrap()
        });
        assert_eq!(a.to_host().unwrap().concat(), x);

        // There and back: a decoder that gives every level again.
        let shares = Levels::of(|_, level| f32::from(level) / 255.0);
        let made = b.numbers(&shares).unwrap();
        for rounding in [Rounding::HalfEven, Rounding::HalfUp] {
            let made = DevicePictures::quantised(&made, rounding).unwrap().unwrap();
            assert_eq!(made.to_host().unwrap().concat(), y);
        }

        let stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.0 };
        let (window, border, term) = (Window::Gaussian, Border::Reflect, Term::Similarity);
        let similarity = Similarity { window, border, stabilisers, term };
        let means = a.similarity_means(&similarity, &b).unwrap();
        assert_eq!(means, similarity.means([&x, &y], size, 3).unwrap());
        let pairs = x.chunks_exact(3 * size.area()).zip(y.chunks_exact(3 * size.area()));
        let errors: Vec<f64> = pairs.map(|(x, y)| squared_error_u8(x, y) as f64).collect();
        assert_eq!(a.squared_errors(&b).unwrap(), errors);

        let to = Size::new(83, 35);
        let plane: Vec<f32> =
            x[1..3 * size.area()].iter().step_by(3).map(|&l| f32::from(l)).collect();
        for (resize, expected) in [
            (PlaneResize::BilinearTf1, bilinear_tf1(&plane, size, to)),
            (PlaneResize::Pillow(Filter::Bicubic), resize_plane(&plane, size, to, Filter::Bicubic)),
        ] {
            let found = a.resized(to, resize).unwrap();
            let found: Vec<f32> =
                found.get(0).unwrap().get(1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert!(found == expected, "{resize:?}");
        }

        let taps = |seed: usize| {
            let value = |i: usize| ((i * 7919 + seed) % 1013) as f32 / 1013.0;
            Tensor::from_vec((0..2 * 5 * 12).map(value).collect(), (2, 5, 3, 4), &Device::Cpu)
                .unwrap()
        };
        let (taps, weights) = ([taps(1), taps(2)], [0.5, 1.0, 0.25, 2.0, 0.125]);
        let [a, b] = [&taps[0], &taps[1]].map(|taps| taps.to_device(&device).unwrap());
        let found = tap_distances(&weights, [&a, &b], 1e-10).unwrap().unwrap();
        let [a, b] = taps.map(|taps| taps.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let expected = crate::directions::tap_distances_planes(&weights, [&a, &b], 12, 1e-10);
        assert_eq!(found, expected);

        let planes: Vec<f32> =
            (0..2 * 16 * 24).map(|i| ((i * 7919) % 1013) as f32 / 1013.0).collect();
        let filter = PlaneFilter::zigzag_band(Size::new(24, 16), 1, 4);
        let mut expected = vec![0.0; planes.len()];
        filter.apply(&planes, &mut expected);
        let tensor = Tensor::from_vec(planes, (1, 2, 16, 24), &device).unwrap();
        let found = super::super::filtered(&tensor, &filter).unwrap().unwrap();
        assert_eq!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);

        let odd = Tensor::new(f32::NAN, &device).unwrap().broadcast_as((1, 3, 2, 2)).unwrap();
        let odd = odd.contiguous().unwrap().to_dtype(DType::F32).unwrap();
        assert!(DevicePictures::quantised(&odd, Rounding::HalfEven).unwrap().is_none());
    }
}
