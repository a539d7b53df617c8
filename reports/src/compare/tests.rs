use prismbench_core::{Better, Outcome, Stream};

use super::*;
use crate::SampleColumns;
use crate::fixtures::record;

/// A side with one metric of one tokenizer over these images.
fn side(metric: &str, values: &[f64]) -> Side {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
    let outcome = match values.len() - finite.len() {
        0 => Outcome::Ok { value: mean, low: Some(mean - 1.0), high: Some(mean + 1.0) },
        infinite => Outcome::Infinite {
            infinite: infinite as u64,
            finite_mean: (!finite.is_empty()).then_some(mean),
        },
    };
    let mut made = record("jpeg:75", metric, outcome);
    made.n = values.len() as u64;
    Side::new(vec![made.clone()], vec![samples(&made, values)])
}

fn samples(record: &Record, values: &[f64]) -> SampleColumns {
    let n = values.len() as u64;
    SampleColumns {
        tokenizer: record.tokenizer.clone(),
        dataset: record.dataset.clone(),
        protocol: record.protocol.clone(),
        protocol_sha256: record.protocol_sha256.clone(),
        indices: (0..n).collect(),
        ids: (0..n).map(|i| format!("{i}.png")).collect(),
        labels: (0..n).map(|i| Some((i % 4) as u32)).collect(),
        sizes: Vec::new(),
        metrics: vec![(record.metric.clone(), values.to_vec())],
    }
}

fn one(before: &Side, after: &Side) -> Comparison {
    let mut comparisons = compare(before, after, &[]).unwrap();
    assert_eq!(comparisons.len(), 1);
    comparisons.remove(0)
}

fn normals(n: usize, key: u64) -> Vec<f64> {
    let mut stream = Stream::new("compare", 0, key);
    (0..n).map(|_| stream.normal()).collect()
}

fn shifted(values: &[f64], shift: f64, noise: f64) -> Vec<f64> {
    let noises = normals(values.len(), 9);
    values.iter().zip(noises).map(|(value, z)| value + shift + noise * z).collect()
}

#[test]
fn a_small_loss_shows_in_pairs_that_intervals_would_hide() {
    let before: Vec<f64> = normals(200, 1).iter().map(|z| 31.0 + 3.0 * z).collect();
    let found = one(&side("psnr@1", &before), &side("psnr@1", &shifted(&before, -0.1, 0.2)));
    assert_eq!(found.verdict, Verdict::Worse);
    assert_eq!(found.evidence, Evidence::Paired { pairs: 200 });
    assert!(found.gain.unwrap() < -0.05 && found.interval.unwrap().high < 0.0);
    // The same two records without their images: the intervals overlap by far.
    let bare = |values: &[f64]| Side::new(side("psnr@1", values).records, Vec::new());
    let found = one(&bare(&before), &bare(&shifted(&before, -0.1, 0.2)));
    assert_eq!((found.verdict, found.evidence), (Verdict::Inconclusive, Evidence::Intervals));
}

#[test]
fn better_follows_the_direction_of_the_metric() {
    let before: Vec<f64> = normals(100, 2).iter().map(|z| 1.0 + 0.2 * z).collect();
    let verdict = |metric: &str, shift: f64| {
        one(&side(metric, &before), &side(metric, &shifted(&before, shift, 0.01))).verdict
    };
    assert_eq!(verdict("bpp@1", 0.1), Verdict::Worse);
    assert_eq!(verdict("bpp@1", -0.1), Verdict::Better);
    assert_eq!(verdict("ssim@1", 0.1), Verdict::Better);
}

#[test]
fn what_is_certain_and_too_small_is_the_same() {
    let before: Vec<f64> = normals(100, 3).iter().map(|z| 31.0 + 3.0 * z).collect();
    let found = one(&side("psnr@1", &before), &side("psnr@1", &shifted(&before, -0.005, 0.001)));
    assert_eq!(found.verdict, Verdict::Same);
    assert!(found.interval.unwrap().high < 0.0, "the loss is beyond noise and below the floor");
    let found = one(&side("psnr@1", &before), &side("psnr@1", &before));
    assert_eq!((found.verdict, found.evidence), (Verdict::Same, Evidence::Identical));
}

