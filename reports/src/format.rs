use std::fmt;
use std::io::Write;
use std::str::FromStr;

use prismbench_core::{Choice, Record, UnknownChoice};

use crate::{ReportError, export, frame, leaderboards, plot, sheet};

/// What a table is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Leaderboards for a terminal.
    Text,
    /// Leaderboards for GitHub.
    Markdown,
    /// The long frame as CSV.
    Csv,
    /// The long frame as Parquet.
    Parquet,
    /// The curves of sweeps and spectra as a picture.
    Svg,
}

impl Choice for Format {
    const NAME: &'static str = "table format";
    const ALL: &'static [Self] = &[Self::Text, Self::Markdown, Self::Csv, Self::Parquet, Self::Svg];

    fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Svg => "svg",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Text => "leaderboards for a terminal, one per protocol and set of pictures",
            Self::Markdown => "the same leaderboards as GitHub tables",
            Self::Csv => "every record as a row, RFC 4180",
            Self::Parquet => "every record as a row, zstd",
            Self::Svg => "the curves of sweeps and spectra, one picture below the other",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Format {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|format| format.id() == text).ok_or_else(|| UnknownChoice {
            set: Self::NAME,
            found: text.to_owned(),
            known: Self::ALL.iter().map(|format| format.id()).collect(),
        })
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

/// Writes the leaderboards (text, Markdown), the long frame (CSV, Parquet) or the curves (SVG) of some
/// records.
///
/// # Errors
/// [`ReportError::Empty`] without records, [`ReportError::Record`] for one that contradicts itself,
/// [`ReportError::Output`] when `out` fails.
pub fn write_table(
    records: &[Record],
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if records.is_empty() {
        return Err(ReportError::Empty);
    }
    // Made in full first: a table that cannot be made leaves no half of it behind.
    let bytes = match format {
        Format::Text => sections(records, |board| sheet::text(board, style))?,
        Format::Markdown => sections(records, sheet::markdown)?,
        Format::Csv => export::csv(&mut frame(records)?)?,
        Format::Parquet => export::parquet(&mut frame(records)?)?,
        Format::Svg => plot::svg(&leaderboards(records)?)?.into_bytes(),
    };
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(ReportError::Output)
}

fn sections(
    records: &[Record],
    section: impl Fn(&crate::Leaderboard) -> String,
) -> Result<Vec<u8>, ReportError> {
    let sections: Vec<_> = leaderboards(records)?.iter().map(section).collect();
    Ok(sections.join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::fixtures;

    fn shown(records: &[Record], format: Format, width: usize) -> String {
        let mut out = Vec::new();
        write_table(records, format, Style { width }, &mut out).unwrap();
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
        let error = "html".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`html` is no table format; it is one of text, markdown, csv, parquet, svg"
        );
    }

    #[test]
    fn nothing_to_show_is_an_error_in_every_format() {
        for &format in Format::ALL {
            let mut out = Vec::new();
            let error = write_table(&[], format, Style::default(), &mut out).unwrap_err();
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
            let error = write_table(&records, format, Style::default(), &mut Closed).unwrap_err();
            let ReportError::Output(cause) = error else { panic!("{error}") };
            assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
