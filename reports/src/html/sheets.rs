//! Contact sheets: what a tokenizer makes of its worst, its usual and its best pictures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

use prismbench_core::{Unit, unversioned};

use super::escape::text;
use crate::contact::{ContactSheet, SampleRank, SheetContent, SheetSample, Thumbnail};
use crate::leaderboard::{Leaderboard, Subject};
use crate::numbers::number;
use crate::row_names::row_names;

/// The section of sample pictures; empty where nobody has looked for any.
pub(super) fn section(at: usize, board: &Leaderboard, sheets: &[ContactSheet]) -> String {
    let (mut shown, mut missing) = (String::new(), Vec::<(String, Vec<String>)>::new());
    // A sweep has the pictures of its plain table.
    if board.curve.is_some() {
        return String::new();
    }
    let mut opened = false;
    for (row, name) in board.rows.iter().zip(row_names(&board.rows)) {
        match of_subject(board, &row.subject, sheets).as_slice() {
            [] => {}
            [SheetContent::Samples { metric, unit, samples }] => {
                // What is without error throughout is the last thing that one wants to see.
                let opens = !opened && samples.iter().any(|sample| sample.value.is_finite());
                opened |= opens;
                shown += &sheet((&name, opens), unversioned(metric), *unit, samples);
            }
            [SheetContent::Missing(reason), ..] => tell(&mut missing, reason, name),
            _ => tell(&mut missing, "two runs of one name cannot be told apart", name),
        }
    }
    if shown.is_empty() && missing.is_empty() {
        return String::new();
    }
    let mut section = format!("<h3 id=\"board-{at}-pictures\">Sample pictures</h3>\n");
    if !shown.is_empty() {
        section += "<p class=\"soft\">From left to right: the original, the reconstruction, the mean absolute difference of \
                    their channels from black (none) to white (64 of 255 levels and more), by its square root.</p>\n";
    }
    section += &shown;
    for (reason, names) in missing {
        // Writing to a string cannot fail.
        let _ = writeln!(
            section,
            "<p class=\"soft\">No pictures of {}: {}.</p>",
            text(&names.join(", ")),
            text(&reason)
        );
    }
    section
}

fn tell(missing: &mut Vec<(String, Vec<String>)>, reason: &str, name: String) {
    match missing.iter_mut().find(|(known, _)| known == reason) {
        Some((_, names)) => names.push(name),
        None => missing.push((reason.to_owned(), vec![name])),
    }
}

/// The sheets of a row; equal ones of a run that was given twice are one.
fn of_subject<'a>(
    board: &Leaderboard,
    subject: &Subject,
    sheets: &'a [ContactSheet],
) -> Vec<&'a SheetContent> {
    let mut contents: Vec<&SheetContent> = Vec::new();
    for sheet in sheets {
        let is_of = [&sheet.run, &sheet.tokenizer, &sheet.dataset, &sheet.protocol_sha256]
            == [&subject.run, &subject.tokenizer, &board.dataset, &board.protocol_sha256];
        if is_of && !contents.contains(&&sheet.content) {
            contents.push(&sheet.content);
        }
    }
    contents
}

fn sheet((name, open): (&str, bool), metric: &str, unit: Unit, samples: &[SheetSample]) -> String {
    let ends = [samples.first(), samples.last()]
        .map(|end| end.map_or(String::new(), |end| shown(end, unit)));
    let range = match &ends {
        [worst, best] if worst == best => worst.clone(),
        [worst, best] => format!("{worst} to {best}"),
    };
    let range = text(&range);
    let (open, title, metric) = (if open { " open" } else { "" }, text(name), text(metric));
    let mut groups = String::new();
    for (rank, word) in
        [(SampleRank::Worst, "Worst"), (SampleRank::Median, "Median"), (SampleRank::Best, "Best")]
    {
        let of: Vec<&SheetSample> = samples.iter().filter(|sample| sample.rank == rank).collect();
        if of.is_empty() {
            continue;
        }
        let figures: String = of.iter().map(|sample| figure(sample, unit)).collect();
        let _ =
            write!(groups, "<h4>{word} by {metric}</h4>\n<ul class=\"samples\">\n{figures}</ul>\n");
    }
    format!(
        "<details class=\"sheet\" data-name=\"{title}\"{open}>\n<summary>{title} <span class=\"soft\">{range}</span></summary>\n{groups}</details>\n"
    )
}

/// The value of a sample with its unit.
fn shown(sample: &SheetSample, unit: Unit) -> String {
    match sample.value.is_finite() {
        true => format!("{} {}", number(unit, sample.value), unit.symbol()),
        false => "without error".to_owned(),
    }
}

fn figure(sample: &SheetSample, unit: Unit) -> String {
    let (id, value) = (text(&sample.id), text(&shown(sample, unit)));
    let pictures: String = [
        (&sample.original, "original"),
        (&sample.reconstruction, "reconstruction"),
        (&sample.error, "difference"),
    ]
    .map(|(picture, what)| img(picture, &format!("{what} of {id}")))
    .concat();
    format!(
        "<li><figure><div class=\"trio\">{pictures}</div><figcaption><span class=\"id\">{id}</span> \
         <span class=\"number\">{value}</span></figcaption></figure></li>\n"
    )
}

/// `alt` is escaped already.
fn img(picture: &Thumbnail, alt: &str) -> String {
    let (width, height, data) = (picture.width, picture.height, STANDARD.encode(&picture.png));
    format!(
        "<img src=\"data:image/png;base64,{data}\" width=\"{width}\" height=\"{height}\" alt=\"{alt}\" loading=\"lazy\">"
    )
}
