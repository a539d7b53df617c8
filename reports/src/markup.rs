//! How the parts of a leaderboard are written in each form of output.

use crate::numbers::superscript;

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    /// Text, with intervals beside their values.
    Line,
    /// Text, with intervals below their values: narrower.
    Stacked,
    /// GitHub's Markdown.
    Markdown,
}

impl Markup {
    /// Text that means nothing but itself: no control characters, no markup, no line breaks.
    ///
    /// Names come from file names and messages from other programs: neither may colour a terminal
    /// or end a table row.
    pub(crate) fn plain(self, text: &str) -> String {
        let mut plain = String::new();
        for part in text.split_whitespace() {
            if !plain.is_empty() {
                plain.push(' ');
            }
            for letter in part.chars() {
                if letter.is_control() {
                    plain.extend(letter.escape_default());
                } else {
                    if self == Self::Markdown && r"\|*_`<>[]~&$".contains(letter) {
                        plain.push('\\');
                    }
                    plain.push(letter);
                }
            }
        }
        plain
    }

    pub(crate) fn best(self, value: &str) -> String {
        match self {
            // In front, so that the digits of a column stay aligned at their ends.
            Self::Line | Self::Stacked => format!("*{value}"),
            Self::Markdown => format!("**{value}**"),
        }
    }

    pub(crate) fn best_legend(self) -> &'static str {
        match self {
            Self::Line | Self::Stacked => "* best of its column",
            Self::Markdown => "**bold**: best of its column",
        }
    }

    pub(crate) fn with_interval(self, value: &str, low: &str, high: &str) -> String {
        match self {
            Self::Line | Self::Markdown => format!("{value} [{low}, {high}]"),
            Self::Stacked => format!("{value}\n{low}–{high}"),
        }
    }

    pub(crate) fn interval_legend(self) -> &'static str {
        match self {
            Self::Line | Self::Markdown => "[95 % interval]",
            Self::Stacked => "below: 95 % interval",
        }
    }

    pub(crate) fn with_unit(self, name: &str, unit: &str) -> String {
        match self {
            _ if unit.is_empty() => name.to_owned(),
            Self::Line | Self::Stacked => format!("{name}\n{unit}"),
            Self::Markdown => format!("{name} {unit}"),
        }
    }

    pub(crate) fn heading(self, text: &str) -> String {
        match self {
            Self::Line | Self::Stacked => self.plain(text),
            Self::Markdown => format!("### {}", self.plain(text)),
        }
    }

    pub(crate) fn footnotes(self, notes: &[String]) -> String {
        let notes = notes.iter().zip(1..);
        let notes = notes.map(|(note, at)| format!("{} {}", superscript(at), self.plain(note)));
        notes.collect::<Vec<_>>().join(self.line_break())
    }

    /// Lines of one paragraph.
    pub(crate) fn lines(self, lines: &[String]) -> String {
        lines.join(self.line_break())
    }

    fn line_break(self) -> &'static str {
        match self {
            Self::Line | Self::Stacked => "\n",
            Self::Markdown => "<br>\n",
        }
    }
}
