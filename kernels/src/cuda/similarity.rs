use super::kernel::parameter::{F64, IN_F32, IN_F64, IN_U8, OUT_F64, U32};
use super::kernel::{Argument, Grid, Kernel, Parameter, Scalar, narrow};
use super::program::Program;
use super::resample::whole;
use super::{Buffer, CudaError, Device, Element, Operand};
use crate::Size;
use crate::similarity::{Border, Constants, Similarity, Term, Window};

const fn column_sums(name: &'static str, parameters: &'static [Parameter]) -> Kernel {
    let loops = [false, true, false];
    Kernel { name, program: Program::Similarity, threads: 128, loops, parameters }
}

const OF_BYTES: &[Parameter] =
    &[IN_U8, IN_U8, IN_F64, OUT_F64, U32, U32, U32, U32, U32, U32, F64, F64, F64];
const OF_FLOATS: &[Parameter] =
    &[IN_F32, IN_F32, IN_F64, OUT_F64, U32, U32, U32, U32, U32, U32, F64, F64, F64];

pub(super) const GAUSSIAN_U8: Kernel = column_sums("similarity_gaussian_u8", OF_BYTES);
pub(super) const GAUSSIAN_F32: Kernel = column_sums("similarity_gaussian_f32", OF_FLOATS);
pub(super) const UNIFORM_U8: Kernel = column_sums("similarity_uniform_u8", OF_BYTES);
pub(super) const UNIFORM_F32: Kernel = column_sums("similarity_uniform_f32", OF_FLOATS);

pub(super) const MEANS: Kernel = Kernel {
    name: "similarity_means",
    program: Program::Similarity,
    threads: 128,
    loops: [true, false, false],
    parameters: &[IN_F64, OUT_F64, U32, U32, F64],
};

/// Columns of a strip, and rows that it goes down at a time, as in `similarity.cu`.
const STRIP: usize = 64;
const STEP: usize = 8;
const MOMENTS: usize = 4;

/// The kernel for a window and a type of values.
fn kernel(window: Window, scalar: Scalar) -> Option<&'static Kernel> {
    match (window, scalar) {
        (Window::Gaussian, Scalar::U8) => Some(&GAUSSIAN_U8),
        (Window::Gaussian, Scalar::F32) => Some(&GAUSSIAN_F32),
        (Window::Uniform, Scalar::U8) => Some(&UNIFORM_U8),
        (Window::Uniform, Scalar::F32) => Some(&UNIFORM_F32),
        _ => None,
    }
}