#[test]
fn a_value_that_moves_while_its_images_do_not_is_seen() {
    let before = side("psnr@1", &[30.0; 40]);
    let moved = |value: f64| {
        let mut after = before.clone();
        after.records[0].outcome = Outcome::Ok { value, low: None, high: None };
        one(&before, &after)
    };
    let found = moved(29.9);
    assert_eq!(found.verdict, Verdict::Worse);
    assert!(found.note.contains("otherwise than the mean of its images"), "{}", found.note);
    assert_eq!(moved(30.1).verdict, Verdict::Better);
    assert_eq!(moved(29.999).verdict, Verdict::Same);
    assert_eq!(moved(30.0).evidence, Evidence::Identical);
}

#[test]
fn noise_that_could_hide_a_loss_is_inconclusive() {
    let before: Vec<f64> = normals(50, 4).iter().map(|z| 31.0 + 3.0 * z).collect();
    let found = one(&side("psnr@1", &before), &side("psnr@1", &shifted(&before, 0.0, 0.5)));
    assert_eq!(found.verdict, Verdict::Inconclusive);
}

#[test]
fn images_are_paired_by_id_whatever_their_order() {
    let before: Vec<f64> = normals(60, 5).iter().map(|z| 31.0 + 3.0 * z).collect();
    let after = side("psnr@1", &shifted(&before, -0.2, 0.0));
    let mut turned = samples(&after.records[0], &shifted(&before, -0.2, 0.0));
    turned.ids.reverse();
    turned.metrics[0].1.reverse();
    let turned = Side::new(after.records.clone(), vec![turned]);
    let found = one(&side("psnr@1", &before), &turned);
    let (interval, gain) = (found.interval.unwrap(), found.gain.unwrap());
    assert!(interval.high - interval.low < 1e-9 && (gain + 0.2).abs() < 1e-9, "{found:?}");
    let mut others = samples(&after.records[0], &before);
    others.ids[3] = "elsewhere.png".to_owned();
    let found = one(&side("psnr@1", &before), &Side::new(after.records, vec![others]));
    assert_eq!(found.evidence, Evidence::Intervals);
    assert!(found.note.contains("not of the same images"), "{}", found.note);
}

#[test]
fn shares_are_compared_by_mcnemar() {
    let right = |wrong: &[usize]| -> Vec<f64> {
        (0..200).map(|i| f64::from(u8::from(!wrong.contains(&i)))).collect()
    };
    let made = |wrong: &[usize]| {
        let mut side = side("ssim@1", &right(wrong));
        side.records[0].metric = "top1@1".to_owned();
        let table = SampleColumns {
            metrics: vec![("top1@1".to_owned(), right(wrong))],
            ..samples(&side.records[0], &right(wrong))
        };
        Side::new(side.records, vec![table])
    };
    let many: Vec<usize> = (0..12).collect();
    let found = one(&made(&[50]), &made(&many));
    assert_eq!(found.verdict, Verdict::Worse);
    let Evidence::McNemar { lost, won, p_value } = found.evidence else { panic!("{found:?}") };
    // statsmodels mcnemar([[0, 12], [1, 187]], exact=True)
    assert_eq!((lost, won), (12, 1));
    assert!((p_value - 0.003_417_968_75).abs() < 1e-12, "{p_value}");
    let found = one(&made(&[50]), &made(&[60]));
    assert_eq!(found.verdict, Verdict::Inconclusive, "{found:?}");
}

#[test]
fn an_image_that_is_no_longer_exact_is_a_loss() {
    let mut before = vec![f64::INFINITY; 30];
    let after = side("psnr@1", &{
        let mut after = before.clone();
        after[7] = 60.0;
        after
    });
    assert_eq!(one(&side("psnr@1", &before), &after).verdict, Verdict::Worse);
    assert_eq!(one(&after, &side("psnr@1", &before)).verdict, Verdict::Better);
    let exact = side("psnr@1", &before);
    assert_eq!(one(&exact, &exact).verdict, Verdict::Same);
    // One won, one lost.
    before[3] = 50.0;
    assert_eq!(one(&side("psnr@1", &before), &after).verdict, Verdict::Inconclusive);
}

