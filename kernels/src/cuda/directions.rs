use super::kernel::parameter::{F32, IN_F32, OUT_F32, OUT_F64, U32, U64};
use super::kernel::{Argument, Grid, Kernel, Parameter, narrow};
use super::program::Program;
use super::{Buffer, CudaError, Device, Operand};

const fn differences(name: &'static str, parameters: &'static [Parameter]) -> Kernel {
    let loops = [true, false, false];
    Kernel { name, program: Program::Directions, threads: 256, loops, parameters }
}

const OF_SOME: &[Parameter] = &[IN_F32, IN_F32, IN_F32, OUT_F32, U64, F32];

/// For any number of channels.
pub(super) const OF_ANY: Kernel =
    differences("normalised_differences", &[IN_F32, IN_F32, IN_F32, OUT_F32, U64, U32, F32]);

/// For those of LPIPS's trunks.
pub(super) const OF_TRUNKS: [(usize, Kernel); 6] = [
    (64, differences("normalised_differences_64", OF_SOME)),
    (128, differences("normalised_differences_128", OF_SOME)),
    (192, differences("normalised_differences_192", OF_SOME)),
    (256, differences("normalised_differences_256", OF_SOME)),
    (384, differences("normalised_differences_384", OF_SOME)),
    (512, differences("normalised_differences_512", OF_SOME)),
];

/// For planes of any number of channels.
pub(super) const OF_PLANES: Kernel = differences(
    "normalised_differences_planes",
    &[IN_F32, IN_F32, IN_F32, OUT_F32, U64, U64, U32, F32],
);

pub(super) const PLACE_MEANS: Kernel = Kernel {
    name: "place_means",
    program: Program::Directions,
    threads: 256,
    loops: [true, false, false],
    parameters: &[IN_F32, OUT_F64, U32, U64],
};

/// Places of a block at a time: half a warp each.
const PLACES: usize = 16;

impl Device {
    /// [`tap_distances`](crate::directions::tap_distances): a value for each pair of pictures.
    ///
    /// # Errors
    /// [`CudaError::Lengths`] where the pictures are not whole or differ in number; what any call may
    /// meet.
    pub fn tap_distances<'a>(
        &self,
        weights: impl Into<Operand<'a, f32>>,
        [a, b]: [Operand<'a, f32>; 2],
        places: usize,
        epsilon: f32,
    ) -> Result<Buffer<f64>, CudaError> {
        self.distances(Layout::Vectors, weights.into(), [a, b], (places, epsilon))
    }

    /// [`tap_distances_planes`](crate::directions::tap_distances_planes): the same of planes, as the
    /// tensor library has them on a device.
    ///
    /// # Errors
    /// As [`tap_distances`](Self::tap_distances).
    pub fn tap_distances_planes<'a>(
        &self,
        weights: impl Into<Operand<'a, f32>>,
        [a, b]: [Operand<'a, f32>; 2],
        places: usize,
        epsilon: f32,
    ) -> Result<Buffer<f64>, CudaError> {
        self.distances(Layout::Planes, weights.into(), [a, b], (places, epsilon))
    }

