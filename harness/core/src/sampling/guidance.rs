use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BadSetting;
use crate::encoding::as_text;
use crate::thousandths::Thousandths;

/// How a velocity is pushed away from a worse one: `weak + scale (strong - weak)`, all channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Guidance {
    /// Not at all.
    None,
    /// Classifier-free (Ho and Salimans 2022): the worse one is of the same network without a class.
    ClassifierFree(GuidanceTerms),
    /// Autoguidance (Karras et al. 2024): the worse one is of a smaller network for the same class.
    Auto(GuidanceTerms),
}

/// How strongly, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuidanceTerms {
    /// 1 would be no guidance.
    pub scale: GuidanceScale,
    /// The times at which the velocity is guided.
    pub interval: GuidanceInterval,
}

/// A number above 1 and up to 100, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuidanceScale(Thousandths);

/// Times from 0, which is data, to 1, which is noise, both ends included (Kynkäänniemi et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuidanceInterval {
    low: Thousandths,
    high: Thousandths,
}

impl Guidance {
    /// What the value means.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "the velocity of the class, as it is",
            Self::ClassifierFree(_) => {
                "v(null) + scale (v(class) - v(null)) on all channels, two calls of the network"
            }
            Self::Auto(_) => {
                "w(class) + scale (v(class) - w(class)) on all channels, w a weaker network that \
                 sees the same state, time and class"
            }
        }
    }

    /// Its terms, if there is any.
    #[must_use]
    pub fn terms(self) -> Option<GuidanceTerms> {
        match self {
            Self::None => None,
            Self::ClassifierFree(terms) | Self::Auto(terms) => Some(terms),
        }
    }

    /// Whether the velocity is guided at this time.
    #[must_use]
    pub fn acts_at(self, time: f32) -> bool {
        self.terms().is_some_and(|terms| terms.interval.contains(time))
    }
}

impl GuidanceScale {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0.get()
    }
}

impl GuidanceInterval {
    /// Always.
    pub const ALL: Self = Self { low: Thousandths(0), high: Thousandths(1000) };

    /// Whether the time is in it, by its f32 bounds: the reference compares in f32.
    #[must_use]
    pub fn contains(self, time: f32) -> bool {
        (self.low.get() as f32..=self.high.get() as f32).contains(&time)
    }
}

impl FromStr for GuidanceScale {
    type Err = ();

    /// A decimal above 1 and up to 100 with at most three places.
    fn from_str(text: &str) -> Result<Self, ()> {
        let scale: Thousandths = text.parse()?;
        if (1001..=100_000).contains(&scale.0) { Ok(Self(scale)) } else { Err(()) }
    }
}

impl FromStr for GuidanceInterval {
    type Err = ();

    /// `0.1..0.9`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (low, high) = text.split_once("..").ok_or(())?;
        let (low, high): (Thousandths, Thousandths) = (low.parse()?, high.parse()?);
        if low < high && high <= Self::ALL.high { Ok(Self { low, high }) } else { Err(()) }
    }
}

impl fmt::Display for GuidanceTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuidanceInterval { low, high } = self.interval;
        match self.interval {
            GuidanceInterval::ALL => self.scale.0.fmt(f),
            _ => write!(f, "{}@{low}..{high}", self.scale.0),
        }
    }
}

impl FromStr for GuidanceTerms {
    type Err = ();

    /// `1.42`, `1.42@0.1..0.9`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (scale, interval) = match text.split_once('@') {
            Some((scale, interval)) => (scale, interval.parse()?),
            None => (text, GuidanceInterval::ALL),
        };
        Ok(Self { scale: scale.parse()?, interval })
    }
}

impl fmt::Display for Guidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::ClassifierFree(terms) => write!(f, "cfg:{terms}"),
            Self::Auto(terms) => write!(f, "autoguidance:{terms}"),
        }
    }
}

impl FromStr for Guidance {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let parsed = match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            Some(("cfg", terms)) => terms.parse().ok().map(Self::ClassifierFree),
            Some(("autoguidance", terms)) => terms.parse().ok().map(Self::Auto),
            _ => None,
        };
        parsed.ok_or_else(|| {
            let expected = "none, cfg:SCALE[@LOW..HIGH] or autoguidance:SCALE[@LOW..HIGH], SCALE \
                above 1 and up to 100 (1 would be none), 0 <= LOW < HIGH <= 1 and 1 the noise";
            BadSetting::new("guidance", text, expected)
        })
    }
}

as_text!(Guidance);
