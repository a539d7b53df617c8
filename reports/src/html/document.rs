//! The frame of the page: head, policy, landmarks, script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::escape::text;

const STYLE: &str = include_str!("page.css");
/// In the order in which they use each other.
const SCRIPT: &str = concat!(
    include_str!("page.js"),
    include_str!("chart.js"),
    include_str!("images.js"),
    include_str!("tradeoff.js"),
);

/// The parts of a page; all but the title are HTML or JSON already.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) header: String,
    pub(super) main: String,
    pub(super) footer: String,
    pub(super) data: String,
}

impl Page {
    pub(super) fn written(&self) -> String {
        let Self { title, header, main, footer, data } = self;
        let (title, policy) = (text(title), policy());
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"generator\" content=\"prismbench {version}\">
<title>{title} · prismbench</title>
<link rel=\"icon\" href=\"data:,\">
<style>{STYLE}</style>
</head>
<body>
<a class=\"skip\" href=\"#main\">Skip to the tables</a>
<header>
<p class=\"brand\">prismbench</p>
{header}</header>
<form id=\"controls\" role=\"search\" aria-label=\"Tables\" hidden></form>
<p id=\"status\" role=\"status\" aria-live=\"polite\"></p>
<main id=\"main\" tabindex=\"-1\">
{main}</main>
<footer>
{footer}<p class=\"soft\">Made by prismbench {version}. This page is one file and asks no network for anything.</p>
</footer>
<script type=\"application/json\" id=\"data\">{data}</script>
<script type=\"module\">{SCRIPT}</script>
</body>
</html>
"
        )
    }
}

/// What the page may do: run its own script, wear its own style, show pictures that it holds. Nothing else,
/// whatever a name in it says.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_and_style_stay_within_their_elements() {
        for text in [SCRIPT, STYLE] {
            let lower = text.to_lowercase();
            for end in ["</script", "</style", "<!--", "\r"] {
                assert!(!lower.contains(end), "{end:?}");
            }
        }
    }

    #[test]
    fn no_text_of_a_run_is_ever_parsed_by_the_script() {
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
        {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
