use std::fmt;
use std::str::FromStr;

/// A positive decimal number with at most three places, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Thousandths(pub(crate) u32);

impl Thousandths {
    /// The number.
    pub(crate) fn get(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Thousandths {
    type Err = ();

    /// Up to three digits, and up to three more behind a point.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(places) || whole.len() > 3 || places.len() > 3 {
            return Err(());
        }
        format!("{whole}{places:0<3}").parse().map(Self).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_without_needless_zeros() {
        for (text, printed) in [("0.20", "0.2"), ("1.0", "1"), ("100", "100"), ("0.005", "0.005")] {
            assert_eq!(text.parse::<Thousandths>().unwrap().to_string(), printed);
        }
        for text in ["", ".5", "5.", "0.0005", "1e3", "-1", "+1", "1000", " 1"] {
            assert!(text.parse::<Thousandths>().is_err(), "{text}");
        }
    }
}
