use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BadSetting;
use crate::encoding::as_text;
use crate::thousandths::Thousandths;

/// How points of time are moved towards the noise: `t -> s t / (1 + (s - 1) t)`.
///
/// The more numbers a latent has, the more noise hides as much of it (Esser et al. 2024, RAE section
/// 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeShift {
    /// By `s = sqrt(dimension / 4096)`: what RAE and UAE train and sample with.
    Dimension,
    /// Not at all: s = 1.
    None,
    /// By this s.
    By(ShiftFactor),
}

/// A number above 1 and below 1000, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShiftFactor(Thousandths);

impl TimeShift {
    pub(super) const PREFIX: &str = "shift:";
    /// The dimension that is not shifted: 32 x 32 x 4.
    const BASE: f64 = 4096.0;

    /// s for latents of so many numbers; `None` for fewer than 4096 and the shift of the dimension:
    /// the reference knows no s below 1.
    #[must_use]
    pub fn factor(self, dimension: usize) -> Option<f64> {
        let factor = match self {
            Self::Dimension => (dimension as f64 / Self::BASE).sqrt(),
            Self::None => 1.0,
            Self::By(factor) => factor.0.get(),
        };
        (factor >= 1.0).then_some(factor)
    }
}

impl fmt::Display for TimeShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        match self {
            Self::Dimension => f.write_str("dimension"),
            Self::None => f.write_str("none"),
            Self::By(factor) => factor.0.fmt(f),
        }
    }
}

impl FromStr for TimeShift {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let parsed = match text.strip_prefix(Self::PREFIX) {
            Some("dimension") => Some(Self::Dimension),
            Some("none") => Some(Self::None),
            Some(factor) => {
                let factor = factor.parse().ok().filter(|&factor| factor > Thousandths(1000));
                factor.map(ShiftFactor).map(Self::By)
            }
            None => None,
        };
        parsed.ok_or_else(|| {
            let expected = "shift:dimension, shift:none or shift:NUMBER, NUMBER above 1";
            BadSetting::new("time shift", text, expected)
        })
    }
}

as_text!(TimeShift);
