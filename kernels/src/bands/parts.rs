use std::ops::Range;

/// `0..len` in `parts` ranges of lengths that differ by one at most, the longer ones first: numpy's
/// `array_split`.
pub fn even_parts(len: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let (length, longer) = (len / parts.max(1), len % parts.max(1));
    (0..parts).scan(0, move |start, part| {
        let range = *start..*start + length + usize::from(part < longer);
        *start = range.end;
        Some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_parts_come_first_and_nothing_is_left() {
        let lengths =
            |len, parts| even_parts(len, parts).map(|part| part.len()).collect::<Vec<_>>();
        assert_eq!(lengths(256, 10), [26, 26, 26, 26, 26, 26, 25, 25, 25, 25]);
        assert_eq!(lengths(3, 5), [1, 1, 1, 0, 0]);
        assert!(lengths(3, 0).is_empty());
        assert!(even_parts(17, 4).flatten().eq(0..17));
    }
}
