//! Which frequencies of a picture are left before a tokenizer sees it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::choice::choice;
use crate::encoding::as_text;
use crate::thousandths::Thousandths;
use crate::{BadSetting, Choice};

choice! {
    /// The frequencies that a low-pass filter of cutoff `c` keeps, on pictures of `h x w`.
    pub enum FilterShape = "filter shape" {
        /// A quarter disc of DCT indices, its radius a share of the shorter axis.
        DctRadialAxis = "dct-radial-axis": "orthonormal DCT-II of each channel; low keeps indices \
            with sqrt(y^2 + x^2) <= c (min(h, w) - 1), so that 1 still cuts corners; high is the \
            picture minus low plus each channel's mean; both are clamped to [0, 1]. Source: \
            WeichenFan/UAE main, prelim_analysis/retrival_exp.py, its default",
        /// A quarter disc of DCT indices, its radius a share of the diagonal.
        DctRadialCorner = "dct-radial-corner": "orthonormal DCT-II of each channel; low keeps \
            indices with sqrt(y^2 + x^2) <= c sqrt((h - 1)^2 + (w - 1)^2); high is the picture \
            minus low plus each channel's mean; both are clamped to [0, 1]. Source: WeichenFan/UAE \
            main, prelim_analysis/retrival_exp.py with --retrieval-radial-norm corner",
        /// A square of DCT indices.
        DctSquare = "dct-square": "orthonormal DCT-II of each channel; low keeps the first \
            round(c min(h, w)) indices of each axis, half to even, at least one, and all at 1; high \
            is the picture minus low plus each channel's mean; both are clamped to [0, 1]. Source: \
            WeichenFan/UAE main, prelim_analysis/retrival_exp.py",
        /// The first DCT coefficients in zigzag order.
        DctZigzag = "dct-zigzag": "orthonormal DCT-II of each channel; low keeps the first \
            round(c h w) coefficients, half to even, at least one, in zigzag order, (0,0), (1,0), \
            (0,1), (0,2), (1,1), ... by (row, column); high is the picture minus low plus each \
            channel's mean; both are clamped to [0, 1]. Source: WeichenFan/UAE main, \
            prelim_analysis/retrival_exp.py",
        /// A disc of Fourier frequencies.
        FftIdeal = "fft-ideal": "Fourier transform of each channel; low keeps frequencies with \
            sqrt(fy^2 + fx^2) <= c / 2 in cycles per pixel, so that 1 still cuts corners; high is \
            the picture minus low plus each channel's mean; both are clamped to [0, 1]",
        /// A disc of Fourier frequencies with a smooth edge.
        FftCosine = "fft-cosine": "Fourier transform of each channel; low weighs frequencies by 1 up \
            to 0.75 c of Nyquist's, by a raised cosine down to 1/2 at c and 0 at 1.25 c; high is the \
            picture minus low plus each channel's mean; both are clamped to [0, 1]. The width of the \
            edge is this project's: arXiv 2512.19693 gives none",
    }
}

choice! {
    /// Which side of the cutoff is kept.
    pub enum FilterPass = "filter pass" {
        /// Slow waves.
        Low = "low": "what the shape keeps, clamped to [0, 1]",
        /// Fast waves, about the mean.
        High = "high": "the picture minus its low-pass plus each channel's mean, clamped to [0, 1]",
    }
}

/// What a picture loses between its crop and the tokenizer.
///
/// On values in `[0, 1]` that are clamped again afterwards, and not rounded. Written `none` or
/// `SHAPE:PASS:CUTOFF`: `dct-radial-axis:low:0.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FrequencyFilter {
    /// Nothing: not a bit changes.
    None,
    /// Some of its frequencies.
    Band {
        /// What lies below the cutoff.
        shape: FilterShape,
        /// Which side of it is kept.
        pass: FilterPass,
        /// Where it lies.
        cutoff: FilterCutoff,
    },
}

/// A share of the highest frequency, in thousandths: 0.001 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterCutoff(Thousandths);

impl FilterCutoff {
    /// From 1 to 1000 thousandths.
    #[must_use]
    pub fn from_thousandths(thousandths: u32) -> Option<Self> {
        (1..=1000).contains(&thousandths).then_some(Self(Thousandths(thousandths)))
    }

    /// The share in thousandths.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        self.0.0
    }

    /// The share.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0.get()
    }
}

impl FrequencyFilter {
    /// What the value means.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "pictures go to tokenizers as they are",
            Self::Band { shape, .. } => shape.describe(),
        }
    }
}

impl fmt::Display for FilterCutoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FilterCutoff {
    type Err = ();

    /// A decimal from 0.001 to 1 with at most three places.
    fn from_str(text: &str) -> Result<Self, ()> {
        let Thousandths(cutoff) = text.parse()?;
        Self::from_thousandths(cutoff).ok_or(())
    }
}

impl fmt::Display for FrequencyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Band { shape, pass, cutoff } => write!(f, "{shape}:{pass}:{cutoff}"),
        }
    }
}

impl FromStr for FrequencyFilter {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let band = || {
            let (shape, rest) = text.split_once(':')?;
            let (pass, cutoff) = rest.split_once(':')?;
            let (shape, pass) = (shape.parse().ok()?, pass.parse().ok()?);
            Some(Self::Band { shape, pass, cutoff: cutoff.parse().ok()? })
        };
        let parsed = if text == "none" { Some(Self::None) } else { band() };
        parsed.ok_or_else(|| BadSetting {
            field: "frequency-filter",
            found: text.to_owned(),
            expected: "none or SHAPE:PASS:CUTOFF, as in dct-radial-axis:low:0.2; SHAPE is \
                dct-radial-axis, dct-radial-corner, dct-square, dct-zigzag, fft-ideal or \
                fft-cosine, PASS low or high, CUTOFF 0.001 to 1",
        })
    }
}

as_text!(FrequencyFilter);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_prints_as_it_parses() {
        let cutoff = FilterCutoff::from_thousandths(150).unwrap();
        for &shape in FilterShape::ALL {
            for &pass in FilterPass::ALL {
                let filter = FrequencyFilter::Band { shape, pass, cutoff };
                assert_eq!(filter.to_string(), format!("{shape}:{pass}:0.15"));
                assert_eq!(filter.to_string().parse::<FrequencyFilter>().unwrap(), filter);
            }
        }
        for (text, printed) in [("none", "none"), ("fft-ideal:high:1.000", "fft-ideal:high:1")] {
            assert_eq!(text.parse::<FrequencyFilter>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn other_texts_are_answered_with_a_whole_example_and_every_word() {
        for text in [
            "",
            "low",
            "dct:low:0.2",
            "dct-square:0.2",
            "dct-square:low",
            "dct-square:mid:0.2",
            "dct-square:low:0",
            "dct-square:low:1.001",
            "dct-square:low:0.2:1",
        ] {
            let error = text.parse::<FrequencyFilter>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no frequency-filter; it is none or")));
            assert!(error.contains("as in dct-radial-axis:low:0.2"), "{error}");
            for &shape in FilterShape::ALL {
                assert!(error.contains(shape.id()), "{error}");
            }
        }
    }

    #[test]
    fn every_description_says_what_both_passes_are() {
        for &shape in FilterShape::ALL {
            let text = shape.describe();
            assert!(
                text.contains("low ") && text.contains("high is the picture minus low"),
                "{text}"
            );
        }
    }
}
