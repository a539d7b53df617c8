use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use crate::{Features, MetricError};

/// Most words that are known. The features of 25,000 captions would otherwise be mostly names.
const MOST_WORDS: usize = 2048;

/// Text features that need no network: which words a caption has, weighted by how rare they are.
///
/// A caption is put in lower case and cut into words, which are the longest runs of characters that
/// Unicode calls alphabetic or numeric. The vocabulary are the words of the train captions, at most
/// the 2,048 that are in the most of them (of equally frequent ones those that come first in the
/// order of code points), in the order of code points. A word counts as often as it is there, times
/// `ln((1 + n) / (1 + d)) + 1` if d of n train captions have it, and the row is scaled to length 1:
/// scikit-learn's `TfidfVectorizer` (Salton and Buckley 1988), but for its leaving out words of one
/// character, which colours and counts in other scripts are.
#[derive(Clone, Debug)]
pub struct BagOfWords {
    /// Place and weight of each word.
    words: HashMap<String, (usize, f64)>,
}

impl BagOfWords {
    /// Takes the vocabulary and its weights from the captions of a train split.
    ///
    /// # Errors
    /// [`MetricError::NoWords`] when no caption has a word.
    pub fn fit<'a>(captions: impl IntoIterator<Item = &'a str>) -> Result<Self, MetricError> {
        let mut captions_with: BTreeMap<String, u64> = BTreeMap::new();
        let mut count = 0_u64;
        for caption in captions {
            count += 1;
            for word in words(caption).into_iter().collect::<BTreeSet<_>>() {
                *captions_with.entry(word).or_default() += 1;
            }
        }
        if captions_with.is_empty() {
            return Err(MetricError::NoWords { captions: count });
        }
        let mut known: Vec<(String, u64)> = captions_with.into_iter().collect();
        // Stable: words of one frequency stay in their order.
        known.sort_by_key(|&(_, frequency)| Reverse(frequency));
        known.truncate(MOST_WORDS);
        known.sort_unstable();
        let weight =
            |frequency: u64| libm::log((1.0 + count as f64) / (1.0 + frequency as f64)) + 1.0;
        let placed = known.into_iter().enumerate();
        let words = placed.map(|(at, (word, frequency))| (word, (at, weight(frequency)))).collect();
        Ok(Self { words })
    }

    /// The words, in the order of the features' columns.
    #[must_use]
    pub fn vocabulary(&self) -> Vec<&str> {
        let mut words: Vec<(&str, usize)> =
            self.words.iter().map(|(word, &(place, _))| (word.as_str(), place)).collect();
        words.sort_unstable_by_key(|&(_, place)| place);
        words.into_iter().map(|(word, _)| word).collect()
    }

    /// Features of some captions, made when they are read. A caption without a known word is all
    /// zeros.
    #[must_use]
    pub fn features<'a>(&'a self, captions: &'a [String]) -> impl Features + 'a {
        Captions { bag: self, captions }
    }

    fn row(&self, caption: &str, into: &mut [f32]) {
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        for word in words(caption) {
            if let Some(&(place, weight)) = self.words.get(&word) {
                *counts.entry(place).or_default() += weight;
            }
        }
        let length = counts.values().map(|value| value * value).sum::<f64>().sqrt();
        into.fill(0.0);
        for (place, value) in counts {
            into[place] = (value / length) as f32;
        }
    }
}

/// Captions seen as features.
struct Captions<'a> {
    bag: &'a BagOfWords,
    captions: &'a [String],
}

impl Features for Captions<'_> {
    fn rows(&self) -> usize {
        self.captions.len()
    }

    fn columns(&self) -> usize {
        self.bag.words.len()
    }

    fn read(&self, first: usize, into: &mut [f32]) -> io::Result<()> {
        let rest = self.captions.get(first..).unwrap_or_default();
        let rows = into.len() / self.columns();
        let captions = rest.get(..rows).filter(|_| into.len().is_multiple_of(self.columns()));
        let captions = captions.ok_or(io::ErrorKind::InvalidInput)?;
        let lines = into.chunks_exact_mut(self.columns());
        captions.iter().zip(lines).for_each(|(caption, line)| self.bag.row(caption, line));
        Ok(())
    }

    /// The caption itself, cut to what a message has room for.
    fn name(&self, row: usize) -> String {
        let caption = self.captions.get(row).map_or("", String::as_str);
        match caption.char_indices().nth(40) {
            Some((end, _)) => format!("{row}: {}...", &caption[..end]),
            None => format!("{row}: {caption}"),
        }
    }
}

fn words(caption: &str) -> Vec<String> {
    let lower = caption.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn rows(features: &dyn Features) -> Vec<Vec<f32>> {
        let mut all = vec![0.0; features.rows() * features.columns()];
        features.read(0, &mut all).unwrap();
        all.chunks(features.columns()).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn words_are_what_lies_between_marks_in_any_script() {
        assert_eq!(
            words("A man's RED  surf-board, 2 m."),
            ["a", "man", "s", "red", "surf", "board", "2", "m"]
        );
        assert_eq!(words("Ein GRÜNES Straßenschild"), ["ein", "grünes", "straßenschild"]);
        // A sigma at the end of a word has a form of its own.
        assert_eq!(words("ΟΔΟΣ Красный 猫と犬"), ["οδος", "красный", "猫と犬"]);
        assert!(words(" ... ").is_empty());
    }

    #[test]
    fn rare_words_weigh_more_and_rows_have_length_one() {
        let bag = BagOfWords::fit(["a red disc", "a red ring", "a blue disc, a disc"]).unwrap();
        assert_eq!(bag.vocabulary(), ["a", "blue", "disc", "red", "ring"]);
        let texts = captions(&["A disc! a ring?", "green", ""]);
        let features = bag.features(&texts);
        let rows = rows(&features);
        // Weights ln(4 / 4) + 1, ln(4 / 3) + 1 and ln(4 / 2) + 1; `a` is there twice.
        let (disc, ring) = ((4.0_f64 / 3.0).ln() + 1.0, 2.0_f64.ln() + 1.0);
        let length = (4.0 + disc * disc + ring * ring).sqrt();
        let expected = [2.0, 0.0, disc, 0.0, ring].map(|value| (value / length) as f32);
        for (found, expected) in rows[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
        assert!(rows[1..].iter().flatten().all(|value| value.abs() < 1e-30));
        assert_eq!(features.name(1), "1: green");
        assert!(
            features.read(3, &mut [0.0; 5]).is_err() && features.read(0, &mut [0.0; 4]).is_err()
        );
    }

    #[test]
    fn only_the_most_frequent_words_are_known_whatever_the_order_of_the_captions() {
        let mut texts: Vec<String> = (0..3000).map(|at| format!("w{at:04} often")).collect();
        texts.push("w2999 w2998".to_owned());
        let bag = |texts: &[String]| BagOfWords::fit(texts.iter().map(String::as_str)).unwrap();
        let of = |texts: &[String]| bag(texts).vocabulary().join(" ");
        let found = of(&texts);
        // `often` and the two words that are there twice, then the first of the others.
        assert!(found.starts_with("often w0000 w0001") && found.ends_with("w2044 w2998 w2999"));
        texts.reverse();
        assert_eq!(of(&texts), found);
    }

    #[test]
    fn captions_without_words_are_no_vocabulary() {
        let error = BagOfWords::fit(["...", ""]).unwrap_err().to_string();
        assert_eq!(error, "take a vocabulary from 2 captions: none of them has a word");
    }
}