#[test]
fn a_class_can_be_worse_while_the_mean_is_not() {
    let before: Vec<f64> = normals(200, 6).iter().map(|z| 31.0 + 3.0 * z).collect();
    let noises = normals(200, 7);
    let after: Vec<f64> = before
        .iter()
        .enumerate()
        .map(|(i, value)| value + if i % 4 == 2 { -0.5 } else { 0.4 } + 0.05 * noises[i])
        .collect();
    let found = one(&side("psnr@1", &before), &side("psnr@1", &after));
    assert_eq!(found.verdict, Verdict::Better);
    let names: Vec<_> = found.slices.iter().map(|slice| slice.name.as_str()).collect();
    assert_eq!(names, ["class 2"]);
    assert_eq!(found.slices[0].n, 50);
}

#[test]
fn another_protocol_is_named_and_never_judged() {
    let before = side("psnr@1", &[30.0; 40]);
    let differs = |change: fn(&mut Record)| {
        let mut after = before.clone();
        change(&mut after.records[0]);
        let found = one(&before, &after);
        assert_eq!((found.verdict, found.gain), (Verdict::Incomparable, None));
        found.note
    };
    let note = differs(|record| record.protocol_sha256 = "77".repeat(32));
    assert_eq!(note, "another protocol: default 1a2b3c4d → default 77777777");
    assert!(differs(|r| r.metric = "psnr@2".to_owned()).contains("metric: psnr@1 → psnr@2"));
    assert!(differs(|r| r.suite = "reconstruction@2".to_owned()).contains("suite"));
    assert!(differs(|r| r.reference_sha256 = "88".repeat(32)).contains("other pictures"));
    assert_eq!(differs(|r| r.n = 39), "n = 40 → 39");
    assert!(differs(|r| r.better = Better::Lower).contains("direction"));
}

#[test]
fn what_is_gone_is_lost_and_what_is_new_is_gained() {
    let before = side("psnr@1", &[30.0; 40]);
    let mut after = before.clone();
    after.records[0].tokenizer = "dct:4".to_owned();
    let words: Vec<_> = compare(&before, &after, &[])
        .unwrap()
        .iter()
        .map(|row| (row.subject().unwrap().tokenizer.clone(), row.verdict.word()))
        .collect();
    assert_eq!(words, [("jpeg:75".to_owned(), "lost"), ("dct:4".to_owned(), "gained")]);
    let with = |outcome: Outcome| {
        let mut side = before.clone();
        side.records[0].outcome = outcome;
        side
    };
    let failed = with(Outcome::Failed { reason: "out of memory".to_owned() });
    let skipped = with(Outcome::Skipped { reason: "no bit stream".to_owned() });
    let found = one(&before, &failed);
    assert_eq!((found.verdict, found.note.as_str()), (Verdict::Lost, "failed: out of memory"));
    assert_eq!(one(&before, &skipped).verdict, Verdict::Lost);
    assert_eq!(one(&failed, &before).verdict, Verdict::Gained);
    assert_eq!(one(&skipped, &skipped).verdict, Verdict::Same);
    // What failed before has not been shown to be as good by failing again.
    assert_eq!(one(&failed, &failed).verdict, Verdict::Inconclusive);
}

#[test]
fn values_without_intervals_are_held_to_the_floor_alone() {
    let plain = |value: f64| {
        let outcome = Outcome::Ok { value, low: None, high: None };
        Side::new(vec![record("taef2", "latent-floats@1", outcome)], Vec::new())
    };
    assert_eq!(one(&plain(32_768.0), &plain(32_768.0)).verdict, Verdict::Same);
    let found = one(&plain(32_768.0), &plain(32_769.0));
    assert_eq!((found.verdict, found.evidence), (Verdict::Worse, Evidence::Values));
}

#[test]
fn a_metric_without_direction_changes_and_is_never_better() {
    let before = side("psnr@1", &normals(50, 8));
    let mut after = side("psnr@1", &shifted(&normals(50, 8), 5.0, 0.01));
    let mut neither = before.clone();
    neither.records[0].better = Better::Neither;
    after.records[0].better = Better::Neither;
    assert_eq!(one(&neither, &after).verdict, Verdict::Changed);
}

