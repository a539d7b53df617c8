//! Which pictures of a tokenizer are shown, and what they are handed over as.

use prismbench_core::{Better, Unit};

/// Pictures of one tokenizer under one protocol, for a page.
///
/// They come as files that a browser shows: nothing here looks into a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactSheet {
    /// Id of the run, as in its records.
    pub run: String,
    /// Tokenizer reference, as in the records.
    pub tokenizer: String,
    /// Data set, as in the records.
    pub dataset: String,
    /// sha256 of the protocol.
    pub protocol_sha256: String,
    /// The pictures, or why there are none.
    pub content: SheetContent,
}

/// What a contact sheet shows.
#[derive(Clone, Debug, PartialEq)]
pub enum SheetContent {
    /// Samples, by how well they came back.
    Samples {
        /// The metric that orders them: `psnr@1`.
        metric: String,
        /// Its unit.
        unit: Unit,
        /// The samples, worst first.
        samples: Vec<SheetSample>,
    },
    /// Why there is nothing to show, with the remedy.
    Missing(String),
}

/// One sample: what it was, what came back, and where the two differ.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetSample {
    /// Where it stands among all samples.
    pub rank: SampleRank,
    /// Its id in the data set.
    pub id: String,
    /// Its value; a PSNR may be infinite.
    pub value: f64,
    /// The original.
    pub original: Thumbnail,
    /// What the tokenizer made of it.
    pub reconstruction: Thumbnail,
    /// The mean absolute difference of the channels, black where there is none.
    pub error: Thumbnail,
}

/// A small picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    /// The bytes of a PNG file.
    pub png: Vec<u8>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Where a sample stands among all samples of a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleRank {
    /// At the bad end.
    Worst,
    /// Around the middle.
    Median,
    /// At the good end.
    Best,
}

/// Positions of the worst, the middle and the best of some values, up to `count` of each, the worst first and
/// each once; where there are fewer than `3 * count`, as many of each as there are.
///
/// Equal values keep their order. A metric without a direction counts as if more were better.
#[must_use]
pub fn extremes(values: &[f64], better: Better, count: usize) -> Vec<(SampleRank, usize)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| {
        let rising = values[a].total_cmp(&values[b]);
        if better == Better::Lower { rising.reverse() } else { rising }
    });
    let each = count.min(values.len().div_ceil(3));
    let worst = each;
    let best = each.min(values.len() - worst);
    let rest = &order[worst..values.len() - best];
    let middle = each.min(rest.len());
    let first = (rest.len() - middle) / 2;
    let ranked = |rank: SampleRank, samples: &[usize]| -> Vec<(SampleRank, usize)> {
        samples.iter().map(|&at| (rank, at)).collect()
    };
    [
        ranked(SampleRank::Worst, &order[..worst]),
        ranked(SampleRank::Median, &rest[first..first + middle]),
        ranked(SampleRank::Best, &order[order.len() - best..]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(values: &[f64], better: Better, count: usize) -> String {
        let letter = |rank: SampleRank| match rank {
            SampleRank::Worst => 'w',
            SampleRank::Median => 'm',
            SampleRank::Best => 'b',
        };
        let mut places = vec!['.'; values.len()];
        for (rank, at) in extremes(values, better, count) {
            assert_eq!(places[at], '.', "a sample is shown once");
            places[at] = letter(rank);
        }
        places.into_iter().collect()
    }

    #[test]
    fn the_ends_and_the_middle_are_picked_by_the_direction_of_the_metric() {
        let values: Vec<f64> = (0..11).map(f64::from).collect();
        assert_eq!(places(&values, Better::Higher, 2), "ww..mm...bb");
        assert_eq!(places(&values, Better::Lower, 2), "bb...mm..ww");
        assert_eq!(places(&values, Better::Higher, 1), "w....m....b");
        assert_eq!(places(&[1.0, f64::INFINITY, 2.0], Better::Higher, 1), "wbm");
    }

    #[test]
    fn few_samples_are_shared_and_none_give_nothing() {
        let of = |n: u32| places(&(0..n).map(f64::from).collect::<Vec<_>>(), Better::Higher, 4);
        assert_eq!([of(0), of(1), of(2), of(3), of(5)], ["", "w", "wb", "wmb", "wwmbb"]);
        assert!(extremes(&[1.0, 2.0], Better::Higher, 0).is_empty());
    }
}
