//! Maps with more rows and columns.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{MapShape, Maps, NnError, Work};

/// Each position `factor x factor` times: `torch.nn.Upsample(scale_factor=factor)`.
///
/// # Errors
/// [`NnError::Tensor`] when the tensor library fails.
pub fn upsample_nearest(maps: &Maps, factor: usize) -> Result<Maps, NnError> {
    let shape = maps.shape();
    let out_shape =
        MapShape { height: shape.height * factor, width: shape.width * factor, ..shape };
    if let Some(counted) = Maps::counted(&[maps], out_shape, Work::default) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => {
            let (height, width) = (out_shape.height, out_shape.width);
            return Maps::on_device(&tensor.upsample_nearest2d(height, width)?);
        }
    };
    let row = shape.width * shape.channels;
    let mut out = Buffer::new(out_shape.len());
    // All copies of a row, so that it is read from memory once.
    let bands = out.par_chunks_exact_mut((row * factor * factor).max(1));
    bands.zip(values.par_chunks_exact(row.max(1))).for_each(|(band, row)| {
        let (first, copies) = band.split_at_mut(row.len() * factor);
        let positions = row.chunks_exact(shape.channels);
        for (position, out) in positions.zip(first.chunks_exact_mut(factor * shape.channels)) {
            for out in out.chunks_exact_mut(shape.channels) {
                out.copy_from_slice(position);
            }
        }
        for copy in copies.chunks_exact_mut(first.len()) {
            copy.copy_from_slice(first);
        }
    });
    Ok(Maps::from_buffer(out_shape, out))
}

/// Maps of `height` rows and `width` columns by bilinear interpolation without antialiasing, as
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.
///
/// Weights come from the ratio of the sides in f32, as torch has them. Columns are weighed first,
/// then rows.
///
/// # Errors
/// [`NnError::TooSmall`] for maps without a position.
pub fn upsample_bilinear(maps: &Maps, height: usize, width: usize) -> Result<Maps, NnError> {
    let shape = maps.shape();
    if shape.height * shape.width == 0 {
        return Err(NnError::TooSmall { layer: "bilinear interpolation", maps: shape });
    }
    let (rows, columns) = (taps(shape.height, height), taps(shape.width, width));
    let out_shape = MapShape { height, width, ..shape };
    // Two rows of two columns.
    if let Some(counted) = Maps::counted(&[maps], out_shape, || Work::each(4 * out_shape.len())) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => {
            let both = |maps: &Tensor| along(&along(maps, 3, &columns)?, 2, &rows);
            return Maps::on_device(&in_f32(tensor, both)?);
        }
    };
    let mut out = Buffer::new(out_shape.len());
    let lines = out.par_chunks_exact_mut((width * shape.channels).max(1));
    lines.enumerate().for_each(|(line, out)| {
        let image = &values[line / height * shape.image_len()..][..shape.image_len()];
        let row = &rows[line % height];
        let length = shape.width * shape.channels;
        let from = row.from.map(|row| &image[row * length..][..length]);
        pulp::Arch::new().dispatch(Line { from, row, columns: &columns, out });
    });
    Ok(Maps::from_buffer(out_shape, out))
}

/// The two rows or columns that an output is between.
struct Taps {
    from: [usize; 2],
    weights: [f32; 2],
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f32 / to as f32;
    let tap = |index: usize| {
        let centre = (scale * (index as f32 + 0.5) - 0.5).max(0.0);
        let first = (centre as usize).min(from - 1);
        let part = (centre - first as f32).clamp(0.0, 1.0);
        Taps { from: [first, (first + 1).min(from - 1)], weights: [1.0 - part, part] }
    };
    (0..to).map(tap).collect()
}

fn along(maps: &Tensor, axis: usize, taps: &[Taps]) -> Result<Tensor, NnError> {
    let mut shape = vec![1; 4];
    shape[axis] = taps.len();
    let side = |i: usize| -> Result<Tensor, NnError> {
        let from: Vec<u32> = taps.iter().map(|tap| tap.from[i] as u32).collect();
        let weights: Vec<f32> = taps.iter().map(|tap| tap.weights[i]).collect();
        let from = Tensor::from_vec(from, taps.len(), maps.device())?;
        let weights = Tensor::from_vec(weights, shape.as_slice(), maps.device())?;
        Ok(maps.index_select(&from, axis)?.broadcast_mul(&weights)?)
    };
    Ok((side(0)? + side(1)?)?)
}

