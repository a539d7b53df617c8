//! A Parquet file of many groups of rows, described as shortly as Parquet does.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use polars::prelude::{DataFrame, ParquetWriter, PolarsError, PolarsResult};
use polars_parquet_format::thrift::protocol::{
    TCompactInputProtocol, TCompactOutputProtocol, TFieldIdentifier, TListIdentifier,
    TOutputProtocol as _, TStructIdentifier, TType,
};
use polars_parquet_format::{FileMetaData, RowGroup};

const MAGIC: &[u8; 4] = b"PAR1";
/// The description of a file ends with its length and the magic.
const END: usize = 8;

/// The bytes of a file, group by group, and in memory what its end says of them.
///
/// Polars' own writer keeps 3 kB for each column of each group until the file is ended. Here Polars encodes
/// each group as a file, of which the pages are taken, with their places moved, and the description as it
/// will stand in the file.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The description of the first: schema and what else all have in common.
    first: Option<FileMetaData>,
    /// Descriptions of all groups, encoded.
    described: Vec<u8>,
    count: u32,
    rows: i64,
    /// Bytes that were given out.
    length: i64,
}

impl Groups {
    /// The bytes of the next group.
    pub(super) fn group(&mut self, frame: &DataFrame) -> PolarsResult<Vec<u8>> {
        let mut file = Vec::new();
        let mut writer = ParquetWriter::new(&mut file).batched(frame.schema())?;
        writer.write_batch(frame)?;
        writer.finish()?;
        let (mut description, end) = description(&file)?;
        // The first group keeps the magic before it.
        let begin = if self.first.is_some() { MAGIC.len() } else { 0 };
        let moved = self.length - begin as i64;
        for group in &mut description.row_groups {
            shift(group, moved);
            self.described.extend(encoded(|protocol| group.write_to_out_protocol(protocol))?);
            (self.count, self.rows) = (self.count + 1, self.rows + group.num_rows);
        }
        description.row_groups.clear();
        self.first.get_or_insert(description);
        file.truncate(end);
        file.drain(..begin);
        self.length += file.len() as i64;
        Ok(file)
    }

    /// Whether there is none yet.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The bytes behind the last group. There must be one.
    pub(super) fn end(self) -> PolarsResult<Vec<u8>> {
        let Some(first) = &self.first else {
            return Err(PolarsError::ComputeError("a file without a group".into()));
        };
        let mut bytes = self.whole(first)?;
        let length = u32::try_from(bytes.len()).map_err(damaged)?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(MAGIC);
        Ok(bytes)
    }

    /// `FileMetaData` with the groups put in as they are: the encoding of a structure does not depend on where
    /// it stands.
    fn whole(&self, first: &FileMetaData) -> PolarsResult<Vec<u8>> {
        let sink = Sink::default();
        let mut protocol = TCompactOutputProtocol::new(sink.clone());
        let field = |name: &str, kind, id| TFieldIdentifier::new(name, kind, id);
        let mut write = || -> polars_parquet_format::thrift::Result<()> {
            protocol.write_struct_begin(&TStructIdentifier::new("FileMetaData"))?;
            protocol.write_field_begin(&field("version", TType::I32, 1))?;
            protocol.write_i32(first.version)?;
            protocol.write_field_begin(&field("schema", TType::List, 2))?;
            protocol
                .write_list_begin(&TListIdentifier::new(TType::Struct, first.schema.len() as _))?;
            for element in &first.schema {
                element.write_to_out_protocol(&mut protocol)?;
            }
            protocol.write_field_begin(&field("num_rows", TType::I64, 3))?;
            protocol.write_i64(self.rows)?;
            protocol.write_field_begin(&field("row_groups", TType::List, 4))?;
            protocol.write_list_begin(&TListIdentifier::new(TType::Struct, self.count as _))?;
            sink.0.borrow_mut().extend_from_slice(&self.described);
            if let Some(pairs) = &first.key_value_metadata {
                protocol.write_field_begin(&field("key_value_metadata", TType::List, 5))?;
                protocol
                    .write_list_begin(&TListIdentifier::new(TType::Struct, pairs.len() as _))?;
                for pair in pairs {
                    pair.write_to_out_protocol(&mut protocol)?;
                }
            }
            if let Some(made_by) = &first.created_by {
                protocol.write_field_begin(&field("created_by", TType::String, 6))?;
                protocol.write_string(made_by)?;
            }
            if let Some(orders) = &first.column_orders {
                protocol.write_field_begin(&field("column_orders", TType::List, 7))?;
                protocol
                    .write_list_begin(&TListIdentifier::new(TType::Struct, orders.len() as _))?;
                for order in orders {
                    order.write_to_out_protocol(&mut protocol)?;
                }
            }
            protocol.write_field_stop()?;
            protocol.write_struct_end().map(drop)
        };
        write().map_err(damaged)?;
        drop(protocol);
        Ok(sink.0.take())
    }
}

