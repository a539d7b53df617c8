use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use prismbench_core::Record;

use crate::ReportError;
use crate::frame::check;

/// Longer lines are refused: a record is about 1 KB, and a wrong path may lead to any file.
const LONGEST_LINE: u64 = 1 << 20;

/// What a file of records holds.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordFile {
    /// The records in the order of their lines; never empty.
    pub records: Vec<Record>,
    /// Set when the last line was dropped because it is cut off.
    pub cut_short: Option<CutShort>,
}

/// A last line without its end, as a crash leaves it: it is dropped, and this says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`, line {line}: the last record is cut off and left out", path.display())]
pub struct CutShort {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
}

/// Reads the `records.jsonl` of a run folder, or such a file itself.
///
/// A record is written as one line, so a crash can only cut the last one: a last line that has no
/// newline and stops in the middle of its JSON is left out and reported in
/// [`RecordFile::cut_short`]. Anything else that is no record is an error. So is an unknown field:
/// it comes from a newer version, and a field that is overlooked may be the one that makes two
/// numbers incomparable. Blank lines are passed over.
///
/// # Errors
/// [`ReportError`] naming the file, and the line where there is one: the file is missing or
/// unreadable, a line is no record, or there is no whole record at all.
pub fn read_records(path: &Path) -> Result<RecordFile, ReportError> {
    let path = if path.is_dir() { path.join("records.jsonl") } else { path.to_owned() };
    let cannot_read = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => ReportError::Missing {
            path: path.clone(),
            remedy: "give a run folder, or the `records.jsonl` of one",
        },
        _ => ReportError::Read { path: path.clone(), cause },
    };
    let mut reader = BufReader::new(File::open(&path).map_err(cannot_read)?);
    let mut file = RecordFile { records: Vec::new(), cut_short: None };
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes);
        if read.map_err(cannot_read)? == 0 {
            break;
        }
        let wrong = |reason| ReportError::Line { path: path.clone(), line, reason };
        let whole = bytes.ends_with(b"\n");
        if !whole && bytes.len() as u64 == LONGEST_LINE {
            return Err(wrong(format!("longer than {LONGEST_LINE} bytes, so this is no record")));
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match parse(bytes.trim_ascii_end()) {
            Ok(record) => file.records.push(record),
            Err(Refusal::Json(error)) if error.is_eof() && !whole => {
                file.cut_short = Some(CutShort { path: path.clone(), line });
            }
            Err(refusal) => return Err(wrong(refusal.to_string())),
        }
    }
    if file.records.is_empty() { Err(ReportError::NoRecords { path }) } else { Ok(file) }
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no record: {}", without_line(.0))]
    Json(serde_json::Error),
    #[error(
        "unknown field `{}`; the record was written by prismbench {version}, read it with that \
         version or a newer one", fields.join("`, `")
    )]
    UnknownFields { fields: Vec<String>, version: String },
    #[error("{0}")]
    Contradiction(String),
}

/// The parser's words without its line, which is always 1 and not the line of the file.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => format!("{text} at column {}", error.column()),
        None => text,
    }
}

