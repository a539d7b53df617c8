//! Shards named by a range of numbers: `train-{000..012}.tar`.

use std::path::{Path, PathBuf};

/// Most shards that one pattern names.
const MAX_SHARDS: usize = 100_000;

/// A range in a text: what stands before it, its ends and what stands behind it.
struct Braces<'a> {
    before: &'a str,
    first: u64,
    last: u64,
    /// Digits that every number has at least; 0 where neither end begins with a zero.
    width: usize,
    after: &'a str,
}

/// Whether a path holds a range of numbers.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| find(text).is_some())
}

/// The paths that a pattern names, in the order of the numbers, the last range fastest; a path
/// without a range names itself. As in a shell, zeros before an end are put before every number.
///
/// # Errors
/// How many paths it would be, in words, where they are too many or none.
pub(crate) fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    let Some(text) = path.to_str() else { return Ok(vec![path.to_owned()]) };
    let mut done = vec![text.to_owned()];
    while let Some(braces) = done.first().and_then(|text| find(text)) {
        let count = (braces.last + 1).saturating_sub(braces.first);
        let total = count.saturating_mul(done.len() as u64);
        if total == 0 || total > MAX_SHARDS as u64 {
            return Err(format!("it names {total} shards; expected 1 to {MAX_SHARDS}"));
        }
        done = done.iter().filter_map(|text| find(text)).flat_map(Braces::texts).collect();
    }
    Ok(done.into_iter().map(PathBuf::from).collect())
}

/// The first `{FIRST..LAST}` of a text.
fn find(text: &str) -> Option<Braces<'_>> {
    text.match_indices('{').find_map(|(open, _)| {
        let (range, after) = text[open + 1..].split_once('}')?;
        let (first, last) = range.split_once("..")?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(first) || !is_number(last) {
            return None;
        }
        let is_padded = |text: &str| text.len() > 1 && text.starts_with('0');
        let width = match is_padded(first) || is_padded(last) {
            true => first.len().max(last.len()),
            false => 0,
        };
        let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
        (last < u64::MAX).then_some(Braces { before: &text[..open], first, last, width, after })
    })
}

impl Braces<'_> {
    fn texts(self) -> Vec<String> {
        let Self { before, first, last, width, after } = self;
        (first..=last).map(|number| format!("{before}{number:0width$}{after}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<String> {
        let paths = expand(Path::new(pattern)).unwrap();
        paths.into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn numbers_keep_their_width_and_the_last_range_goes_fastest() {
        assert_eq!(names("s-{008..011}.tar"), ["s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"]);
        assert_eq!(names("{1..2}/{0..1}.tar"), ["1/0.tar", "1/1.tar", "2/0.tar", "2/1.tar"]);
        assert_eq!(names("{9..10}"), ["9", "10"]);
        assert_eq!(names("plain.tar"), ["plain.tar"]);
    }

    #[test]
    fn other_braces_are_parts_of_names_and_wild_ranges_are_refused() {
        for text in ["{a}.tar", "{a..b}.tar", "{0..}.tar", "{..1}", "{", "0..1", "{-1..2}"] {
            assert!(!is_pattern(Path::new(text)), "{text}");
        }
        for text in ["{5..4}.tar", "{0..99999999999}.tar", "{0..999}/{0..999}/{0..999}"] {
            let error = expand(Path::new(text)).unwrap_err();
            assert!(error.contains("expected 1 to 100000"), "{error}");
        }
    }
}
