//! How latents are drawn from a generator of velocities: integrator, grid of times, guidance.

mod guidance;
mod time_shift;

pub use guidance::{Guidance, GuidanceInterval, GuidanceScale, GuidanceTerms};
pub use time_shift::{ShiftFactor, TimeShift};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BadSetting;
use crate::choice::choice;
use crate::encoding::as_text;

choice! {
    /// What takes the state of an ordinary differential equation from one time to the next.
    ///
    /// Those of `torchdiffeq` 0.2.5 with fixed steps, which the released samplers of RAE and UAE
    /// call. There is no adaptive one: its steps depend on the other samples of a batch.
    pub enum Integrator = "integrator" {
        /// One call a step.
        Euler = "euler": "x + h k1: first order, 1 call a step; what RAE publishes with",
        /// Two calls a step.
        Midpoint = "midpoint": "x + h k2, k2 at h/2: second order, 2 calls a step",
        /// Two calls a step.
        Heun2 = "heun2": "x + h (k1 + k2)/2, k2 at h: second order, 2 calls a step",
        /// Three calls a step.
        Heun3 = "heun3": "x + h (k1 + 3 k3)/4, k2 at h/3, k3 at 2h/3: third order, 3 calls a step",
        /// Four calls a step.
        Rk4 = "rk4": "the 3/8 rule, not the classic one: x + h (k1 + 3 k2 + 3 k3 + k4)/8 at h/3, \
            2h/3 and h: fourth order, 4 calls a step; what UAE publishes with",
    }
}

impl Integrator {
    /// Where within a step the velocity is asked for, in parts of the step.
    #[must_use]
    pub const fn nodes(self) -> &'static [f64] {
        match self {
            Self::Euler => &[0.0],
            Self::Midpoint => &[0.0, 0.5],
            Self::Heun2 => &[0.0, 1.0],
            Self::Heun3 => &[0.0, 1.0 / 3.0, 2.0 / 3.0],
            Self::Rk4 => &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0],
        }
    }
}

/// How a generator of velocities is sampled: `euler:50`, `rk4:50,cfg:1.5@0.1..0.9,shift:none`.
///
/// Written `INTEGRATOR:POINTS[,GUIDANCE][,shift:SHIFT]`; what is left out is no guidance, and the
/// shift of the latent's dimension. Prints as it parses and serialises as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sampling {
    /// What is done between two points.
    pub integrator: Integrator,
    /// How many points of time there are.
    pub points: GridPoints,
    /// What is done to the velocity.
    pub guidance: Guidance,
    /// How the points are moved.
    pub shift: TimeShift,
}

/// How many points of time a sample passes, the first and the last included: one more than steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GridPoints(u32);

impl GridPoints {
    /// From 2 to 10,000.
    #[must_use]
    pub const fn new(points: u32) -> Option<Self> {
        if matches!(points, 2..=10_000) { Some(Self(points)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Sampling {
    /// 50 points, no guidance, the shift of the dimension: RAE's configurations with Euler's method,
    /// UAE's with `rk4`.
    #[must_use]
    pub const fn published(integrator: Integrator) -> Self {
        let (guidance, shift) = (Guidance::None, TimeShift::Dimension);
        Self { integrator, points: GridPoints(50), guidance, shift }
    }

    /// The points of time, from 1, which is noise, towards 0, which is data, for latents of so many
    /// numbers; `None` where that is fewer than the shift is defined for.
    ///
    /// `t = 1 - u` for `u` evenly from 0 to 0.999, then `s t / (1 + (s - 1) t)`, in f32 as the
    /// reference computes it (RAE `src/stage2/transport`): the last point is not 0, and a sample is
    /// the state there.
    #[must_use]
    pub fn times(&self, dimension: usize) -> Option<Vec<f32>> {
        let shift = self.shift.factor(dimension)?;
        let last = 1.0 - 1.0 / 1000.0;
        let (points, last) = (self.points.get() as usize, last as f32);
        let step = last / (points - 1) as f32;
        // torch.linspace counts from whichever end is nearer.
        let even = (0..points).map(|i| match i < points / 2 {
            true => step * i as f32,
            false => last - step * (points - 1 - i) as f32,
        });
        let (s, more) = (shift as f32, (shift - 1.0) as f32);
        Some(even.map(|u| 1.0 - u).map(|t| s * t / (1.0 + more * t)).collect())
    }
}

impl FromStr for Sampling {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let mut parts = text.split(',');
        let (integrator, points) = steps(parts.next().unwrap_or_default())?;
        let mut sampling = Self { points, ..Self::published(integrator) };
        let mut part = parts.next();
        if let Some(guidance) = part.filter(|text| !text.starts_with(TimeShift::PREFIX)) {
            sampling.guidance = guidance.parse()?;
            part = parts.next();
        }
        if let Some(shift) = part {
            sampling.shift = shift.parse()?;
        }
        match parts.next() {
            None => Ok(sampling),
            Some(_) => Err(bad(text, "INTEGRATOR:POINTS[,GUIDANCE][,shift:SHIFT]")),
        }
    }
}

/// `euler:50`.
fn steps(text: &str) -> Result<(Integrator, GridPoints), BadSetting> {
    let (name, points) = text.split_once(':').unwrap_or((text, ""));
    let Ok(integrator) = name.parse() else {
        return Err(bad(
            text,
            match name {
                "heun" => "heun2:POINTS, if that is meant: the reference knows no `heun` here",
                "dopri5" | "dopri8" | "bosh3" | "fehlberg2" | "adaptive_heun" => {
                    "one of euler, midpoint, heun2, heun3 and rk4 with its points, as in euler:50: \
                 adaptive steps would depend on the other samples of a batch"
                }
                _ => EXPECTED,
            },
        ));
    };
    let points = points.parse().ok().and_then(GridPoints::new);
    Ok((integrator, points.ok_or_else(|| bad(text, EXPECTED))?))
}

const EXPECTED: &str = "euler:POINTS, midpoint:POINTS, heun2:POINTS, heun3:POINTS or rk4:POINTS, \
    POINTS 2 to 10000, one more than steps";

fn bad(text: &str, expected: &'static str) -> BadSetting {
    BadSetting::new("sampling", text, expected)
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.integrator, self.points.get())?;
        if self.guidance != Guidance::None {
            write!(f, ",{}", self.guidance)?;
        }
        match self.shift {
            TimeShift::Dimension => Ok(()),
            shift => write!(f, ",{shift}"),
        }
    }
}

as_text!(Sampling);

#[cfg(test)]
mod tests;
