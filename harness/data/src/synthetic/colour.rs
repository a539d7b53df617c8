//! Colours of the background and of the figures.

use prismbench_core::Stream;

/// A material of the background: a distribution of colours and its words.
///
/// Colours are log-normal along three axes of `ln` RGB: lightness `(1, 1, 1)`, yellow-blue
/// `(1, 1, -2)` and red-green `(1, -1, 0)`, each of unit length, independent. That the logarithm of
/// natural colour decorrelates along a strong achromatic axis, a weaker yellow-blue and a still
/// weaker red-green one is the finding of Ruderman, Cronin and Chiao, "Statistics of cone responses
/// to natural images", JOSA A 15 (1998). The numbers here are ours, on display values.
#[derive(Debug, PartialEq)]
pub(super) struct Material {
    /// As captions say it.
    pub(super) name: &'static str,
    /// Means along yellow-blue and red-green.
    cast: [f64; 2],
    /// Figure colours that would get lost in it.
    hides: &'static [Paint],
}

/// Mean of lightness; the middle of the three channels is `exp(-1.75 / sqrt 3) = 0.36`.
const LIGHTNESS_MEAN: f64 = -1.75;

/// Standard deviations of lightness, yellow-blue and red-green.
const SPREAD: [f64; 3] = [0.46, 0.09, 0.05];

/// The darkest and lightest value of a leaf's colour, before shading.
const LEAF_RANGE: (f64, f64) = (0.06, 0.86);

/// Every material.
pub(super) const MATERIALS: [Material; 6] = [
    Material { name: "grey stones", cast: [0.02, 0.0], hides: &[] },
    Material { name: "brown soil", cast: [0.32, 0.14], hides: &[Paint::Orange] },
    Material { name: "green leaves", cast: [0.22, -0.14], hides: &[Paint::Green] },
    Material { name: "blue slate", cast: [-0.24, -0.03], hides: &[Paint::Blue] },
    Material { name: "dry straw", cast: [0.38, 0.03], hides: &[Paint::Yellow, Paint::Orange] },
    Material { name: "purple heather", cast: [-0.12, 0.13], hides: &[Paint::Purple, Paint::Pink] },
];

impl Material {
    pub(super) fn draw(stream: &mut Stream) -> &'static Self {
        &MATERIALS[stream.below(MATERIALS.len() as u64) as usize]
    }

    /// A figure colour that stands out from the material.
    pub(super) fn contrasting_paint(&self, stream: &mut Stream) -> Paint {
        loop {
            let paint = Paint::ALL[stream.below(Paint::ALL.len() as u64) as usize];
            if !self.hides.contains(&paint) {
                return paint;
            }
        }
    }

    /// The colour of one leaf, RGB in `[0, 1]`.
    pub(super) fn leaf_colour(&self, stream: &mut Stream) -> [f64; 3] {
        let lightness = LIGHTNESS_MEAN + SPREAD[0] * bell(stream);
        self.log_colour([
            lightness,
            self.cast[0] + SPREAD[1] * bell(stream),
            self.cast[1] + SPREAD[2] * bell(stream),
        ])
    }

    /// The colour in the middle of the distribution.
    pub(super) fn mean_colour(&self) -> [f64; 3] {
        self.log_colour([LIGHTNESS_MEAN, self.cast[0], self.cast[1]])
    }

    fn log_colour(&self, [lightness, yellow, red]: [f64; 3]) -> [f64; 3] {
        let l = lightness / 3.0_f64.sqrt();
        let y = yellow / 6.0_f64.sqrt();
        let r = red / 2.0_f64.sqrt();
        [l + y + r, l + y - r, l - 2.0 * y]
            .map(|log| libm::exp(log).clamp(LEAF_RANGE.0, LEAF_RANGE.1))
    }
}

/// Near enough to a standard normal variable, with bounded tails: the centred sum of four uniform
/// ones, each of variance 1/12, times the root of 3.
fn bell(stream: &mut Stream) -> f64 {
    ((0..4).map(|_| stream.uniform()).sum::<f64>() - 2.0) * 3.0_f64.sqrt()
}

/// Colours of figures, by the names that captions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
    White,
    Black,
}

impl Paint {
    const ALL: [Self; 9] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::White,
        Self::Black,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::White => "white",
            Self::Black => "black",
        }
    }

    /// A shade of the colour, RGB in `[0, 1]`: at most 7 % lighter or darker than its middle.
    pub(super) fn shade(self, stream: &mut Stream) -> [f64; 3] {
        let brightness = stream.between(0.93, 1.07);
        self.middle().map(|value| (value * brightness).min(0.97))
    }

    fn middle(self) -> [f64; 3] {
        match self {
            Self::Red => [0.74, 0.16, 0.16],
            Self::Orange => [0.88, 0.50, 0.15],
            Self::Yellow => [0.92, 0.82, 0.24],
            Self::Green => [0.18, 0.58, 0.25],
            Self::Blue => [0.18, 0.32, 0.76],
            Self::Purple => [0.46, 0.21, 0.60],
            Self::Pink => [0.92, 0.56, 0.71],
            Self::White => [0.92, 0.92, 0.91],
            Self::Black => [0.06, 0.06, 0.065],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_are_standard() {
        let mut stream = Stream::new("test", 3, 0);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| bell(&mut stream)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let square = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        // Five standard errors: 1 / sqrt n of the mean, below sqrt(2 / n) of the variance.
        assert!(mean.abs() < 0.016 && (square - 1.0).abs() < 0.023, "{mean} {square}");
    }

    #[test]
    fn a_figure_never_has_a_colour_that_its_material_hides() {
        let mut stream = Stream::new("test", 4, 0);
        for material in &MATERIALS {
            let mut seen = Vec::new();
            for _ in 0..500 {
                let paint = material.contrasting_paint(&mut stream);
                assert!(!material.hides.contains(&paint), "{paint:?} on {}", material.name);
                if !seen.contains(&paint) {
                    seen.push(paint);
                }
            }
            assert_eq!(seen.len() + material.hides.len(), Paint::ALL.len(), "{}", material.name);
        }
    }
}
