use prismbench_kernels::Size;
use prismbench_kernels::bands::{CosineTransform, even_parts, zigzag};

use super::BANDS;
use crate::{MetricError, check_finite};

/// How the numbers of a latent lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GridLayout {
    /// `[C, h, w]`: a plane after the other.
    Channels,
    /// `[h w, D]`: the token of each place, row by row.
    Tokens,
}

/// Takes latents on a grid of one size apart by frequency.
#[derive(Clone, Debug)]
pub struct LatentGrid {
    /// Of the latent.
    from: Size,
    /// Of the transform.
    size: Size,
    transform: CosineTransform,
    places: Vec<Place>,
    /// Coefficients of each ring, from the first.
    rings: Vec<usize>,
}

/// Where a coefficient counts.
#[derive(Clone, Copy, Debug)]
struct Place {
    band: usize,
    /// In shares of Nyquist's frequency.
    frequency: f64,
    /// From 0, without the constant coefficient; `None` beyond the last whole one.
    ring: Option<usize>,
}

/// The energy of one latent by frequency: an item of [`LatentSpectrum`](crate::LatentSpectrum).
#[derive(Clone, Debug, PartialEq)]
pub struct GridEnergy {
    pub(super) size: (usize, usize),
    /// Energies of the bands, energy times frequency, mean energies of the rings.
    pub(super) numbers: Vec<f64>,
}

impl LatentGrid {
    /// For latents of `rows x columns` places.
    ///
    /// # Errors
    /// [`MetricError::Shape`] for a grid without places.
    pub fn new(rows: usize, columns: usize) -> Result<Self, MetricError> {
        Self::pooled(rows, columns, (rows, columns))
    }

    /// As [`new`](Self::new), with latents pooled to another grid first, each place the mean of the
    /// places that it overlaps: PyTorch's `adaptive_avg_pool2d`. The paper's figure pools to 16x16.
    ///
    /// # Errors
    /// [`MetricError::Shape`] for a grid without places.
    pub fn pooled(rows: usize, columns: usize, to: (usize, usize)) -> Result<Self, MetricError> {
        let (from, size) = (Size::new(columns, rows), Size::new(to.1, to.0));
        if from.area() == 0 || size.area() == 0 {
            let expected = "a grid of at least one row and column".to_owned();
            return Err(MetricError::Shape { expected, found: 0 });
        }
        let mut places = places(size);
        for (band, part) in even_parts(size.area(), BANDS).enumerate() {
            zigzag(size)[part].iter().for_each(|&at| places[at].band = band);
        }
        let mut rings = vec![0; size.shorter() - 1];
        places.iter().filter_map(|place| place.ring).for_each(|ring| rings[ring] += 1);
        Ok(Self { from, size, transform: CosineTransform::new(size), places, rings })
    }

    /// Rows and columns of coefficients.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.size.height, self.size.width)
    }

    /// Energy of one latent: squared coefficients of the orthonormal DCT-II, mean over channels, in
    /// f64.
    ///
    /// # Errors
    /// [`MetricError::Shape`] unless there are as many numbers at each place,
    /// [`MetricError::NotFinite`] naming the place in the latent of a number that is not finite.
    pub fn energy(&self, latent: &[f32], layout: GridLayout) -> Result<GridEnergy, MetricError> {
        let area = self.from.area();
        if latent.is_empty() || !latent.len().is_multiple_of(area) {
            let expected =
                format!("a latent on a grid of {}x{}", self.from.height, self.from.width);
            return Err(MetricError::Shape { expected, found: latent.len() });
        }
        check_finite(latent, latent.len(), |_| "of a latent".to_owned())?;
        let channels = latent.len() / area;
        let mut bands = vec![0.0; BANDS];
        let mut moment = 0.0;
        let mut rings = vec![0.0; self.rings.len()];
        let mut plane = vec![0.0; area];
        for channel in 0..channels {
            match layout {
                GridLayout::Channels => plane.copy_from_slice(&latent[channel * area..][..area]),
                GridLayout::Tokens => {
                    let values = latent[channel..].iter().step_by(channels);
                    plane.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
                }
            }
            let coefficients = self.transform.forward(&pool(&plane, self.from, self.size));
            for (place, coefficient) in self.places.iter().zip(coefficients) {
                let energy = coefficient * coefficient / channels as f64;
                bands[place.band] += energy;
                moment += energy * place.frequency;
                if let Some(ring) = place.ring {
                    rings[ring] += energy;
                }
            }
        }
        rings.iter_mut().zip(&self.rings).for_each(|(sum, &count)| *sum /= count.max(1) as f64);
        let numbers = bands.into_iter().chain([moment]).chain(rings).collect();
        Ok(GridEnergy { size: self.size(), numbers })
    }
}

