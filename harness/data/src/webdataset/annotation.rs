//! What the small members of a sample say.

use serde::Deserialize;
use serde_json::Value;

/// Class and captions of a sample, gathered from its members.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    cls: Option<u32>,
    txt: Option<Vec<String>>,
    json: Json,
}

/// The fields of a `.json` that are looked at.
#[derive(Debug, Default, Deserialize)]
struct Json {
    label: Option<Value>,
    caption: Option<String>,
    captions: Option<Vec<String>>,
    text: Option<String>,
}

impl Annotations {
    /// Reads one member.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(&mut self, extension: &str, bytes: &[u8]) -> Result<(), String> {
        match extension {
            "cls" => self.cls = Some(class(text(bytes)?.trim())?),
            "txt" => self.txt = Some(lines(text(bytes)?)?),
            _ => self.json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        }
        Ok(())
    }

    /// Class and captions; `classes` is the number of class names, 0 where there are none.
    ///
    /// A `.txt` goes before the captions of a `.json`, which img2dataset writes a second time.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn finish(self, classes: usize) -> Result<(Option<u32>, Vec<String>), String> {
        let json = match &self.json.label {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => Some(class(&number.to_string())?),
            Some(other) => return Err(format!("`label` is {other}; expected a class number")),
        };
        if let (Some(cls), Some(json)) = (self.cls, json)
            && cls != json
        {
            return Err(format!("its class is {cls} in .cls and {json} in .json"));
        }
        let label = self.cls.or(json);
        if let Some(label) = label.filter(|&label| classes > 0 && label as usize >= classes) {
            return Err(format!("its class is {label} and the names are those of {classes}"));
        }
        let captions = match (self.txt, self.json) {
            (Some(lines), _) => lines,
            (None, Json { captions: Some(captions), .. }) => captions,
            (None, json) => json.caption.or(json.text).into_iter().collect(),
        };
        match captions.iter().position(|caption| caption.trim().is_empty()) {
            Some(at) => Err(format!("caption {at} is empty")),
            None => Ok((label, captions)),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn class(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("found `{text}`, expected a class number from 0 on"))
}

/// Captions, one a line.
fn lines(text: &str) -> Result<Vec<String>, String> {
    let lines: Vec<String> =
        text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() { Err("the caption is empty".to_owned()) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(
        members: &[(&str, &str)],
        classes: usize,
    ) -> Result<(Option<u32>, Vec<String>), String> {
        let mut annotations = Annotations::default();
        members.iter().try_for_each(|(name, text)| annotations.read(name, text.as_bytes()))?;
        annotations.finish(classes)
    }

    #[test]
    fn classes_and_captions_come_from_any_member() {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        for (members, label, captions) in [
            (&[("cls", "7\n")][..], Some(7), texts(&[])),
            (&[("json", r#"{"label": 3, "width": 5}"#)], Some(3), texts(&[])),
            (&[("cls", "3"), ("json", r#"{"label": 3}"#)], Some(3), texts(&[])),
            (&[("txt", "a cat\n\na dog\n")], None, texts(&["a cat", "a dog"])),
            (&[("json", r#"{"caption": "one"}"#), ("txt", "two")], None, texts(&["two"])),
            (&[("json", r#"{"captions": ["a", "b"], "label": null}"#)], None, texts(&["a", "b"])),
            (&[("json", r#"{"text": "t", "caption": null}"#)], None, texts(&["t"])),
            (&[], None, texts(&[])),
        ] {
            assert_eq!(finish(members, 0), Ok((label, captions)), "{members:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (members, classes, expected) in [
            (&[("cls", "cat")][..], 0, "found `cat`"),
            (&[("cls", "-1")], 0, "found `-1`"),
            (&[("json", r#"{"label": "cat"}"#)], 0, "expected a class number"),
            (&[("json", r#"{"label": 1.5}"#)], 0, "found `1.5`"),
            (&[("cls", "1"), ("json", r#"{"label": 2}"#)], 0, "1 in .cls and 2 in .json"),
            (&[("cls", "10")], 10, "its class is 10 and the names are those of 10"),
            (&[("txt", " \n")], 0, "the caption is empty"),
            (&[("json", r#"{"captions": ["a", " "]}"#)], 0, "caption 1 is empty"),
            (&[("json", "{")], 0, "EOF"),
        ] {
            let error = finish(members, classes).unwrap_err();
            assert!(error.contains(expected), "{members:?}: {error}");
        }
    }
}
