//! Maps of another size by PyTorch's bicubic interpolations.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{MapShape, Maps, NnError, Work};
use crate::resample::torch_taps::{Kernel, TorchTaps, antialiased, bicubic, bicubic_by};

/// Values that one task sums up at least.
const LONG: usize = 1 << 12;

/// Whether a filter that makes maps smaller grows with the step between outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Antialiasing {
    /// Four inputs an axis, the cubic's factor -0.75.
    Off,
    /// As many as the step asks for, the cubic's factor -0.5.
    On,
}

/// Maps of `height` rows and `width` columns, as `torch.nn.functional.interpolate(mode="bicubic",
/// align_corners=False)` makes them, with `antialias` or without. Values may leave their range.
///
/// Weights are f32 from the ratio of the sides, as torch has them. Columns are weighed first, then
/// rows.
///
/// # Errors
/// [`NnError::TooSmall`] for maps without a position.
pub fn resize_bicubic(
    maps: &Maps,
    (height, width): (usize, usize),
    antialiasing: Antialiasing,
) -> Result<Maps, NnError> {
    let shape = maps.shape();
    let taps = |from, to| match antialiasing {
        Antialiasing::Off => bicubic(from, to),
        Antialiasing::On => antialiased(from, to, Kernel::Cubic),
    };
    resized(maps, [taps(shape.height, height), taps(shape.width, width)])
}

/// The same without antialiasing, outputs being `(down, across)` inputs apart, as torch has it for a
/// `scale_factor` of which these are the inverses: they need not be the ratio of the sides.
///
/// # Errors
/// [`NnError::TooSmall`] for maps without a position.
pub fn resize_bicubic_by(
    maps: &Maps,
    (height, width): (usize, usize),
    (down, across): (f32, f32),
) -> Result<Maps, NnError> {
    let shape = maps.shape();
    let rows = bicubic_by(shape.height, height, down);
    resized(maps, [rows, bicubic_by(shape.width, width, across)])
}

fn resized(maps: &Maps, [rows, columns]: [Vec<TorchTaps>; 2]) -> Result<Maps, NnError> {
    let (shape, height, width) = (maps.shape(), rows.len(), columns.len());
    if shape.height * shape.width == 0 {
        return Err(NnError::TooSmall { layer: "bicubic interpolation", maps: shape });
    }
    let out_shape = MapShape { height, width, ..shape };
    let work = || {
        let taps = |taps: &[TorchTaps]| taps.iter().map(|tap| tap.weights.len()).sum::<usize>();
        let lines = shape.images * shape.channels;
        Work::each(lines * (shape.height * taps(&columns) + width * taps(&rows)))
    };
    if let Some(counted) = Maps::counted(&[maps], out_shape, work) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => {
            return Maps::on_device(&in_f32(tensor, |maps| on_device(maps, &rows, &columns))?);
        }
    };
    let wide = weigh(values, shape.channels, shape.width, &columns);
    let rows = weigh(&wide, width * shape.channels, shape.height, &rows);
    Ok(Maps::from_buffer(out_shape, rows))
}

/// Weighed sums of rows of `length` values, of which `from` belong together.
fn weigh(values: &[f32], length: usize, from: usize, taps: &[TorchTaps]) -> Buffer {
    let group = from * length;
    let mut out = Buffer::new(values.len().checked_div(group).unwrap_or(0) * taps.len() * length);
    let groups = out.par_chunks_exact_mut((taps.len() * length).max(1));
    groups.zip(values.par_chunks_exact(group.max(1))).for_each(|(out, rows)| {
        let outputs = out.par_chunks_exact_mut(length).with_min_len(LONG / length + 1);
        outputs.zip(taps).for_each(|(out, taps)| {
            let rows = &rows[taps.first * length..];
            pulp::Arch::new().dispatch(Sum { rows, weights: &taps.weights, out });
        });
    });
    out
}

/// `out[i]` is the sum of `weights[j] rows[j][i]`.
struct Sum<'a> {
    rows: &'a [f32],
    weights: &'a [f32],
    out: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { rows, weights, out } = self;
        out.fill(0.0);
        for (weight, row) in weights.iter().zip(rows.chunks_exact(out.len())) {
            for (sum, value) in out.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
}

