//! Resizes between two inputs a side.

use super::{BILINEAR, whole};
use crate::Size;
use crate::cuda::kernel::{Argument, Grid, narrow};
use crate::cuda::{Buffer, CudaError, Device, Operand};
use crate::resample::access::{Between, half_pixel, positions, tf1};

impl Device {
    /// [`bilinear_tf1`](crate::resample::bilinear_tf1) of any number of planes, one after the other.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the planes are not whole; what any call may meet.
    pub fn bilinear_tf1<'a>(
        &self,
        planes: impl Into<Operand<'a, f32>>,
        from: Size,
        to: Size,
    ) -> Result<Buffer<f32>, CudaError> {
        self.bilinear("bilinear_tf1", planes.into(), [from, to], tf1)
    }

    /// [`bilinear_half_pixel`](crate::resample::bilinear_half_pixel) of any number of planes.
    ///
    /// # Errors
    /// As [`bilinear_tf1`](Self::bilinear_tf1).
    pub fn bilinear_half_pixel<'a>(
        &self,
        planes: impl Into<Operand<'a, f32>>,
        from: Size,
        to: Size,
    ) -> Result<Buffer<f32>, CudaError> {
        self.bilinear("bilinear_half_pixel", planes.into(), [from, to], half_pixel)
    }

    fn bilinear(
        &self,
        name: &'static str,
        planes: Operand<'_, f32>,
        [from, to]: [Size; 2],
        position: fn(usize, f32) -> f32,
    ) -> Result<Buffer<f32>, CudaError> {
        let count = whole(name, planes.len(), from.area())?;
        let mut out = self.unset(count * to.area())?;
        if out.is_empty() {
            return Ok(out);
        }
        let number = |number| narrow(name, number).map(Argument::U32);
        // Inputs are numbered in 32 bits.
        narrow(name, from.width.max(from.height))?;
        let table = |from, to| -> Result<_, CudaError> {
            let all = positions(from, to, position);
            let inputs = |at: &Between| [at.lower as u32, at.upper as u32];
            let inputs: Vec<u32> = all.iter().flat_map(inputs).collect();
            let parts: Vec<f32> = all.iter().map(|at| at.fraction).collect();
            Ok((self.upload(&inputs)?, self.upload(&parts)?))
        };
        let (columns, rows) = (table(from.width, to.width)?, table(from.height, to.height)?);
        let planes = planes.on(self)?;
        let grid = Grid::new([to.width.div_ceil(32), to.height.div_ceil(32), count], 0);
        self.launch(
            &BILINEAR,
            grid,
            &mut [
                Argument::Input(planes.memory()),
                Argument::Input(columns.0.memory()),
                Argument::Input(columns.1.memory()),
                Argument::Input(rows.0.memory()),
                Argument::Input(rows.1.memory()),
                Argument::Output(out.memory_mut()),
                number(count)?,
                number(from.width)?,
                number(from.height)?,
                number(to.width)?,
                number(to.height)?,
            ],
        )?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::resample::tests::sizes;
    use crate::cuda::tests::{floats, on_every_device};
    use crate::resample;

    #[test]
    fn both_bilinear_resizes_have_the_bits_of_their_twins() {
        on_every_device(|device| {
            for (number, (from, to)) in sizes().enumerate() {
                let planes = floats(2 * from.area(), number as u64);
                let each = || planes.chunks_exact(from.area());
                let found = device.bilinear_tf1(&planes, from, to).unwrap();
                let expected: Vec<f32> =
                    each().flat_map(|p| resample::bilinear_tf1(p, from, to)).collect();
                assert_eq!(found.to_vec().unwrap(), expected, "{from:?} {to:?}");
                let found = device.bilinear_half_pixel(&planes, from, to).unwrap();
                let expected: Vec<f32> =
                    each().flat_map(|p| resample::bilinear_half_pixel(p, from, to)).collect();
                assert_eq!(found.to_vec().unwrap(), expected, "{from:?} {to:?}");
            }
        });
    }

    #[test]
    fn what_an_earlier_call_left_on_the_device_is_taken_from_there() {
        let (from, between, to) = (Size::new(20, 20), Size::new(31, 9), Size::new(8, 8));
        on_every_device(|device| {
            let plane = floats(from.area(), 3);
            let first = device.bilinear_tf1(&plane, from, between).unwrap();
            let second = device.bilinear_half_pixel(&first, between, to).unwrap();
            let expected = resample::bilinear_tf1(&plane, from, between);
            let expected = resample::bilinear_half_pixel(&expected, between, to);
            assert_eq!(second.to_vec().unwrap(), expected);
        });
    }
}
