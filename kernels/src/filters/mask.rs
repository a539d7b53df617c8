use std::f64::consts::PI;

use super::network::Basis;
use crate::Size;
use crate::bands::zigzag;

/// Which pairs of frequencies a low-pass filter keeps, `c` being its [`Cutoff`].
///
/// On planes of `h x w`. The four of the DCT are those of WeichenFan/UAE main,
/// prelim_analysis/retrival_exp.py, other than square planes included; comparisons are exact here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// DCT indices with `sqrt(y^2 + x^2) <= c (min(h, w) - 1)`. At `c = 1` corners are still cut.
    DctRadialAxis,
    /// DCT indices with `sqrt(y^2 + x^2) <= c sqrt((h - 1)^2 + (w - 1)^2)`.
    DctRadialCorner,
    /// The first `round(c min(h, w))` DCT indices of each axis, half to even, at least one; all at
    /// `c = 1`.
    DctSquare,
    /// The first `round(c h w)` DCT coefficients in UAE's zigzag order ([`zigzag`]), half to even, at
    /// least one.
    DctZigzag,
    /// Fourier frequencies of `c` times Nyquist's at most: `sqrt(fy^2 + fx^2) <= c / 2` in cycles per
    /// pixel.
    FftIdeal,
    /// As [`FftIdeal`](Self::FftIdeal) with a raised cosine for an edge: weights fall from 1 at
    /// `0.75 c` over 1/2 at `c` to 0 at `1.25 c`.
    FftCosine,
}

/// Half the width of [`Shape::FftCosine`]'s edge, as a share of the cutoff.
const ROLL_OFF: f64 = 0.25;

/// Which side of the cutoff is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// What the shape says.
    Low,
    /// The plane minus its low-pass plus its mean.
    High,
}

/// Where a filter cuts: a share of the highest frequency, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cutoff(u32);

impl Cutoff {
    /// From 1 to 1000 thousandths.
    #[must_use]
    pub fn from_thousandths(thousandths: u32) -> Option<Self> {
        (1..=1000).contains(&thousandths).then_some(Self(thousandths))
    }
}

/// The weight of each pair of frequencies, for planes of one size.
pub(super) enum Mask {
    /// `y^2 + x^2` in units of the square of a thousandth, and the largest that is kept.
    Disc { largest: u128 },
    /// Indices below these.
    Box { rows: usize, columns: usize },
    /// Position of each coefficient in the zigzag, and those that are kept.
    Ranks { width: usize, ranks: Vec<usize>, kept: std::ops::Range<usize> },
    /// Frequencies over the sides, in units of the square of half a thousandth over both sides.
    Ellipse { size: Size, largest: u128 },
    /// Nyquist's share at which weights begin to fall, and over how much of it they do.
    Rolled { size: Size, start: f64, length: f64 },
}

impl Mask {
    pub(super) fn new(shape: Shape, cutoff: Cutoff, size: Size) -> Self {
        let Size { width, height } = size;
        let square = |x: usize| (x as u128) * (x as u128);
        let thousandths = cutoff.0 as usize;
        let highest = (width.saturating_sub(1), height.saturating_sub(1));
        match shape {
            Shape::DctRadialAxis => {
                Self::Disc { largest: square(thousandths) * square(highest.0.min(highest.1)) }
            }
            Shape::DctRadialCorner => Self::Disc {
                largest: square(thousandths) * (square(highest.0) + square(highest.1)),
            },
            Shape::DctSquare if cutoff.0 == 1000 => Self::Box { rows: height, columns: width },
            Shape::DctSquare => {
                let side = share(cutoff, size.shorter());
                Self::Box { rows: side, columns: side }
            }
            Shape::DctZigzag => Self::ranks(size, 0..share(cutoff, size.area())),
            Shape::FftIdeal => Self::Ellipse { size, largest: square(thousandths * size.area()) },
            Shape::FftCosine => {
                let cutoff = f64::from(cutoff.0) / 1000.0;
                let (start, length) = ((1.0 - ROLL_OFF) * cutoff, 2.0 * ROLL_OFF * cutoff);
                Self::Rolled { size, start, length }
            }
        }
    }

    /// Coefficients by their position in the zigzag.
    pub(super) fn ranks(size: Size, kept: std::ops::Range<usize>) -> Self {
        let mut ranks = vec![0; size.area()];
        zigzag(size).into_iter().zip(0..).for_each(|(at, rank)| ranks[at] = rank);
        Self::Ranks { width: size.width, ranks, kept }
    }

    pub(super) fn basis(&self) -> Basis {
        match self {
            Self::Disc { .. } | Self::Box { .. } | Self::Ranks { .. } => Basis::Cosine,
            Self::Ellipse { .. } | Self::Rolled { .. } => Basis::Fourier,
        }
    }

