//! How a baseline file is written: rules for people above the mark, values below it.

use std::fmt::Write;

use prismbench_core::{Outcome, Record};

use crate::compare::Side;

/// Bumped when a reader of the last version would misunderstand a file.
pub(super) const FORMAT: i64 = 1;

/// Everything from here on is replaced by an update.
pub(super) const MARK: &str =
    "# ---- values: `prismbench gate --update` replaces everything below ----";

/// What a new file begins with.
pub(super) const HEAD: &str = r#"# A baseline of `prismbench gate`. Rules stand above the line of dashes and are yours; the first that fits a
# number holds, with the defaults of METHODOLOGY.md for what it leaves out:
#
#   [[rule]]
#   metric = "psnr"          # with or without version; * stands for anything; also tokenizer, suite, dataset
#   floor = 0.02             # smaller changes do not matter; in the unit of the metric
#   relative = 0.0           # the same as a share of the value; the larger of the two holds
#   confidence = 0.99        # of intervals and tests
#   two-sided = false        # true: better fails too
#   min = 25.0               # hard limits, whatever the values below say
#   max = 60.0
#   slices = ["class", "resolution"]   # parts of the pictures that can fail alone; [] for none
#   advisory = false         # true: shown, and never fails

"#;

/// Values of single images that a text file may hold.
const MOST: usize = 20_000;

/// Whether the values of single images are too many for a text file.
pub(super) fn many(side: &Side) -> bool {
    let images = side.records.iter().filter_map(|record| side.per_image(record));
    images.map(|images| images.values.len()).sum::<usize>() > MOST
}

/// The part below the rules. `images` are name and sha256 of a file of per-image values; without one
/// they are written here.
pub(super) fn text(side: &Side, images: Option<&(String, String)>) -> String {
    let first = side.records.first();
    let [run, version] =
        [first.map_or("", |record| &record.run), first.map_or("", |record| &record.tool_version)];
    let mut text = format!(
        "{MARK}\n[baseline]\nformat = {FORMAT}\nrun = {}\ntool-version = {}\n",
        quoted(run),
        quoted(version)
    );
    if let Some((name, sha256)) = images {
        text += &format!("images = {}\nimages-sha256 = \"{sha256}\"\n", quoted(name));
    }
    let mut groups: Vec<([&str; 7], Vec<&Record>)> = Vec::new();
    for record in &side.records {
        let common = common(record);
        match groups.iter_mut().find(|(known, _)| *known == common) {
            Some((_, records)) => records.push(record),
            None => groups.push((common, vec![record])),
        }
    }
    for (common, records) in groups {
        text += "\n[[table]]\n";
        for (key, value) in KEYS.into_iter().zip(common) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
        text += "values = [\n";
        for record in records {
            let _ = writeln!(text, "  {{ {} }},", value(side, record, images.is_none()));
        }
        text += "]\n";
    }
    text
}

const KEYS: [&str; 7] =
    ["suite", "dataset", "split", "resolution", "protocol", "protocol-sha256", "reference-sha256"];

fn common(r: &Record) -> [&str; 7] {
    [
        &r.suite,
        &r.dataset,
        &r.split,
        &r.resolution,
        &r.protocol,
        &r.protocol_sha256,
        &r.reference_sha256,
    ]
}

fn value(side: &Side, record: &Record, with_images: bool) -> String {
    let mut pairs = Vec::new();
    let mut add = |key: &str, value: String| pairs.push(format!("{key} = {value}"));
    let texts = [
        ("tokenizer", &record.tokenizer),
        ("variant", &record.variant),
        ("metric", &record.metric),
        ("dialect", &record.dialect),
        ("setting", &record.setting),
        ("weights-sha256", &record.weights_sha256),
    ];
    for (key, text) in texts {
        if !text.is_empty() {
            add(key, quoted(text));
        }
    }
    add("n", record.n.to_string());
    let words = [
        ("unit", serde_json::to_value(record.unit)),
        ("better", serde_json::to_value(record.better)),
    ];
    for (key, word) in words {
        let word = word.ok();
        add(key, quoted(word.as_ref().and_then(|word| word.as_str()).unwrap_or_default()));
    }
    add("device", quoted(&record.device));
    add("dtype", quoted(&record.dtype));
    match &record.outcome {
        Outcome::Ok { value, low, high } => {
            add("value", format!("{value:?}"));
            let ends = [("low", low), ("high", high)];
            for (key, end) in ends.into_iter().filter_map(|(key, end)| Some((key, (*end)?))) {
                add(key, format!("{end:?}"));
            }
        }
        Outcome::Infinite { infinite, finite_mean } => {
            add("infinite", infinite.to_string());
            if let Some(mean) = finite_mean {
                add("finite-mean", format!("{mean:?}"));
            }
        }
        Outcome::Skipped { reason } | Outcome::Failed { reason } => {
            add("skipped", quoted(reason));
        }
    }
    if !record.replicates.is_empty() {
        let values: Vec<String> = record.replicates.iter().map(|x| format!("{x:?}")).collect();
        add("replicates", format!("[{}]", values.join(", ")));
    }
    if let Some(images) = side.per_image(record).filter(|_| with_images) {
        add("digest", quoted(&images.digest));
        let values: Vec<String> = images.values.iter().map(|&value| short(value)).collect();
        add("images", format!("[{}]", values.join(", ")));
    }
    pairs.join(", ")
}

/// Six decimals: far below every floor, and the digest tells whether anything changed at all.
fn short(value: f64) -> String {
    if !value.is_finite() {
        return format!("{value:?}").to_lowercase();
    }
    let text = format!("{value:.6}");
    match text.trim_end_matches('0') {
        whole if whole.ends_with('.') => format!("{whole}0"),
        text => text.to_owned(),
    }
}

/// A basic string of TOML, on one line: that of JSON, which leaves only one character as it is that TOML does
/// not allow.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_decimals_are_numbers_of_toml() {
        for (value, text) in [
            (31.25, "31.25"),
            (31.0, "31.0"),
            (0.0, "0.0"),
            (-1.5e-9, "-0.0"),
            (f64::INFINITY, "inf"),
            (123_456.123_456_7, "123456.123457"),
        ] {
            assert_eq!(short(value), text);
            assert!(format!("x = {text}").parse::<toml::Table>().unwrap()["x"].is_float());
        }
    }

    #[test]
    fn any_text_is_one_string_on_one_line() {
        for text in ["", "\u{7f}", "a\"b", "a\nb\r", "'", "\\", "\u{1b}[31m", "é🙂", "'''\"\"\""]
        {
            let quoted = quoted(text);
            assert!(!quoted.contains('\n'), "{quoted}");
            let table: toml::Table = format!("x = {quoted}").parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }
}
