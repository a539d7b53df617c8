//! 8-bit pictures in the memory of a device: sent once, and used there by tokenizers, networks and
//! metrics, so that what comes back is features and values alone.
//!
//! What is computed of them has the bits of the host's functions, but for what a network's layers give.
//! On the host there are none: this builds, and is used, without a GPU and without candle's backend
//! for one, and then nothing is ever sent.

#[cfg(feature = "candle-cuda")]
mod gpu;
#[cfg(feature = "candle-cuda")]
use gpu as place;
#[cfg(not(feature = "candle-cuda"))]
mod none;
#[cfg(not(feature = "candle-cuda"))]
use none as place;

use candle_core::{DType, Device, Result, Tensor};

use crate::Size;
use crate::filters::PlaneFilter;
use crate::network_input::Levels;
use crate::resample::Filter;
use crate::similarity::Similarity;

/// Pictures of one size on a device, three channels each.
pub struct DevicePictures(place::Pictures);

/// Sends pictures to a device, beside what that computes: out of memory that the system does not move, on a
/// stream of its own.
pub struct Sender(place::Sender);

/// How numbers become levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards zero.
    Truncate,
    /// To the nearest; halves to the even one.
    HalfEven,
    /// One half is added, then towards zero.
    HalfUp,
}

impl Sender {
    /// A way to the device of tensors; `None` for the host, where pictures are already.
    ///
    /// # Errors
    /// What the driver says.
    pub fn to(device: &Device) -> Result<Option<Self>> {
        Ok(place::Sender::to(device)?.map(Self))
    }

    /// The pictures, `size.area() * 3` interleaved bytes each, on the device. They may be used at once.
    ///
    /// # Errors
    /// A picture of another size, no memory, a device that is lost.
    pub fn send(&mut self, pictures: &[&[u8]], size: Size) -> Result<DevicePictures> {
        self.0.send(pictures, size).map(DevicePictures)
    }
}

impl DevicePictures {
    /// `[N, 3, H, W]` of numbers in `[0, 1]`, as a decoder gives them, clamped and rounded to levels where they
    /// are. `None` for a tensor on the host, and for one that is not finite: the host says which value.
    ///
    /// # Errors
    /// What the tensor library says.
    pub fn quantised(planes: &Tensor, rounding: Rounding) -> Result<Option<Self>> {
        if planes.device().is_cpu() {
            return Ok(None);
        }
        let Some(levels) = levels(planes, rounding)? else { return Ok(None) };
        Ok(place::Pictures::of_levels(&levels)?.map(Self))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// Columns and rows of each.
    #[must_use]
    pub fn size(&self) -> Size {
        self.0.size()
    }

    /// The bytes of each on the host. Waits for what makes them.
    ///
    /// # Errors
    /// A device that is lost.
    pub fn to_host(&self) -> Result<Vec<Vec<u8>>> {
        let bytes = self.0.to_host()?;
        let each = bytes.chunks_exact((3 * self.size().area()).max(1));
        Ok(each.map(<[u8]>::to_vec).collect())
    }

    /// Each level as a number, `[N, 3, H, W]`.
    ///
    /// # Errors
    /// No memory, a device that is lost.
    pub fn numbers(&self, levels: &Levels) -> Result<Tensor> {
        self.0.numbers(levels)
    }

    /// The levels themselves, 0 to 255, resized: `[N, 3, to.height, to.width]`.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers).
    pub fn resized(&self, to: Size, resize: PlaneResize) -> Result<Tensor> {
        self.0.resized(to, resize)
    }

    /// [`Similarity::means`] with other pictures, 0 to 255: a value for each pair.
    ///
    /// # Errors
    /// Pictures that differ in number or size, or are smaller than the window; as
    /// [`numbers`](Self::numbers).
    pub fn similarity_means(&self, similarity: &Similarity, other: &Self) -> Result<Vec<f64>> {
        self.0.similarity_means(similarity, &other.0)
    }

    /// Sums of the squared differences of levels to those of other pictures, one for each pair: whole
    /// numbers.
    ///
    /// # Errors
    /// As [`similarity_means`](Self::similarity_means).
    pub fn squared_errors(&self, other: &Self) -> Result<Vec<f64>> {
        let own = Levels::of(|_, level| f32::from(level));
        squared_errors(&self.numbers(&own)?, &other.numbers(&own)?)
    }
}

/// How planes of numbers are resized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaneResize {
    /// [`bilinear_tf1`](crate::resample::bilinear_tf1).
    BilinearTf1,
    /// [`resize_plane`](crate::resample::resize_plane).
    Pillow(Filter),
}

/// LPIPS's distances of the taps of pairs of pictures, `[N, C, H, W]` each:
/// [`tap_distances_planes`](crate::directions::tap_distances_planes). `None` where they are on the host.
///
/// # Errors
/// Taps that differ in shape or have other channels than there are weights; no memory, a device that is lost.
pub fn tap_distances(
    weights: &[f32],
    [a, b]: [&Tensor; 2],
    epsilon: f32,
) -> Result<Option<Vec<f64>>> {
    if a.device().is_cpu() || b.device().is_cpu() {
        return Ok(None);
    }
    let (_, channels, height, width) = a.dims4()?;
    if a.dims() != b.dims() || channels != weights.len() {
        let shapes = (a.dims(), b.dims(), weights.len());
        candle_core::bail!("taps and weights of one shape are needed, these are {shapes:?}");
    }
    place::tap_distances(weights, [a, b], (height * width, epsilon))
}

