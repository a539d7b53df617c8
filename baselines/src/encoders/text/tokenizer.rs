use std::io;
use std::path::{Path, PathBuf};

use prismbench_core::TokenizerError;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{PostProcessorWrapper, Tokenizer};

use super::TextStyle;

/// Characters of a text that a message shows.
const SHOWN: usize = 40;

/// Turns texts into numbers of tokens, by a `tokenizer.json` of the hub.
///
/// The file says how a text is normalised and divided. Marks and padding are the towers' and not
/// left to the file: [`TextStyle`] says what they were trained with.
#[derive(Debug)]
pub(super) struct TextTokenizer {
    path: PathBuf,
    tokenizer: Tokenizer,
    context: usize,
    /// Before the text.
    begin: Option<u32>,
    /// Behind the text.
    end: u32,
    /// Behind that, up to the context.
    padding: Option<u32>,
}

impl TextTokenizer {
    /// Reads the file.
    ///
    /// SigLIP2 was trained on texts in lower case, and its `tokenizer.json` does not see to that:
    /// `transformers` does since version 5 (`Siglip2Tokenizer`), as it is done here, character by
    /// character by Unicode's table, and did not before. (big_vision's `tf.strings.lower` changes
    /// A to Z alone.)
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMissing`] with `remedy` when it is not there,
    /// [`TokenizerError::WeightsUnreadable`] when it is not what it should be, and
    /// [`TokenizerError::WeightsMismatch`] when it has no mark that the tower needs.
    pub(super) fn open(
        path: &Path,
        remedy: &str,
        (style, context): (TextStyle, usize),
    ) -> Result<Self, TokenizerError> {
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let (path, remedy) = (path.to_owned(), remedy.to_owned());
                TokenizerError::WeightsMissing { path, remedy }
            }
            _ => unreadable(path, error.into()),
        })?;
        let wrong = |cause| unreadable(path, cause);
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(wrong)?;
        tokenizer.with_truncation(None).map_err(wrong)?;
        tokenizer.with_padding(None).with_post_processor(None::<PostProcessorWrapper>);
        if style == TextStyle::Siglip {
            let mut normalizers: Vec<NormalizerWrapper> = vec![Lowercase.into()];
            normalizers.extend(tokenizer.get_normalizer().cloned());
            tokenizer.with_normalizer(Some(Sequence::new(normalizers))).map_err(wrong)?;
        }
        let mut problems = Vec::new();
        let mut mark = |token: &str| {
            let id = tokenizer.token_to_id(token);
            if id.is_none() {
                problems.push(format!("the token `{token}` is missing"));
            }
            id
        };
        let (begin, end, padding) = match style {
            TextStyle::Clip => (mark("<|startoftext|>"), mark("<|endoftext|>"), None),
            TextStyle::Siglip => (None, mark("<eos>"), mark("<pad>")),
        };
        let path = path.to_owned();
        match end {
            Some(end) if problems.is_empty() => {
                Ok(Self { path, tokenizer, context, begin, end, padding })
            }
            _ => Err(TokenizerError::WeightsMismatch { path, problems }),
        }
    }

    /// Numbers of the tokens that the tower is given for a text, the last of which becomes the text's
    /// embedding.
    ///
    /// In CLIP that is the first mark of end: `transformers` looks for it, or for the highest
    /// number, which is the same, and what comes behind is not seen.
    ///
    /// # Errors
    /// [`TokenizerError::Shape`] for a text of more tokens than the context;
    /// [`TokenizerError::WeightsUnreadable`] for a text that the file's rules cannot divide.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.tokenizer.encode_fast(text, false);
        let encoding = encoding.map_err(|cause| unreadable(&self.path, cause))?;
        let mut ids: Vec<u32> = self.begin.into_iter().collect();
        ids.extend(encoding.get_ids());
        ids.push(self.end);
        if ids.len() > self.context {
            let start: String = text.chars().take(SHOWN).collect();
            let more = if start.len() < text.len() { "..." } else { "" };
            return Err(TokenizerError::Shape {
                expected: format!("texts of at most {} tokens, marks included", self.context),
                found: format!("{} of {start:?}{more}", ids.len()),
            });
        }
        match self.padding {
            Some(padding) => ids.resize(self.context, padding),
            None => {
                let end = ids.iter().position(|&id| id == self.end);
                ids.truncate(end.map_or(ids.len(), |end| end + 1));
            }
        }
        Ok(ids)
    }

    /// Where it was read from.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What stands for a number.
    pub(super) fn token(&self, id: u32) -> String {
        self.tokenizer.id_to_token(id).unwrap_or_default()
    }
}

fn unreadable(path: &Path, cause: Box<dyn std::error::Error + Send + Sync>) -> TokenizerError {
    TokenizerError::WeightsUnreadable { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        texts: Vec<Text>,
    }

    #[derive(Deserialize)]
    struct Text {
        text: String,
        ids: Vec<u32>,
    }

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/text").join(name)
    }

    fn opened(family: &str, kind: (TextStyle, usize)) -> TextTokenizer {
        let path = golden(&format!("{family}/tokenizer.json"));
        TextTokenizer::open(&path, "", kind).unwrap()
    }

    fn texts(case: &str) -> Vec<Text> {
        let text = std::fs::read(golden(case)).unwrap();
        serde_json::from_slice::<Case>(&text).unwrap().texts
    }

    #[test]
    fn clips_tokens_are_those_of_transformers_up_to_the_first_end() {
        let tokenizer = opened("clip", (TextStyle::Clip, 77));
        for Text { text, ids } in texts("clip-l.json") {
            let end = ids.iter().position(|&id| id == tokenizer.end).unwrap();
            // The highest number, which some versions look for, is the same.
            assert_eq!(ids.iter().max(), Some(&tokenizer.end));
            assert_eq!(tokenizer.ids(&text).unwrap(), ids[..=end], "{text:?}");
        }
    }

    #[test]
    fn siglips_tokens_are_those_of_transformers_and_padding() {
        let tokenizer = opened("siglip2", (TextStyle::Siglip, 64));
        for Text { text, mut ids } in texts("siglip2-b.json") {
            assert_eq!(ids.last(), Some(&1));
            ids.resize(64, 0);
            assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{text:?}");
        }
    }

    #[test]
    fn what_a_file_says_of_truncation_and_padding_is_not_followed() {
        let plain = opened("siglip2", (TextStyle::Siglip, 64));
        let text = std::fs::read_to_string(golden("siglip2/tokenizer.json")).unwrap();
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["truncation"] = serde_json::json!({
            "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
        });
        file["padding"] = serde_json::json!({
            "strategy": {"Fixed": 70}, "direction": "Left", "pad_to_multiple_of": null,
            "pad_id": 4, "pad_type_id": 0, "pad_token": "<mask>"
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let other = TextTokenizer::open(&path, "", (TextStyle::Siglip, 64)).unwrap();
        let text = "the image of a cat";
        assert_eq!(other.ids(text).unwrap(), plain.ids(text).unwrap());
    }
}
