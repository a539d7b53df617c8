use super::buffer::Memory;
use super::kernel::parameter::{IN_F32, IN_U32, OUT_F32, U32};
use super::kernel::{Argument, Grid, Kernel, Parameter, narrow};
use super::program::Program;
use super::resample::whole;
use super::{Buffer, CudaError, Device, Operand};
use crate::Size;
use crate::filters::program::{FilterTables, NetworkTables};
use crate::filters::{self, Pass};

const fn kernel(name: &'static str, parameters: &'static [Parameter]) -> Kernel {
    let loops = [false, true, false];
    Kernel { name, program: Program::Filters, threads: 256, loops, parameters }
}

/// That loops along the first side of the grid as well.
const fn strided(name: &'static str) -> Kernel {
    let parameters = &[IN_F32, OUT_F32, U32, U32];
    Kernel { loops: [true, true, false], ..kernel(name, parameters) }
}

pub(super) const DOWN: Kernel = kernel(
    "filter_down",
    &[IN_F32, IN_U32, IN_U32, IN_F32, IN_U32, OUT_F32, U32, U32, U32, U32, U32, U32],
);

pub(super) const ACROSS: Kernel = kernel(
    "filter_across",
    &[OUT_F32, IN_U32, IN_U32, IN_F32, IN_U32, IN_U32, IN_F32, U32, U32, U32, U32, U32, U32, U32],
);

pub(super) const BACK: Kernel = kernel(
    "filter_back",
    &[
        IN_F32, IN_F32, IN_U32, IN_U32, IN_F32, IN_U32, IN_U32, IN_F32, OUT_F32, U32, U32, U32,
        U32, U32, U32, U32, U32,
    ],
);

pub(super) const MEANS: Kernel = strided("plane_means");

pub(super) const FILL: Kernel = strided("fill_planes");

const NAME: &str = "PlaneFilter::apply";
/// Lines of a block, at most: one a lane.
const LINES: usize = 32;

/// A [`PlaneFilter`](filters::PlaneFilter) on a device, with the bits of the twin.
#[derive(Debug)]
pub struct PlaneFilter {
    device: Device,
    size: Size,
    pass: Pass,
    /// `None` where everything is kept.
    low: Option<LowPass>,
}

#[derive(Debug)]
struct LowPass {
    down: Network,
    across: Network,
    weights: Buffer<f32>,
}

/// The tables of a transform, and how many lines a block has of it.
#[derive(Debug)]
struct Network {
    runs: Buffer<u32>,
    slots: Buffer<u32>,
    turns: Buffer<f32>,
    kept: Buffer<u32>,
    dropped: Buffer<u32>,
    side: usize,
    /// Bytes of shared memory.
    shared: usize,
}

impl Network {
    fn new(device: &Device, tables: &NetworkTables) -> Result<Self, CudaError> {
        let slots = tables.kept.len() + tables.dropped.len();
        let bytes = |side: usize| (slots + tables.room) * (side + 1) * size_of::<f32>();
        let mut sides = std::iter::successors(Some(LINES), |&n| (n > 1).then_some(n / 2));
        // Two blocks on a multiprocessor where that leaves whole lines of memory.
        let most = device.most_shared();
        let side = sides.clone().take(2).find(|&side| 2 * bytes(side) <= most);
        let side = side.or_else(|| sides.find(|&side| bytes(side) <= most));
        let side = side.ok_or_else(|| CudaError::Unsupported {
            operation: NAME,
            reason: format!("lines of {slots} values, of which none fits into a block's memory"),
        })?;
        Ok(Self {
            runs: device.upload(&tables.runs)?,
            slots: device.upload(&tables.slots)?,
            turns: device.upload(&tables.turns)?,
            kept: device.upload(&tables.kept)?,
            dropped: device.upload(&tables.dropped)?,
            side,
            shared: bytes(side),
        })
    }

