use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prismbench_core::Outcome;
use sha2::{Digest, Sha256};

use super::*;
use crate::contact::{ContactSheet, SampleRank, SheetContent, SheetSample, Thumbnail};
use crate::fixtures::{everything, record, two_runs};
use crate::{RunSamples, SampleColumns};

const HOSTILE: &str = "</script><script>alert('x')</script><!--<img src=x onerror=alert(1)>\"'&";

fn samples(tokenizer: &str, images: usize) -> SampleColumns {
    let value = |at: usize| 30.0 + (at as f64 * 0.37).sin();
    SampleColumns {
        tokenizer: tokenizer.to_owned(),
        dataset: "kodak".to_owned(),
        protocol: "default".to_owned(),
        protocol_sha256: "1a2b3c4d".repeat(8),
        indices: (0..images as u64).collect(),
        ids: (0..images).map(|at| format!("{HOSTILE}{at}")).collect(),
        labels: vec![None; images],
        sizes: Vec::new(),
        metrics: vec![("psnr@1".to_owned(), (0..images).map(value).collect())],
    }
}

fn run(tables: Vec<SampleColumns>) -> RunSamples {
    RunSamples { run: "quick-3f9c1e".to_owned(), tables }
}

fn sheet(tokenizer: &str) -> ContactSheet {
    let picture = || Thumbnail { png: vec![1, 2, 3], width: 4, height: 5 };
    ContactSheet {
        run: "quick-3f9c1e".to_owned(),
        tokenizer: tokenizer.to_owned(),
        dataset: "kodak".to_owned(),
        protocol_sha256: "1a2b3c4d".repeat(8),
        content: SheetContent::Samples {
            metric: "psnr@1".to_owned(),
            unit: prismbench_core::Unit::Decibel,
            samples: vec![SheetSample {
                rank: SampleRank::Worst,
                id: HOSTILE.to_owned(),
                value: 21.987,
                original: picture(),
                reconstruction: picture(),
                error: picture(),
            }],
        },
    }
}

/// A page whose every text is hostile, with everything on it.
fn hostile_page() -> String {
    let mut records = everything();
    for record in &mut records {
        if record.tokenizer == "jpeg:75" {
            record.tokenizer = HOSTILE.to_owned();
        }
        if let Outcome::Failed { reason } | Outcome::Skipped { reason } = &mut record.outcome {
            *reason = HOSTILE.to_owned();
        }
        for text in
            [&mut record.dataset, &mut record.protocol, &mut record.dialect, &mut record.run]
        {
            *text = format!("{text}{HOSTILE}");
        }
        record.warnings = vec![HOSTILE.to_owned()];
    }
    let (mut tables, mut sheets) = (samples(HOSTILE, 3), sheet(HOSTILE));
    tables.dataset += HOSTILE;
    sheets.dataset += HOSTILE;
    sheets.run += HOSTILE;
    let samples = RunSamples { run: format!("quick-3f9c1e{HOSTILE}"), tables: vec![tables] };
    page(Contents {
        records: &records,
        published: &crate::published().unwrap(),
        samples: &[samples],
        sheets: &[sheets],
    })
    .unwrap()
}

/// What stands between two texts, the first time.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap().1.split_once(end).unwrap().0
}

fn data(page: &str) -> serde_json::Value {
    let json = between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
    serde_json::from_str(json).unwrap()
}

#[test]
fn nothing_that_a_run_says_becomes_markup() {
    let page = hostile_page();
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert_eq!(page.matches("</script>").count(), 2);
    let shown = between(&page, "<body>", "<script");
    assert!(
        !page.contains("<!--") && !page.contains("<img src=x") && !shown.contains("alert('x')")
    );
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    // Of the script's texts none is changed.
    assert_eq!(data(&page)["images"][0]["ids"][1], format!("{HOSTILE}1"));
}

#[test]
fn the_policy_names_exactly_the_script_and_the_style_of_the_page() {
    let page = hostile_page();
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = hash(between(&page, "<script type=\"module\">", "</script>"));
    let style = hash(between(&page, "<style>", "</style>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; script-src {script}; style-src {style}; img-src data:; base-uri 'none'; form-action 'none'"
        )
    );
    // What no hash allows is not there.
    let shown = between(&page, "<body>", "<script");
    for word in [" style=\"", " onclick=\"", " onload=\"", "javascript:", "src=\"http"] {
        assert!(!shown.contains(word), "{word}");
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
}

#[test]
fn equal_contents_give_equal_bytes_and_the_page_asks_for_nothing() {
    let page = hostile_page();
    assert_eq!(hostile_page(), page);
    for scheme in ["https://", "http://"] {
        // The one address is the name of SVG in the script.
        let addresses = page.matches(scheme).count();
        assert_eq!(
            addresses,
            page.matches("http://www.w3.org/2000/svg").count() * usize::from(scheme == "http://")
        );
    }
}

#[test]
fn a_table_has_marks_intervals_notes_keys_and_every_hash_in_full() {
    let page = page(everything().as_slice().into()).unwrap();
    assert!(page.contains("<caption>7 rows, ranked by psnr<span class=\"sr\">: "), "{page}");
    let row = between(&page, "<tr><th scope=\"row\">jpeg:75</th>", "</tr>");
    assert!(
        row.contains("data-key=\"1\">31.42 <span class=\"interval\">31.10–31.75</span>"),
        "{row}"
    );
    let row = between(&page, "<tr><th scope=\"row\">identity</th>", "</tr>");
    assert!(
        row.contains("<span class=\"best\">∞<span class=\"sr\"> best</span></span><sup>"),
        "{row}"
    );
    assert!(page.contains("all 24 images are reproduced without error</li>"));
    assert!(
        page.contains("data-first=\"descending\" data-metric=\"psnr\" aria-sort=\"descending\"")
    );
    let footer = between(&page, "<footer>", "</footer>");
    for hash in ["1a2b3c4d", "5e6f7081"] {
        assert!(footer.contains(&hash.repeat(8)), "{footer}");
    }
    assert!(page.contains(&"9f00aa11".repeat(8)), "pictures");
}

#[test]
fn ids_are_given_once() {
    let page = hostile_page();
    let mut ids: Vec<&str> =
        page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    ids.retain(|id| !id.contains('<'));
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert!(all > 10);
    assert_eq!(ids.len(), all, "{ids:?}");
    for target in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(ids.contains(&target), "{target}");
    }
}

