//! Retrieval in a joint space of texts and images: recall at K, both ways.

mod groups;
mod ranking;

use prismbench_core::{Better, MetricDef, Unit};

use crate::wilson::clustered_wilson;
use crate::{Features, Interval, MetricError};
pub use groups::{Groups, class_query};

/// The numbers of retrieved items at which recall is reported; 5 is the headline.
pub const RECALL_AT: [u64; 3] = [1, 5, 10];

/// Recall of images by texts, at each of [`RECALL_AT`].
pub const TEXT_TO_IMAGE: [MetricDef; 3] = [
    recall_of("t2i-r1", "t2i R@1", TEXT_DEFINITION),
    recall_of("t2i-r5", "t2i R@5", TEXT_DEFINITION),
    recall_of("t2i-r10", "t2i R@10", TEXT_DEFINITION),
];

/// Recall of texts by images, at each of [`RECALL_AT`].
pub const IMAGE_TO_TEXT: [MetricDef; 3] = [
    recall_of("i2t-r1", "i2t R@1", IMAGE_DEFINITION),
    recall_of("i2t-r5", "i2t R@5", IMAGE_DEFINITION),
    recall_of("i2t-r10", "i2t R@10", IMAGE_DEFINITION),
];

const TEXT_DEFINITION: &str = "share of texts with an image of theirs among the K images of the \
    largest cosine (a hit rate); of equal cosines the image that comes first in the data set is \
    before the others; embeddings scaled to length 1 in f64, cosines in f32. A caption has its \
    image, a class name the images of its class; a text without any is left out. Source: \
    LAION-AI/CLIP_benchmark, zeroshot_retrieval.py, image_retrieval_recall; WeichenFan/UAE, \
    prelim_analysis/retrival_exp.py";

const IMAGE_DEFINITION: &str = "share of images with a text of theirs among the K texts of the \
    largest cosine (a hit rate: one of several captions is enough); of equal cosines the text that \
    comes first in the data set is before the others; embeddings scaled to length 1 in f64, cosines \
    in f32. An image without texts is left out. Source: LAION-AI/CLIP_benchmark, \
    zeroshot_retrieval.py, text_retrieval_recall";

const fn recall_of(id: &'static str, title: &'static str, definition: &'static str) -> MetricDef {
    let (unit, better) = (Unit::One, Better::Higher);
    MetricDef { id, title, unit, better, version: 1, definition }
}

/// What looks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A text looks for its images.
    TextToImage,
    /// An image looks for its texts.
    ImageToText,
}

impl Direction {
    /// The definitions of recall this way, at each of [`RECALL_AT`].
    #[must_use]
    pub const fn metrics(self) -> &'static [MetricDef; 3] {
        match self {
            Self::TextToImage => &TEXT_TO_IMAGE,
            Self::ImageToText => &IMAGE_TO_TEXT,
        }
    }
}

/// Where every query finds the first of its own items.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrieval {
    texts: Vec<Option<u64>>,
    images: Vec<Option<u64>>,
    groups: Groups,
}

/// A recall, and what it is the share of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recall {
    /// Hits over queries.
    pub value: f64,
    /// 95 % interval over queries: Wilson's, for texts with the design effect of those that share
    /// their images (captions of one image, which are alike).
    pub interval: Interval,
    /// Queries with an item of their own among the first K.
    pub hits: u64,
    /// Queries that have items.
    pub queries: u64,
    /// Queries that have none, and are not counted.
    pub left_out: u64,
}

/// Ranks texts and images against each other by cosine, both ways in one pass over all pairs.
///
/// No more than 64 MB of either set are in memory at once; the rest of their directions lies in a temporary
/// file, and every 64 MB of images the texts are read once. Time is that of one f32 matrix product.
///
/// # Errors
/// [`MetricError::Columns`] for different spaces, [`MetricError::Shape`] unless there is a group for
/// each row, [`MetricError::TooFewSamples`] for an empty set, [`MetricError::NoDirection`] for an
/// embedding of zeros, [`MetricError::NotFinite`], [`MetricError::Read`].
///
/// # Example
/// ```
/// use prismbench_metrics::{Direction, FeatureMatrix, Groups, retrieve};
///
/// let images = FeatureMatrix::new(2, vec![1.0, 0.0, 0.0, 1.0])?;
/// // Two captions of the first image, one of the second; the second caption is off.
/// let texts = FeatureMatrix::new(2, vec![2.0, 0.1, 0.1, 0.2, 0.0, 3.0])?;
/// let found = retrieve(&texts, &images, &Groups::of_captions(2, &[0, 0, 1])?)?;
/// let recall = found.recall(Direction::TextToImage, 1)?;
/// assert_eq!((recall.hits, recall.queries), (2, 3));
/// assert_eq!(found.recall(Direction::ImageToText, 1)?.hits, 2);
/// # Ok::<(), prismbench_metrics::MetricError>(())
/// ```
pub fn retrieve(
    texts: &dyn Features,
    images: &dyn Features,
    groups: &Groups,
) -> Result<Retrieval, MetricError> {
    groups.check(texts.rows(), images.rows())?;
    let [of_texts, of_images] = ranking::ranks((texts, images), groups, ranking::IN_MEMORY)?;
    Ok(Retrieval { texts: of_texts, images: of_images, groups: groups.clone() })
}

impl Retrieval {
    /// For each query, how many items come before the first of its own: 0 for a hit at 1; `None`
    /// for one that has none.
    #[must_use]
    pub fn ranks(&self, direction: Direction) -> &[Option<u64>] {
        match direction {
            Direction::TextToImage => &self.texts,
            Direction::ImageToText => &self.images,
        }
    }

    /// The share of queries with one of their own items among the first `k`.
    ///
    /// # Errors
    /// [`MetricError::TooFewSamples`] when there are fewer than `k` items, or no query has one.
    pub fn recall(&self, direction: Direction, k: u64) -> Result<Recall, MetricError> {
        let metric = "recall";
        let (ranks, items) = match direction {
            Direction::TextToImage => (&self.texts, self.images.len()),
            Direction::ImageToText => (&self.images, self.texts.len()),
        };
        if (items as u64) < k {
            let remedy = "every query would hit; measure more samples";
            let needed = usize::try_from(k).unwrap_or(usize::MAX);
            return Err(MetricError::TooFewSamples { metric, found: items, needed, remedy });
        }
        let clusters = match direction {
            Direction::TextToImage => self.groups.clusters(ranks, k),
            Direction::ImageToText => {
                let answered = ranks.iter().flatten();
                answered.map(|&rank| (u64::from(rank < k), 1)).collect()
            }
        };
        let sum = |of: fn(&(u64, u64)) -> u64| clusters.iter().map(of).sum::<u64>();
        let (hits, queries) = (sum(|cluster| cluster.0), sum(|cluster| cluster.1));
        let Some(interval) = clustered_wilson(&clusters, 0.95) else {
            let remedy = "no text has an image here; check captions and labels";
            return Err(MetricError::TooFewSamples { metric, found: 0, needed: 1, remedy });
        };
        let (value, left_out) = (hits as f64 / queries as f64, ranks.len() as u64 - queries);
        Ok(Recall { value, interval, hits, queries, left_out })
    }
}

#[cfg(test)]
mod tests;
