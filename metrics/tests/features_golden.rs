//! Metrics of feature distributions against torch-fidelity, SciPy, prdc and numpy
//! (`tests/oracle/feature_metrics.py`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use std::collections::BTreeMap;

use prismbench_core::{InceptionScoreDialect, PrecisionRecallDialect};
use prismbench_metrics::{
    FeatureMatrix, FeatureSet, Moments, SubsetSize, Subsets, cmmd, density_coverage,
    frechet_distance, inception_score, kernel_inception_distance, precision_recall,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uniforms::uniforms;

#[derive(Deserialize)]
struct Spec {
    rows: usize,
    columns: usize,
    seed: u64,
    offset: f64,
    scale: f64,
    levels: u32,
}

impl Spec {
    fn features(&self) -> FeatureMatrix {
        let value = |u: f32| {
            let u = f64::from(u);
            let u = if self.levels > 0 { (u * f64::from(self.levels)).floor() } else { u };
            (self.offset + self.scale * u) as f32
        };
        let values = uniforms(self.rows * self.columns, self.seed).into_iter().map(value);
        FeatureMatrix::new(self.columns, values.collect()).unwrap()
    }
}

#[derive(Deserialize)]
struct Case<V> {
    first: Spec,
    second: Spec,
    value: V,
    #[serde(default)]
    subsets: usize,
    #[serde(default)]
    size: usize,
}

fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/features/metrics.json");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases: Vec<T> = serde_json::from_value(all[name].clone()).unwrap();
    assert!(!cases.is_empty());
    cases
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

#[test]
fn frechet_distances_are_those_of_three_other_routes() {
    for Case { first, second, value, .. } in cases::<Case<BTreeMap<String, f64>>>("frechet") {
        let (a, b) = (first.features(), second.features());
        let sets = [&a, &b].map(|set| FeatureSet::Features(set));
        let found = frechet_distance(sets[0], sets[1]).unwrap();
        let (smaller, columns) = (first.rows.min(second.rows), first.columns);
        assert_eq!(found.few.is_some(), smaller <= columns);
        // f64 on all sides; singular values have no roots of rounding errors.
        near(found.value, value["singular-values"], 1e-9 * found.value.max(1.0));
        // Roots of eigenvalues that should be 0: up to 1e-7 for each missing rank, which is why the
        // exact route exists.
        let rank_deficient = smaller <= columns;
        let tolerance = if rank_deficient { 1e-4 } else { 1e-6 };
        near(found.value, value["torch-fidelity"], tolerance);
        near(found.value, value["scipy-sqrtm"], tolerance);
        if columns < 2048 {
            let moments = [&a, &b].map(|set| Moments::of(set).unwrap());
            let sets = moments.each_ref().map(FeatureSet::Moments);
            near(frechet_distance(sets[0], sets[1]).unwrap().value, found.value, 1e-5);
        }
    }
}

#[test]
fn kernel_distances_are_those_of_torch_fidelity() {
    #[derive(Deserialize)]
    struct Value {
        mean: f64,
        std: f64,
    }
    for Case { first, second, value, subsets, size } in cases::<Case<Value>>("kid") {
        let subsets = Subsets { count: subsets, size: SubsetSize::Exactly(size) };
        let found =
            kernel_inception_distance(&first.features(), &second.features(), subsets).unwrap();
        // Sums of f64 kernels of order 1 in another order.
        near(found.mean, value.mean, 1e-12);
        near(found.deviation, value.std, 1e-12);
    }
}

#[test]
fn inception_scores_are_those_of_torch_fidelity_and_of_adms_formula() {
    #[derive(Deserialize)]
    struct Score {
        logits: Spec,
        value: BTreeMap<String, f64>,
    }
    for Score { logits, value } in cases::<Score>("inception_score") {
        let logits = logits.features();
        let found = inception_score(&logits, InceptionScoreDialect::TorchFidelity).unwrap();
        near(found.mean, value["tfid-mean"], 1e-9);
        near(found.deviation.unwrap(), value["tfid-std"], 1e-9);
        let found = inception_score(&logits, InceptionScoreDialect::Adm).unwrap();
        near(found.mean, value["adm"], 1e-9);
    }
}

#[test]
fn neighbourhoods_are_those_of_torch_fidelity_prdc_and_binary16() {
    #[derive(Deserialize)]
    struct Manifold {
        precision: f64,
        recall: f64,
    }
    #[derive(Deserialize)]
    struct Value {
        exact: Manifold,
        #[serde(rename = "adm-fp16")]
        half: Manifold,
        density: f64,
        coverage: f64,
    }
    let mut different = 0;
    for Case { first, second, value, .. } in cases::<Case<Value>>("neighbours") {
        let (references, samples) = (first.features(), second.features());
        let of = |dialect| precision_recall(&references, &samples, dialect).unwrap();
        // Shares are printed by f32 there; no count may differ, ties included.
        let found = of(PrecisionRecallDialect::Exact);
        near(found.precision, value.exact.precision, 1e-7);
        near(found.recall, value.exact.recall, 1e-7);
        let half = of(PrecisionRecallDialect::AdmHalf);
        near(half.precision, value.half.precision, 1e-12);
        near(half.recall, value.half.recall, 1e-12);
        different += usize::from(half != found);
        let counts = density_coverage(&references, &samples).unwrap();
        near(counts.density, value.density, 1e-12);
        near(counts.coverage, value.coverage, 1e-12);
    }
    assert!(different > 0, "the dialects must be told apart");
}

#[test]
fn cmmd_is_that_of_its_formula() {
    for Case { first, second, value, .. } in cases::<Case<f64>>("cmmd") {
        near(cmmd(&first.features(), &second.features()).unwrap(), value, 1e-9);
    }
}
