//! How the shape of a latent follows from the sides of a picture: `32,H/8,W/8`, `H/16*W/16,768`,
//! `32,12`.

use std::str::FromStr;

/// Most axes of a latent.
const MAX_AXES: usize = 6;

/// Longest rule.
const MAX_LEN: usize = 256;

/// One entry for each axis of a latent, without the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule(Vec<Axis>);

/// A product.
type Axis = Vec<Factor>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Factor {
    Number(usize),
    /// Rows of a picture, divided.
    Height(usize),
    /// Columns of a picture, divided.
    Width(usize),
}

/// What the shape of a latent tells of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    /// Rows and columns.
    Sides(usize, usize),
    /// Pixels.
    Area(usize),
}

impl Rule {
    /// The shape for pictures of `height x width`; nothing where it does not fit into memory.
    pub(super) fn shape(&self, height: usize, width: usize) -> Option<Vec<usize>> {
        let axis = |axis: &Axis| {
            axis.iter().try_fold(1_usize, |product, factor| {
                product.checked_mul(match *factor {
                    Factor::Number(number) => number,
                    Factor::Height(by) => height / by,
                    Factor::Width(by) => width / by,
                })
            })
        };
        self.0.iter().map(axis).collect()
    }

    /// Numbers in a latent for pictures of `height x width`.
    pub(super) fn len(&self, height: usize, width: usize) -> Option<usize> {
        self.shape(height, width)?.iter().try_fold(1_usize, |len, &side| len.checked_mul(side))
    }

    /// Axes.
    pub(super) fn axes(&self) -> usize {
        self.0.len()
    }

    /// The first divisor of a side that does not divide `stride`.
    pub(super) fn does_not_divide(&self, stride: usize) -> Option<usize> {
        self.0.iter().flatten().find_map(|factor| match *factor {
            Factor::Height(by) | Factor::Width(by) if !stride.is_multiple_of(by) => Some(by),
            _ => None,
        })
    }

    /// Whether the shape tells what picture it is of.
    pub(super) fn tells_picture(&self) -> bool {
        let probe = 1 << 12;
        self.shape(probe, probe).is_some_and(|shape| self.picture(&shape).is_some())
    }

    /// What a latent of this shape is of, where the shape tells it: from an axis each for rows and
    /// columns, or from one for both.
    pub(super) fn picture(&self, shape: &[usize]) -> Option<Picture> {
        let (mut height, mut width, mut area) = (None, None, None);
        for (axis, &side) in self.0.iter().zip(shape) {
            match axis.as_slice() {
                [Factor::Height(by)] => height = side.checked_mul(*by),
                [Factor::Width(by)] => width = side.checked_mul(*by),
                [Factor::Height(a), Factor::Width(b)] | [Factor::Width(b), Factor::Height(a)] => {
                    area = a.checked_mul(*b).and_then(|by| side.checked_mul(by));
                }
                _ => {}
            }
        }
        match (height, width, area) {
            (Some(height), Some(width), _) => Some(Picture::Sides(height, width)),
            (_, _, Some(area)) => Some(Picture::Area(area)),
            _ => None,
        }
    }

    /// Whether a latent of some picture has this shape.
    pub(super) fn fits(&self, shape: &[usize]) -> bool {
        let fits = |(axis, &side): (&Axis, &usize)| {
            let number = axis.iter().try_fold(1_usize, |product, factor| match *factor {
                Factor::Number(number) => product.checked_mul(number),
                _ => None,
            });
            side > 0 && number.is_none_or(|number| number == side)
        };
        if shape.len() != self.0.len() || !self.0.iter().zip(shape).all(fits) {
            return false;
        }
        match self.picture(shape) {
            Some(Picture::Sides(height, width)) => {
                self.shape(height, width).is_some_and(|own| own == shape)
            }
            Some(Picture::Area(_)) => true,
            // It does not fit into memory, or no shape of this rule tells its picture.
            None => !self.tells_picture(),
        }
    }
}

impl FromStr for Rule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() > MAX_LEN {
            return Err(());
        }
        let axes: Vec<Axis> = text
            .split(',')
            .map(|axis| axis.split('*').map(|factor| parse(factor.trim())).collect())
            .collect::<Option<_>>()
            .ok_or(())?;
        if axes.len() > MAX_AXES { Err(()) } else { Ok(Self(axes)) }
    }
}

fn parse(factor: &str) -> Option<Factor> {
    let number = |text: &str| {
        let number = text.parse().ok().filter(|number| (1..=1 << 24).contains(number));
        number.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let by = |text: &str| match text {
        "" => Some(1),
        text => number(text.strip_prefix('/')?),
    };
    match factor.as_bytes().first()? {
        b'H' => by(&factor[1..]).map(Factor::Height),
        b'W' => by(&factor[1..]).map(Factor::Width),
        _ => number(factor).map(Factor::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap()
    }

    #[test]
    fn shapes_follow_from_the_sides_of_the_picture() {
        assert_eq!(rule("32,H/8,W/8").shape(64, 96), Some(vec![32, 8, 12]));
        assert_eq!(rule("H/16*W/16,768").shape(64, 96), Some(vec![24, 768]));
        assert_eq!(rule("32, 12").shape(256, 256), Some(vec![32, 12]));
        assert_eq!(rule("3,H,W").len(4, 5), Some(60));
        assert_eq!(rule("16777216*16777216*16777216").shape(1, 1), None);
    }

    #[test]
    fn a_shape_tells_the_picture_where_both_sides_are_in_it() {
        assert_eq!(rule("32,H/8,W/8").picture(&[32, 8, 12]), Some(Picture::Sides(64, 96)));
        assert_eq!(rule("H/16*W/8,7").picture(&[24, 7]), Some(Picture::Area(24 * 128)));
        for silent in ["32,12", "H/8,7", "2*H*W,3"] {
            assert!(!rule(silent).tells_picture(), "{silent}");
        }
    }

    #[test]
    fn only_shapes_that_some_picture_has_fit() {
        let grid = rule("32,H/8,W/8");
        assert!(grid.fits(&[32, 1, 9]));
        for shape in [&[32, 1][..], &[31, 1, 9], &[32, 0, 9], &[32, 1, 9, 1], &[32, usize::MAX, 9]]
        {
            assert!(!grid.fits(shape), "{shape:?}");
        }
        assert!(!rule("H/8,W/8,H/4").fits(&[2, 2, 3]));
        assert!(rule("H/8*W/8,5").fits(&[7, 5]) && !rule("H/8*W/8,5").fits(&[7, 6]));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let long = "1,".repeat(200);
        for text in
            ["", ",", "H/", "H/0", "0", "-1", "+1", "H8", "h/8", "1,,2", "H/8/2", "é", &long]
        {
            assert_eq!(text.parse::<Rule>(), Err(()), "{text}");
        }
        assert_eq!(rule("3,H/16,W/24").does_not_divide(16), Some(24));
        assert_eq!(rule("3,H/16,W/8").does_not_divide(16), None);
    }
}
