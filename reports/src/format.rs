use std::io::Write;

use prismbench_core::{Record, choice};

use crate::frame::long_frame;
use crate::markup::Markup;
use crate::{
    ContactSheet, Leaderboard, PublishedRow, ReportError, RunSamples, export, html, leaderboards,
    plot, published_tables, sheet,
};

choice! {
    /// What a table is written as.
    pub enum Format = "table format" {
        /// Leaderboards for a terminal.
        Text = "text": "leaderboards for a terminal, one per protocol and set of pictures",
        /// Leaderboards for GitHub.
        Markdown = "markdown": "the same leaderboards as GitHub tables",
        /// The long frame as CSV.
        Csv = "csv": "every record as a row, RFC 4180",
        /// The long frame as Parquet.
        Parquet = "parquet": "every record as a row, zstd",
        /// The long frame as newline-delimited JSON.
        Ndjson = "ndjson": "every record as a line of JSON",
        /// Leaderboards for a paper.
        Latex = "latex": "leaderboards for a paper, with the rules of booktabs",
        /// The curves of sweeps and spectra as a picture.
        Svg = "svg": "the curves of sweeps and spectra, one picture below the other",
        /// Everything on one page for a browser.
        Html = "html": "one page that needs no network: tables to sort and filter, plots, sample pictures",
    }
}

/// How a text table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal. A table that is wider sets intervals below their values; one that
    /// is wider even so is not cut.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { width: 100 }
    }
}

/// What a table is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'a> {
    /// What was measured.
    pub records: &'a [Record],
    /// Numbers of others: below the rows of the tokenizers that they are of, never ranked with them; as
    /// tables of their own where nothing was measured; as further rows of the long frame.
    pub published: &'a [PublishedRow],
    /// Values of single images, for the plots of a page.
    pub samples: &'a [RunSamples],
    /// Sample pictures, for a page.
    pub sheets: &'a [ContactSheet],
}

impl<'a> From<&'a [Record]> for Contents<'a> {
    fn from(records: &'a [Record]) -> Self {
        Self { records, ..Self::default() }
    }
}

/// Writes leaderboards (text, Markdown, LaTeX), the long frame (CSV, Parquet, NDJSON), curves (SVG) or all of
/// them on a page with plots and pictures (HTML).
///
/// # Errors
/// [`ReportError::Empty`] without records, [`ReportError::Record`] for one that contradicts itself,
/// [`ReportError::Output`] when `out` fails.
pub fn write_table(
    contents: Contents<'_>,
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let Contents { records, published, .. } = contents;
    if records.is_empty() && published.is_empty() {
        return Err(ReportError::Empty);
    }
    // Made in full first: a table that cannot be made leaves no half of it behind.
    let bytes = match format {
        Format::Text => {
            sections(contents, Markup::Stacked, |board| sheet::text(board, published, style))?
        }
        Format::Markdown => {
            sections(contents, Markup::Markdown, |board| sheet::markdown(board, published))?
        }
        Format::Latex => sections(contents, Markup::Latex, |board| sheet::latex(board, published))?,
        Format::Csv => export::csv(&mut long_frame(contents)?)?,
        Format::Parquet => export::parquet(&mut long_frame(contents)?)?,
        Format::Ndjson => export::ndjson(contents)?,
        Format::Svg => plot::svg(&leaderboards(records)?)?.into_bytes(),
        Format::Html => html::page(contents)?.into_bytes(),
    };
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(ReportError::Output)
}