/// Planes of a tensor `[N, C, H, W]`, each filtered: [`PlaneFilter::apply`]. `None` for one on the host.
///
/// # Errors
/// Planes of another size than the filter's; no memory, a device that is lost.
pub fn filtered(planes: &Tensor, filter: &PlaneFilter) -> Result<Option<Tensor>> {
    match planes.device().is_cpu() {
        true => Ok(None),
        false => place::filtered(planes, filter),
    }
}

/// Levels of numbers in `[0, 1]`, `[N, H, W, 3]` of bytes; `None` where one is not finite.
fn levels(planes: &Tensor, rounding: Rounding) -> Result<Option<Tensor>> {
    // Zero times a number that is finite is zero.
    let zeros = planes.affine(0.0, 0.0)?.flatten_from(1)?.sum(1)?.to_vec1::<f32>()?;
    if zeros.iter().any(|zero| zero.is_nan()) {
        return Ok(None);
    }
    let levels = planes.clamp(0.0_f32, 1.0_f32)?.affine(255.0, 0.0)?;
    // One operation at a time: together they could be fused, and round once where the host rounds twice.
    let levels = match rounding {
        Rounding::Truncate => levels,
        Rounding::HalfUp => levels.affine(1.0, 0.5)?,
        // At 2^23 an f32 has no fraction left, and halves go to the even number.
        Rounding::HalfEven => levels.affine(1.0, 8_388_608.0)?.affine(1.0, -8_388_608.0)?,
    };
    levels.to_dtype(DType::U8)?.permute((0, 2, 3, 1))?.contiguous().map(Some)
}

/// Sums of squares below 2^16 are whole and exact in f64 for pictures of up to 2^36 values, in any order.
fn squared_errors(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    (a - b)?.to_dtype(DType::F64)?.sqr()?.flatten_from(1)?.sum(1)?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tensor library does on a device it does on the CPU, too.
    #[test]
    fn levels_are_those_of_the_host() {
        let value = |i: usize| ((i * 7919) % 10_007) as f32 / 8000.0 - 0.1;
        let mut values: Vec<f32> = (0..2 * 3 * 40 * 7).map(value).collect();
        // Numbers whose levels are halves, and those beyond the ends.
        values[..256]
            .iter_mut()
            .zip(0_u8..=255)
            .for_each(|(v, l)| *v = (f32::from(l) + 0.5) / 255.0);
        values[256..260].copy_from_slice(&[-1.0, 2.0, -0.0, 1.0]);
        let tensor = Tensor::from_slice(&values, (2, 3, 7, 40), &Device::Cpu).unwrap();
        let host = |rounding: Rounding| -> Vec<u8> {
            let level = |value: &f32| {
                let level = value.clamp(0.0, 1.0) * 255.0;
                match rounding {
                    Rounding::Truncate => level as u8,
                    Rounding::HalfEven => level.round_ties_even() as u8,
                    Rounding::HalfUp => (level + 0.5) as u8,
                }
            };
            let planes: Vec<u8> = values.iter().map(level).collect();
            let place = |at: usize| {
                let (picture, at) = (at / 840, at % 840);
                planes[840 * picture + 280 * (at % 3) + at / 3]
            };
            (0..planes.len()).map(place).collect()
        };
        let mut all = Vec::new();
        for rounding in [Rounding::Truncate, Rounding::HalfEven, Rounding::HalfUp] {
            let found = levels(&tensor, rounding).unwrap().unwrap();
            assert_eq!(found.dims(), [2, 7, 40, 3]);
            let found: Vec<u8> = found.flatten_all().unwrap().to_vec1().unwrap();
            assert!(found == host(rounding), "{rounding:?}");
            all.push(found);
        }
        assert!(all[0] != all[1] && all[1] != all[2], "the rules can be told apart");
    }

    #[test]
    fn what_is_not_finite_is_left_to_the_host() {
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.5_f32; 24];
            values[17] = odd;
            let tensor = Tensor::from_vec(values, (2, 3, 2, 2), &Device::Cpu).unwrap();
            assert!(levels(&tensor, Rounding::HalfEven).unwrap().is_none());
            assert!(DevicePictures::quantised(&tensor, Rounding::HalfEven).unwrap().is_none());
        }
    }

    #[test]
    fn squared_errors_are_exact() {
        let (mut x, mut y) = (vec![0_u8; 3 * 512 * 512], vec![255_u8; 3 * 512 * 512]);
        x[7] = 3;
        y[9] = 1;
        let [a, b] = [&x, &y].map(|bytes| {
            let levels: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
            Tensor::from_vec(levels, (1, 3, 512, 512), &Device::Cpu).unwrap()
        });
        let expected = crate::squared_error::squared_error_u8(&x, &y);
        assert_eq!(squared_errors(&a, &b).unwrap(), [expected as f64]);
    }

    #[test]
    fn nothing_is_sent_to_the_host() {
        assert!(Sender::to(&Device::Cpu).unwrap().is_none());
        let taps = Tensor::zeros((1, 2, 3, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(tap_distances(&[1.0, 1.0], [&taps, &taps], 1e-10).unwrap(), None);
        let band = PlaneFilter::zigzag_band(Size::new(3, 3), 0, 2);
        assert!(filtered(&taps, &band).unwrap().is_none());
    }
}
