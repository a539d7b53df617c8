//! Metrics of distributions without each tenth of their samples, against numpy that leaves the rows out and sums
//! again (`tests/oracle/jackknife.py`), and against the metrics themselves of what is left.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/uniforms.rs"]
mod uniforms;

use candle_core::Device;
use prismbench_core::{InceptionScoreDialect, PrecisionRecallDialect};
use prismbench_metrics::{
    FeatureMatrix, Features, Jackknife, Selected, SubsetSize, Subsets, cmmd, cmmd_jackknife,
    density_coverage, density_coverage_jackknife, inception_score, inception_score_jackknife,
    kernel_inception_distance, kernel_inception_jackknife, precision_recall, precision_recall_on,
};
use uniforms::uniforms;

fn features(rows: usize, columns: usize, seed: u64, (offset, scale): (f64, f64)) -> FeatureMatrix {
    let values = uniforms(rows * columns, seed).into_iter();
    let values = values.map(|u| (offset + scale * f64::from(u)) as f32).collect();
    FeatureMatrix::new(columns, values).unwrap()
}

/// What is left without a group.
fn without(set: &FeatureMatrix, group: usize) -> Selected<'_> {
    Selected::new(set, (0..set.rows()).filter(|row| row % 10 != group).collect())
}

const KID: Subsets = Subsets { count: 4, size: SubsetSize::Exactly(40) };

/// A value and its jackknife by the name of the metric.
type Found = (&'static str, f64, Option<Jackknife>);

fn of_two_sets(reference: &FeatureMatrix, made: &FeatureMatrix, paired: bool) -> Vec<Found> {
    let exact = PrecisionRecallDialect::Exact;
    let (kid, without_kid) = kernel_inception_jackknife(made, reference, KID, paired).unwrap();
    let (clip, without_clip) = cmmd_jackknife(made, reference, paired).unwrap();
    let (shares, [precision, recall]) =
        precision_recall_on(&Device::Cpu, reference, made, exact).unwrap();
    let (counts, [density, coverage]) =
        density_coverage_jackknife(reference, made, paired).unwrap();
    vec![
        ("kid", kid.mean, without_kid),
        ("cmmd", clip, without_clip),
        ("precision", shares.precision, precision),
        ("recall", shares.recall, recall),
        ("density", counts.density, density),
        ("coverage", counts.coverage, coverage),
    ]
}

/// Replicates in f64, summed in another order: of values around 1 (CMMD around 10), some 1e-13.
#[track_caller]
fn near(found: &Found, golden: &serde_json::Value) {
    let (name, whole, jackknife) = found;
    let golden = golden[*name].as_array().unwrap();
    let jackknife = jackknife.as_ref().unwrap();
    assert_eq!((jackknife.replicates.len(), golden.len()), (10, 11), "{name}");
    for (found, golden) in jackknife.replicates.iter().chain([whole]).zip(golden) {
        let golden = golden.as_f64().unwrap();
        assert!((found - golden).abs() < 1e-10, "{name}: {found} {golden}");
    }
    let middle = (jackknife.interval.low + jackknife.interval.high) / 2.0;
    assert!((middle - whole).abs() < 1e-12, "{name}");
    let distinct: std::collections::BTreeSet<u64> =
        jackknife.replicates.iter().map(|value| value.to_bits()).collect();
    assert!(distinct.len() > 2, "{name}: {:?}", jackknife.replicates);
}

#[test]
fn replicates_are_those_of_numpy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/features/jackknife.json");
    let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut pairs = 0;
    for case in cases.as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap();
        let (rows, columns, seed) =
            (number("rows") as usize, number("columns") as usize, number("seed"));
        let made = features(rows, columns, seed, (0.0, 1.0));
        let reference = features(number("others") as usize, columns, seed + 1, (0.1, 0.9));
        for (name, paired) in [("apart", false), ("paired", true)] {
            if let Some(golden) = case.get(name) {
                of_two_sets(&reference, &made, paired).iter().for_each(|found| near(found, golden));
                pairs += usize::from(paired);
            }
        }
        let logits = features(rows, 16, seed + 2, (0.0, 8.0));
        for (name, dialect) in [
            ("is-tfid", InceptionScoreDialect::TorchFidelity),
            ("is-adm", InceptionScoreDialect::Adm),
        ] {
            let (whole, jackknife) = inception_score_jackknife(&logits, dialect).unwrap();
            near(&(name, whole.mean, jackknife), case);
        }
    }
    assert_eq!(pairs, 1);
}