#[test]
fn two_records_of_one_thing_are_an_error_that_names_it() {
    let mut twice = side("psnr@1", &[30.0; 40]);
    twice.records.push(twice.records[0].clone());
    let good = side("psnr@1", &[30.0; 40]);
    for (before, after) in [(&twice, &good), (&good, &twice)] {
        let error = compare(before, after, &[]).unwrap_err().to_string();
        assert!(error.contains("two records of psnr@1 of `jpeg:75`"), "{error}");
    }
    // Under two protocols they are two things.
    twice.records[1].protocol_sha256 = "77".repeat(32);
    assert_eq!(compare(&twice, &twice, &[]).unwrap().len(), 2);
}

#[test]
fn two_tokenizers_are_compared_under_one_name() {
    let before = side("psnr@1", &[30.0; 40]);
    let mut after = side("psnr@1", &[29.0; 40]);
    let table = SampleColumns {
        tokenizer: "jpeg:50".to_owned(),
        ..samples(&after.records[0], &[29.0; 40])
    };
    after.records[0].tokenizer = "jpeg:50".to_owned();
    let after = Side::new(after.records, vec![table]);
    let found = one(&before.renamed("jpeg:75", "x"), &after.renamed("jpeg:50", "x"));
    assert_eq!((found.verdict, found.evidence), (Verdict::Worse, Evidence::Paired { pairs: 40 }));
}

