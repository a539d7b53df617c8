//! The logistic probe on real pictures: raw pixels of Fashion-MNIST, against scikit-learn's
//! predictions (`tests/oracle/probes.py --fashion`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use prismbench_core::ProbeRecipe;
use prismbench_metrics::FeatureMatrix;
use prismbench_metrics::probe::{
    Labelled, ProbeInputs, ProbeSetting, fit_logistic_at_best_penalty, probe,
};

const TRAIN: usize = 10_000;
const TEST: usize = 2000;
const SIDE: usize = 28;

/// The folder of the four files: that of `PRISMBENCH_FASHION_MNIST`, or where Debian's package
/// `dataset-fashion-mnist` puts it. Says so, past libtest's capture, when there is none.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PRISMBENCH_FASHION_MNIST") {
        return Some(PathBuf::from(named));
    }
    let debian = Path::new("/usr/share/datasets/fashion-mnist");
    if debian.is_dir() {
        return Some(debian.to_owned());
    }
    let line = "left out: the probe of Fashion-MNIST (PRISMBENCH_FASHION_MNIST is not set and \
        dataset-fashion-mnist is not installed)\n";
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// The first `count` items of a gzipped IDX file of `axes` axes and `size` bytes an item.
fn items(path: &Path, axes: usize, count: usize, size: usize) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    let mut bytes = vec![0; 4 + 4 * axes + count * size];
    GzDecoder::new(file).read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[..4], [0, 0, 8, axes as u8]);
    bytes.split_off(4 + 4 * axes)
}

fn set(folder: &Path, part: &str, count: usize) -> (FeatureMatrix, Vec<u32>) {
    let path = |kind: &str| folder.join(format!("{part}-{kind}-ubyte.gz"));
    let pixels = items(&path("images-idx3"), 3, count, SIDE * SIDE);
    let labels = items(&path("labels-idx1"), 1, count, 1);
    let pixels = pixels.into_iter().map(|level| f32::from(level) / 255.0).collect();
    let features = FeatureMatrix::new(SIDE * SIDE, pixels).unwrap();
    (features, labels.into_iter().map(u32::from).collect())
}

#[test]
fn raw_pixels_of_fashion_mnist_are_told_apart_as_by_scikit_learn() {
    let Some(folder) = folder() else { return };
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/probes/fashion_mnist.json");
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let number = |name: &str| golden[name].as_f64().unwrap();
    let (train, test) = (set(&folder, "train", TRAIN), set(&folder, "t10k", TEST));
    let train = Labelled::new(&train.0, &train.1, 10).unwrap();
    let test = Labelled::new(&test.0, &test.1, 10).unwrap();
    let fit = fit_logistic_at_best_penalty(&train).unwrap();
    assert!((fit.c / number("c") - 1.0).abs() < 1e-12, "C = {}", fit.c);
    assert!((fit.loss - number("loss")).abs() < 1e-6, "{} {}", fit.loss, number("loss"));
    let found = probe(ProbeRecipe::Logistic, ProbeInputs::Whole, &train, &test).unwrap();
    assert_eq!(found[0].setting, ProbeSetting::InversePenalty(fit.c));
    let expected = golden["predictions"].as_str().unwrap().bytes();
    let expected: Vec<u32> = expected.map(|digit| u32::from(digit - b'0')).collect();
    assert_eq!(expected.len(), TEST);
    let first = &found[0].predictions.first;
    let equal = first.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    // 99.9 %: the two stop 1e-9 and 1e-8 from one minimum.
    assert!(equal >= 1998, "{equal} of {TEST}");
    let accuracy = found[0].accuracy.top1.value;
    assert!((accuracy - number("accuracy")).abs() <= 0.001, "{accuracy}");
}
