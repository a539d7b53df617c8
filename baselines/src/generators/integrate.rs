use candle_core::Tensor;
use prismbench_core::{Integrator, TokenizerError};

/// The right side of an ordinary differential equation.
pub(super) trait Velocity {
    /// Of each latent of `x` by itself.
    fn at(&self, x: &Tensor, time: f64) -> Result<Tensor, TokenizerError>;
}

/// The state at the last of `times` from that at the first.
///
/// The tableaus are those of `torchdiffeq` 0.2.5 (fixed_grid.py, rk_common.py), its `rk4` the 3/8 rule
/// of Kutta among them. Each latent's sums are its own, so that a batch decides nothing.
pub(super) fn integrate(
    velocity: &impl Velocity,
    integrator: Integrator,
    times: &[f64],
    mut x: Tensor,
) -> Result<Tensor, TokenizerError> {
    for step in times.windows(2) {
        let step = Step { velocity, start: step[0], length: step[1] - step[0] };
        x = step.take(integrator, &x)?;
    }
    Ok(x)
}

struct Step<'a, V> {
    velocity: &'a V,
    start: f64,
    /// Negative from noise to data.
    length: f64,
}

impl<V: Velocity> Step<'_, V> {
    fn take(&self, integrator: Integrator, x: &Tensor) -> Result<Tensor, TokenizerError> {
        let nodes = integrator.nodes();
        let at =
            |node: usize, x: &Tensor| self.velocity.at(x, self.start + nodes[node] * self.length);
        let k1 = at(0, x)?;
        match integrator {
            Integrator::Euler => self.plus(x, &k1, 1.0),
            Integrator::Midpoint => {
                let k2 = at(1, &self.plus(x, &k1, 0.5)?)?;
                self.plus(x, &k2, 1.0)
            }
            Integrator::Heun2 => {
                let k2 = at(1, &self.plus(x, &k1, 1.0)?)?;
                self.plus(x, &(k1 + k2)?, 0.5)
            }
            Integrator::Heun3 => {
                let k2 = at(1, &self.plus(x, &k1, 1.0 / 3.0)?)?;
                let k3 = at(2, &self.plus(x, &k2, 2.0 / 3.0)?)?;
                self.plus(x, &(k1 + (k3 * 3.0)?)?, 0.25)
            }
            Integrator::Rk4 => {
                let third = (&k1 / 3.0)?;
                let k2 = at(1, &self.plus(x, &third, 1.0)?)?;
                let k3 = at(2, &self.plus(x, &(&k2 - third)?, 1.0)?)?;
                let k4 = at(3, &self.plus(x, &((&k1 - &k2)? + &k3)?, 1.0)?)?;
                let middle = ((k2 + k3)? * 3.0)?;
                self.plus(x, &((k1 + middle)? + k4)?, 0.125)
            }
        }
    }

    /// `x + part h k`.
    fn plus(&self, x: &Tensor, k: &Tensor, part: f64) -> Result<Tensor, TokenizerError> {
        Ok((x + (k * (part * self.length))?)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use prismbench_core::Choice;

    use super::*;

    /// `x' = x^2 sin t`, which every order condition matters to; `1 / x = 1 / x0 + cos t - cos t0`.
    struct Analytic;

    impl Velocity for Analytic {
        fn at(&self, x: &Tensor, time: f64) -> Result<Tensor, TokenizerError> {
            Ok((x.sqr()? * libm::sin(time))?)
        }
    }

    fn error(integrator: Integrator, steps: usize) -> f64 {
        let start = Tensor::new(&[0.7_f64], &Device::Cpu).unwrap();
        // Steps of unequal length, from 1 to 0 as a sampler goes.
        let time = |i: usize| (1.0 - i as f64 / steps as f64).powf(1.5);
        let times: Vec<f64> = (0..=steps).map(time).collect();
        let found = integrate(&Analytic, integrator, &times, start).unwrap();
        let exact = 1.0 / (1.0 / 0.7 + 1.0 - libm::cos(1.0));
        (found.to_vec1::<f64>().unwrap()[0] - exact).abs()
    }

    #[test]
    fn halving_the_steps_divides_the_error_by_two_to_the_order() {
        let orders = [1, 2, 2, 3, 4];
        for (&integrator, order) in Integrator::ALL.iter().zip(orders) {
            let found = libm::log2(error(integrator, 32) / error(integrator, 64));
            assert!((found - f64::from(order)).abs() < 0.1, "{integrator}: {found}");
        }
    }

    /// Counts its calls and gives the same everywhere.
    struct Constant(std::cell::Cell<usize>);

    impl Velocity for Constant {
        fn at(&self, x: &Tensor, time: f64) -> Result<Tensor, TokenizerError> {
            assert!((0.0..=1.0).contains(&time), "{time}");
            self.0.set(self.0.get() + 1);
            Ok((x.zeros_like()? + 0.5)?)
        }
    }

    #[test]
    fn a_constant_velocity_is_integrated_exactly_in_as_many_calls_as_nodes() {
        let sampling: prismbench_core::Sampling = "euler:5,shift:2".parse().unwrap();
        let times: Vec<f64> = sampling.times(1).unwrap().into_iter().map(f64::from).collect();
        for &integrator in Integrator::ALL {
            let velocity = Constant(std::cell::Cell::new(0));
            let start = Tensor::new(&[0.25_f32], &Device::Cpu).unwrap();
            let found = integrate(&velocity, integrator, &times, start).unwrap();
            let change = found.to_vec1::<f32>().unwrap()[0] - 0.25;
            // The reference's figure; four roundings of a number below 1.
            assert!((change + 0.499_001).abs() < 4e-7, "{integrator}: {change}");
            assert_eq!(velocity.0.get(), 4 * integrator.nodes().len());
        }
    }

    #[test]
    fn one_step_of_each_method_is_its_formula() {
        // x' = x from 1 to 0: the step is the method's polynomial of e^h at h = -1.
        struct Exponential;
        impl Velocity for Exponential {
            fn at(&self, x: &Tensor, _: f64) -> Result<Tensor, TokenizerError> {
                Ok(x.clone())
            }
        }
        let polynomials = [0.0, 0.5, 0.5, 0.5 - 1.0 / 6.0, 0.5 - 1.0 / 6.0 + 1.0 / 24.0];
        for (&integrator, expected) in Integrator::ALL.iter().zip(polynomials) {
            let start = Tensor::new(&[1.0_f64], &Device::Cpu).unwrap();
            let found = integrate(&Exponential, integrator, &[1.0, 0.0], start).unwrap();
            let found = found.to_vec1::<f64>().unwrap()[0];
            assert!((found - expected).abs() < 1e-15, "{integrator}: {found}");
        }
    }
}
