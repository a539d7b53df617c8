use candle_core::Tensor;
use rayon::prelude::*;

use crate::nn::maps::Values;
use crate::nn::{Maps, NnError, Work};

const LAYER: &str = "modulation";
/// Positions that one task takes.
const POSITIONS: usize = 32;

/// What shifts, scales and gates the channels of maps, given from outside (adaptive layer norm:
/// Peebles and Xie 2023): vectors for each position, or the same ones for all positions of an image.
#[derive(Clone, Debug)]
pub struct Modulation {
    maps: Maps,
    /// Channels of one vector.
    width: usize,
}

impl Modulation {
    /// The channels of `maps` are so many vectors, one after the other.
    ///
    /// # Errors
    /// [`NnError::Shape`] when they cannot be divided so.
    pub fn new(maps: Maps, vectors: usize) -> Result<Self, NnError> {
        let channels = maps.shape().channels;
        match channels.checked_div(vectors) {
            Some(width) if width > 0 && width * vectors == channels => Ok(Self { maps, width }),
            _ => {
                let expected = format!("channels for {vectors} vectors");
                Err(NnError::Shape { layer: LAYER, expected, found: maps.shape().to_string() })
            }
        }
    }

    /// `x (1 + scale) + shift`, by the number of each vector.
    ///
    /// # Errors
    /// [`NnError::Shape`] when `x` has other images, channels or positions, or there is no such
    /// vector; [`NnError::Devices`] when one of the two is on the host.
    pub fn shift_and_scale(&self, x: Maps, shift: usize, scale: usize) -> Result<Maps, NnError> {
        self.check(&x, shift.max(scale))?;
        if let Some(counted) = self.counted(&[&x], 2) {
            return Ok(counted);
        }
        if let Values::Device(tensor) = x.values() {
            let scaled = tensor.broadcast_mul(&(self.vector(scale, tensor)? + 1.0)?)?;
            return Maps::on_device(&scaled.broadcast_add(&self.vector(shift, tensor)?)?);
        }
        self.each_position(x, |_, x, vectors| {
            let (shift, scale) = (self.part(vectors, shift), self.part(vectors, scale));
            for ((x, &shift), &scale) in x.iter_mut().zip(shift).zip(scale) {
                *x = *x * (1.0 + scale) + shift;
            }
        })
    }

    /// `x + gate y`, by the number of the vector.
    ///
    /// # Errors
    /// As [`shift_and_scale`](Self::shift_and_scale), and when `y` is not of the shape of `x`.
    pub fn add_gated(&self, x: Maps, y: &Maps, gate: usize) -> Result<Maps, NnError> {
        self.check(&x, gate)?;
        if x.shape() != y.shape() {
            let (expected, found) = (format!("a summand of {}", x.shape()), y.shape().to_string());
            return Err(NnError::Shape { layer: LAYER, expected, found });
        }
        if let Some(counted) = self.counted(&[&x, y], 2) {
            return Ok(counted);
        }
        if let Values::Device(tensor) = x.values() {
            let gated = y.device_like(LAYER, tensor)?.broadcast_mul(&self.vector(gate, tensor)?)?;
            return Maps::on_device(&(tensor + gated)?);
        }
        let added = y.host(LAYER)?;
        self.each_position(x, |position, x, vectors| {
            let added = &added[position * self.width..][..self.width];
            for ((x, &y), &gate) in x.iter_mut().zip(added).zip(self.part(vectors, gate)) {
                *x += gate * y;
            }
        })
    }

    /// `x` plus the vector of this number.
    ///
    /// # Errors
    /// As [`shift_and_scale`](Self::shift_and_scale).
    pub fn add(&self, x: Maps, vector: usize) -> Result<Maps, NnError> {
        self.check(&x, vector)?;
        if let Some(counted) = self.counted(&[&x], 1) {
            return Ok(counted);
        }
        if let Values::Device(tensor) = x.values() {
            return Maps::on_device(&tensor.broadcast_add(&self.vector(vector, tensor)?)?);
        }
        self.each_position(x, |_, x, vectors| {
            let vector = self.part(vectors, vector);
            x.iter_mut().zip(vector).for_each(|(x, &add)| *x += add);
        })
    }

    fn check(&self, x: &Maps, vector: usize) -> Result<(), NnError> {
        let (own, found) = (self.maps.shape(), x.shape());
        let positions = own.height * own.width;
        let place = (own.height, own.width) == (found.height, found.width) || positions == 1;
        let channels = found.channels == self.width && (vector + 1) * self.width <= own.channels;
        if place && channels && own.images == found.images {
            return Ok(());
        }
        let expected = format!("maps for vectors of {} in {own}", self.width);
        Err(NnError::Shape { layer: LAYER, expected, found: found.to_string() })
    }

    /// The result for maps of which some, the vectors among them, have no values: so many operations
    /// for each.
    fn counted(&self, inputs: &[&Maps], operations: usize) -> Option<Maps> {
        let shape = inputs.first()?.shape();
        let inputs: Vec<&Maps> = inputs.iter().copied().chain([&self.maps]).collect();
        Maps::counted(&inputs, shape, || Work::each(operations * shape.len()))
    }

