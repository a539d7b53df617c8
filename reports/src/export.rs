//! The long frame as files that other programs read.

use polars::prelude::{CsvWriter, DataFrame, ParquetWriter, SerWriter};
use prismbench_core::Record;

use crate::frame::check;
use crate::{Contents, ReportError};

/// CSV after RFC 4180 with a header line. Null is nothing between the commas, an empty text is `""`.
pub(crate) fn csv(frame: &mut DataFrame) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(frame).map_err(ReportError::frame("write CSV"))?;
    Ok(bytes)
}

/// Parquet, compressed with zstd.
pub(crate) fn parquet(frame: &mut DataFrame) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(frame).map_err(ReportError::frame("write Parquet"))?;
    Ok(bytes)
}

/// A JSON object per line: the lines of `records.jsonl`; a published row adds `paper`, `paper_version`,
/// `confidence`, `contradicted`, `key` and `note`.
pub(crate) fn ndjson(contents: Contents<'_>) -> Result<Vec<u8>, ReportError> {
    let mut lines = String::new();
    for (index, record) in contents.records.iter().enumerate() {
        let line = checked(record, index, || serde_json::to_string(record))?;
        lines += &(line + "\n");
    }
    for (index, row) in contents.published.iter().enumerate() {
        let record = row.record();
        let index = contents.records.len() + index;
        let mut value = checked(&record, index, || serde_json::to_value(&record))?;
        value["paper"] = row.paper.as_str().into();
        value["paper_version"] = row.paper_version.as_str().into();
        value["confidence"] = row.confidence.as_str().into();
        value["contradicted"] = row.contradicted.into();
        value["key"] = row.key.as_str().into();
        value["note"] = row.note.as_str().into();
        lines += &(value.to_string() + "\n");
    }
    Ok(lines.into_bytes())
}

fn checked<T>(
    record: &Record,
    index: usize,
    json: impl FnOnce() -> Result<T, serde_json::Error>,
) -> Result<T, ReportError> {
    let refused = |reason: String| ReportError::Record {
        index,
        tokenizer: record.tokenizer.clone(),
        metric: record.metric.clone(),
        reason,
    };
    check(record).and_then(|()| json().map_err(|error| error.to_string())).map_err(refused)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use polars::prelude::{CsvReadOptions, ParquetReader, SerReader};
    use prismbench_core::Outcome;
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{self, record};
    use crate::frame;

    fn from_csv(bytes: Vec<u8>, like: &DataFrame) -> DataFrame {
        let options = CsvReadOptions::default()
            .with_schema(Some(like.schema().clone()))
            .map_parse_options(|options| options.with_missing_is_null(true));
        options.into_reader_with_file_handle(Cursor::new(bytes)).finish().unwrap()
    }

    fn from_parquet(bytes: Vec<u8>) -> DataFrame {
        ParquetReader::new(Cursor::new(bytes)).finish().unwrap()
    }

    #[test]
    fn parquet_gives_back_the_same_frame() {
        let mut frame = frame(&fixtures::everything()).unwrap();
        let again = from_parquet(parquet(&mut frame).unwrap());
        assert_eq!(again.schema(), frame.schema());
        assert!(again.equals_missing(&frame), "{again}\n{frame}");
    }

    #[test]
    fn csv_gives_back_the_same_frame() {
        let mut frame = frame(&fixtures::everything()).unwrap();
        let again = from_csv(csv(&mut frame).unwrap(), &frame);
        assert_eq!(again.schema(), frame.schema());
        assert!(again.equals_missing(&frame), "{again}\n{frame}");
    }

    #[test]
    fn csv_and_parquet_have_one_schema() {
        let mut frame = frame(&fixtures::everything()).unwrap();
        let header = String::from_utf8(csv(&mut frame).unwrap()).unwrap();
        let header: Vec<_> = header.lines().next().unwrap().split(',').collect();
        let again = from_parquet(parquet(&mut frame).unwrap());
        let names: Vec<_> = again.get_column_names().iter().map(|name| name.as_str()).collect();
        assert_eq!(header, names);
    }

    #[test]
    fn texts_that_look_like_something_else_survive() {
        let names = [
            "a,b",
            "a\"b\"",
            "two\nlines",
            "two\r\nlines",
            "=1+1",
            "+1",
            "-1",
            "@sum",
            "\t",
            " a ",
            "",
            "null",
            "NA",
            "12345678",
            "1e5",
            "’",
            "\"",
            "'",
            "#",
            "\\",
            ",",
            "🙂",
        ];
        let value = || Outcome::Ok { value: 0.1 + 0.2, low: Some(-0.0), high: Some(1e-300) };
        let records: Vec<_> = names.iter().map(|name| record(name, "psnr@1", value())).collect();
        let mut frame = frame(&records).unwrap();
        assert!(from_csv(csv(&mut frame).unwrap(), &frame).equals_missing(&frame));
        assert!(from_parquet(parquet(&mut frame).unwrap()).equals_missing(&frame));
    }

    proptest! {
        #[test]
        fn any_text_and_any_finite_number_survive(
            rows in prop::collection::vec((".*", prop::num::f64::NORMAL, any::<u64>()), 1..20),
        ) {
            let records: Vec<_> = rows
                .into_iter()
                .map(|(text, value, n)| {
                    let outcome = Outcome::Ok { value, low: None, high: None };
                    let mut made = record(&text, "psnr@1", outcome);
                    made.n = n;
                    made.dataset = text;
                    made
                })
                .collect();
            let mut frame = frame(&records).unwrap();
            prop_assert!(from_csv(csv(&mut frame).unwrap(), &frame).equals_missing(&frame));
            prop_assert!(from_parquet(parquet(&mut frame).unwrap()).equals_missing(&frame));
        }
    }
}