/// Frequency and ring of each coefficient; all in the first band.
fn places(size: Size) -> Vec<Place> {
    let Size { width, height } = size;
    let shorter = size.shorter() as f64;
    let place = |at: usize| {
        let (y, x) = ((at / width) as f64 / height as f64, (at % width) as f64 / width as f64);
        let frequency = (y * y + x * x).sqrt();
        let ring = (frequency * shorter).round() as usize;
        Place { band: 0, frequency, ring: ring.checked_sub(1).filter(|_| ring < size.shorter()) }
    };
    (0..size.area()).map(place).collect()
}

fn pool(plane: &[f32], from: Size, to: Size) -> Vec<f32> {
    if from == to {
        return plane.to_vec();
    }
    let window = |i: usize, from: usize, to: usize| i * from / to..((i + 1) * from).div_ceil(to);
    let mean = |at: usize| {
        let rows = window(at / to.width, from.height, to.height);
        let columns = window(at % to.width, from.width, to.width);
        let count = rows.len() * columns.len();
        let row = |row: usize| plane[row * from.width..][columns.clone()].iter();
        (rows.flat_map(row).map(|&value| f64::from(value)).sum::<f64>() / count as f64) as f32
    };
    (0..to.area()).map(mean).collect()
}

/// Mean square of the features of one picture: its response, before shares are taken. In f64, in
/// order.
///
/// # Errors
/// [`MetricError::Shape`] where there are none, [`MetricError::NotFinite`].
pub fn mean_square(features: &[f32]) -> Result<f64, MetricError> {
    if features.is_empty() {
        let expected = "at least one feature".to_owned();
        return Err(MetricError::Shape { expected, found: 0 });
    }
    check_finite(features, features.len(), |_| "of a response".to_owned())?;
    let squares = features.iter().map(|&value| f64::from(value) * f64::from(value));
    Ok(squares.sum::<f64>() / features.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_channels_of_one_latent_have_one_energy() {
        let (rows, columns, channels) = (4, 6, 5);
        let value = |place: usize, channel: usize| ((place * 31 + channel * 17) % 23) as f32 - 11.0;
        let planes: Vec<f32> =
            (0..channels).flat_map(|c| (0..24).map(move |place| value(place, c))).collect();
        let tokens: Vec<f32> =
            (0..24).flat_map(|place| (0..channels).map(move |c| value(place, c))).collect();
        let grid = LatentGrid::new(rows, columns).unwrap();
        let found = grid.energy(&planes, GridLayout::Channels).unwrap();
        assert_eq!(found, grid.energy(&tokens, GridLayout::Tokens).unwrap());
        // Parseval: the bands hold the sum of squares, mean over channels.
        let squares = planes.iter().map(|&x| f64::from(x * x)).sum::<f64>() / 5.0;
        assert!((found.numbers[..BANDS].iter().sum::<f64>() - squares).abs() < 1e-9);
    }

    #[test]
    fn latents_that_are_not_whole_or_not_finite_are_refused() {
        let grid = LatentGrid::new(2, 2).unwrap();
        for latent in [vec![], vec![0.0; 6]] {
            let error = grid.energy(&latent, GridLayout::Channels).unwrap_err();
            assert!(matches!(error, MetricError::Shape { .. }), "{error}");
        }
        let error = grid.energy(&[0.0, 1.0, f32::NAN, 0.0], GridLayout::Tokens).unwrap_err();
        assert!(error.to_string().contains("column 2"), "{error}");
        assert!(LatentGrid::new(0, 3).is_err() && LatentGrid::pooled(3, 3, (0, 1)).is_err());
        assert!(mean_square(&[]).is_err() && mean_square(&[f32::INFINITY]).is_err());
    }

    #[test]
    fn a_grid_with_one_place_is_one_band() {
        let grid = LatentGrid::new(1, 1).unwrap();
        let found = grid.energy(&[3.0, 4.0], GridLayout::Channels).unwrap();
        assert!((found.numbers[0] - 12.5).abs() < 1e-12 && found.numbers.len() == BANDS + 1);
    }
}
