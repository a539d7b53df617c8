//! `JUnit` XML, as Jenkins, GitLab and others read it.

use super::output::{sentence, summary};
use super::{Decision, GateReport, GateRow, Status};
use crate::compare::{metric_text, subject_text};

/// A test suite with a case for each number: a regression is a failure, what is not shown an error.
pub(super) fn xml(report: &GateReport) -> String {
    let count = |status| report.rows.iter().filter(|row| row.status == status).count();
    let cases: String = report.rows.iter().map(case).collect();
    // A suite without a case would be taken for one that passes.
    let (nothing, more) = match report.decision() {
        Decision::Nothing => (
            "<testcase classname=\"prismbench gate\" name=\"a number to compare\"><error \
             message=\"nothing compared\"/></testcase>\n",
            1,
        ),
        _ => ("", 0),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"prismbench gate\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{cases}{nothing}<system-out>{}</system-out>\n</testsuite>\n\
         </testsuites>\n",
        report.rows.len() + more,
        count(Status::Regressed),
        count(Status::Inconclusive) + more,
        escaped(&[vec![summary(report)], report.notes.clone()].concat().join("\n")),
    )
}

fn case(row: &GateRow) -> String {
    let Some(record) = row.comparison.subject() else { return String::new() };
    let class = format!("{}.{}.{}", record.suite, record.dataset, record.protocol);
    let name = format!("{} {}", subject_text(record), metric_text(record));
    let open = format!("<testcase classname=\"{}\" name=\"{}\"", escaped(&class), escaped(&name));
    let sentence = escaped(&sentence(row));
    let inner = |element: &str| {
        let reason = escaped(&row.reason);
        format!("{open}><{element} message=\"{reason}\">{sentence}</{element}></testcase>\n")
    };
    match row.status {
        Status::Regressed => inner("failure"),
        Status::Inconclusive => inner("error"),
        Status::Advisory => format!("{open}><system-out>{sentence}</system-out></testcase>\n"),
        Status::Pass => format!("{open}/>\n"),
    }
}

/// Text of XML 1.0, in an attribute or between elements; characters that XML has no form for are shown
/// as such.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' | '\r' => escaped.push_str(&format!("&#{};", u32::from(letter))),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_an_element() {
        assert_eq!(
            escaped("</testcase><script>'\"&\u{1b}\n"),
            "&lt;/testcase&gt;&lt;script&gt;&apos;&quot;&amp;\u{fffd}&#10;"
        );
    }
}
