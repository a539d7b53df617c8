//! Metrics of feature distributions against the libraries that define them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use prismbench_core::{InceptionScoreDialect, PrecisionRecallDialect};
use prismbench_metrics::{
    FeatureMatrix, FeatureSet, MetricError, Moments, Selected, SubsetSize, Subsets, cmmd,
    density_coverage, frechet_distance, inception_score, jackknife_interval,
    kernel_inception_distance, precision_recall,
};
use proptest::prelude::*;
use uniforms::uniforms;

fn golden(name: &str) -> serde_json::Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

#[track_caller]
fn near(found: f64, expected: &serde_json::Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

fn matrix(columns: usize, values: Vec<f32>) -> FeatureMatrix {
    FeatureMatrix::new(columns, values).unwrap()
}

/// `offset + scale u`, in f64 as the scripts compute it, then rounded.
fn affine(columns: usize, rows: usize, seed: u64, (offset, scale): (f64, f64)) -> FeatureMatrix {
    let values = uniforms(rows * columns, seed).into_iter();
    matrix(columns, values.map(|u| (offset + scale * f64::from(u)) as f32).collect())
}

/// The two sets of the specification's script: 500 and 400 rows of 64.
fn pair() -> (FeatureMatrix, FeatureMatrix) {
    (affine(64, 500, 3, (0.0, 1.0)), affine(64, 400, 4, (0.1, 0.9)))
}

fn first_rows(features: &FeatureMatrix, rows: usize) -> Selected<'_> {
    Selected::new(features, (0..rows).collect())
}

fn fd(first: FeatureSet<'_>, second: FeatureSet<'_>) -> f64 {
    frechet_distance(first, second).unwrap().value
}

fn fd_of(first: &FeatureMatrix, second: &FeatureMatrix) -> f64 {
    fd(FeatureSet::Features(first), FeatureSet::Features(second))
}

#[test]
fn the_frechet_distances_of_the_specification_are_reproduced() {
    let golden = &golden("reference.json")["fd"];
    let (a, b) = pair();
    near(fd_of(&a, &b), &golden["eigh"], 1e-6);
    near(fd_of(&a, &b), &golden["torch_fidelity"], 1e-6);
    let (few, other) = (first_rows(&a, 50), first_rows(&b, 50));
    let pair = [&few, &other].map(|set| FeatureSet::Features(set));
    let found = frechet_distance(pair[0], pair[1]).unwrap();
    near(found.value, &golden["rank_deficient_50x64"], 1e-6);
    let warning = found.few.unwrap();
    assert_eq!((warning.samples, warning.columns), (50, 64));
    // The script's own route leaves -4e-8 of a self-distance; the exact one far less.
    let own = fd(FeatureSet::Features(&few), FeatureSet::Features(&few));
    assert!(own.abs() < 1e-12, "{own}");
    near(own, &golden["self_50x64"], 1e-6);
}

#[test]
fn the_kernel_distances_of_the_specification_are_reproduced() {
    let golden = golden("reference.json");
    let (a, b) = pair();
    // 1e-9 is what section 14 grants; the script's second set was not rounded to f32.
    let whole = Subsets { count: 1, size: SubsetSize::Exactly(400) };
    let found = kernel_inception_distance(&first_rows(&a, 400), &b, whole).unwrap();
    near(found.mean, &golden["kid"]["one_full_subset"], 1e-9);
    let ten = Subsets { count: 10, size: SubsetSize::Exactly(100) };
    let found = kernel_inception_distance(&a, &b, ten).unwrap();
    let expected = &golden["kid"]["subsets10_size100_seed2020"];
    near(found.mean, &expected["kernel_inception_distance_mean"], 1e-9);
    near(found.deviation, &expected["kernel_inception_distance_std"], 1e-9);
    near(cmmd(&a, &b).unwrap(), &golden["cmmd_on_l2norm_feats"], 1e-9);
}

#[test]
fn the_inception_scores_of_the_specification_are_reproduced() {
    let golden = &golden("reference.json")["inception_score"];
    let logits = affine(1008, 1000, 5, (0.0, 10.0));
    // Rounding logits below 10 to f32 moves each by up to 5e-7.
    let found = inception_score(&logits, InceptionScoreDialect::TorchFidelity).unwrap();
    let expected = &golden["torch_fidelity_shuffle2020"];
    near(found.mean, &expected["inception_score_mean"], 1e-7);
    near(found.deviation.unwrap(), &expected["inception_score_std"], 1e-7);
    // The script splits by 500 where ADM splits by 5,000: the mean of the two halves.
    let half = |first: usize| {
        let rows = Selected::new(&logits, (first..first + 500).collect());
        let score = inception_score(&rows, InceptionScoreDialect::Adm).unwrap();
        assert_eq!(score.deviation, None);
        score.mean
    };
    near(0.5 * (half(0) + half(500)), &golden["adm_split500"], 1e-7);
}

