use prismbench_core::{Outcome, Record, Unit};

use super::*;
use crate::compare::CompareFormat;
use crate::fixtures::record;

fn target(value: f64, decimals: usize) -> Target {
    Target {
        key: String::new(),
        tokenizer: "sd-vae".to_owned(),
        metric: "psnr".to_owned(),
        setting: String::new(),
        value,
        decimals,
        unit: Unit::Decibel,
        n: Some(24),
        tolerance: Tolerance::default(),
        source: "Table 1".to_owned(),
    }
}

fn psnr(value: f64) -> Record {
    let outcome = Outcome::Ok { value, low: Some(value - 0.1), high: Some(value + 0.1) };
    record("sd-vae-mse", "psnr@1", outcome)
}

fn verdict(target: &Target, record: &Record) -> Agreement {
    target.held_against(record).0
}

#[test]
fn a_value_matches_that_rounds_to_the_digits_printed_or_is_within_the_tolerance() {
    let published = target(25.68, 2);
    for (value, expected) in [
        (25.684_9, Agreement::Match),
        (25.675, Agreement::Match),
        (25.686, Agreement::WithinNoise),
        (25.785, Agreement::WithinNoise),
        (25.79, Agreement::Mismatch),
        (25.57, Agreement::Mismatch),
    ] {
        assert_eq!(verdict(&published, &psnr(value)), expected, "{value}");
    }
    let absolute = Tolerance { absolute: 0.12, ..Tolerance::default() };
    let lenient = Target { tolerance: absolute, ..published.clone() };
    assert_eq!(verdict(&lenient, &psnr(25.79)), Agreement::Match);
    let relative = Tolerance { relative: 0.01, ..Tolerance::default() };
    let lenient = Target { tolerance: relative, ..published };
    assert_eq!(verdict(&lenient, &psnr(25.92)), Agreement::Match);
    assert_eq!(verdict(&lenient, &psnr(25.95)), Agreement::Mismatch);
}

#[test]
fn of_other_samples_nothing_matches_and_distributions_are_not_compared() {
    let of_all = Target { n: Some(50_000), ..target(25.68, 2) };
    let (agreement, note) = of_all.held_against(&psnr(25.68));
    assert_eq!(agreement, Agreement::WithinNoise);
    assert_eq!(note, "of 24 samples, the published value of 50000");
    assert_eq!(verdict(&of_all, &psnr(27.0)), Agreement::Mismatch);
    let rfid = Target { metric: "rfid".to_owned(), ..of_all };
    let (agreement, note) = rfid.held_against(&psnr(25.68));
    assert_eq!(agreement, Agreement::NotMeasured);
    assert!(note.ends_with("rfid moves with n"), "{note}");
    let unknown = Target { n: None, ..rfid };
    assert_eq!(verdict(&unknown, &psnr(25.68)), Agreement::Match);
}

#[test]
fn what_has_no_value_is_not_measured_and_an_infinite_one_is_none_that_was_printed() {
    let with = |outcome| target(25.68, 2).held_against(&record("a", "psnr@1", outcome));
    let (agreement, note) = with(Outcome::Skipped { reason: "no weights".to_owned() });
    assert_eq!((agreement, note.as_str()), (Agreement::NotMeasured, "no weights"));
    let (agreement, note) = with(Outcome::Failed { reason: "no memory".to_owned() });
    assert_eq!((agreement, note.as_str()), (Agreement::NotMeasured, "failed: no memory"));
    let (agreement, _) = with(Outcome::Infinite { infinite: 24, finite_mean: None });
    assert_eq!(agreement, Agreement::Mismatch);
}

fn suspect(change: &str, target: &Target, value: f64) -> Suspect {
    let agreement = verdict(target, &psnr(value));
    let trial = Trial::Value { value, agreement };
    Suspect { change: change.to_owned(), effect: format!("{change} in words"), trial }
}

fn untried(change: &str) -> Suspect {
    let trial = Trial::Untried { reason: "no such pictures here".to_owned() };
    Suspect { change: change.to_owned(), effect: "+1.3 to +2.1".to_owned(), trial }
}

/// A mismatch with these suspects.
fn mismatch(suspects: Vec<Suspect>) -> Reproduction {
    let row = Reproduction::of(
        target(25.68, 2),
        ("reconstruction · kodak", "sd-vae-mse"),
        Ok(psnr(24.0)),
    );
    assert_eq!(row.agreement, Agreement::Mismatch);
    row.suspecting(suspects)
}

fn shown(rows: &[Reproduction], format: CompareFormat) -> String {
    let mut out = Vec::new();
    write_reproduction(rows, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_nearest_protocol_that_gives_the_value_explains_it() {
    let published = target(25.68, 2);
    let near = suspect("psnr = pyiqa-y", &published, 25.681);
    let also = suspect("psnr = piq", &published, 25.676);
    let noise = suspect("crop = none", &published, 25.7);
    let far = suspect("quantiser = none", &published, 24.1);
    let all = vec![untried("reference"), far.clone(), also, noise.clone(), near.clone()];
    let row = mismatch(all);
    assert_eq!(row.explanation(), Some(&near));
    let order: Vec<_> = row.suspects.iter().map(|suspect| suspect.change.as_str()).collect();
    assert_eq!(
        order,
        ["psnr = pyiqa-y", "psnr = piq", "crop = none", "quantiser = none", "reference"]
    );
    let text = shown(&[row], CompareFormat::Text);
    assert!(
        text.contains("most likely measured with psnr = pyiqa-y, which gives 25.681"),
        "{text}"
    );
    assert!(text.contains("also possible: psnr = piq (25.676)"), "{text}");
    let none = mismatch(vec![far, noise, untried("reference")]);
    assert_eq!(none.explanation(), None, "what noise alone would allow explains nothing");
    let text = shown(&[none], CompareFormat::Text);
    assert!(text.contains("none of the 2 changes tried gives 25.68"), "{text}");
    assert!(text.contains("untried: reference (+1.3 to +2.1): no such pictures here"), "{text}");
    let text = shown(&[mismatch(vec![untried("reference")])], CompareFormat::Text);
    assert!(text.contains("no other protocol could be tried"), "{text}");
}

#[test]
fn every_form_tells_each_number_and_how_many_agree() {
    let published = target(25.68, 2);
    let part = ("reconstruction · kodak", "sd-vae-mse");
    let rows = [
        Reproduction::of(published.clone(), part, Ok(psnr(25.68))),
        mismatch(vec![suspect("psnr = pyiqa-y", &published, 25.681)]),
        Reproduction::of(published, ("another", ""), Err("no weights | here".to_owned())),
    ];
    let all = [CompareFormat::Text, CompareFormat::Markdown].map(|format| shown(&rows, format));
    insta::assert_snapshot!(all.join("\n"));
    let json: serde_json::Value = serde_json::from_str(&shown(&rows, CompareFormat::Json)).unwrap();
    let verdicts: Vec<_> = (0..3).map(|row| json["rows"][row]["verdict"].clone()).collect();
    assert_eq!(verdicts, ["MATCH", "MISMATCH", "NOT MEASURED"]);
    assert_eq!(json["rows"][1]["explanation"]["change"], "psnr = pyiqa-y");
    assert!(json["rows"][2]["record"].is_null());
    assert!(matches!(
        write_reproduction(&[], CompareFormat::Text, &mut Vec::new()),
        Err(crate::ReportError::Empty)
    ));
}
