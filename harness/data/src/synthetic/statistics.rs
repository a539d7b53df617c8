//! Image statistics that the tests of the picture set look at.

use std::f64::consts::PI;

use prismbench_core::RgbImage;

/// Side of the square that is transformed.
pub(super) const SIDE: usize = 128;

/// The middle square of a picture, mean of the three channels.
pub(super) fn middle(image: &RgbImage) -> Vec<f64> {
    let (left, top) = ((image.width() - SIDE) / 2, (image.height() - SIDE) / 2);
    (0..SIDE * SIDE)
        .map(|i| {
            let pixel = (top + i / SIDE) * image.width() + left + i % SIDE;
            let channels = &image.pixels()[3 * pixel..3 * pixel + 3];
            channels.iter().map(|&byte| f64::from(byte)).sum::<f64>() / 3.0
        })
        .collect()
}

/// Slope of the logarithm of the amplitude against the logarithm of the frequency.
///
/// The mean is taken off, a Hann window applied along both sides, and the power of the plane's
/// discrete Fourier transform averaged over rings `round(|f|) = k` for `k` in 3..=48 cycles per
/// [`SIDE`]: below lies the window's own main lobe, above the aperture of the pixels. The slope is
/// the least-squares one with equal weights per ring.
pub(super) fn amplitude_slope(values: &[f64]) -> f64 {
    let power = ring_power(values);
    let points: Vec<(f64, f64)> =
        (3..=48).map(|k| ((k as f64).ln(), 0.5 * power[k].ln())).collect();
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / n, sum.1 + p.1 / n));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    covariance / points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum::<f64>()
}

fn ring_power(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let window = |i: usize| 0.5 - 0.5 * (2.0 * PI * (i as f64 + 0.5) / SIDE as f64).cos();
    let windowed: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(i, value)| ((value - mean) * window(i / SIDE) * window(i % SIDE), 0.0))
        .collect();
    // Rows, then columns: each pass leaves its result transposed.
    let transform = dft_rows_transposed(&dft_rows_transposed(&windowed));
    let mut rings = vec![(0.0, 0.0); SIDE];
    for (i, (re, im)) in transform.iter().enumerate() {
        let frequency = |k: usize| k.min(SIDE - k) as f64;
        let ring = frequency(i / SIDE).hypot(frequency(i % SIDE)).round() as usize;
        rings[ring].0 += re * re + im * im;
        rings[ring].1 += 1.0;
    }
    rings.iter().map(|(sum, count)| sum / count).collect()
}

fn dft_rows_transposed(rows: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let turns: Vec<(f64, f64)> =
        (0..SIDE).map(|i| (2.0 * PI * i as f64 / SIDE as f64).sin_cos()).collect();
    (0..SIDE * SIDE)
        .map(|i| {
            let (k, row) = (i / SIDE, i % SIDE);
            let terms = rows[row * SIDE..][..SIDE].iter().enumerate();
            terms.fold((0.0, 0.0), |sum, (x, (re, im))| {
                let (sine, cosine) = turns[k * x % SIDE];
                (sum.0 + re * cosine + im * sine, sum.1 + im * cosine - re * sine)
            })
        })
        .collect()
}

/// Pearson correlation of two channels over one picture.
pub(super) fn correlation(image: &RgbImage, first: usize, second: usize) -> f64 {
    let n = (image.width() * image.height()) as f64;
    let channel = |c: usize| image.pixels()[c..].iter().step_by(3).map(|&byte| f64::from(byte));
    let mean = |c: usize| channel(c).sum::<f64>() / n;
    let (a, b) = (mean(first), mean(second));
    let product = |(c, c_mean): (usize, f64), (d, d_mean): (usize, f64)| {
        channel(c).zip(channel(d)).map(|(x, y)| (x - c_mean) * (y - d_mean)).sum::<f64>()
    };
    let (a, b) = ((first, a), (second, b));
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_numpys() {
        let value = |x: usize, y: usize| ((x * x * 7 + y * 13 + x * y * 5) % 97 + 2 * x + y) as f64;
        let values: Vec<f64> = (0..SIDE * SIDE).map(|i| value(i % SIDE, i / SIDE)).collect();
        // From tests/oracle/spectrum.py --self-test; both are f64, sums of 16,384 terms.
        let expected = -0.051_306_654_507;
        let found = amplitude_slope(&values);
        assert!((found - expected).abs() < 1e-9, "{found}");
    }
}