#[test]
fn the_neighbourhoods_of_the_specification_are_reproduced() {
    let golden = golden("reference.json");
    let (a, b) = pair();
    // There the first set is generated and the second real; shares are f32.
    let found = precision_recall(&b, &a, PrecisionRecallDialect::Exact).unwrap();
    let expected = &golden["prc_k3"]["torch_fidelity(gen=FA,real=FB)"];
    near(found.precision, &expected["precision"], 1e-7);
    near(found.recall, &expected["recall"], 1e-7);
    // And the other way about, with another set of k.
    let expected = &golden["prdc(real=FA,fake=FB)"];
    let found = precision_recall(&a, &b, PrecisionRecallDialect::Exact).unwrap();
    near(found.precision, &expected["k3"]["precision"], 1e-12);
    near(found.recall, &expected["k3"]["recall"], 1e-12);
    let found = density_coverage(&a, &b).unwrap();
    near(found.density, &expected["k5"]["density"], 1e-12);
    near(found.coverage, &expected["k5"]["coverage"], 1e-12);
}

#[test]
fn gaussians_have_the_distance_of_the_closed_form() {
    // Independent columns: sum over columns of (m1 - m2)^2 + (s1 - s2)^2.
    let (mean, deviation) = ([0.5, -2.0, 1e3], [1.0, 0.25, 3.0]);
    let diagonal = |d: [f64; 3]| {
        let mut covariance = vec![0.0; 9];
        (0..3).for_each(|i| covariance[i * 4] = d[i] * d[i]);
        covariance
    };
    let first = Moments::from_parts(None, mean.to_vec(), diagonal(deviation)).unwrap();
    let second = Moments::from_parts(None, vec![0.0; 3], diagonal([2.0, 0.0, 1.0])).unwrap();
    let expected = 0.25 + 4.0 + 1e6 + 1.0 + 0.0625 + 4.0;
    let found = fd(FeatureSet::Moments(&first), FeatureSet::Moments(&second));
    assert!((found - expected).abs() < 1e-9, "{found}");
    // And correlated ones: S2 = 4 S1 gives Tr (S1 + S2 - 2 (2 S1)) = Tr S1.
    let covariance = vec![2.0, 0.9, 0.9, 0.5];
    let four = covariance.iter().map(|v| 4.0 * v).collect();
    let first = Moments::from_parts(Some(9), vec![0.0; 2], covariance).unwrap();
    let second = Moments::from_parts(Some(3), vec![0.0; 2], four).unwrap();
    let found =
        frechet_distance(FeatureSet::Moments(&first), FeatureSet::Moments(&second)).unwrap();
    assert!((found.value - 2.5).abs() < 1e-12 && found.few.is_none());
}

#[test]
fn features_and_their_moments_give_one_distance() {
    let (a, b) = pair();
    let moments = Moments::of(&b).unwrap();
    let by_features = fd_of(&a, &b);
    let by_moments = fd(FeatureSet::Features(&a), FeatureSet::Moments(&moments));
    assert_eq!(by_moments.to_bits(), by_features.to_bits());
    let few = first_rows(&a, 50);
    let rows = fd(FeatureSet::Features(&few), FeatureSet::Moments(&moments));
    let of_few = Moments::of(&few).unwrap();
    let deficient = fd(FeatureSet::Moments(&of_few), FeatureSet::Moments(&moments));
    // Eigenvalues that are 0 come out as 1e-16 or so, and their roots as 1e-8.
    assert!((rows - deficient).abs() < 1e-6, "{rows} {deficient}");
}

#[test]
fn features_without_variance_are_no_obstacle() {
    let mut values = uniforms(100 * 4, 9);
    values.iter_mut().skip(2).step_by(4).for_each(|value| *value = 0.1);
    let constant = matrix(4, values);
    let other = affine(4, 90, 10, (0.0, 1.0));
    assert!(fd_of(&constant, &constant).abs() < 1e-9);
    let (forth, back) = (fd_of(&constant, &other), fd_of(&other, &constant));
    assert!(forth > 0.0 && (forth - back).abs() < 1e-9, "{forth} {back}");
    let flat = matrix(4, vec![0.3; 40]);
    assert!(fd_of(&flat, &flat).abs() < 1e-9);
}

