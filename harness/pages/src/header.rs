//! The header of one page.

use std::io::Read;

use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use polars_parquet_format::{CompressionCodec, DataPageHeaderV2, Encoding, PageHeader, PageType};

use super::PageProblem;
use super::counted::Counted;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dictionary,
    Data,
}

/// A header whose claims agree with each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes of the header itself.
    pub(super) len: u64,
    /// Bytes of the page behind it.
    pub(super) packed: u64,
    /// Values, missing ones included; entries of a dictionary.
    pub(super) values: u64,
}

/// Encodings whose pages claim no lengths of their own: `PLAIN`, `PLAIN_DICTIONARY`, `RLE` of booleans,
/// `RLE_DICTIONARY` and `BYTE_STREAM_SPLIT`.
const READ: [Encoding; 5] = [
    Encoding::PLAIN,
    Encoding::PLAIN_DICTIONARY,
    Encoding::RLE,
    Encoding::RLE_DICTIONARY,
    Encoding::BYTE_STREAM_SPLIT,
];

impl Header {
    /// Reads the header of page `page`, of which the column has `left` bytes.
    pub(super) fn read(
        file: impl Read,
        (page, left): (u64, u64),
        codec: CompressionCodec,
    ) -> Result<Self, PageProblem> {
        let wrong = |claim: String| PageProblem::Page { page, claim };
        let mut counted = Counted::new(file, left);
        // No field of a header is longer than the bytes that there are.
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let mut protocol = TCompactInputProtocol::new(&mut counted, most);
        let found = PageHeader::read_from_in_protocol(&mut protocol)
            .map_err(|cause| PageProblem::Header { page, reason: cause.to_string() })?;
        let len = counted.count();
        let size = |size: i32| u64::try_from(size);
        let (Ok(packed), Ok(unpacked)) =
            (size(found.compressed_page_size), size(found.uncompressed_page_size))
        else {
            return Err(wrong(format!(
                "{} bytes that unpack to {}",
                found.compressed_page_size, found.uncompressed_page_size
            )));
        };
        if packed > left - len {
            return Err(wrong(format!("{packed} bytes of {} that are left", left - len)));
        }
        if unpacked > unpacked_at_most(packed, codec) {
            return Err(wrong(format!("that {packed} bytes unpack to {unpacked}")));
        }
        let (kind, values) = contents(&found, (packed, unpacked), page)?;
        Ok(Self { kind, len, packed, values })
    }
}

/// Kind and values of a page.
fn contents(
    found: &PageHeader,
    (packed, unpacked): (u64, u64),
    page: u64,
) -> Result<(Kind, u64), PageProblem> {
    let wrong = |claim: String| PageProblem::Page { page, claim };
    let (kind, values, encoding) = match found {
        PageHeader {
            type_: PageType::DICTIONARY_PAGE,
            dictionary_page_header: Some(header),
            ..
        } => (Kind::Dictionary, header.num_values, header.encoding),
        PageHeader { type_: PageType::DATA_PAGE, data_page_header: Some(header), .. } => {
            (Kind::Data, header.num_values, header.encoding)
        }
        PageHeader { type_: PageType::DATA_PAGE_V2, data_page_header_v2: Some(header), .. } => {
            levels(header, packed).map_err(wrong)?;
            (Kind::Data, header.num_values, header.encoding)
        }
        _ => return Err(wrong(format!("type {} without what belongs to it", found.type_.0))),
    };
    if !READ.contains(&encoding) {
        return Err(PageProblem::Encoding { page, encoding: encoding.0 });
    }
    let Ok(count) = u64::try_from(values) else {
        return Err(wrong(format!("{values} values")));
    };
    // An entry of a dictionary has a byte at least; values of a page may be one run of a few bytes.
    if kind == Kind::Dictionary && count > unpacked {
        return Err(wrong(format!("{count} entries of a dictionary in {unpacked} bytes")));
    }
    Ok((kind, count))
}

/// Checks what only a page of version 2 claims.
fn levels(header: &DataPageHeaderV2, packed: u64) -> Result<(), String> {
    let DataPageHeaderV2 { num_values, num_nulls, num_rows, .. } = *header;
    let all = 0..=num_values.max(0);
    if !all.contains(&num_nulls) || !all.contains(&num_rows) {
        return Err(format!("{num_nulls} missing ones and {num_rows} rows of {num_values} values"));
    }
    let (definition, repetition) =
        (header.definition_levels_byte_length, header.repetition_levels_byte_length);
    let bytes = u64::try_from(definition)
        .and_then(|definition| u64::try_from(repetition).map(|repetition| definition + repetition));
    match bytes {
        Ok(bytes) if bytes <= packed => Ok(()),
        _ => Err(format!("levels of {definition} and {repetition} bytes in {packed}")),
    }
}

/// Most bytes that `packed` bytes can unpack to.
///
/// Snappy copies 64 bytes by 3, LZ4 adds 255 by 1, deflate has 258 by 2 bits, zstd a block of 128 KiB by 4 bytes.
fn unpacked_at_most(packed: u64, codec: CompressionCodec) -> u64 {
    let ratio = match codec {
        CompressionCodec::UNCOMPRESSED => return packed,
        CompressionCodec::SNAPPY => 22,
        CompressionCodec::LZ4 | CompressionCodec::LZ4_RAW => 256,
        CompressionCodec::GZIP => 1032,
        CompressionCodec::ZSTD => 1 << 15,
        _ => return u64::MAX,
    };
    packed.saturating_mul(ratio).saturating_add(ratio)
}