/// What a file says of itself, and where that begins.
fn description(file: &[u8]) -> PolarsResult<(FileMetaData, usize)> {
    let short = || PolarsError::ComputeError("an encoded group is too short".into());
    let behind = file.len().checked_sub(END).ok_or_else(short)?;
    let length: [u8; 4] = file[behind..behind + 4].try_into().map_err(damaged)?;
    let end = behind.checked_sub(u32::from_le_bytes(length) as usize).ok_or_else(short)?;
    let mut bytes = &file[end..behind];
    // The limit is for what structures take in memory; these are our own.
    let mut protocol = TCompactInputProtocol::new(&mut bytes, usize::MAX);
    let found = FileMetaData::read_from_in_protocol(&mut protocol).map_err(damaged)?;
    Ok((found, end))
}

/// Moves the places of a group's pages. Indexes of pages, which nothing here reads, are left out.
fn shift(group: &mut RowGroup, by: i64) {
    group.ordinal = None;
    group.file_offset = group.file_offset.map(|place| place + by);
    for column in &mut group.columns {
        column.file_offset += by;
        (column.offset_index_offset, column.offset_index_length) = (None, None);
        (column.column_index_offset, column.column_index_length) = (None, None);
        if let Some(data) = &mut column.meta_data {
            data.data_page_offset += by;
            for place in [
                &mut data.index_page_offset,
                &mut data.dictionary_page_offset,
                &mut data.bloom_filter_offset,
            ] {
                *place = place.map(|place| place + by);
            }
        }
    }
}

/// What is written by a protocol that begins anew.
fn encoded(
    write: impl FnOnce(
        &mut TCompactOutputProtocol<&mut Vec<u8>>,
    ) -> polars_parquet_format::thrift::Result<usize>,
) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&mut TCompactOutputProtocol::new(&mut bytes)).map_err(damaged)?;
    Ok(bytes)
}

fn damaged(error: impl std::fmt::Display) -> PolarsError {
    PolarsError::ComputeError(format!("describe groups of Parquet: {error}").into())
}

/// Bytes that are written by a protocol and beside it.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use polars::io::SerReader as _;
    use polars::prelude::{Column, ParquetReader};

    use super::*;

    #[test]
    fn a_file_of_groups_is_read_as_one_and_its_description_stays_short() {
        let frame = |from: u64| {
            let rows = from..from + 100;
            let names: Vec<String> = rows.clone().map(|row| format!("{row}.png")).collect();
            let values: Vec<f64> = rows.clone().map(|row| row as f64 / 3.0).collect();
            let columns = vec![
                Column::new("index".into(), rows.collect::<Vec<_>>()),
                Column::new("id".into(), names),
                Column::new("psnr".into(), values),
            ];
            DataFrame::new(100, columns).unwrap()
        };
        let (mut groups, mut file) = (Groups::default(), Vec::new());
        let mut expected = frame(0);
        for number in 0..40 {
            file.extend(groups.group(&frame(100 * number)).unwrap());
            if number > 0 {
                expected.vstack_mut(&frame(100 * number)).unwrap();
            }
        }
        let described = groups.described.len();
        // Names, places, sizes and statistics of three columns.
        assert!(described < 40 * 3 * 200, "{described}");
        file.extend(groups.end().unwrap());
        let (description, _) = description(&file).unwrap();
        assert_eq!((description.num_rows, description.row_groups.len()), (4000, 40));
        let read = ParquetReader::new(io::Cursor::new(file)).finish().unwrap();
        assert!(read.equals(&expected));
    }

    #[test]
    fn a_description_may_be_longer_than_what_it_describes() {
        let column = |number: usize| Column::new(format!("column-{number}").into(), vec![1_u32]);
        let frame = DataFrame::new(1, (0..40).map(column).collect()).unwrap();
        let mut groups = Groups::default();
        let mut file = groups.group(&frame).unwrap();
        file.extend(groups.end().unwrap());
        assert!(ParquetReader::new(io::Cursor::new(file)).finish().unwrap().equals(&frame));
    }

    #[test]
    fn a_file_has_a_group_even_if_that_is_empty() {
        assert!(Groups::default().end().is_err());
        let empty =
            DataFrame::new(0, vec![Column::new("id".into(), Vec::<String>::new())]).unwrap();
        let mut groups = Groups::default();
        let mut file = groups.group(&empty).unwrap();
        file.extend(groups.end().unwrap());
        let read = ParquetReader::new(io::Cursor::new(file)).finish().unwrap();
        assert_eq!((read.height(), read.width()), (0, 1));
    }
}