/// One row of an image's output.
struct Line<'a> {
    from: [&'a [f32]; 2],
    row: &'a Taps,
    columns: &'a [Taps],
    out: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { from, row, columns, out } = self;
        let channels = out.len() / columns.len();
        for (out, column) in out.chunks_exact_mut(channels).zip(columns) {
            let [a, b] = column.from.map(|at| &from[0][at * channels..][..channels]);
            let [c, d] = column.from.map(|at| &from[1][at * channels..][..channels]);
            let ([left, right], [upper, lower]) = (column.weights, row.weights);
            for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = upper * (left * a + right * b) + lower * (left * c + right * d);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nn::testing;

    proptest! {
        #[test]
        fn nearest_repeats_each_position(
            shape in testing::any_shape(7, 40),
            factor in 1..=3_usize,
            seed: u64,
        ) {
            let values = testing::values(shape.len(), seed);
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            for maps in [maps, device] {
                let out = upsample_nearest(&maps, factor).unwrap();
                let (height, width) = (shape.height * factor, shape.width * factor);
                prop_assert_eq!(out.shape(), MapShape { height, width, ..shape });
                for (at, &value) in out.to_rows().unwrap().iter().enumerate() {
                    let (channel, position) = (at % shape.channels, at / shape.channels);
                    let (row, column) = (position / width, position % width);
                    // Rows of all images lie one below the other.
                    let from = row / factor * shape.width + column / factor;
                    prop_assert_eq!(value.to_bits(), values[from * shape.channels + channel].to_bits());
                }
            }
        }

        #[test]
        fn bilinear_is_its_definition_for_any_threads(
            shape in testing::any_shape(7, 40),
            (height, width) in (1..=15_usize, 1..=15_usize),
            seed: u64,
        ) {
            let values = testing::values(shape.len(), seed);
            let side = |index: usize, from: usize, to: usize| {
                let centre = (index as f64 + 0.5) * from as f64 / to as f64 - 0.5;
                let centre = centre.clamp(0.0, (from - 1) as f64);
                (centre as usize, (centre as usize + 1).min(from - 1), centre.fract())
            };
            let mut expected = vec![];
            for index in 0..shape.images * height * width * shape.channels {
                let (channel, position) = (index % shape.channels, index / shape.channels);
                let (top, bottom, down) = side(position / width % height, shape.height, height);
                let (left, right, across) = side(position % width, shape.width, width);
                let image = &values[position / width / height * shape.image_len()..];
                let at = |row: usize, column: usize| {
                    f64::from(image[(row * shape.width + column) * shape.channels + channel])
                };
                let upper = at(top, left) * (1.0 - across) + at(top, right) * across;
                let lower = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
                expected.push(upper * (1.0 - down) + lower * down);
            }
            let maps = Maps::from_rows(shape, values).unwrap();
            let run = |maps: &Maps| {
                upsample_bilinear(maps, height, width).unwrap().to_rows().unwrap()
            };
            let [one, three] = testing::on_threads(|| run(&maps));
            testing::assert_same_bits(&one, &three);
            // Centres up to 7 are rounded by 5e-7, twice, times differences of 8.
            testing::assert_near(&one, &expected, 2e-5);
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            testing::assert_near(&run(&device), &expected, 2e-5);
        }
    }

    #[test]
    fn bilinear_has_the_same_bits_on_every_instruction_set() {
        let values = testing::values(4 * 37, 1);
        let (row, columns) = (&taps(5, 9)[3], taps(4, 11));
        let run = |set: crate::InstructionSet| {
            let mut out = vec![0.0; 11 * 37];
            let from = [&values[..], &values[..]];
            set.run(Line { from, row, columns: &columns, out: &mut out });
            out
        };
        let expected = run(crate::InstructionSet::Best);
        testing::on_every_instruction_set(|set| testing::assert_same_bits(&run(set), &expected));
    }
}