#[test]
fn verdicts_are_shown_as_words_in_every_form() {
    let values: Vec<f64> = normals(100, 11).iter().map(|z| 31.0 + 3.0 * z).collect();
    let (before, after) = (side("psnr@1", &values), side("psnr@1", &shifted(&values, -0.4, 0.1)));
    let comparisons = compare(&before, &after, &[]).unwrap();
    let shown = |format| {
        let mut out = Vec::new();
        write_comparison(&comparisons, (format, &Verdict::ALL), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(shown(CompareFormat::Text) + "\n" + &shown(CompareFormat::Markdown));
    let json: serde_json::Value = serde_json::from_str(&shown(CompareFormat::Json)).unwrap();
    assert_eq!(json["rows"][0]["verdict"], "worse");
    assert!(json["rows"][0]["interval"][1].as_f64().unwrap() < 0.0);
}

#[test]
fn what_is_the_same_is_counted_and_not_shown() {
    let same = side("psnr@1", &[30.0; 40]);
    let comparisons = compare(&same, &same, &[]).unwrap();
    let mut out = Vec::new();
    let shown = &Verdict::ALL[..7];
    write_comparison(&comparisons, (CompareFormat::Text, shown), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "1 same\n");
}

/// A distance between distributions with what it was without each tenth of its samples.
fn distance(value: f64, replicates: &[f64]) -> Side {
    let outcome = Outcome::Ok { value, low: Some(value - 0.5), high: Some(value + 0.5) };
    let mut made = record("jpeg:75", "latent-floats@1", outcome);
    "rfid@1".clone_into(&mut made.metric);
    made.replicates = replicates.to_vec();
    Side::new(vec![made], Vec::new())
}

#[test]
fn distances_of_the_same_samples_are_paired_by_the_jackknife() {
    let noise = [0.01, 0.03, 0.02, 0.05, 0.04, 0.01, 0.06, 0.02, 0.03, 0.02];
    let before: Vec<f64> = noise.iter().map(|noise| 2.0 + noise).collect();
    let after: Vec<f64> = before.iter().zip(noise).map(|(old, x)| old + 0.1 + x / 50.0).collect();
    let found = one(&distance(2.0, &before), &distance(2.1, &after));
    assert_eq!((found.verdict, found.evidence), (Verdict::Worse, Evidence::Jackknife));
    let interval = found.interval.unwrap();
    assert!(interval.low < -0.1 && -0.1 < interval.high && interval.high < -0.09, "{interval:?}");
    let better = one(&distance(2.1, &after), &distance(2.0, &before));
    assert_eq!(better.verdict, Verdict::Better);
    // The same two values as if independent: their intervals overlap by far.
    let apart = one(&distance(2.0, &[]), &distance(2.1, &[]));
    assert_eq!((apart.verdict, apart.evidence), (Verdict::Inconclusive, Evidence::Intervals));
    assert_eq!(apart.note, "");
    let half = one(&distance(2.0, &[]), &distance(2.1, &after));
    assert_eq!(half.evidence, Evidence::Intervals);
    assert!(half.note.contains("measured anew, both would be paired"), "{}", half.note);
    // Samples that have nothing in common say nothing of so small a change.
    let scattered: Vec<f64> = after.iter().rev().zip(noise).map(|(v, x)| v + 5.0 * x).collect();
    let found = one(&distance(2.0, &before), &distance(2.1, &scattered));
    assert_eq!((found.verdict, found.evidence), (Verdict::Inconclusive, Evidence::Jackknife));
}

/// The defaults for numbers of generators, both ways: below 1.3 % nothing is better or worse, above 2 % what is
/// beyond noise is. Between them, and where noise could hide as much, nothing is decided.
#[test]
fn changes_of_generators_below_the_noise_of_training_are_never_better_or_worse() {
    let noise = [0.2, -0.1, 0.3, -0.4, 0.1, 0.0, -0.3, 0.2, -0.1, 0.1];
    let of = |metric: &str, value: f64, scatter: f64| {
        let replicates: Vec<f64> = noise.iter().map(|noise| value + scatter * noise).collect();
        let mut side = distance(value, &replicates);
        let better = if metric == "is@1" { Better::Higher } else { Better::Lower };
        metric.clone_into(&mut side.records[0].metric);
        side.records[0].better = better;
        side
    };
    for (metric, sign) in [("gfid@1", -1.0), ("is@1", 1.0), ("fid-infinity@1", -1.0)] {
        // Relative change towards the better, what samples scatter by, and the verdict.
        for (change, scatter, verdict) in [
            (0.012, 0.001, Verdict::Same),
            (-0.012, 0.001, Verdict::Same),
            (0.012, 0.1, Verdict::Inconclusive),
            (-0.012, 0.1, Verdict::Inconclusive),
            (0.019, 0.01, Verdict::Inconclusive),
            (-0.019, 0.01, Verdict::Inconclusive),
            (0.025, 0.001, Verdict::Better),
            (-0.025, 0.001, Verdict::Worse),
            (0.025, 0.3, Verdict::Inconclusive),
            (-0.025, 0.3, Verdict::Inconclusive),
        ] {
            let value = 10.0 * (1.0 + sign * change);
            let found = one(&of(metric, 10.0, 0.0), &of(metric, value, scatter));
            assert_eq!(found.verdict, verdict, "{metric} {change} {scatter}: {found:?}");
            assert_eq!(found.evidence, Evidence::Jackknife, "{metric}");
        }
    }
}

/// Small pictures lose much and large ones gain a little more: the mean holds.
#[test]
fn a_size_of_pictures_can_be_worse_while_the_mean_is_not() {
    let before: Vec<f64> = normals(200, 5).iter().map(|z| 31.0 + 3.0 * z).collect();
    let is_small = |at: usize| at.is_multiple_of(4);
    let shift = |at: usize| if is_small(at) { -0.3 } else { 0.11 };
    let noise = normals(200, 6);
    let after: Vec<f64> = (0..200).map(|at| before[at] + shift(at) + 0.05 * noise[at]).collect();
    let with_sizes = |values: &[f64]| {
        let made = side("psnr@1", values).records;
        let size = |at: usize| Some(if is_small(at) { (500, 240) } else { (1024, 768) });
        let sizes = (0..200).map(size).collect();
        let labels = vec![None; 200];
        let table = SampleColumns { sizes, labels, ..samples(&made[0], values) };
        Side::new(made, vec![table])
    };
    let (before, after) = (with_sizes(&before), with_sizes(&after));
    let found = one(&before, &after);
    assert_ne!(found.verdict, Verdict::Worse);
    let slices: Vec<_> = found.slices.iter().map(|slice| (slice.name.as_str(), slice.n)).collect();
    assert_eq!(slices, [("shorter side 128 to 255", 50)]);
    let rule = |text: &str| -> Vec<Rule> { vec![toml::from_str(text).unwrap()] };
    for (rules, worse) in [
        (rule("slices = ['class']"), 0),
        (rule("slices = ['resolution']"), 1),
        (rule("slices = ['class', 'resolution']"), 1),
        (rule("slices = []"), 0),
    ] {
        let found = compare(&before, &after, &rules).unwrap();
        assert_eq!(found[0].slices.len(), worse, "{rules:?}");
    }
}
