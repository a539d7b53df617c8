use std::ops::Range;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use crate::nn::maps::{Values, in_f32};
use crate::nn::{Maps, NnError, Work};

const LAYER: &str = "rotary embedding";
/// Positions that one task takes.
const POSITIONS: usize = 32;

/// Rotary embedding of positions (Su et al. 2021): neighbouring channels `(a, b)` are turned by the
/// angle of their position and place, `(a cos - b sin, b cos + a sin)`.
///
/// The cosines and sines are tables `[positions, channels]` that hold each angle twice, once for
/// each of its two channels.
#[derive(Clone, Debug)]
pub struct Rotary {
    positions: usize,
    channels: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
    tensors: [Tensor; 2],
}

impl Rotary {
    /// Both are `[positions, channels]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they differ, or have no pairs of channels.
    pub fn new(cos: &Tensor, sin: &Tensor) -> Result<Self, NnError> {
        let (positions, channels) = cos.dims2()?;
        if sin.dims() != cos.dims() || !channels.is_multiple_of(2) || cos.elem_count() == 0 {
            let found = format!("{:?} and {:?}", cos.dims(), sin.dims());
            let expected = "cosines and sines of pairs of channels".to_owned();
            return Err(NnError::Shape { layer: LAYER, expected, found });
        }
        let tensors = [cos.to_dtype(DType::F32)?, sin.to_dtype(DType::F32)?];
        let [cos, sin] = tensors.each_ref().map(|table| table.flatten_all()?.to_vec1::<f32>());
        Ok(Self { positions, channels, cos: cos?, sin: sin?, tensors })
    }

    /// Turns each part of the `channels` of every token, as many parts as the tables' own channels
    /// fit in there: queries and keys, head by head. The other channels stay as they are.
    ///
    /// # Errors
    /// [`NnError::Shape`] when there are other positions than in the tables, no such channels, or no
    /// whole number of parts.
    pub fn forward_parts(&self, mut maps: Maps, channels: Range<usize>) -> Result<Maps, NnError> {
        let shape = maps.shape();
        let whole = channels.len().is_multiple_of(self.channels);
        let fits = channels.start <= channels.end && channels.end <= shape.channels && whole;
        if !fits || shape.height * shape.width != self.positions {
            let (positions, own) = (self.positions, self.channels);
            let expected = format!("{positions} positions, and parts of {own} channels");
            return Err(NnError::Shape { layer: LAYER, expected, found: shape.to_string() });
        }
        // A product each with the cosine and the sine.
        let work = || {
            let turned = shape.positions() * channels.len();
            Work::each(2 * turned).with_weights(2 * self.cos.len())
        };
        if let Some(counted) = Maps::counted(&[&maps], shape, work) {
            return Ok(counted);
        }
        if let Values::Device(tensor) = maps.values() {
            return Maps::on_device(&in_f32(tensor, |maps| self.on_device(maps, channels))?);
        }
        if let Some(rows) = maps.host_rows_mut().filter(|_| !channels.is_empty()) {
            let tasks = rows.par_chunks_mut(POSITIONS * shape.channels).enumerate();
            tasks.for_each(|(task, rows)| {
                let rows = rows.chunks_exact_mut(shape.channels);
                for (row, place) in rows.zip(task * POSITIONS..) {
                    self.turn(&mut row[channels.clone()], place % self.positions);
                }
            });
        }
        Ok(maps)
    }

    /// Turns the parts of one token.
    fn turn(&self, parts: &mut [f32], position: usize) {
        let own = position * self.channels..(position + 1) * self.channels;
        let (cos, sin) =
            (self.cos[own.clone()].as_chunks::<2>().0, self.sin[own].as_chunks::<2>().0);
        for part in parts.chunks_exact_mut(self.channels) {
            let pairs = part.as_chunks_mut::<2>().0.iter_mut();
            for ((pair, cos), sin) in pairs.zip(cos).zip(sin) {
                let [a, b] = *pair;
                *pair = [a * cos[0] - b * sin[0], b * cos[1] + a * sin[1]];
            }
        }
    }