    fn distances(
        &self,
        layout: Layout,
        weights: Operand<'_, f32>,
        [a, b]: [Operand<'_, f32>; 2],
        (places, epsilon): (usize, f32),
    ) -> Result<Buffer<f64>, CudaError> {
        const NAME: &str = "tap_distances";
        let channels = weights.len();
        let all = a.len().checked_div(channels).unwrap_or(0);
        let images = all.checked_div(places).unwrap_or(0);
        if a.len() != b.len() || a.len() != images * places * channels {
            return Err(CudaError::Lengths {
                operation: NAME,
                expected: format!("pictures of {places} places and {channels} channels"),
                found: format!("{} and {} values", a.len(), b.len()),
            });
        }
        let mut means = self.unset(images)?;
        if images == 0 {
            return Ok(means);
        }
        let mut sums = self.unset::<f32>(all)?;
        let (weights, a, b) = (weights.on(self)?, a.on(self)?, b.on(self)?);
        let mut arguments = vec![
            Argument::Input(weights.memory()),
            Argument::Input(a.memory()),
            Argument::Input(b.memory()),
            Argument::Output(sums.memory_mut()),
        ];
        let own = OF_TRUNKS.iter().find(|(of, _)| *of == channels);
        let number = Argument::U32(narrow(NAME, channels)?);
        let (kernel, places_of_a_block) = match (layout, own) {
            (Layout::Planes, _) => {
                arguments.extend([
                    Argument::U64(images as u64),
                    Argument::U64(places as u64),
                    number,
                ]);
                (&OF_PLANES, OF_PLANES.threads as usize)
            }
            (Layout::Vectors, None) => {
                arguments.extend([Argument::U64(all as u64), number]);
                (&OF_ANY, PLACES)
            }
            (Layout::Vectors, Some((_, kernel))) => {
                arguments.push(Argument::U64(all as u64));
                (kernel, PLACES)
            }
        };
        arguments.push(Argument::F32(epsilon));
        let blocks = all.div_ceil(places_of_a_block).min(self.blocks(8));
        self.launch(kernel, Grid::new([blocks, 1, 1], 0), &mut arguments)?;
        self.launch(
            &PLACE_MEANS,
            Grid::new([images, 1, 1], 256 * size_of::<f64>()),
            &mut [
                Argument::Input(sums.memory()),
                Argument::Output(means.memory_mut()),
                Argument::U32(narrow(NAME, images)?),
                Argument::U64(places as u64),
            ],
        )?;
        Ok(means)
    }
}

/// How the values of a picture lie.
#[derive(Clone, Copy)]
enum Layout {
    /// `[place][channel]`.
    Vectors,
    /// `[channel][place]`.
    Planes,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{floats, on_every_device};
    use super::*;
    use crate::directions::{tap_distances, tap_distances_planes};

    #[test]
    fn distances_have_the_bits_of_the_twin() {
        // Every trunk's number of channels, some of nobody's; an odd number of places.
        let cases = [
            (64, 3, 9),
            (128, 1, 5),
            (192, 2, 3),
            (256, 1, 7),
            (384, 1, 2),
            (512, 1, 3),
            (5, 2, 300),
            (16, 1, 1),
            (37, 2, 11),
        ];
        on_every_device(|device| {
            for (channels, images, places) in cases {
                let len = channels * images * places;
                let [mut a, b] = [1, 2].map(|seed| floats(len, seed));
                // A place without length.
                a[..channels].fill(0.0);
                let weights = floats(channels, 3);
                let pair = [(&a).into(), (&b).into()];
                let found = device.tap_distances(&weights, pair, places, 1e-10).unwrap();
                let expected = tap_distances(&weights, [&a, &b], places, 1e-10);
                assert_eq!(found.to_vec().unwrap(), expected, "{channels} {places}");
                let pair = [(&a).into(), (&b).into()];
                let found = device.tap_distances_planes(&weights, pair, places, 1e-10).unwrap();
                let expected = tap_distances_planes(&weights, [&a, &b], places, 1e-10);
                assert_eq!(found.to_vec().unwrap(), expected, "planes: {channels} {places}");
                let same = [(&b).into(), (&b).into()];
                let found = device.tap_distances(&weights, same, places, 1e-10).unwrap();
                assert_eq!(found.to_vec().unwrap(), vec![0.0; images]);
            }
        });
    }

    #[test]
    fn taps_that_do_not_fit_are_refused() {
        on_every_device(|device| {
            let values = floats(24, 1);
            for (a, b, places) in [(24, 20, 2), (24, 24, 5), (24, 24, 0)] {
                let pair = [(&values[..a]).into(), (&values[..b]).into()];
                let found = device.tap_distances(&values[..4], pair, places, 1e-10);
                assert!(matches!(found, Err(CudaError::Lengths { .. })), "{found:?}");
            }
        });
    }
}
