use super::kernel::parameter::{IN_F32, IN_F64, OUT_F64, U32};
use super::kernel::{Argument, Grid, Kernel, narrow};
use super::program::Program;
use super::{Buffer, CudaError, Device, Operand};
use crate::gram;

pub(super) const PRODUCTS: Kernel = Kernel {
    name: "gram_products",
    program: Program::Gram,
    threads: 256,
    loops: [false; 3],
    parameters: &[IN_F32, IN_F64, OUT_F64, U32, U32],
};

pub(super) const SUMS: Kernel = Kernel {
    name: "gram_sums",
    program: Program::Gram,
    threads: 256,
    loops: [true, false, false],
    parameters: &[IN_F32, IN_F64, OUT_F64, U32, U32],
};

/// Columns of a tile and bytes of its shared memory, as in `gram.cu`.
const TILE: usize = 64;
const SHARED: usize = 2 * 16 * TILE * size_of::<f64>();

/// [`Gram`](gram::Gram) on a device: rows come from the host or are there, the sums stay until they are
/// asked for. The bits are those of the twin.
#[derive(Debug)]
pub struct Gram {
    device: Device,
    host_point: Vec<f64>,
    point: Buffer<f64>,
    rows: u64,
    sums: Buffer<f64>,
    products: Buffer<f64>,
}

impl Gram {
    /// No rows yet; sums about zero.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]: the sums take 8 bytes for each pair of columns.
    pub fn new(device: &Device, columns: usize) -> Result<Self, CudaError> {
        Self::about(device, vec![0.0; columns])
    }

    /// No rows yet; sums about a point. Source: [`gram::Gram::about`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn about(device: &Device, point: Vec<f64>) -> Result<Self, CudaError> {
        let columns = point.len();
        Ok(Self {
            device: device.clone(),
            point: device.upload(&point)?,
            sums: device.zeros(columns)?,
            products: device.zeros(columns.saturating_mul(columns))?,
            host_point: point,
            rows: 0,
        })
    }

    /// Adds rows, one after the other in `rows`. Many at once are faster: each call reads and writes all
    /// sums.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] when rows are not whole; what any call may meet. The sums are then those
    /// of the rows before.
    pub fn add<'a>(&mut self, rows: impl Into<Operand<'a, f32>>) -> Result<(), CudaError> {
        const NAME: &str = "Gram::add";
        let (rows, columns) = (rows.into(), self.host_point.len());
        let count = rows.len().checked_div(columns).unwrap_or(0);
        if count * columns != rows.len() {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: format!("whole rows of {columns} values"),
                found: format!("{} values", rows.len()),
            });
        }
        if count == 0 {
            return Ok(());
        }
        let number = |number| narrow(NAME, number).map(Argument::U32);
        let rows = rows.on(&self.device)?;
        let tiles = columns.div_ceil(TILE);
        let launches = [
            (&PRODUCTS, Grid::new([tiles, tiles, 1], SHARED), &mut self.products),
            (&SUMS, Grid::new([columns.div_ceil(256), 1, 1], 0), &mut self.sums),
        ];
        for (kernel, grid, out) in launches {
            let mut arguments = [
                Argument::Input(rows.memory()),
                Argument::Input(self.point.memory()),
                Argument::Output(out.memory_mut()),
                number(count)?,
                number(columns)?,
            ];
            self.device.launch(kernel, grid, &mut arguments)?;
        }
        self.rows += count as u64;
        Ok(())
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The sums on the host, which have the mean and the covariance. Waits for the rows that were added.
    ///
    /// # Errors
    /// [`CudaError::DeviceLost`].
    pub fn to_host(&self) -> Result<gram::Gram, CudaError> {
        let (sums, products) = (self.sums.to_vec()?, self.products.to_vec()?);
        Ok(gram::Gram::from_sums(self.host_point.clone(), self.rows, sums, products))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{floats, on_every_device};
    use super::*;

    #[test]
    fn means_and_covariances_have_the_bits_of_the_twin() {
        on_every_device(|device| {
            for (rows, columns, cut) in [(2, 1, 1), (37, 5, 36), (20, 70, 3), (33, 130, 16)] {
                let values = floats(rows * columns, 7);
                let point: Vec<f64> =
                    floats(columns, 8).iter().map(|&value| f64::from(value) / 3.0).collect();
                let (first, second) = values.split_at(cut * columns);
                let mut found = Gram::about(device, point.clone()).unwrap();
                found.add(first).unwrap();
                found.add(&device.upload(second).unwrap()).unwrap();
                let found = found.to_host().unwrap();
                let mut expected = gram::Gram::about(point);
                expected.add(&values);
                assert_eq!(found.rows(), expected.rows());
                assert_eq!(found.mean(), expected.mean(), "{rows} {columns}");
                assert_eq!(found.covariance(), expected.covariance(), "{rows} {columns}");
            }
        });
    }

    #[test]
    fn half_a_row_is_refused_and_no_row_is_no_change() {
        on_every_device(|device| {
            let mut gram = Gram::new(device, 3).unwrap();
            assert!(matches!(gram.add(&[1.0; 4][..]), Err(CudaError::Lengths { .. })));
            gram.add(&[][..]).unwrap();
            assert_eq!((gram.rows(), gram.to_host().unwrap().mean()), (0, None));
        });
    }
}
