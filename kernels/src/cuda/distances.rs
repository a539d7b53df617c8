use super::buffer::Held;
use super::kernel::parameter::{F64, IN_F32, IN_F64, OUT_F32, OUT_F64, OUT_U8, U32};
use super::kernel::{Argument, Grid, Kernel, narrow};
use super::program::Program;
use super::{Buffer, CudaError, Device, Operand};
use crate::distances::{Ball, slack};

pub(super) const NEAREST: Kernel = Kernel {
    name: "nearest",
    program: Program::Distances,
    threads: 256,
    loops: [true, false, false],
    parameters: &[IN_F32, IN_F32, OUT_F64, U32, U32, U32],
};

pub(super) const RADII: Kernel = Kernel {
    name: "radii",
    program: Program::Distances,
    threads: 256,
    loops: [true, false, false],
    parameters: &[IN_F64, OUT_F64, U32, U32, U32],
};

pub(super) const INSIDE: Kernel = Kernel {
    name: "inside",
    program: Program::Distances,
    threads: 256,
    loops: [true, true, false],
    parameters: &[
        IN_F32, IN_F32, IN_F32, IN_F32, IN_F32, IN_F32, IN_F64, OUT_U8, U32, U32, U32, U32,
    ],
};

pub(super) const LENGTH_BOUNDS: Kernel = Kernel {
    name: "length_bounds",
    program: Program::Distances,
    threads: 256,
    loops: [true, false, false],
    parameters: &[IN_F32, OUT_F32, OUT_F32, U32, U32, F64, F64],
};

/// Points of a tile, and bytes of shared memory that its products take, as in `distances.cu`.
const TILE: usize = 64;
const PRODUCTS: usize = 4 * (2 * 16 * (TILE + 4) + TILE * (TILE + 1));
/// The most neighbours that the kernels keep for a point.
const MOST_NEIGHBOURS: usize = 32;

/// Points on the device with bounds of their squared lengths.
struct Points<'a> {
    rows: Held<'a, f32>,
    lower: Buffer<f32>,
    upper: Buffer<f32>,
    count: usize,
}

