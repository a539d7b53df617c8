use candle_core::Tensor;
use prismbench_core::{Guidance, TokenizerError};

use super::integrate::Velocity;
use super::network::Network;

/// The velocity of a network for the classes of a batch, guided where guidance acts.
pub(super) struct Guided<'a> {
    pub(super) network: &'a Network,
    /// The weaker one of autoguidance.
    pub(super) guide: Option<&'a Network>,
    pub(super) guidance: Guidance,
    /// One for each latent.
    pub(super) classes: &'a [u32],
}

impl Velocity for Guided<'_> {
    fn at(&self, x: &Tensor, time: f64) -> Result<Tensor, TokenizerError> {
        // The reference has times in f32, and compares them with the interval so.
        let time = time as f32;
        let guidance = if self.guidance.acts_at(time) { self.guidance } else { Guidance::None };
        let times = vec![time; self.classes.len()];
        let plain = |network: &Network| network.velocity(x, &times, self.classes);
        let (weak, strong, terms) = match (guidance, self.guide) {
            (Guidance::ClassifierFree(terms), _) => {
                let [strong, weak] = self.with_and_without_class(x, &times)?;
                (weak, strong, terms)
            }
            (Guidance::Auto(terms), Some(guide)) => (plain(guide)?, plain(self.network)?, terms),
            // Autoguidance without a guide is refused when a generator is opened.
            (Guidance::None, _) | (Guidance::Auto(_), None) => return plain(self.network),
        };
        Ok((&weak + ((strong - &weak)? * terms.scale.get())?)?)
    }
}

impl Guided<'_> {
    /// Both in one call: the weights of a network pass by once.
    fn with_and_without_class(
        &self,
        x: &Tensor,
        times: &[f32],
    ) -> Result<[Tensor; 2], TokenizerError> {
        let count = self.classes.len();
        let twice = Tensor::cat(&[x, x], 0)?;
        let labels = [self.classes, &vec![self.network.null(); count]].concat();
        let both = self.network.velocity(&twice, &[times, times].concat(), &labels)?;
        Ok([both.narrow(0, 0, count)?, both.narrow(0, count, count)?])
    }
}
