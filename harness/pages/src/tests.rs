use std::error::Error as _;
use std::io::Cursor;

use polars::prelude::{
    Column, DataFrame, FileMetadataRef, ParquetCompression, ParquetReader, ParquetWriter,
    SerReader as _,
};

use super::{PageProblem, check_file};

const ROWS: usize = 5_000;

/// A file of two row groups: texts that repeat, numbers that do not, and some that are missing.
fn written(compression: ParquetCompression) -> Vec<u8> {
    let rows = || 0..ROWS;
    let columns = vec![
        Column::new("name".into(), rows().map(|row| format!("n{}", row % 7)).collect::<Vec<_>>()),
        Column::new("value".into(), rows().map(|row| row as f64).collect::<Vec<_>>()),
        Column::new(
            "some".into(),
            rows().map(|row| (row % 3 > 0).then_some(row as u32)).collect::<Vec<_>>(),
        ),
    ];
    let mut frame = DataFrame::new(ROWS, columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(compression)
        .with_row_group_size(Some(ROWS / 2))
        .with_data_page_size(Some(4096))
        .finish(&mut frame)
        .unwrap();
    bytes
}

fn footer(bytes: &[u8]) -> FileMetadataRef {
    ParquetReader::new(Cursor::new(bytes)).get_metadata().unwrap().clone()
}

fn problem(bytes: &[u8], footer: &FileMetadataRef) -> String {
    let error = check_file(&mut Cursor::new(bytes), footer, |_| true).unwrap_err();
    format!("{error}: {}", error.source().unwrap())
}

/// Where the first page of a column of the first group begins.
fn start(footer: &FileMetadataRef, column: usize) -> usize {
    let column = &footer.row_groups[0].parquet_columns()[column];
    usize::try_from(column.dictionary_page_offset().unwrap_or(column.data_page_offset())).unwrap()
}

#[test]
fn whole_files_of_every_packing_pass() {
    for compression in [
        ParquetCompression::Uncompressed,
        ParquetCompression::Snappy,
        ParquetCompression::Zstd(None),
    ] {
        let bytes = written(compression);
        let footer = footer(&bytes);
        assert!(footer.row_groups.len() > 1);
        check_file(&mut Cursor::new(&bytes), &footer, |_| true).unwrap();
    }
}

#[test]
fn only_the_columns_that_are_wanted_are_looked_at() {
    let mut bytes = written(ParquetCompression::Snappy);
    let footer = footer(&bytes);
    let at = start(&footer, 0);
    bytes[at..at + 8].fill(0xFF);
    assert!(problem(&bytes, &footer).starts_with("column `name` of row group 0: page 0 "));
    check_file(&mut Cursor::new(&bytes), &footer, |name| name != "name").unwrap();
}

#[test]
fn a_file_that_ends_within_a_page_is_refused() {
    let bytes = written(ParquetCompression::Zstd(None));
    let footer = footer(&bytes);
    let text = problem(&bytes[..start(&footer, 1) + 40], &footer);
    assert!(text.starts_with("column `value` of row group 0: it claims "), "{text}");
    assert!(text.contains(&format!("of a file of {}", start(&footer, 1) + 40)), "{text}");
}

/// Polars' own reader ends the program at these: a count below zero is a length of 2^64 bits.
#[test]
fn a_page_of_fewer_than_no_values_is_refused() {
    let mut bytes = written(ParquetCompression::Uncompressed);
    let footer = footer(&bytes);
    let (at, count) = count_of_values(&bytes, start(&footer, 1));
    // Zigzag: odd numbers are negative.
    bytes[at] |= 1;
    let error = check_file(&mut Cursor::new(&bytes), &footer, |_| true).unwrap_err();
    assert_eq!((error.group, error.column.as_str()), (0, "value"));
    let PageProblem::Page { page: 0, claim } = error.problem else { panic!("{error:?}") };
    assert_eq!(claim, format!("-{} values", count + 1));
}

#[test]
fn pages_with_more_or_fewer_values_than_their_column_are_refused() {
    let whole = written(ParquetCompression::Uncompressed);
    let footer = footer(&whole);
    let (at, count) = count_of_values(&whole, start(&footer, 1));
    assert!(count > 1);
    for (change, expected) in [(2, "left"), (-2, "claims nothing, and 1 values are missing")] {
        let mut bytes = whole.clone();
        bytes[at] = bytes[at].wrapping_add_signed(change);
        let text = problem(&bytes, &footer);
        assert!(text.starts_with("column `value` of row group 0: page "), "{text}");
        assert!(text.ends_with(expected), "{text}");
    }
}

/// Place and value of `num_values` in the header of a data page: field 1 of the structure that is field 5.
/// Sizes come before it, as variable-length numbers.
fn count_of_values(bytes: &[u8], start: usize) -> (usize, u64) {
    let mut at = start;
    let number = |at: &mut usize| {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = bytes[*at];
            *at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    };
    // Type, size, packed size: fields 1, 2 and 3, of the kind i32.
    for _ in 0..3 {
        assert_eq!(bytes[at], 0x15);
        at += 1;
        number(&mut at);
    }
    // Field 5, a structure; its field 1, i32.
    assert_eq!(bytes[at..at + 2], [0x2C, 0x15]);
    at += 2;
    let place = at;
    (place, number(&mut at) / 2)
}