fn parse(line: &[u8]) -> Result<Record, Refusal> {
    let record: Record = serde_json::from_slice(line).map_err(Refusal::Json)?;
    // The outcome is flattened into the record, which rules out serde's own refusal of unknown
    // fields: what does not come back when the record is written again was not understood.
    let given: serde_json::Map<_, _> = serde_json::from_slice(line).map_err(Refusal::Json)?;
    let known = serde_json::to_value(&record).map_err(Refusal::Json)?;
    let fields: Vec<String> = given
        .into_iter()
        .filter(|(field, value)| !value.is_null() && known.get(field).is_none())
        .map(|(field, _)| field)
        .collect();
    if !fields.is_empty() {
        return Err(Refusal::UnknownFields { fields, version: record.tool_version });
    }
    check(&record).map_err(Refusal::Contradiction)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prismbench_core::Outcome;

    use super::*;
    use crate::fixtures;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn lines(records: &[Record]) -> String {
        records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
    }

    #[test]
    fn records_come_back_to_the_last_bit_from_a_folder_or_its_file() {
        let mut records = fixtures::everything();
        // A parser without exact rounding gets this one wrong in the last place.
        let value = 90.422_252_909_423_83;
        records[0].seconds = value;
        records[0].outcome = Outcome::Ok { value, low: None, high: None };
        let (folder, path) = written(lines(&records).as_bytes());
        assert_eq!(read_records(folder.path()).unwrap().records, records);
        assert_eq!(read_records(&path).unwrap(), RecordFile { records, cut_short: None });
    }

    #[test]
    fn wherever_a_crash_cuts_the_last_line_the_whole_records_are_kept() {
        let records = fixtures::everything();
        let (first, last) = (lines(&records[..1]), lines(&records[1..2]));
        for cut in 1..last.len() - 1 {
            let (_folder, path) = written(&[first.as_bytes(), &last.as_bytes()[..cut]].concat());
            let file = read_records(&path).unwrap();
            assert_eq!(file.records, &records[..1]);
            assert_eq!(file.cut_short, Some(CutShort { path, line: 2 }), "cut at {cut}");
        }
        // Only the newline is missing: the record is whole.
        let (_folder, path) = written(format!("{first}{}", last.trim_end()).as_bytes());
        let file = read_records(&path).unwrap();
        assert_eq!((file.records.len(), file.cut_short), (2, None));
    }

    #[test]
    fn a_line_cut_off_in_the_middle_of_the_file_is_an_error_that_names_it() {
        let whole = lines(&fixtures::everything()[..1]);
        let (_folder, path) = written(format!("{whole}\n{}\n{whole}", &whole[..90]).as_bytes());
        let error = read_records(&path).unwrap_err().to_string();
        assert!(error.contains("records.jsonl`, line 3: no record: EOF"), "{error}");
        assert!(error.ends_with("at column 90"), "{error}");
    }

    #[test]
    fn an_unknown_field_is_named_with_the_version_that_wrote_it() {
        let record = serde_json::to_string(&fixtures::everything()[0]).unwrap();
        let newer = record.replacen('{', r#"{"augmented":true,"#, 1).replace("0.1.0", "7.0.0");
        let (_folder, path) = written((newer + "\n").as_bytes());
        let error = read_records(&path).unwrap_err().to_string();
        assert!(error.contains("line 1: unknown field `augmented`"), "{error}");
        assert!(error.contains("prismbench 7.0.0"), "{error}");
    }

    #[test]
    fn numbers_that_are_no_numbers_are_refused() {
        let mut record = fixtures::everything()[0].clone();
        record.outcome = Outcome::Ok { value: 31.25, low: None, high: None };
        let good = serde_json::to_string(&record).unwrap();
        for bad in ["NaN", "1e999", "-1e999", "null", "\"31.25\""] {
            let line = good.replace("31.25", bad);
            assert_ne!(line, good);
            let (_folder, path) = written((line + "\n").as_bytes());
            let error = read_records(&path).unwrap_err();
            assert!(matches!(error, ReportError::Line { line: 1, .. }), "{bad}: {error}");
        }
        record.outcome = Outcome::Ok { value: 31.25, low: Some(32.0), high: Some(31.0) };
        let (_folder, path) = written(lines(&[record]).as_bytes());
        let error = read_records(&path).unwrap_err().to_string();
        assert!(error.contains("the interval from 32 to 31 is upside down"), "{error}");
    }

    #[test]
    fn files_without_a_record_are_errors_that_say_what_they_are() {
        let error = read_records(Path::new("no/such/run")).unwrap_err().to_string();
        assert_eq!(
            error,
            "no file `no/such/run`; give a run folder, or the `records.jsonl` of one"
        );
        let (_folder, path) = written(b"\n  \n");
        assert!(matches!(read_records(&path), Err(ReportError::NoRecords { .. })));
        let (_folder, path) = written(&vec![b'x'; 3 << 20]);
        let error = read_records(&path).unwrap_err().to_string();
        assert!(error.contains("line 1: longer than 1048576 bytes"), "{error}");
    }
}
