//! Retrieval, alignment and bags of words against PyTorch and scikit-learn
//! (`tests/oracle/retrieval.py`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use prismbench_metrics::{
    Aligned, Alignment, BagOfWords, Direction, FeatureMatrix, Features, Groups, RECALL_AT,
    Retrieval, retrieve,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uniforms::splitmix::splitmix;
use uniforms::uniforms;

fn golden<T: DeserializeOwned>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/retrieval");
    serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

/// Four of 24 coordinates are 1 or -1.
fn exact(rows: usize, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; 24 * rows];
    for (row, values) in values.chunks_exact_mut(24).enumerate() {
        for quarter in 0..4 {
            let hash = splitmix((4 * row + quarter) as u64, seed);
            values[6 * quarter + (hash % 6) as usize] =
                if hash >> 40 & 1 == 0 { 1.0 } else { -1.0 };
        }
    }
    values
}

fn spread(count: usize, seed: u64) -> Vec<f64> {
    uniforms(count, seed).into_iter().map(|u| f64::from(u) - 0.5).collect()
}

fn choices(count: usize, among: usize, seed: u64) -> Vec<usize> {
    (0..count as u64).map(|at| (splitmix(at, seed) % among as u64) as usize).collect()
}

fn all_rows(features: &dyn Features) -> Vec<f32> {
    let mut all = vec![0.0; features.rows() * features.columns()];
    features.read(0, &mut all).unwrap();
    all
}

#[derive(Deserialize)]
struct Found {
    queries: u64,
    recall: [f64; 3],
    rank_sum: u64,
    ranks: Vec<u64>,
}

impl Found {
    fn check(&self, retrieval: &Retrieval, direction: Direction) {
        let ranks: Vec<u64> = retrieval.ranks(direction).iter().flatten().copied().collect();
        // Inputs keep cosines apart by 1e-6, or make them exact: no rank may differ.
        assert_eq!(ranks.iter().sum::<u64>(), self.rank_sum);
        assert_eq!(ranks[..self.ranks.len()], self.ranks);
        for (k, expected) in RECALL_AT.into_iter().zip(self.recall) {
            let recall = retrieval.recall(direction, k).unwrap();
            assert_eq!(recall.queries, self.queries);
            assert!((recall.value - expected).abs() < 1e-12, "{recall:?}, expected {expected}");
            assert!(recall.interval.low <= expected && expected <= recall.interval.high);
        }
    }
}

#[test]
fn recalls_are_those_of_clip_benchmarks_definitions() {
    #[derive(Deserialize)]
    struct Case {
        kind: String,
        texts: usize,
        images: usize,
        columns: usize,
        seed: u64,
        classes: usize,
        t2i: Found,
        i2t: Found,
    }
    for case in golden::<Vec<Case>>("recall") {
        let features = |rows: usize, seed: u64| {
            let values = match case.kind.as_str() {
                "exact" => exact(rows, seed),
                _ => spread(rows * case.columns, seed).into_iter().map(|v| v as f32).collect(),
            };
            FeatureMatrix::new(case.columns, values).unwrap()
        };
        let (texts, images) =
            (features(case.texts, case.seed), features(case.images, case.seed + 1));
        let groups = if case.classes > 0 {
            let labels = choices(case.images, case.classes, case.seed + 2);
            let labels: Vec<u32> = labels.into_iter().map(|label| label as u32).collect();
            Groups::of_classes(case.texts as u32, &labels)
        } else {
            let image_of = choices(case.texts, case.images - 3, case.seed + 2);
            Groups::of_captions(case.images, &image_of)
        };
        let found = retrieve(&texts, &images, &groups.unwrap()).unwrap();
        case.t2i.check(&found, Direction::TextToImage);
        case.i2t.check(&found, Direction::ImageToText);
    }
}

#[test]
fn the_alignment_is_scikit_learns_ridge() {
    #[derive(Deserialize)]
    struct Case {
        images: usize,
        columns: usize,
        width: usize,
        seed: u64,
        noise: f64,
        penalty: f64,
        mapped: Vec<f64>,
        centred: Vec<f64>,
    }
    let mut penalties = Vec::new();
    for case in golden::<Vec<Case>>("alignment") {
        let image_of: Vec<usize> =
            (0..case.images).flat_map(|image| vec![image; 1 + 2 * (image % 2)]).collect();
        let clean = spread(case.images * case.columns, case.seed);
        let shape = spread(case.columns * case.width, case.seed + 1);
        let noise = spread(image_of.len() * case.width, case.seed + 2);
        let mut texts = Vec::new();
        for (text, &image) in image_of.iter().enumerate() {
            for column in 0..case.width {
                let mapped: f64 = (0..case.columns)
                    .map(|k| clean[image * case.columns + k] * shape[k * case.width + column])
                    .sum();
                let value = mapped + case.noise * noise[text * case.width + column] + 0.25;
                texts.push(value as f32);
            }
        }
        let unit = |at: usize| 2.0_f64.powi((at % case.columns % 5) as i32);
        let images = clean.iter().enumerate().map(|(at, value)| (value * unit(at) + 3.0) as f32);
        let images = FeatureMatrix::new(case.columns, images.collect()).unwrap();
        let texts = FeatureMatrix::new(case.width, texts).unwrap();
        let alignment = Alignment::fit(&images, &texts, &image_of).unwrap();
        assert!(
            (alignment.penalty() / case.penalty - 1.0).abs() < 1e-12,
            "{}",
            alignment.penalty()
        );
        penalties.push(alignment.penalty());
        let near = |found: Aligned<'_>, expected: &[f64]| {
            for (found, expected) in all_rows(&found).into_iter().zip(expected) {
                // f64 on both sides; what comes out is rounded to f32, values are below 1. The
                // texts' last digits differ by the order of sums before they are rounded to f32.
                assert!((f64::from(found) - expected).abs() < 3e-7, "{found} {expected}");
            }
        };
        near(alignment.images(&images).unwrap(), &case.mapped);
        near(alignment.texts(&texts).unwrap(), &case.centred);
    }
    penalties.dedup();
    assert!(penalties.len() > 1, "the choice must be told apart");
}

#[test]
fn bags_of_words_are_scikit_learns() {
    #[derive(Deserialize)]
    struct Words {
        train: Vec<String>,
        test: Vec<String>,
        vocabulary: Vec<String>,
        rows: Vec<Vec<f64>>,
    }
    let golden: Words = golden("words");
    let bag = BagOfWords::fit(golden.train.iter().map(String::as_str)).unwrap();
    assert_eq!(bag.vocabulary(), golden.vocabulary);
    let found = all_rows(&bag.features(&golden.test));
    for (found, expected) in found.into_iter().zip(golden.rows.concat()) {
        // Rounded to f32 here.
        assert!((f64::from(found) - expected).abs() < 1e-7, "{found} {expected}");
    }
}