    fn part<'a>(&self, vectors: &'a [f32], number: usize) -> &'a [f32] {
        &vectors[number * self.width..][..self.width]
    }

    fn vector(&self, number: usize, like: &Tensor) -> Result<Tensor, NnError> {
        Ok(self.maps.device_like(LAYER, like)?.narrow(1, number * self.width, self.width)?)
    }

    /// Changes the channels of each position, given its number and its vectors. Products and sums are
    /// rounded one by one, so that plain loops have the same bits on every instruction set.
    fn each_position(
        &self,
        mut x: Maps,
        change: impl Fn(usize, &mut [f32], &[f32]) + Sync,
    ) -> Result<Maps, NnError> {
        let vectors = self.maps.host(LAYER)?;
        let (shape, own) = (x.shape(), self.maps.shape());
        // Positions of `x` that share their vectors.
        let shared = shape.positions() / own.positions().max(1);
        let rows = x.host_rows_mut().ok_or(NnError::Devices { layer: LAYER })?;
        rows.par_chunks_mut(POSITIONS * self.width).enumerate().for_each(|(task, rows)| {
            for (row, position) in rows.chunks_exact_mut(self.width).zip(task * POSITIONS..) {
                let start = position / shared * own.channels;
                change(position, row, &vectors[start..start + own.channels]);
            }
        });
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nn::{MapShape, testing};

    fn maps(shape: MapShape, seed: u64) -> [Maps; 2] {
        let maps = Maps::from_rows(shape, testing::values(shape.len(), seed)).unwrap();
        let device = Maps::on_device(&maps.to_tensor().unwrap()).unwrap();
        [maps, device]
    }

    proptest! {
        #[test]
        fn each_position_is_changed_by_its_vectors_or_by_those_of_its_image(
            shape in testing::any_shape(9, 60),
            each in prop::sample::select(vec![true, false]),
            seed in 0..u64::MAX / 2,
        ) {
            let width = shape.channels;
            let place = if each { shape } else { MapShape { height: 1, width: 1, ..shape } };
            let own = MapShape { channels: 3 * width, ..place };
            let (xs, ys) = (maps(shape, seed), maps(shape, seed + 1));
            let vectors = maps(own, seed + 2);
            let values = |maps: &Maps| maps.to_rows().unwrap();
            let (x, y, v) = (values(&xs[0]), values(&ys[0]), values(&vectors[0]));
            let shared = if each { 1 } else { shape.height * shape.width };
            let plain = |function: &dyn Fn(f64, f64, [f64; 3]) -> f64| -> Vec<f64> {
                (0..x.len())
                    .map(|at| {
                        let row = at / width / shared * 3 * width + at % width;
                        let vector = |i| f64::from(v[row + i * width]);
                        function(f64::from(x[at]), f64::from(y[at]), [0, 1, 2].map(vector))
                    })
                    .collect()
            };
            let scaled = plain(&|x, _, [shift, _, scale]| x * (1.0 + scale) + shift);
            let gated = plain(&|x, y, [_, gate, _]| x + gate * y);
            let added = plain(&|x, _, [_, _, add]| x + add);
            for ((x, y), vectors) in xs.into_iter().zip(&ys).zip(vectors) {
                let modulation = Modulation::new(vectors, 3).unwrap();
                // Sums below 24 of roundings of half a unit each.
                let [one, three] = testing::on_threads(|| {
                    values(&modulation.shift_and_scale(x.clone(), 0, 2).unwrap())
                });
                testing::assert_near(&one, &scaled, 4e-6);
                testing::assert_same_bits(&one, &three);
                let found = modulation.add_gated(x.clone(), y, 1).unwrap();
                testing::assert_near(&values(&found), &gated, 4e-6);
                testing::assert_near(&values(&modulation.add(x, 2).unwrap()), &added, 4e-6);
            }
        }
    }

    #[test]
    fn maps_that_do_not_fit_the_vectors_are_refused() {
        let shape = |images, width, channels| MapShape { images, height: 1, width, channels };
        let [x, _] = maps(shape(2, 4, 6), 1);
        let of = |shape| Modulation::new(maps(shape, 2)[0].clone(), 2).unwrap();
        assert!(of(shape(2, 4, 12)).add(x.clone(), 1).is_ok());
        assert!(of(shape(2, 1, 12)).add(x.clone(), 1).is_ok());
        assert!(of(shape(2, 4, 12)).add(x.clone(), 2).is_err());
        for other in [shape(1, 4, 12), shape(2, 2, 12), shape(2, 4, 14)] {
            assert!(of(other).add(x.clone(), 0).is_err(), "{other}");
            assert!(of(other).shift_and_scale(x.clone(), 0, 1).is_err(), "{other}");
            assert!(of(other).add_gated(x.clone(), &x, 1).is_err(), "{other}");
        }
        let [short, _] = maps(shape(2, 3, 6), 3);
        assert!(of(shape(2, 4, 12)).add_gated(x.clone(), &short, 0).is_err());
        assert!(Modulation::new(x.clone(), 4).is_err());
        assert!(Modulation::new(x, 0).is_err());
    }
}