/// The weights as matrices.
fn on_device(maps: &Tensor, rows: &[TorchTaps], columns: &[TorchTaps]) -> Result<Tensor, NnError> {
    let along = |maps: &Tensor, taps: &[TorchTaps]| -> Result<Tensor, NnError> {
        let (images, channels, others, from) = maps.dims4()?;
        let mut matrix = vec![0.0_f32; from * taps.len()];
        for (output, tap) in taps.iter().enumerate() {
            for (input, weight) in (tap.first..).zip(&tap.weights) {
                matrix[input * taps.len() + output] = *weight;
            }
        }
        let matrix = Tensor::from_vec(matrix, (from, taps.len()), maps.device())?;
        let flat = maps.reshape((images * channels * others, from))?;
        Ok(flat.matmul(&matrix)?.reshape((images, channels, others, taps.len()))?)
    };
    let wide = along(maps, columns)?.transpose(2, 3)?.contiguous()?;
    Ok(along(&wide, rows)?.transpose(2, 3)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nn::testing;

    proptest! {
        #[test]
        fn the_device_agrees_for_any_threads(
            shape in testing::any_shape(9, 20),
            size in (1..=20_usize, 1..=20_usize),
            seed: u64,
        ) {
            let maps = Maps::from_rows(shape, testing::values(shape.len(), seed)).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            for antialiasing in [Antialiasing::Off, Antialiasing::On] {
                let run = |maps: &Maps| {
                    resize_bicubic(maps, size, antialiasing).unwrap().to_rows().unwrap()
                };
                let [one, three] = testing::on_threads(|| run(&maps));
                testing::assert_same_bits(&one, &three);
                let expected: Vec<f64> = run(&device).into_iter().map(f64::from).collect();
                testing::assert_near(&one, &expected, 2e-5);
            }
        }
    }

    #[test]
    fn a_constant_stays_and_the_same_size_is_the_identity() {
        let shape = MapShape { images: 2, height: 5, width: 7, channels: 3 };
        let values = testing::values(shape.len(), 1);
        let maps = Maps::from_rows(shape, values.clone()).unwrap();
        let flat = Maps::from_rows(shape, vec![0.75; shape.len()]).unwrap();
        for antialiasing in [Antialiasing::Off, Antialiasing::On] {
            let same = resize_bicubic(&maps, (5, 7), antialiasing).unwrap();
            testing::assert_same_bits(&same.to_rows().unwrap(), &values);
            let other = resize_bicubic(&flat, (9, 2), antialiasing).unwrap().to_rows().unwrap();
            testing::assert_near(&other, &vec![0.75; other.len()], 1e-6);
        }
    }

    #[test]
    fn steps_of_the_ratio_of_the_sides_are_no_other_resize() {
        let shape = MapShape { images: 1, height: 5, width: 8, channels: 2 };
        let maps = Maps::from_rows(shape, testing::values(shape.len(), 1)).unwrap();
        let expected = resize_bicubic(&maps, (10, 4), Antialiasing::Off).unwrap();
        let expected = expected.to_rows().unwrap();
        let run = |steps| resize_bicubic_by(&maps, (10, 4), steps).unwrap().to_rows().unwrap();
        testing::assert_same_bits(&run((0.5, 2.0)), &expected);
        let apart = run((0.5, 1.9))
            .iter()
            .zip(&expected)
            .filter(|(a, b)| a.to_bits() != b.to_bits())
            .count();
        assert!(apart > expected.len() / 2, "{apart}");
    }

    #[test]
    fn it_has_the_same_bits_on_every_instruction_set() {
        let rows = testing::values(4 * 37, 1);
        let run = |set: crate::InstructionSet| {
            let mut out = vec![0.0; 37];
            set.run(Sum { rows: &rows, weights: &[-0.1, 0.7, 0.5, -0.1], out: &mut out });
            out
        };
        let expected = run(crate::InstructionSet::Best);
        testing::on_every_instruction_set(|set| testing::assert_same_bits(&run(set), &expected));
    }
}