/// Where nothing but the samples decides (no radii, no subsets, one split), leaving a group out is to measure what is left.
#[test]
fn replicates_are_the_metrics_of_what_is_left() {
    let (made, reference) = (features(231, 5, 1, (0.0, 1.0)), features(231, 5, 2, (0.2, 1.1)));
    let whole = Subsets { count: 1, size: SubsetSize::AtMost(1000) };
    let kid = kernel_inception_jackknife(&made, &reference, whole, true).unwrap().1.unwrap();
    let clip = cmmd_jackknife(&made, &reference, false).unwrap().1.unwrap();
    let pairs = cmmd_jackknife(&made, &reference, true).unwrap().1.unwrap();
    let [density, coverage] = density_coverage_jackknife(&reference, &made, false).unwrap().1;
    let (density, coverage) = (density.unwrap().replicates, coverage.unwrap().replicates);
    let adm = InceptionScoreDialect::Adm;
    let score = inception_score_jackknife(&made, adm).unwrap().1.unwrap();
    for group in 0..10 {
        let (some, others) = (without(&made, group), without(&reference, group));
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-11, "{group}: {found} {expected}");
        };
        near(kid.replicates[group], kernel_inception_distance(&some, &others, whole).unwrap().mean);
        near(clip.replicates[group], cmmd(&some, &reference).unwrap());
        near(pairs.replicates[group], cmmd(&some, &others).unwrap());
        let left = density_coverage(&reference, &some).unwrap();
        near(density[group], left.density);
        near(coverage[group], left.coverage);
        near(score.replicates[group], inception_score(&some, adm).unwrap().mean);
    }
}

#[test]
fn a_jackknife_moves_no_value_and_few_samples_have_none() {
    let (made, reference) = (features(70, 3, 5, (0.0, 1.0)), features(90, 3, 6, (0.1, 0.9)));
    for paired in [false, true] {
        let (made, reference) = if paired { (&made, &made) } else { (&made, &reference) };
        let found = of_two_sets(reference, made, paired);
        let shares = precision_recall(reference, made, PrecisionRecallDialect::Exact).unwrap();
        let counts = density_coverage(reference, made).unwrap();
        let plain = [
            kernel_inception_distance(made, reference, KID).unwrap().mean,
            cmmd(made, reference).unwrap(),
            shares.precision,
            shares.recall,
            counts.density,
            counts.coverage,
        ];
        for ((name, value, _), plain) in found.iter().zip(plain) {
            assert_eq!(value.to_bits(), plain.to_bits(), "{name}");
        }
    }
    let few = features(19, 3, 7, (0.0, 1.0));
    let subsets = Subsets { count: 2, size: SubsetSize::Exactly(10) };
    assert_eq!(kernel_inception_jackknife(&few, &reference, subsets, false).unwrap().1, None);
    assert_eq!(cmmd_jackknife(&few, &reference, false).unwrap().1, None);
    assert_eq!(density_coverage_jackknife(&reference, &few, false).unwrap().1, [None, None]);
    let exact = PrecisionRecallDialect::Exact;
    let [precision, recall] = precision_recall_on(&Device::Cpu, &reference, &few, exact).unwrap().1;
    assert!(precision.is_none() && recall.is_some(), "recall is a mean over references");
    for dialect in [InceptionScoreDialect::Adm, InceptionScoreDialect::TorchFidelity] {
        assert_eq!(inception_score_jackknife(&few, dialect).unwrap().1, None);
    }
    // Subsets of two of 20 samples: without the group of either one is left.
    let pairs = features(20, 3, 8, (0.0, 1.0));
    let two = Subsets { count: 1, size: SubsetSize::Exactly(2) };
    assert_eq!(kernel_inception_jackknife(&pairs, &reference, two, false).unwrap().1, None);
}

#[test]
fn the_number_of_threads_decides_no_bit() {
    let (made, reference) = (features(210, 6, 3, (0.0, 1.0)), features(210, 6, 4, (0.1, 1.0)));
    let all = || {
        let mut bits = Vec::new();
        for (_, value, jackknife) in of_two_sets(&reference, &made, true) {
            bits.extend(jackknife.unwrap().replicates.iter().map(|value| value.to_bits()));
            bits.push(value.to_bits());
        }
        let score = inception_score_jackknife(&made, InceptionScoreDialect::TorchFidelity).unwrap();
        bits.extend(score.1.unwrap().replicates.iter().map(|value| value.to_bits()));
        bits
    };
    let with = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all)
    };
    assert_eq!(with(1), with(3));
}
