/// The known name that a misspelt one most likely means, if one is close enough to suggest.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|&(similarity, _)| similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_keyboard_finds_its_word_and_nonsense_finds_none() {
        let known = ["truncate", "round", "none"];
        assert_eq!(nearest("trunkate", known), Some("truncate"));
        assert_eq!(nearest("ronud", known), Some("round"));
        assert_eq!(nearest("zzz", known), None);
    }
}