    /// From 0 to 1, for a vertical and a horizontal frequency of the basis.
    pub(super) fn weight(&self, y: usize, x: usize) -> f64 {
        let square = |x: usize| (x as u128) * (x as u128);
        let keeps = |is_kept: bool| if is_kept { 1.0 } else { 0.0 };
        match self {
            Self::Disc { largest } => keeps(1_000_000 * (square(y) + square(x)) <= *largest),
            Self::Box { rows, columns } => keeps(y < *rows && x < *columns),
            Self::Ranks { width, ranks, kept } => keeps(kept.contains(&ranks[y * width + x])),
            Self::Ellipse { size, largest } => {
                let radius = square(y * size.width) + square(x * size.height);
                keeps(4_000_000 * radius <= *largest)
            }
            Self::Rolled { size, start, length } => {
                let (y, x) = (y as f64 / size.height as f64, x as f64 / size.width as f64);
                let radius = 2.0 * (y * y + x * x).sqrt();
                let part = ((radius - start) / length).clamp(0.0, 1.0);
                0.5 + 0.5 * libm::cos(PI * part)
            }
        }
    }
}

/// `cutoff` times `whole`, rounded half to even; at least 1.
fn share(cutoff: Cutoff, whole: usize) -> usize {
    let product = u128::from(cutoff.0) * whole as u128;
    let (floor, rest) = (product / 1000, product % 1000);
    let rounds_up = rest > 500 || (rest == 500 && floor % 2 == 1);
    let rounded = floor + u128::from(rounds_up);
    (rounded as usize).clamp(1, whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(shape: Shape, thousandths: u32, size: Size) -> usize {
        let mask = Mask::new(shape, Cutoff::from_thousandths(thousandths).unwrap(), size);
        let weights = (0..size.area()).map(|at| mask.weight(at / size.width, at % size.width));
        weights.filter(|&weight| weight > 0.5).count()
    }

    /// The shares of 256 x 256 coefficients that specifications of the experiment give, measured with
    /// its released code.
    #[test]
    fn the_axis_norm_keeps_the_published_shares() {
        let expected = [
            (50, 0.0021),
            (100, 0.0082),
            (150, 0.0181),
            (200, 0.0320),
            (300, 0.0713),
            (400, 0.1262),
            (600, 0.2828),
            (800, 0.5018),
            (1000, 0.7831),
        ];
        for (thousandths, share) in expected {
            let found = kept(Shape::DctRadialAxis, thousandths, Size::new(256, 256));
            assert!((found as f64 / 65_536.0 - share).abs() < 5e-5, "{thousandths}: {found}");
        }
    }

    #[test]
    fn the_last_cutoff_keeps_all_but_where_a_disc_leaves_corners() {
        for size in [Size::new(256, 256), Size::new(7, 12), Size::new(1, 1), Size::new(1, 9)] {
            for shape in [Shape::DctRadialCorner, Shape::DctSquare, Shape::DctZigzag] {
                assert_eq!(kept(shape, 1000, size), size.area(), "{shape:?} {size:?}");
            }
        }
        assert!(kept(Shape::DctRadialAxis, 1000, Size::new(16, 16)) < 256);
        assert!(kept(Shape::FftIdeal, 1000, Size::new(16, 16)) < 256);
    }

    #[test]
    fn halves_are_rounded_to_even_and_nothing_keeps_nothing() {
        let cutoff = |thousandths| Cutoff::from_thousandths(thousandths).unwrap();
        for (thousandths, whole, expected) in
            [(50, 250, 12), (150, 10, 2), (250, 10, 2), (1, 10, 1), (1000, 10, 10)]
        {
            assert_eq!(share(cutoff(thousandths), whole), expected, "{thousandths} of {whole}");
        }
        assert_eq!((Cutoff::from_thousandths(0), Cutoff::from_thousandths(1001)), (None, None));
    }

    #[test]
    fn a_rolled_edge_is_one_half_at_the_cutoff_and_flat_around_it() {
        let size = Size::new(200, 200);
        let mask = Mask::new(Shape::FftCosine, Cutoff(400), size);
        // Frequency f of 200 is f / 100 of Nyquist's.
        for (frequency, expected) in [(0, 1.0), (30, 1.0), (40, 0.5), (50, 0.0), (99, 0.0)] {
            assert!((mask.weight(frequency, 0) - expected).abs() < 1e-12, "{frequency}");
            assert!((mask.weight(0, frequency) - expected).abs() < 1e-12, "{frequency}");
        }
        assert!((mask.weight(35, 0) + mask.weight(45, 0) - 1.0).abs() < 1e-12);
    }
}
