//! How a value is printed: as many digits as its unit is read with.

use prismbench_core::Unit;

/// A value as a table shows it. The rounding is for the eye; ranks use the value itself.
pub(crate) fn number(unit: Unit, value: f64) -> String {
    // Beyond this a double has no decimals, and the digits would only push the table apart.
    if value.abs() >= 1e15 {
        return format!("{value:.3e}");
    }
    let digits = match unit {
        Unit::Decibel | Unit::GigaFlop | Unit::GigaMac | Unit::FlopPerByte => {
            format!("{value:.2}")
        }
        Unit::Millisecond | Unit::ImagesPerSecond => timed(value, 2),
        Unit::GigaFlopPerSecond | Unit::GigabytePerSecond => timed(value, 1),
        Unit::Mebibyte | Unit::Parameters => thousands(&format!("{value:.0}")),
        Unit::One => format!("{value:.4}"),
        Unit::BitsPerPixel => format!("{value:.3}"),
        // A mean over pictures of several sizes need not be whole.
        Unit::FloatsPerImage if (value - value.round()).abs() < 0.05 => {
            thousands(&format!("{value:.0}"))
        }
        Unit::FloatsPerImage => thousands(&format!("{value:.1}")),
    };
    // A small negative number rounds to `-0.00`, which reads like a mistake.
    match digits.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        _ => digits,
    }
}

/// With so many decimals, and fewer where the whole part has the four digits already that a clock's
/// values are worth.
fn timed(value: f64, decimals: usize) -> String {
    let decimals = match value.abs() {
        size if size >= 999.95 => 0,
        size if size >= 99.995 => decimals.min(1),
        _ => decimals,
    };
    thousands(&format!("{value:.decimals$}"))
}

/// Sets a comma before every third digit of the whole part.
fn thousands(digits: &str) -> String {
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut grouped = String::new();
    for (position, digit) in digits.char_indices() {
        let left = whole.saturating_sub(position);
        let after_a_digit = position > 0 && !digits[..position].ends_with('-');
        if after_a_digit && left > 0 && left % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A footnote's number as it stands behind a cell.
pub(crate) fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_its_digits() {
        assert_eq!(number(Unit::Decibel, 31.4159), "31.42");
        assert_eq!(number(Unit::One, 0.912_345), "0.9123");
        assert_eq!(number(Unit::BitsPerPixel, 1.0), "1.000");
        assert_eq!(number(Unit::Decibel, -0.001), "0.00");
        assert_eq!(number(Unit::Decibel, -0.01), "-0.01");
        assert_eq!(number(Unit::Decibel, 1e300), "1.000e300");
    }

    #[test]
    fn what_a_clock_tells_has_four_digits_where_there_are_as_many() {
        let rate = |value| number(Unit::ImagesPerSecond, value);
        for (value, shown) in [
            (0.284, "0.28"),
            (23.456, "23.46"),
            (99.994, "99.99"),
            (99.996, "100.0"),
            (568.23, "568.2"),
            (999.94, "999.9"),
            (999.96, "1,000"),
            (14_568.23, "14,568"),
        ] {
            assert_eq!(rate(value), shown);
        }
        assert_eq!(number(Unit::Millisecond, 1234.5), "1,234");
        assert_eq!(number(Unit::GigaFlopPerSecond, 56.78), "56.8");
        assert_eq!(number(Unit::GigabytePerSecond, 3_350.4), "3,350");
    }

    #[test]
    fn floats_are_grouped_by_thousands() {
        let floats = |value| number(Unit::FloatsPerImage, value);
        for (value, shown) in [
            (0.0, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (196_608.0, "196,608"),
            (1_234_567.0, "1,234,567"),
            (12_345.678, "12,345.7"),
            (-196_608.0, "-196,608"),
            (999_999.97, "1,000,000"),
        ] {
            assert_eq!(floats(value), shown);
        }
    }

    #[test]
    fn superscripts_have_every_digit() {
        assert_eq!(superscript(1_234_567_890), "¹²³⁴⁵⁶⁷⁸⁹⁰");
    }
}