    fn on_device(&self, maps: &Tensor, channels: Range<usize>) -> Result<Tensor, NnError> {
        let (images, all, height, width) = maps.dims4()?;
        let (own, positions) = (self.channels, self.positions);
        let part = maps.narrow(1, channels.start, channels.len())?.contiguous()?;
        let part = part.reshape((images, channels.len() / own, own, positions))?;
        let pairs = part.reshape(&[images, channels.len() / own, own / 2, 2, positions][..])?;
        let turned = Tensor::cat(&[&pairs.narrow(3, 1, 1)?.neg()?, &pairs.narrow(3, 0, 1)?], 3)?;
        let turned = turned.reshape(part.dims())?;
        let table = |table: &Tensor| -> Result<Tensor, NnError> {
            let table = table.to_device(maps.device())?.t()?.contiguous()?;
            Ok(table.reshape((1, 1, own, positions))?)
        };
        let [cos, sin] = &self.tensors;
        let part = part.broadcast_mul(&table(cos)?)?;
        let part = (part + turned.broadcast_mul(&table(sin)?)?)?;
        let part = part.reshape((images, channels.len(), height, width))?;
        let before = maps.narrow(1, 0, channels.start)?;
        let after = maps.narrow(1, channels.end, all - channels.end)?;
        Ok(Tensor::cat(&[&before, &part, &after], 1)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::nn::{MapShape, testing};

    fn tables(positions: usize, channels: usize, seed: u64) -> Rotary {
        let angles = testing::values(positions * channels / 2, seed);
        let table = |function: fn(f64) -> f64| {
            let values = angles.iter().flat_map(|&angle| [function(f64::from(angle)) as f32; 2]);
            let values: Vec<f32> = values.collect();
            Tensor::from_vec(values, (positions, channels), &Device::Cpu).unwrap()
        };
        Rotary::new(&table(libm::cos), &table(libm::sin)).unwrap()
    }

    proptest! {
        #[test]
        fn pairs_are_turned_by_their_angles_and_the_rest_is_left(
            (positions, pairs, parts) in (1..70_usize, 1..9_usize, 0..4_usize),
            (before, after) in (0..5_usize, 0..5_usize),
            seed in 0..u64::MAX / 2,
        ) {
            let own = 2 * pairs;
            let channels = before + parts * own + after;
            prop_assume!(channels > 0);
            let shape = MapShape { images: 2, height: 1, width: positions, channels };
            let (rotary, values) = (tables(positions, own, seed), testing::values(shape.len(), seed));
            let range = before..before + parts * own;
            let mut expected: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
            let angles = testing::values(positions * pairs, seed);
            for (index, row) in expected.chunks_exact_mut(channels).enumerate() {
                let row = row[range.clone()].chunks_exact_mut(2).enumerate();
                for (pair, values) in row {
                    let angle = f64::from(angles[index % positions * pairs + pair % pairs]);
                    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
                    let [a, b] = [values[0], values[1]];
                    values.copy_from_slice(&[a * cos - b * sin, a * sin + b * cos]);
                }
            }
            let maps = Maps::from_rows(shape, values).unwrap();
            let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
            let run = |maps: &Maps| {
                let turned = rotary.forward_parts(maps.clone(), range.clone()).unwrap();
                turned.to_rows().unwrap()
            };
            let [one, three] = testing::on_threads(|| run(&maps));
            testing::assert_same_bits(&one, &three);
            for found in [one, run(&device)] {
                // Values below 4: two products, their sum and the tables are rounded.
                testing::assert_near(&found, &expected, 2e-6);
            }
        }
    }

    #[test]
    fn what_does_not_fit_the_tables_is_refused() {
        let maps = |width, channels| {
            let shape = MapShape { images: 1, height: 1, width, channels };
            Maps::from_rows(shape, vec![1.0; shape.len()]).unwrap()
        };
        let rotary = tables(5, 4, 1);
        assert!(rotary.forward_parts(maps(4, 8), 0..8).is_err());
        assert!(rotary.forward_parts(maps(5, 8), 0..6).is_err());
        assert!(rotary.forward_parts(maps(5, 8), 8..12).is_err());
        assert!(rotary.forward_parts(maps(5, 8), 4..8).is_ok());
        let table = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        assert!(Rotary::new(&table((5, 4)), &table((5, 2))).is_err());
        assert!(Rotary::new(&table((5, 3)), &table((5, 3))).is_err());
        assert!(Rotary::new(&table((0, 4)), &table((0, 4))).is_err());
    }
}