    fn tables(&self) -> [Argument<'_>; 4] {
        [
            Argument::Input(self.runs.memory()),
            Argument::Input(self.slots.memory()),
            Argument::Input(self.turns.memory()),
            Argument::Input(self.kept.memory()),
        ]
    }

    fn run_count(&self) -> usize {
        self.runs.len() / 6
    }

    fn grid(&self, lines: usize, planes: usize) -> Grid {
        Grid::new([lines.div_ceil(self.side), planes, 1], self.shared)
    }
}

fn numbers<'a>(all: &[usize]) -> Result<Vec<Argument<'a>>, CudaError> {
    all.iter().map(|&number| narrow(NAME, number).map(Argument::U32)).collect()
}

impl PlaneFilter {
    /// The same filter as on the CPU.
    ///
    /// # Errors
    /// [`CudaError::Unsupported`] for sides of some ten thousand values; what any call may meet.
    pub fn new(device: &Device, filter: &filters::PlaneFilter) -> Result<Self, CudaError> {
        let FilterTables { size, pass, low } = filter.tables();
        let low = match low {
            None => None,
            Some((down, across, weights)) => Some(LowPass {
                down: Network::new(device, &down)?,
                across: Network::new(device, &across)?,
                weights: device.upload(&weights)?,
            }),
        };
        Ok(Self { device: device.clone(), size, pass, low })
    }