impl Device {
    /// [`radii`](crate::distances::radii): the squared distance of each point to the last of its
    /// `neighbours` nearest others. Distances must be finite.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the rows are not whole or no neighbour is asked for,
    /// [`CudaError::Unsupported`] for more than 32; what any call may meet.
    pub fn radii<'a>(
        &self,
        points: impl Into<Operand<'a, f32>>,
        columns: usize,
        neighbours: usize,
    ) -> Result<Buffer<f64>, CudaError> {
        const NAME: &str = "radii";
        if neighbours == 0 {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: "at least one neighbour".into(),
                found: "none".into(),
            });
        }
        if neighbours > MOST_NEIGHBOURS {
            let reason = format!("{neighbours} neighbours, more than {MOST_NEIGHBOURS}");
            return Err(CudaError::Unsupported { operation: NAME, reason });
        }
        let points = self.points(NAME, points.into(), columns)?;
        let mut radii = self.unset(points.count)?;
        if points.count == 0 {
            return Ok(radii);
        }
        let (tiles, parts) = self.tiles(points.count);
        let mut smallest = self.unset::<f64>(parts * points.count * neighbours)?;
        let number = |number| narrow(NAME, number).map(Argument::U32);
        let lists = TILE * neighbours * size_of::<f64>();
        self.launch(
            &NEAREST,
            Grid::new([tiles, parts, 1], PRODUCTS + lists),
            &mut [
                Argument::Input(points.rows.memory()),
                Argument::Input(points.lower.memory()),
                Argument::Output(smallest.memory_mut()),
                number(points.count)?,
                number(columns)?,
                number(neighbours)?,
            ],
        )?;
        self.launch(
            &RADII,
            Grid::new([points.count.div_ceil(256), 1, 1], 256 * neighbours * size_of::<f64>()),
            &mut [
                Argument::Input(smallest.memory()),
                Argument::Output(radii.memory_mut()),
                number(points.count)?,
                number(neighbours)?,
                number(parts)?,
            ],
        )?;
        Ok(radii)
    }

    /// [`inside`](crate::distances::inside): 1 for each point that lies in a ball around some centre,
    /// else 0. Distances must be finite.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where rows are not whole or a centre has no radius; what any call may
    /// meet.
    pub fn inside<'a>(
        &self,
        points: impl Into<Operand<'a, f32>>,
        (centres, radii): (Operand<'a, f32>, Operand<'a, f64>),
        columns: usize,
        ball: Ball,
    ) -> Result<Buffer<u8>, CudaError> {
        const NAME: &str = "inside";
        let points = self.points(NAME, points.into(), columns)?;
        let centres = self.points(NAME, centres, columns)?;
        if radii.len() != centres.count {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: format!("a radius for each of {} centres", centres.count),
                found: format!("{}", radii.len()),
            });
        }
        let radii = radii.on(self)?;
        let mut inside = self.zeros(points.count)?;
        if points.count == 0 || centres.count == 0 {
            return Ok(inside);
        }
        let (tiles, parts) = self.tiles(points.count);
        let number = |number| narrow(NAME, number).map(Argument::U32);
        self.launch(
            &INSIDE,
            Grid::new([tiles, parts.min(centres.count.div_ceil(TILE)), 1], PRODUCTS),
            &mut [
                Argument::Input(points.rows.memory()),
                Argument::Input(points.lower.memory()),
                Argument::Input(points.upper.memory()),
                Argument::Input(centres.rows.memory()),
                Argument::Input(centres.lower.memory()),
                Argument::Input(centres.upper.memory()),
                Argument::Input(radii.memory()),
                Argument::Output(inside.memory_mut()),
                number(points.count)?,
                number(centres.count)?,
                number(columns)?,
                Argument::U32(u32::from(ball == Ball::Closed)),
            ],
        )?;
        Ok(inside)
    }

    /// Tiles of so many points, and parts that the others are divided into so that the device is busy.
    fn tiles(&self, count: usize) -> (usize, usize) {
        let tiles = count.div_ceil(TILE);
        (tiles, self.blocks(4).div_ceil(tiles).clamp(1, tiles))
    }

    fn points<'a>(
        &self,
        name: &'static str,
        rows: Operand<'a, f32>,
        columns: usize,
    ) -> Result<Points<'a>, CudaError> {
        let count = rows.len().checked_div(columns).unwrap_or(0);
        if columns == 0 || count * columns != rows.len() {
            return Err(CudaError::Lengths {
                operation: name,
                expected: format!("whole rows of {columns} values"),
                found: format!("{} values", rows.len()),
            });
        }
        let rows = rows.on(self)?;
        let (mut lower, mut upper) = (self.unset(count)?, self.unset(count)?);
        let slack = slack(columns);
        if count > 0 {
            self.launch(
                &LENGTH_BOUNDS,
                Grid::new([count.div_ceil(8).min(self.blocks(8)), 1, 1], 0),
                &mut [
                    Argument::Input(rows.memory()),
                    Argument::Output(lower.memory_mut()),
                    Argument::Output(upper.memory_mut()),
                    Argument::U32(narrow(name, count)?),
                    Argument::U32(narrow(name, columns)?),
                    Argument::F64(1.0 - slack),
                    Argument::F64(1.0 + slack),
                ],
            )?;
        }
        Ok(Points { rows, lower, upper, count })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{floats, on_every_device};
    use super::*;
    use crate::distances;

    /// Points that lie together, far from the origin for a `centre` that is large; some come twice.
    fn points(count: usize, columns: usize, seed: u64, centre: f32) -> Vec<f32> {
        let mut points: Vec<f32> =
            floats(count * columns, seed).iter().map(|value| value + centre).collect();
        if count > 5 {
            points.copy_within(..2 * columns, 3 * columns);
        }
        points
    }

    /// Less than a tile, tiles that end in it, columns of whole fours and not; a centre of 1,000 drowns
    /// the distances in f32, so that all of them are computed in f64.
    const CASES: [(usize, usize, f32); 5] =
        [(1, 3, 0.0), (4, 1, 0.0), (70, 19, 0.0), (65, 40, 1e3), (130, 16, 0.0)];

    #[test]
    fn radii_have_the_bits_of_the_twin() {
        on_every_device(|device| {
            for (count, columns, centre) in CASES {
                let points = points(count, columns, 3, centre);
                for neighbours in [1, 3, 5] {
                    let found = device.radii(&points, columns, neighbours).unwrap();
                    let expected = distances::radii(&points, columns, neighbours);
                    assert_eq!(found.to_vec().unwrap(), expected, "{count} {neighbours}");
                }
            }
        });
    }

    #[test]
    fn memberships_are_those_of_the_twin() {
        on_every_device(|device| {
            for (count, columns, centre) in CASES {
                let points_ = points(count, columns, 3, centre);
                let mut centres = points(90, columns, 4, centre);
                // Shared points: distances of 0, and ties at the radius.
                let shared = points_.len().min(4 * columns);
                centres[..shared].copy_from_slice(&points_[..shared]);
                let radii = distances::radii(&centres, columns, 3);
                for ball in [Ball::Closed, Ball::Open] {
                    let balls = ((&centres).into(), (&radii).into());
                    let found = device.inside(&points_, balls, columns, ball).unwrap();
                    let found: Vec<bool> =
                        found.to_vec().unwrap().iter().map(|&is| is != 0).collect();
                    let expected = distances::inside(&points_, (&centres, &radii), columns, ball);
                    assert_eq!(found, expected, "{count} {ball:?}");
                }
            }
        });
    }

    #[test]
    fn points_that_do_not_fit_are_refused() {
        on_every_device(|device| {
            let points = floats(12, 1);
            let is_refused = |found| matches!(found, Err(CudaError::Lengths { .. }));
            assert!(is_refused(device.radii(&points, 5, 1)));
            assert!(is_refused(device.radii(&points, 0, 1)));
            assert!(is_refused(device.radii(&points, 3, 0)));
            let many = device.radii(&points, 3, 33);
            assert!(matches!(many, Err(CudaError::Unsupported { .. })), "{many:?}");
            let balls = ((&points).into(), (&[1.0_f64; 3][..]).into());
            let found = device.inside(&points, balls, 3, Ball::Open);
            assert!(matches!(found, Err(CudaError::Lengths { .. })), "{found:?}");
            assert!(device.radii(&[][..], 3, 1).unwrap().is_empty());
        });
    }
}
