use candle_core::Tensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{Activation, MapShape, Maps, NnError, Work};

/// Values that one thread takes at a time, in whole rows.
const PIECE: usize = 1 << 14;

/// `silu(a) b` of each position, `a` the first half of the channels and `b` the second (Shazeer
/// 2020).
///
/// # Errors
/// [`NnError::Shape`] when the channels have no halves.
pub fn swiglu(maps: &Maps) -> Result<Maps, NnError> {
    let shape = maps.shape();
    if !shape.channels.is_multiple_of(2) {
        let (expected, found) = ("an even number of channels".to_owned(), shape.to_string());
        return Err(NnError::Shape { layer: "SwiGLU", expected, found });
    }
    let half = shape.channels / 2;
    let out_shape = MapShape { channels: half, ..shape };
    // A function and a factor.
    if let Some(counted) = Maps::counted(&[maps], out_shape, || Work::each(2 * out_shape.len())) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => {
            return Maps::on_device(&in_f32(tensor, |maps| on_device(maps, half))?);
        }
    };
    let mut out = Buffer::new(out_shape.len());
    let rows = (PIECE / half.max(1)).max(1);
    let pieces = out.par_chunks_mut((rows * half).max(1));
    pieces.zip(values.par_chunks((rows * 2 * half).max(1))).for_each(|(out, values)| {
        pulp::Arch::new().dispatch(Rows { values, half, out });
    });
    Ok(Maps::from_buffer(out_shape, out))
}

fn on_device(maps: &Tensor, half: usize) -> Result<Tensor, NnError> {
    let (gate, value) = (maps.narrow(1, 0, half)?, maps.narrow(1, half, half)?);
    Ok((gate.silu()? * value)?)
}

struct Rows<'a> {
    values: &'a [f32],
    half: usize,
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { values, half, out } = self;
        for (row, out) in values.chunks_exact(2 * half).zip(out.chunks_exact_mut(half)) {
            let (gates, values) = row.split_at(half);
            let (gates, gates_rest) = S::as_simd_f32s(gates);
            let (values, values_rest) = S::as_simd_f32s(values);
            let (out, out_rest) = S::as_mut_simd_f32s(out);
            for ((out, &gate), &value) in out.iter_mut().zip(gates).zip(values) {
                *out = simd.mul_f32s(Activation::Silu.apply_simd(simd, gate), value);
            }
            if !out_rest.is_empty() {
                let gate = simd.partial_load_f32s(gates_rest);
                let value = simd.partial_load_f32s(values_rest);
                let product = simd.mul_f32s(Activation::Silu.apply_simd(simd, gate), value);
                simd.partial_store_f32s(out_rest, product);
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
        fn swiglu_is_its_definition_with_the_same_bits_everywhere(
            shape in testing::any_shape(6, 200),
            seed: u64,
        ) {
            let half = shape.channels;
            let shape = MapShape { channels: 2 * half, ..shape };
            let values = testing::values(shape.len(), seed);
            let expected: Vec<f64> = values
                .chunks_exact(2 * half)
                .flat_map(|row| (0..half).map(|i| (f64::from(row[i]), f64::from(row[half + i]))))
                .map(|(gate, value)| gate / (1.0 + libm::exp(-gate)) * value)
                .collect();
            let maps = Maps::from_rows(shape, values.clone()).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            let [one, three] =
                testing::on_threads(|| swiglu(&maps).unwrap().to_rows().unwrap());
            // Products below 16, off by four units in the last place.
            testing::assert_near(&one, &expected, 8e-6);
            testing::assert_near(&swiglu(&device).unwrap().to_rows().unwrap(), &expected, 8e-6);
            testing::assert_same_bits(&one, &three);
            testing::on_every_instruction_set(|set| {
                let mut out = vec![0.0; one.len()];
                set.run(Rows { values: &values, half, out: &mut out });
                testing::assert_same_bits(&out, &one);
            });
        }
    }

    #[test]
    fn channels_without_halves_are_refused() {
        let shape = MapShape { images: 1, height: 1, width: 1, channels: 3 };
        assert!(swiglu(&Maps::from_rows(shape, vec![1.0; 3]).unwrap()).is_err());
    }
}
