use std::collections::HashMap;

use prismbench_core::Record;

use crate::leaderboard::{Row, Subject};

/// The rows' names, each different from the others.
///
/// A row is called by its tokenizer, with its variant where it has one. Rows that would be
/// called alike add what differs between them: the run, else weights, device, arithmetic or source;
/// and where nothing differs, they are counted.
pub(crate) fn row_names(rows: &[Row]) -> Vec<String> {
    let plain: Vec<String> = rows.iter().map(|row| plain(&row.subject)).collect();
    let mut namesakes: HashMap<&str, Vec<&Subject>> = HashMap::new();
    for (row, name) in rows.iter().zip(&plain) {
        namesakes.entry(name).or_default().push(&row.subject);
    }
    let named = rows.iter().zip(&plain).map(|(row, name)| {
        format!("{name}{}", difference(&row.subject, &namesakes[name.as_str()]))
    });
    counted(named.collect())
}

fn plain(subject: &Subject) -> String {
    match subject.variant.as_str() {
        "" => subject.tokenizer.clone(),
        variant => format!("{} ({variant})", subject.tokenizer),
    }
}

fn difference(subject: &Subject, namesakes: &[&Subject]) -> String {
    fn facts(subject: &Subject) -> [(&'static str, &str); 5] {
        [
            ("run ", &subject.run),
            ("weights ", short(&subject.weights_sha256)),
            ("", &subject.device),
            ("", &subject.dtype),
            ("", &subject.source),
        ]
    }
    let differing: Vec<String> = facts(subject)
        .into_iter()
        .enumerate()
        .filter(|&(at, fact)| namesakes.iter().any(|other| facts(other)[at] != fact))
        .map(|(_, (kind, value))| format!("{kind}{value}"))
        .collect();
    if differing.is_empty() { String::new() } else { format!(" [{}]", differing.join(", ")) }
}

fn counted(names: Vec<String>) -> Vec<String> {
    let mut all: HashMap<String, usize> = HashMap::new();
    for name in &names {
        *all.entry(name.clone()).or_default() += 1;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let numbered = names.into_iter().map(|name| match all[&name] {
        1 => name,
        all => {
            let at = seen.entry(name.clone()).or_default();
            *at += 1;
            format!("{name} [{at} of {all}]")
        }
    });
    numbered.collect()
}

/// A line for each protocol of these records, with its whole hash: what a reader needs to find the same again.
pub(crate) fn protocol_lines<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for record in records {
        let line = format!("protocol {} {}", record.protocol, record.protocol_sha256);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The first eight digits of a hash: enough for the eye.
pub(crate) fn short(sha256: &str) -> &str {
    sha256.get(..8).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use prismbench_core::Outcome;

    use super::*;
    use crate::fixtures::record;
    use crate::leaderboards;

    #[test]
    fn names_say_what_differs_and_no_more() {
        let made = |run: &str, weights: &str, variant: &str| {
            let mut made =
                record("taef2", "psnr@1", Outcome::Ok { value: 1.0, low: None, high: None });
            made.run = run.to_owned();
            made.weights_sha256 = weights.to_owned();
            made.variant = variant.to_owned();
            made
        };
        let names = |records: &[_]| row_names(&leaderboards(records).unwrap()[0].rows);
        assert_eq!(
            names(&[made("a", "0011223344", ""), made("b", "0011223344", "")]),
            ["taef2 [run a]", "taef2 [run b]"]
        );
        assert_eq!(
            names(&[made("a", "0011223344", ""), made("a", "5566778899", "")]),
            ["taef2 [weights 00112233]", "taef2 [weights 55667788]"]
        );
        assert_eq!(
            names(&[made("a", "", ""), made("a", "", ""), made("a", "", "half")]),
            ["taef2 [1 of 2]", "taef2 [2 of 2]", "taef2 (half)"]
        );
    }
}
