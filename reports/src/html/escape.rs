//! The only ways in which text of a run gets onto a page.

use serde::Serialize;

use crate::ReportError;
use crate::markup::Markup;

/// Text that means nothing but itself, in an element or in a quoted attribute.
pub(super) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in plain(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The same text for the script, which puts it in as text.
pub(super) fn plain(text: &str) -> String {
    Markup::Line.plain(text)
}

/// JSON for a `<script type="application/json">`: no text in it can end the element or open a comment.
pub(super) fn json(value: &impl Serialize) -> Result<String, ReportError> {
    let json = serde_json::to_string(value).map_err(|cause| ReportError::Output(cause.into()))?;
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            // Outside texts JSON has none of these.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => escaped.push(letter),
        }
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "</script><script>alert(1)</script><!-- \"' onload=x &amp;\u{1b}[31m\n\u{2028}";

    #[test]
    fn no_markup_survives_in_text_or_attributes() {
        let text = text(HOSTILE);
        assert!(!text.contains(['<', '>', '"', '\'', '\u{1b}', '\n']), "{text}");
        assert!(text.starts_with("&lt;/script&gt;") && text.contains("&amp;amp;"), "{text}");
    }

    #[test]
    fn json_comes_back_as_it_was_and_cannot_leave_its_element() {
        let json = json(&[HOSTILE]).unwrap();
        assert!(!json.contains(['<', '>', '&', '\u{2028}']), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [HOSTILE]);
    }
}
