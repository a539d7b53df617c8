use candle_core::Tensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::exponential::exp_of_nonpositive;
use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{Maps, NnError, Work, sums};

/// Values that one thread takes at a time, in whole rows.
const PIECE: usize = 1 << 14;

/// Softmax of the channels at each position: `exp(x - max) / sum exp(x - max)`.
///
/// `torch.nn.functional.softmax` over the last axis. Parts below 1.2e-38 of the largest are zero;
/// the sum is taken from 32 partial sums. A row of minus infinity alone has no softmax: NaN.
///
/// # Errors
/// [`NnError::Tensor`] when the tensor library fails.
pub fn softmax(maps: &Maps) -> Result<Maps, NnError> {
    let shape = maps.shape();
    if let Some(counted) = Maps::counted(&[maps], shape, || Work::each(shape.len())) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => return Maps::on_device(&in_f32(tensor, on_device)?),
    };
    let mut out = Buffer::new(values.len());
    let channels = shape.channels.max(1);
    let piece = (PIECE / channels).max(1) * channels;
    out.par_chunks_mut(piece).zip(values.par_chunks(piece)).for_each(|(out, values)| {
        out.copy_from_slice(values);
        softmax_rows(out, channels);
    });
    Ok(Maps::from_buffer(shape, out))
}

/// Softmax of each row of `columns` values, in place, on one thread.
///
/// # Panics
/// When `columns` is zero.
pub fn softmax_rows(values: &mut [f32], columns: usize) {
    pulp::Arch::new().dispatch(Rows { values, columns });
}

fn on_device(maps: &Tensor) -> Result<Tensor, NnError> {
    let parts = maps.broadcast_sub(&maps.max_keepdim(1)?)?.exp()?;
    Ok(parts.broadcast_div(&parts.sum_keepdim(1)?)?)
}

struct Rows<'a> {
    values: &'a mut [f32],
    columns: usize,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact_mut(self.columns) {
            let largest = simd.splat_f32s(sums::max(simd, row));
            each(
                simd,
                row,
                #[inline(always)]
                |x| exp_of_nonpositive(simd, simd.sub_f32s(x, largest)),
            );
            let sum = simd.splat_f32s(sums::sum(
                simd,
                row,
                #[inline(always)]
                |x| x,
            ));
            each(
                simd,
                row,
                #[inline(always)]
                |x| simd.div_f32s(x, sum),
            );
        }
    }
}

/// `function` must be `inline(always)`: it would be compiled for the base line otherwise.
#[inline(always)]
fn each<S: Simd>(simd: S, row: &mut [f32], function: impl Fn(S::f32s) -> S::f32s) {
    let (whole, rest) = S::as_mut_simd_f32s(row);
    for x in whole {
        *x = function(*x);
    }
    if !rest.is_empty() {
        let x = simd.partial_load_f32s(rest);
        simd.partial_store_f32s(rest, function(x));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nn::testing;

    proptest! {
        #[test]
        fn softmax_is_its_definition(
            shape in testing::any_shape(4, 700),
            seed: u64,
            scale in prop::sample::select(vec![1.0, 30.0]),
        ) {
            let mut values = testing::values(shape.len(), seed);
            values.iter_mut().for_each(|x| *x *= scale);
            let mut expected = vec![];
            for row in values.chunks_exact(shape.channels) {
                let row = row.iter().map(|&x| f64::from(x));
                let largest = row.clone().fold(f64::NEG_INFINITY, f64::max);
                let parts = row.map(|x| libm::exp(x - largest));
                let sum: f64 = parts.clone().sum();
                expected.extend(parts.map(|part| part / sum));
            }
            let maps = Maps::from_rows(shape, values).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            for maps in [maps, device] {
                let found = softmax(&maps).unwrap().to_rows().unwrap();
                // Values up to 1: x - max is rounded, at most 120 and mattering up to 15.
                testing::assert_near(&found, &expected, 1e-6);
            }
        }

        #[test]
        fn softmax_has_the_same_bits_on_every_instruction_set_and_for_any_threads(
            shape in testing::any_shape(12, 300),
            seed: u64,
        ) {
            let values = testing::values(shape.len(), seed);
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let [one, three] =
                testing::on_threads(|| softmax(&maps).unwrap().to_rows().unwrap());
            testing::assert_same_bits(&one, &three);
            testing::on_every_instruction_set(|arch| {
                let mut out = values.clone();
                arch.run(Rows { values: &mut out, columns: shape.channels });
                testing::assert_same_bits(&out, &one);
            });
        }
    }

    #[test]
    fn hidden_and_far_away_values_have_no_part() {
        let mut row = [f32::NEG_INFINITY, 1e30, 0.0, 1e30, -1e30];
        softmax_rows(&mut row, 5);
        testing::assert_same_bits(&row, &[0.0, 0.5, 0.0, 0.5, 0.0]);
        let mut spoilt = [1.0, f32::NAN, 2.0];
        softmax_rows(&mut spoilt, 3);
        assert!(spoilt.iter().all(|x| x.is_nan()));
    }
}