fn sections(
    Contents { records, published, .. }: Contents<'_>,
    markup: Markup,
    section: impl Fn(&Leaderboard) -> String,
) -> Result<Vec<u8>, ReportError> {
    let sections: Vec<_> = match records {
        [] => published_tables(published)
            .iter()
            .map(|table| sheet::published(table, markup))
            .collect(),
        records => leaderboards(records)?.iter().map(section).collect(),
    };
    Ok(sections.join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use std::io;

    use prismbench_core::Choice;

    use super::*;
    use crate::fixtures;

    fn shown(records: &[Record], format: Format, width: usize) -> String {
        let mut out = Vec::new();
        write_table(records.into(), format, Style { width }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_wide_terminal_gets_intervals_beside_their_values() {
        insta::assert_snapshot!(shown(&fixtures::everything(), Format::Text, 200));
    }

    #[test]
    fn a_narrow_terminal_gets_intervals_below_their_values() {
        insta::assert_snapshot!(shown(&fixtures::everything(), Format::Text, 100));
    }

    #[test]
    fn github_gets_tables_that_names_cannot_break() {
        insta::assert_snapshot!(shown(&fixtures::everything(), Format::Markdown, 100));
    }

    #[test]
    fn two_runs_of_one_tokenizer_are_told_apart() {
        insta::assert_snapshot!(shown(&fixtures::two_runs(), Format::Text, 100));
    }

    #[test]
    fn two_versions_of_a_metric_are_two_columns() {
        let mut records = fixtures::two_runs();
        records.truncate(2);
        records[1].metric = "psnr@2".to_owned();
        let text = shown(&records, Format::Markdown, 100);
        assert!(text.contains(" psnr@1 per-image ↑ dB |"), "{text}");
        assert!(text.contains(" psnr@2 per-image ↑ dB |"), "{text}");
        assert!(text.contains("ranked by psnr@1 per-image ·"), "{text}");
    }

    #[test]
    fn ten_tokenizers_by_five_metrics_fit_a_hundred_columns() {
        let text = shown(&fixtures::ten_by_five(), Format::Text, 100);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?} columns\n{text}");
    }

    #[test]
    fn every_row_of_a_markdown_table_has_as_many_cells_as_its_head() {
        let text = shown(&fixtures::everything(), Format::Markdown, 100);
        let cells = |line: &str| line.replace(r"\|", "").matches('|').count();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 10, "{text}");
        let mut head = 0;
        for pair in text.lines().collect::<Vec<_>>().windows(2) {
            if pair[1].starts_with("|--") {
                head = cells(pair[0]);
            }
            if pair[1].starts_with('|') && head > 0 && pair[0].starts_with('|') {
                assert_eq!(cells(pair[1]), head, "{}", pair[1]);
            }
        }
    }

    #[test]
    fn the_last_line_of_each_section_tells_the_runs() {
        let text = shown(&fixtures::everything(), Format::Text, 100);
        for section in text.split("\nreconstruction@1") {
            let last = section.trim_end().lines().last().unwrap();
            assert!(last.ends_with("run quick-3f9c1e"), "{last}");
        }
    }

    #[test]
    fn formats_parse_as_their_ids_and_nothing_else() {
        for &format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let error = "htm".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`htm` is no table format; it is one of text, markdown, csv, parquet, ndjson, latex, svg, html"
        );
    }

    #[test]
    fn a_paper_gets_a_table_with_every_hash() {
        insta::assert_snapshot!(shown(&fixtures::everything(), Format::Latex, 100));
    }

    #[test]
    fn lines_of_json_are_records_again() {
        let records = fixtures::everything();
        let text = shown(&records, Format::Ndjson, 100);
        let again: Vec<Record> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(again, records);
    }

    fn with_published(format: Format) -> String {
        let mut records = fixtures::everything();
        records.retain(|record| ["identity", "taef2"].contains(&record.tokenizer.as_str()));
        for record in records.iter_mut().filter(|record| record.tokenizer == "taef2") {
            record.tokenizer = "uae-dinov2-b".to_owned();
        }
        let published = crate::published().unwrap();
        let contents = Contents { published: &published, ..records.as_slice().into() };
        let mut out = Vec::new();
        write_table(contents, format, Style { width: 120 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn published_values_stand_below_what_was_measured_marked_and_unranked() {
        insta::assert_snapshot!(with_published(Format::Text));
    }

    #[test]
    fn published_values_are_further_rows_of_the_long_frame() {
        let csv = with_published(Format::Csv);
        let head = csv.lines().next().unwrap();
        assert!(head.ends_with(",paper,paper_version,confidence,contradicted,key"), "{head}");
        assert!(csv.contains("published:arXiv:2512.19693 v5,uae-dinov2-b,"), "{csv}");
        let line = with_published(Format::Ndjson).lines().last().unwrap().to_owned();
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(row["contradicted"].is_boolean() && row["protocol_sha256"] == "", "{line}");
    }

    #[test]
    fn a_table_of_a_paper_looks_unlike_one_that_was_measured() {
        let mut published = crate::published().unwrap();
        published
            .retain(|row| row.matches("2512.19693v5 table 1") && row.suite == "reconstruction");
        let mut shown = Vec::new();
        for format in [Format::Text, Format::Latex] {
            let contents = Contents { published: &published, ..Contents::default() };
            write_table(contents, format, Style::default(), &mut shown).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(shown).unwrap());
    }

    #[test]
    fn nothing_to_show_is_an_error_in_every_format() {
        for &format in Format::ALL {
            let mut out = Vec::new();
            let error =
                write_table(Contents::default(), format, Style::default(), &mut out).unwrap_err();
            assert!(matches!(error, ReportError::Empty), "{error}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_closed_pipe_is_told_as_what_it_is() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // The made-up records have no curves: their SVG fails before it is written.
        for &format in Format::ALL.iter().filter(|&&format| format != Format::Svg) {
            let records = fixtures::everything();
            let error =
                write_table(records.as_slice().into(), format, Style::default(), &mut Closed)
                    .unwrap_err();
            let ReportError::Output(cause) = error else { panic!("{error}") };
            assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
