//! How the parts of a table are written in each form of output.

use prismbench_core::Better;

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
    /// LaTeX with the package booktabs.
    Latex,
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
                    let escaped: String = letter.escape_default().collect();
                    match self {
                        Self::Latex => escaped.chars().for_each(|c| push_latex(c, &mut plain)),
                        _ => plain.push_str(&escaped),
                    }
                } else if self == Self::Latex {
                    push_latex(letter, &mut plain);
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
            Self::Latex => format!("\\textbf{{{value}}}"),
        }
    }

    pub(crate) fn best_legend(self) -> &'static str {
        match self {
            Self::Line | Self::Stacked => "* best of its column",
            Self::Markdown => "**bold**: best of its column",
            Self::Latex => "\\textbf{bold}: best of its column",
        }
    }

    pub(crate) fn second(self, value: &str) -> String {
        match self {
            Self::Line | Self::Stacked => format!("°{value}"),
            Self::Markdown => format!("_{value}_"),
            Self::Latex => format!("\\underline{{{value}}}"),
        }
    }

    pub(crate) fn second_legend(self) -> &'static str {
        match self {
            Self::Line | Self::Stacked => "° second",
            Self::Markdown => "_italic_: second",
            Self::Latex => "\\underline{underlined}: second",
        }
    }

    pub(crate) fn with_interval(self, value: &str, low: &str, high: &str) -> String {
        match self {
            Self::Line | Self::Markdown => format!("{value} [{low}, {high}]"),
            Self::Stacked => format!("{value}\n{low}–{high}"),
            Self::Latex => format!("{value} {{\\scriptsize [{low}, {high}]}}"),
        }
    }

    pub(crate) fn interval_legend(self) -> &'static str {
        match self {
            Self::Line | Self::Markdown => "[95 % interval]",
            Self::Stacked => "below: 95 % interval",
            Self::Latex => "[95\\,\\% interval]",
        }
    }

    pub(crate) fn with_unit(self, name: &str, unit: &str) -> String {
        match self {
            _ if unit.is_empty() => name.to_owned(),
            Self::Line | Self::Stacked => format!("{name}\n{unit}"),
            Self::Markdown => format!("{name} {unit}"),
            Self::Latex => format!("{name} ({unit})"),
        }
    }

    pub(crate) fn arrow(self, better: Better) -> &'static str {
        match (better, self) {
            (Better::Higher, Self::Latex) => " $\\uparrow$",
            (Better::Lower, Self::Latex) => " $\\downarrow$",
            (Better::Higher, _) => " ↑",
            (Better::Lower, _) => " ↓",
            (Better::Neither, _) => "",
        }
    }

    pub(crate) fn infinity(self) -> &'static str {
        match self {
            Self::Latex => "$\\infty$",
            _ => "∞",
        }
    }

    pub(crate) fn dash(self) -> &'static str {
        match self {
            Self::Latex => "--",
            _ => "–",
        }
    }

    pub(crate) fn dagger(self) -> &'static str {
        match self {
            Self::Latex => "\\dag{}",
            _ => "†",
        }
    }

    /// A footnote's number as it stands behind a cell.
    pub(crate) fn mark(self, number: usize) -> String {
        match self {
            Self::Latex => format!("$^{{{number}}}$"),
            _ => superscript(number),
        }
    }

    pub(crate) fn heading(self, text: &str) -> String {
        match self {
            Self::Line | Self::Stacked => self.plain(text),
            Self::Markdown => format!("### {}", self.plain(text)),
            Self::Latex => format!("\\caption{{{}}}", self.plain(text)),
        }
    }

    pub(crate) fn footnotes(self, notes: &[String]) -> String {
        let notes = notes.iter().zip(1..);
        let notes = notes.map(|(note, at)| format!("{} {}", self.mark(at), self.plain(note)));
        self.lines(&notes.collect::<Vec<_>>())
    }

    /// Lines of one paragraph.
    pub(crate) fn lines(self, lines: &[String]) -> String {
        lines.join(match self {
            Self::Line | Self::Stacked => "\n",
            Self::Markdown => "<br>\n",
            Self::Latex => "\\\\\n",
        })
    }

    /// What stands between parts of a line.
    pub(crate) fn dot(self) -> &'static str {
        match self {
            Self::Latex => " $\\cdot$ ",
            _ => " · ",
        }
    }
}

fn push_latex(letter: char, text: &mut String) {
    match letter {
        '\\' => text.push_str("\\textbackslash{}"),
        '~' => text.push_str("\\textasciitilde{}"),
        '^' => text.push_str("\\textasciicircum{}"),
        '<' => text.push_str("\\textless{}"),
        '>' => text.push_str("\\textgreater{}"),
        '|' => text.push_str("\\textbar{}"),
        '"' => text.push_str("''"),
        // After the end of a row these would be read as its options.
        '[' => text.push_str("{[}"),
        '*' => text.push_str("{*}"),
        '·' => text.push_str("$\\cdot$"),
        '–' => text.push_str("--"),
        '∞' => text.push_str("$\\infty$"),
        '†' => text.push_str("\\dag{}"),
        '{' | '}' | '$' | '&' | '#' | '%' | '_' => {
            text.push('\\');
            text.push(letter);
        }
        _ => text.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latex_sees_no_command_in_a_name() {
        let hostile = r"\input{/etc/passwd} 50% $x_1^2$ a&b #1 ~ <|>";
        let plain = Markup::Latex.plain(hostile);
        assert_eq!(
            plain,
            "\\textbackslash{}input\\{/etc/passwd\\} 50\\% \\$x\\_1\\textasciicircum{}2\\$ a\\&b \\#1 \
             \\textasciitilde{} \\textless{}\\textbar{}\\textgreater{}"
        );
        assert_eq!(Markup::Latex.plain("a\u{1b}b"), "a\\textbackslash{}u\\{1b\\}b");
    }
}
