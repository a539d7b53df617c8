//! Means and sums of squared differences of each channel.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

/// Channels whose sums stay in registers.
const BLOCK: usize = 16;

/// Of each channel of an image.
pub(super) struct Moments {
    pub(super) means: Vec<f64>,
    /// Sums of squared differences from the mean.
    pub(super) squares: Vec<f64>,
}

impl Moments {
    /// Sums over pieces of so many positions, added in their order.
    pub(super) fn of(image: &[f32], channels: usize, piece: usize) -> Self {
        let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
        let Some(origin) = image.get(..channels) else { return Self { means: sums, squares } };
        let parts: Vec<Vec<Sums>> = image
            .par_chunks(piece * channels)
            .map(|values| pulp::Arch::new().dispatch(Piece { values, origin }))
            .collect();
        for part in &parts {
            let blocks = sums.chunks_mut(BLOCK).zip(squares.chunks_mut(BLOCK)).zip(part);
            for ((sums, squares), part) in blocks {
                sums.iter_mut().zip(&part.values).for_each(|(sum, part)| *sum += part);
                squares.iter_mut().zip(&part.squares).for_each(|(sum, part)| *sum += part);
            }
        }
        let count = (image.len() / channels) as f64;
        for ((mean, square), &origin) in sums.iter_mut().zip(&mut squares).zip(origin) {
            // Rounding can leave a little less than nothing.
            *square = (*square - *mean * *mean / count).max(0.0);
            *mean = f64::from(origin) + *mean / count;
        }
        Self { means: sums, squares }
    }
}

/// Of the differences from the origin, for a block of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sums {
    values: [f64; BLOCK],
    squares: [f64; BLOCK],
}

struct Piece<'a> {
    values: &'a [f32],
    /// The image's first position.
    origin: &'a [f32],
}

impl NullaryFnOnce for Piece<'_> {
    type Output = Vec<Sums>;

    #[inline(always)]
    fn call(self) -> Vec<Sums> {
        let channels = self.origin.len();
        let mut out = Vec::with_capacity(channels.div_ceil(BLOCK));
        for (start, origin) in (0..).step_by(BLOCK).zip(self.origin.chunks(BLOCK)) {
            let mut sums = Sums { values: [0.0; BLOCK], squares: [0.0; BLOCK] };
            let positions = self.values.chunks_exact(channels);
            let positions = positions.map(|position| &position[start..start + origin.len()]);
            match origin.as_array::<BLOCK>() {
                Some(origin) => {
                    for position in positions {
                        if let Some(position) = position.as_array::<BLOCK>() {
                            add(&mut sums, position, origin);
                        }
                    }
                }
                None => positions.for_each(|position| {
                    let (mut padded, mut zero) = ([0.0; BLOCK], [0.0; BLOCK]);
                    padded[..position.len()].copy_from_slice(position);
                    zero[..origin.len()].copy_from_slice(origin);
                    add(&mut sums, &padded, &zero);
                }),
            }
            out.push(sums);
        }
        out
    }
}

#[inline(always)]
fn add(sums: &mut Sums, position: &[f32; BLOCK], origin: &[f32; BLOCK]) {
    for i in 0..BLOCK {
        let difference = f64::from(position[i]) - f64::from(origin[i]);
        sums.values[i] += difference;
        sums.squares[i] += difference * difference;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing;

    #[test]
    fn the_sums_have_the_same_bits_on_every_instruction_set() {
        for channels in [1, 5, 16, 40] {
            let values = testing::values(channels * 300, channels as u64);
            let piece = || Piece { values: &values, origin: &values[..channels] };
            let expected = piece().call();
            testing::on_every_instruction_set(|arch| assert_eq!(arch.run(piece()), expected));
        }
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        let values: Vec<f32> = (0..3000).map(|i| 1e6 + (i % 5) as f32).collect();
        let Moments { means, squares } = Moments::of(&values, 1, 256);
        assert!((means[0] - 1_000_002.0).abs() < 1e-9);
        assert!((squares[0] - 6000.0).abs() < 1e-8);
    }
}