impl Device {
    /// [`Similarity::means`] of bytes or f32: a value for each of the pictures of one size, one after the
    /// other.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the pictures are not whole, differ in number or are smaller than the
    /// window, [`CudaError::Unsupported`] for values of other types; what any call may meet.
    pub fn similarity_means<'a, T: Element>(
        &self,
        similarity: &Similarity,
        [x, y]: [Operand<'a, T>; 2],
        size: Size,
        channels: usize,
    ) -> Result<Buffer<f64>, CudaError> {
        const NAME: &str = "similarity_means";
        let images = whole(NAME, x.len(), size.area() * channels)?;
        let is_too_small = size.shorter() < similarity.smallest_side() || channels == 0;
        if x.len() != y.len() || is_too_small {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: format!(
                    "as many pictures of each side, with a channel and {} pixels a side",
                    similarity.smallest_side()
                ),
                found: format!("{} and {} values of {size:?}", x.len(), y.len()),
            });
        }
        let mut means = self.unset(images)?;
        if images == 0 {
            return Ok(means);
        }
        let (columns, map) = self.column_sums(similarity, [x, y], size, channels)?;
        let row = map.width * channels;
        self.launch(
            &MEANS,
            Grid::new([images, 1, 1], row.div_ceil(STRIP) * size_of::<f64>()),
            &mut [
                Argument::Input(columns.memory()),
                Argument::Output(means.memory_mut()),
                Argument::U32(narrow(NAME, images)?),
                Argument::U32(narrow(NAME, row)?),
                Argument::F64((row * map.height) as f64),
            ],
        )?;
        Ok(means)
    }

    /// Sums of the term down each column of each map, and the size of a map.
    fn column_sums<T: Element>(
        &self,
        similarity: &Similarity,
        [x, y]: [Operand<'_, T>; 2],
        size: Size,
        channels: usize,
    ) -> Result<(Buffer<f64>, Size), CudaError> {
        const NAME: &str = "similarity_means";
        let kernel = kernel(similarity.window, T::SCALAR).ok_or_else(|| {
            let reason = format!("values of type {:?}", T::SCALAR);
            CudaError::Unsupported { operation: NAME, reason }
        })?;
        let radius = similarity.window.radius();
        let (margin, map) = match similarity.border {
            Border::Reflect => (radius, size),
            Border::Valid => (0, Size::new(size.width - 2 * radius, size.height - 2 * radius)),
        };
        let images = x.len() / (size.area() * channels);
        let row = map.width * channels;
        let ring = (STEP + 2 * radius) * MOMENTS * STRIP;
        let staged = 2 * STEP * (STRIP + 2 * radius * channels);
        let shared = (ring + staged) * size_of::<f64>();
        if shared.max(row.div_ceil(STRIP) * size_of::<f64>()) > self.most_shared() {
            let reason = format!("{channels} channels of {} columns", size.width);
            return Err(CudaError::Unsupported { operation: NAME, reason });
        }
        let weights: Vec<f64> = (1..=radius).map(|d| similarity.window.weight(d)).collect();
        let Constants { mass, c1, c2 } =
            Constants::new(similarity.stabilisers, similarity.window.mass());
        let number = |number| narrow(NAME, number).map(Argument::U32);
        let (x, y, weights) = (x.on(self)?, y.on(self)?, self.upload(&weights)?);
        let mut columns = self.unset(images * row)?;
        self.launch(
            kernel,
            Grid::new([row.div_ceil(STRIP), images, 1], shared),
            &mut [
                Argument::Input(x.memory()),
                Argument::Input(y.memory()),
                Argument::Input(weights.memory()),
                Argument::Output(columns.memory_mut()),
                number(images)?,
                number(size.width)?,
                number(size.height)?,
                number(channels)?,
                number(margin)?,
                Argument::U32(match similarity.term {
                    Term::Similarity => 0,
                    Term::Contrast => 1,
                    Term::SimilarityOfPositiveContrast => 2,
                }),
                Argument::F64(mass),
                Argument::F64(c1),
                Argument::F64(c2),
            ],
        )?;
        Ok((columns, map))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, floats, on_every_device};
    use super::*;
    use crate::similarity::Stabilisers;

    const STABILISERS: Stabilisers = Stabilisers { c1: 6.5025, c2: 58.5225, moment_factor: 1.25 };

    const SIMILARITIES: [Similarity; 4] = [
        of(Window::Gaussian, Border::Valid, Term::Similarity),
        of(Window::Gaussian, Border::Reflect, Term::Contrast),
        of(Window::Uniform, Border::Valid, Term::SimilarityOfPositiveContrast),
        of(Window::Uniform, Border::Reflect, Term::Similarity),
    ];

    const fn of(window: Window, border: Border, term: Term) -> Similarity {
        Similarity { window, border, stabilisers: STABILISERS, term }
    }

    #[test]
    fn means_have_the_bits_of_the_twin() {
        // One channel and three; maps of less than a strip, of one and of more; one row of the map.
        let cases = [((13, 11), 1), ((27, 20), 3), ((74, 13), 1), ((45, 33), 3), ((12, 12), 4)];
        on_every_device(|device| {
            for ((width, height), channels) in cases {
                let size = Size::new(width, height);
                let [x, y] = [1, 2].map(|seed| bytes(2 * size.area() * channels, seed));
                let [a, b] = [3, 4].map(|seed| floats(2 * size.area() * channels, seed));
                for similarity in SIMILARITIES {
                    let pair = [(&x).into(), (&y).into()];
                    let found = device.similarity_means(&similarity, pair, size, channels);
                    let expected = similarity.means([&x, &y], size, channels);
                    assert_eq!(found.unwrap().to_vec().unwrap(), expected.unwrap(), "{size:?}");
                    let pair = [(&a).into(), (&b).into()];
                    let found = device.similarity_means(&similarity, pair, size, channels);
                    let expected = similarity.means([&a, &b], size, channels);
                    assert_eq!(found.unwrap().to_vec().unwrap(), expected.unwrap(), "{size:?}");
                }
            }
        });
    }

    #[test]
    fn pictures_that_do_not_fit_are_refused() {
        on_every_device(|device| {
            let (x, size) = (bytes(300, 1), Size::new(10, 10));
            for (a, b, channels) in [(&x[..], &x[..200], 1), (&x, &x, 3), (&x[..250], &x[..250], 1)]
            {
                let pair = [a.into(), b.into()];
                let found = device.similarity_means(&SIMILARITIES[0], pair, size, channels);
                assert!(matches!(found, Err(CudaError::Lengths { .. })), "{found:?}");
            }
        });
    }
}
