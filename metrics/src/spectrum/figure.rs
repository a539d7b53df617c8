use super::shares;
use crate::MetricError;

/// One tokenizer's two curves, each of which adds up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct BandCurves {
    /// [`BAND_ENERGY`](crate::BAND_ENERGY) over a grid that is pooled to 16x16.
    pub energy: Vec<f64>,
    /// [`BAND_RESPONSE`](crate::BAND_RESPONSE).
    pub response: Vec<f64>,
}

/// Mean of a curve of the figure.
const MEAN: f64 = 0.1;
/// What nothing is raised to before a logarithm or a power.
const LEAST: f64 = 1e-30;
/// What a divisor is raised to.
const DIVISOR: f64 = 1e-12;

/// [`PRISM_FIGURE`](crate::PRISM_FIGURE): the post-processed curves of the tokenizers of one figure.
///
/// With `flatness` the mean over the standard deviation of a curve's bands but the first and `v` its
/// coefficient of variation over the tokenizers: energy to the power of its entropy (relative to that
/// of equal shares) times response to the power of `-v / (1 + v)` times the standard score of the
/// flatness; then the first band times `(flatness / mean flatness)^(1 / (1 + v))`, and, once shares
/// are taken, again times the same power of what the boosts made of the first bands' mean.
///
/// # Errors
/// [`MetricError::Shape`] unless all curves have as many bands, at least one; [`MetricError::NoEnergy`]
/// for a curve of zeros.
pub fn prism_figure(tokenizers: &[BandCurves]) -> Result<Vec<Vec<f64>>, MetricError> {
    let bands = tokenizers.first().map_or(0, |curves| curves.energy.len());
    let lengths = tokenizers.iter().flat_map(|curves| [curves.energy.len(), curves.response.len()]);
    if let Some(found) = lengths.into_iter().find(|&length| length != bands || bands == 0) {
        let expected = format!("{} bands in every curve", bands.max(1));
        return Err(MetricError::Shape { expected, found });
    }
    let energies = raised(tokenizers.iter().map(|curves| &curves.energy))?;
    let responses = raised(tokenizers.iter().map(|curves| &curves.response))?;
    let flatness: Vec<f64> = energies.iter().map(|energy| flatness(energy)).collect();
    let (mean, deviation) = moments(&flatness);
    let variation = deviation / mean.max(DIVISOR);
    let (strength, boost) = (variation / (1.0 + variation), 1.0 / (1.0 + variation));
    let mut curves = Vec::with_capacity(tokenizers.len());
    for ((energy, response), flatness) in energies.iter().zip(&responses).zip(&flatness) {
        let exponent = entropy(energy);
        let power = -strength * (flatness - mean) / deviation.max(DIVISOR);
        let value = |(&energy, &response): (&f64, &f64)| {
            (libm::pow(energy, exponent) * libm::pow(response, power)).max(LEAST)
        };
        let mut curve: Vec<f64> = energy.iter().zip(response).map(value).collect();
        curve[0] *= libm::pow(flatness / mean.max(DIVISOR), boost);
        curves.push(curve);
    }
    let mut curves = raised(curves.iter())?;
    let first = |curves: &[Vec<f64>]| {
        curves.iter().map(|curve| curve[0]).sum::<f64>() / curves.len().max(1) as f64
    };
    let restored = libm::pow(first(&energies) / first(&curves).max(DIVISOR), boost);
    curves.iter_mut().for_each(|curve| curve[0] *= restored);
    let mut curves = raised(curves.iter())?;
    let scale = MEAN * bands as f64;
    curves.iter_mut().flatten().for_each(|value| *value *= scale);
    Ok(curves)
}

/// Shares of what is at least [`LEAST`].
fn raised<'a>(curves: impl Iterator<Item = &'a Vec<f64>>) -> Result<Vec<Vec<f64>>, MetricError> {
    let raised = |curve: &Vec<f64>| -> Vec<f64> { curve.iter().map(|x| x.max(LEAST)).collect() };
    curves
        .map(|curve| if shares(curve).is_ok() { shares(&raised(curve)) } else { shares(curve) })
        .collect()
}

/// Entropy over that of equal shares.
fn entropy(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().map(|&share| share * libm::log(share)).sum();
    -sum / libm::log(shares.len() as f64).max(DIVISOR)
}

fn flatness(shares: &[f64]) -> f64 {
    if shares.len() < 2 {
        return 1.0;
    }
    let (mean, deviation) = moments(&shares[1..]);
    mean / deviation.max(DIVISOR)
}

/// Mean and standard deviation, with divisor `n`.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_of_different_lengths_are_refused() {
        let curves = |energy: usize, response: usize| BandCurves {
            energy: vec![1.0; energy],
            response: vec![1.0; response],
        };
        assert_eq!(prism_figure(&[]).unwrap(), Vec::<Vec<f64>>::new());
        for figure in [vec![curves(10, 9)], vec![curves(10, 10), curves(4, 4)], vec![curves(0, 0)]]
        {
            assert!(matches!(prism_figure(&figure), Err(MetricError::Shape { .. })));
        }
    }

    #[test]
    fn one_tokenizer_alone_keeps_its_energy_to_the_power_of_its_entropy() {
        let energy = vec![0.7, 0.2, 0.1];
        let curves = BandCurves { energy: energy.clone(), response: vec![0.2, 0.3, 0.5] };
        let found = prism_figure(&[curves]).unwrap().remove(0);
        // Neither variation nor flatness to score; the restored first band is what is left.
        let power = entropy(&energy);
        let plain: Vec<f64> = energy.iter().map(|&share| libm::pow(share, power)).collect();
        assert!((found[1] / found[2] - plain[1] / plain[2]).abs() < 1e-12);
        assert!((found.iter().sum::<f64>() / 3.0 - MEAN).abs() < 1e-12);
    }
}