    /// Filters planes of `height x width` values, row by row and one after the other.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the planes are not whole; what any call may meet.
    pub fn apply<'a>(&self, planes: impl Into<Operand<'a, f32>>) -> Result<Buffer<f32>, CudaError> {
        let planes = planes.into();
        let count = whole(NAME, planes.len(), self.size.area())?;
        if count == 0 {
            return self.device.unset(0);
        }
        let planes = planes.on(&self.device)?;
        let means = match self.pass {
            Pass::Low => self.device.unset(0)?,
            Pass::High => self.means(planes.memory(), count)?,
        };
        let mut out = self.device.unset(count * self.size.area())?;
        match &self.low {
            Some(low) => self.low_pass(low, planes.memory(), &means, (count, &mut out))?,
            None if self.pass == Pass::Low => return planes.copy(&self.device),
            None => {
                let (blocks, area) = (self.size.area().div_ceil(1024), self.size.area());
                let mut arguments =
                    vec![Argument::Input(means.memory()), Argument::Output(out.memory_mut())];
                arguments.extend(numbers(&[count, area])?);
                self.device.launch(&FILL, Grid::new([blocks, count, 1], 0), &mut arguments)?;
            }
        }
        Ok(out)
    }

    fn means(&self, planes: &Memory, count: usize) -> Result<Buffer<f32>, CudaError> {
        let mut means = self.device.unset(count)?;
        let mut arguments = vec![Argument::Input(planes), Argument::Output(means.memory_mut())];
        arguments.extend(numbers(&[count, self.size.area()])?);
        let grid = Grid::new([count.div_ceil(16), 1, 1], 256 * size_of::<f64>());
        self.device.launch(&MEANS, grid, &mut arguments)?;
        Ok(means)
    }

    fn low_pass(
        &self,
        LowPass { down, across, weights }: &LowPass,
        planes: &Memory,
        means: &Buffer<f32>,
        (count, out): (usize, &mut Buffer<f32>),
    ) -> Result<(), CudaError> {
        let (Size { width, height }, rows) = (self.size, down.kept.len());
        let mut spectrum = self.device.unset::<f32>(count * rows * width)?;
        let mut arguments = vec![Argument::Input(planes)];
        arguments.extend(down.tables());
        arguments.push(Argument::Output(spectrum.memory_mut()));
        arguments.extend(numbers(&[down.run_count(), rows, count, width, height, down.side])?);
        self.device.launch(&DOWN, down.grid(width, count), &mut arguments)?;

        let mut arguments = vec![Argument::Output(spectrum.memory_mut())];
        arguments.extend(across.tables());
        arguments.push(Argument::Input(across.dropped.memory()));
        arguments.push(Argument::Input(weights.memory()));
        let (kept, dropped) = (across.kept.len(), across.dropped.len());
        let sizes = [across.run_count(), kept, dropped, count, width, rows, across.side];
        arguments.extend(numbers(&sizes)?);
        self.device.launch(&ACROSS, across.grid(rows, count), &mut arguments)?;

        let mut arguments = vec![Argument::Input(planes), Argument::Input(spectrum.memory())];
        arguments.extend(down.tables());
        arguments.push(Argument::Input(down.dropped.memory()));
        arguments.push(Argument::Input(means.memory()));
        arguments.push(Argument::Output(out.memory_mut()));
        let is_high = usize::from(self.pass == Pass::High);
        let dropped = down.dropped.len();
        let sizes = [down.run_count(), rows, dropped, count, width, height, down.side, is_high];
        arguments.extend(numbers(&sizes)?);
        self.device.launch(&BACK, down.grid(width, count), &mut arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{floats, on_every_device};
    use super::*;
    use crate::filters::{Cutoff, Shape};

    fn assert_twins(device: &Device, filter: &filters::PlaneFilter, planes: &[f32]) {
        let mut expected = vec![0.0; planes.len()];
        filter.apply(planes, &mut expected);
        let found = PlaneFilter::new(device, filter).unwrap().apply(planes).unwrap();
        assert!(found.to_vec().unwrap() == expected, "{filter:?}");
    }

    #[test]
    fn filtered_planes_have_the_bits_of_the_twin() {
        // Powers of 2, odd sides (a dense product alone, longer than a chain), odd multiples of 2, one
        // row; more lines than a block has.
        let sizes = [(16, 16), (40, 64), (37, 5), (12, 28), (14, 40), (9, 1), (1, 1), (35, 70)];
        let shapes = [
            (Shape::DctRadialAxis, 400),
            (Shape::DctZigzag, 700),
            (Shape::FftIdeal, 500),
            (Shape::FftCosine, 600),
            (Shape::DctSquare, 1000),
        ];
        on_every_device(|device| {
            for (number, (width, height)) in sizes.into_iter().enumerate() {
                let size = Size::new(width, height);
                // More planes than a block takes the means of.
                let count = if size.area() < 10 { 19 } else { 2 };
                let planes = floats(count * size.area(), number as u64);
                for (shape, cutoff) in shapes {
                    let cutoff = Cutoff::from_thousandths(cutoff).unwrap();
                    let pass = if number % 2 == 0 { Pass::Low } else { Pass::High };
                    let filter = filters::PlaneFilter::new(size, shape, pass, cutoff);
                    assert_twins(device, &filter, &planes);
                }
            }
            // Nothing is left but the means.
            let size = Size::new(50, 30);
            let cutoff = Cutoff::from_thousandths(1000).unwrap();
            for pass in [Pass::Low, Pass::High] {
                let filter = filters::PlaneFilter::new(size, Shape::DctZigzag, pass, cutoff);
                assert_twins(device, &filter, &floats(18 * size.area(), 5));
            }
        });
    }

    #[test]
    fn a_band_of_the_zigzag_is_that_of_the_twin() {
        on_every_device(|device| {
            let size = Size::new(24, 20);
            let planes = floats(3 * size.area(), 1);
            for band in [0, 4, 9] {
                assert_twins(device, &filters::PlaneFilter::zigzag_band(size, band, 10), &planes);
            }
        });
    }

    #[test]
    fn planes_that_are_not_whole_are_refused() {
        on_every_device(|device| {
            let cutoff = Cutoff::from_thousandths(500).unwrap();
            let size = Size::new(4, 4);
            let filter = filters::PlaneFilter::new(size, Shape::FftIdeal, Pass::Low, cutoff);
            let filter = PlaneFilter::new(device, &filter).unwrap();
            let found = filter.apply(&[0.0; 15][..]);
            assert!(matches!(found, Err(CudaError::Lengths { .. })), "{found:?}");
            assert!(filter.apply(&[][..]).unwrap().is_empty());
        });
    }
}