#[test]
fn of_many_images_some_are_drawn_and_all_are_counted() {
    let samples = [run(vec![samples("jpeg:75", 5_000)])];
    let records = everything();
    let page = page(Contents { samples: &samples, ..records.as_slice().into() }).unwrap();
    let images = data(&page)["images"][0].clone();
    assert_eq!((&images["n"], images["ids"].as_array().unwrap().len()), (&5_000.into(), 2_000));
    assert_eq!(images["values"][0][0].as_array().unwrap().len(), 2_000);
    assert_eq!(images["metrics"].as_array().unwrap().len(), 1);
    let summary = between(&page, "<details class=\"summary\">", "</details>");
    assert!(summary.contains("<tr><th scope=\"row\">jpeg:75</th><td>29.00</td>"), "{summary}");
}

#[test]
fn values_of_two_runs_of_one_name_are_not_mixed_up() {
    let mut other = samples("jpeg:75", 4);
    other.metrics[0].1[0] = 12.0;
    let twice = [run(vec![samples("jpeg:75", 4)]), run(vec![other])];
    let records = everything();
    let page_of =
        |samples: &[RunSamples]| page(Contents { samples, ..records.as_slice().into() }).unwrap();
    let page = page_of(&twice);
    assert!(data(&page)["images"][0].is_null());
    assert!(page.contains("values of single images of jpeg:75 cannot be told apart"), "{page}");
    // The same folder twice is no question.
    let same = [run(vec![samples("jpeg:75", 4)]), run(vec![samples("jpeg:75", 4)])];
    assert_eq!(data(&page_of(&same))["images"][0]["n"], 4);
}

#[test]
fn pictures_are_shown_and_missing_ones_say_what_to_do() {
    let mut missing = sheet("taef2");
    missing.content = SheetContent::Missing("keep <them>".to_owned());
    let sheets = [sheet("jpeg:75"), sheet("jpeg:75"), missing];
    let records = everything();
    let page = page(Contents { sheets: &sheets, ..records.as_slice().into() }).unwrap();
    assert_eq!(page.matches("data:image/png;base64,AQID").count(), 3);
    assert!(page.contains("Worst by psnr") && page.contains("21.99 dB"), "{page}");
    assert!(page.contains("<p class=\"soft\">No pictures of taef2: keep &lt;them&gt;.</p>"));
}

#[test]
fn sweeps_have_their_curves_and_published_tables_stand_alone() {
    let mut records = two_runs();
    records.truncate(2);
    let ok = |value: f64| Outcome::Ok { value, low: None, high: None };
    for (cutoff, value) in [("0.1", 0.5), ("0.4", 0.8)] {
        let mut made = record("taef2", "ssim@1", ok(value));
        made.setting = format!("low {cutoff}");
        records.push(made);
    }
    let page = page(records.as_slice().into()).unwrap();
    assert_eq!(page.matches("<figure class=\"curves\"").count(), 1);
    assert!(page.contains("cutoff of the low-pass filter"), "{page}");
    let mut published = crate::published().unwrap();
    published.retain(|row| row.matches("2512.19693v5 table 1"));
    let page = super::page(Contents { published: &published, ..Contents::default() }).unwrap();
    let main = between(&page, "<main", "</main>");
    assert!(page.contains("<h1>Published numbers</h1>") && !main.contains("aria-sort=\""));
    assert!(page.contains("<tbody class=\"published\">"));
}

#[test]
fn published_rows_are_a_body_of_their_own() {
    let mut records = everything();
    for record in records.iter_mut().filter(|record| record.tokenizer == "taef2") {
        record.tokenizer = "uae-dinov2-b".to_owned();
    }
    let published = crate::published().unwrap();
    let page = page(Contents { published: &published, ..records.as_slice().into() }).unwrap();
    let body = between(&page, "<tbody class=\"published\">", "</tbody>");
    assert!(body.contains("† published, not ranked") && body.contains("† uae-dinov2-b"), "{body}");
    assert!(!body.contains("data-key") && !body.contains("class=\"best\""), "{body}");
    assert!(page.contains("† published, by a protocol that nobody stated: not ranked"));
}