#[test]
fn a_large_mean_leaves_the_distance_as_it_is() {
    // The shift is exact in f32 for multiples of 2^-9 below 2^14.
    let small = |seed| -> Vec<f32> {
        uniforms(300 * 6, seed).iter().map(|u| (u * 512.0).floor() / 512.0).collect()
    };
    let moved = |seed| small(seed).iter().map(|value| value + 16_000.0).collect();
    let plain = fd_of(&matrix(6, small(1)), &matrix(6, small(2)));
    let far = fd_of(&matrix(6, moved(1)), &matrix(6, moved(2)));
    assert!((plain - far).abs() < 1e-9, "{plain} {far}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (a, b) = (affine(3, 9, 1, (0.0, 1.0)), affine(4, 9, 1, (0.0, 1.0)));
    let compare = |a, b| frechet_distance(FeatureSet::Features(a), FeatureSet::Features(b));
    let error = compare(&a, &b).unwrap_err();
    assert!(error.to_string().starts_with("compare features of 3 columns with features of 4"));
    let one = affine(3, 1, 1, (0.0, 1.0));
    let error = compare(&a, &one).unwrap_err();
    assert!(error.to_string().contains("1 samples: at least 2"), "{error}");
    assert!(cmmd(&a, &b).is_err());
    let refused = |mean: &[f64], covariance: &[f64]| {
        Moments::from_parts(None, mean.to_vec(), covariance.to_vec()).unwrap_err().to_string()
    };
    assert!(refused(&[0.0; 2], &[1.0; 3]).contains("2x2"));
    assert!(refused(&[0.0; 2], &[1.0, 0.5, 0.2, 1.0]).contains("(1, 0) and (0, 1) differ"));
    assert!(refused(&[f64::NAN], &[1.0]).contains("finite"));
    assert!(refused(&[0.0], &[-1.0]).contains("column 0 is negative"));
    let few = Moments::from_parts(Some(1), vec![0.0], vec![1.0]).unwrap_err();
    assert!(matches!(few, MetricError::TooFewSamples { found: 1, .. }));
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    let (a, b) = pair();
    let logits = affine(40, 333, 8, (0.0, 5.0));
    let all = || {
        let sets = [&a, &b].map(|set| FeatureSet::Features(set));
        let few = first_rows(&a, 50);
        let kid = Subsets { count: 3, size: SubsetSize::Exactly(100) };
        let interval = jackknife_interval(400, 1.0, |rows| {
            let (a, b) = (Selected::new(&a, rows.to_vec()), Selected::new(&b, rows.to_vec()));
            let pair = (FeatureSet::Features(&a as _), FeatureSet::Features(&b as _));
            Ok(frechet_distance(pair.0, pair.1)?.value)
        });
        let interval = interval.unwrap();
        [
            fd(sets[0], sets[1]),
            fd(FeatureSet::Features(&few), sets[1]),
            kernel_inception_distance(&a, &b, kid).unwrap().mean,
            cmmd(&a, &b).unwrap(),
            precision_recall(&a, &b, PrecisionRecallDialect::Exact).unwrap().recall,
            precision_recall(&a, &b, PrecisionRecallDialect::AdmHalf).unwrap().recall,
            density_coverage(&a, &b).unwrap().density,
            inception_score(&logits, InceptionScoreDialect::TorchFidelity).unwrap().mean,
            interval.low,
            interval.high,
        ]
        .map(f64::to_bits)
    };
    let with = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all)
    };
    assert_eq!(with(1), with(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Both routes: fewer rows than columns, and more.
    #[test]
    fn the_frechet_distance_is_symmetric_and_blind_to_the_order_of_samples(
        (rows, other, columns) in (2_usize..40, 2_usize..40, 1_usize..24), seed in 0_u64..1000
    ) {
        let a = affine(columns, rows, seed, (0.0, 1.0));
        let b = affine(columns, other, seed + 1000, (0.3, 0.5));
        let forth = fd_of(&a, &b);
        prop_assert!((forth - fd_of(&b, &a)).abs() < 1e-6);
        let turned = Selected::new(&a, (0..rows).rev().collect());
        let backwards = fd(FeatureSet::Features(&turned), FeatureSet::Features(&b));
        // Roots of eigenvalues that should be 0 are blind only to the root of the rounding.
        let tolerance = if rows > columns + 2 && other > columns + 2 { 1e-9 } else { 1e-6 };
        prop_assert!((forth - backwards).abs() < tolerance, "{forth} {backwards}");
        prop_assert!(forth > -1e-6);
        prop_assert!(fd_of(&a, &a).abs() < 1e-6);
    }
}
