use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::NpzError;
use crate::npy::Header;

/// Deflate cannot expand further: a length of 258 costs 2 bits at least (RFC 1951, section 3.2.5).
const MAX_EXPANSION: u64 = 1032;

/// Bytes that are read from the file at once.
const BUFFER: usize = 1 << 18;

/// One array of an `.npz`: where its bytes lie and what its header says. Nothing is held open.
#[derive(Debug)]
pub(crate) struct Array {
    name: String,
    header: Header,
    packing: Packing,
    /// Place of the member's bytes in the file.
    start: u64,
    /// Bytes that the member takes in the file.
    packed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Stored,
    Deflated,
}

/// Names of the arrays of a file.
pub(crate) fn names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<String> {
    let names = archive.file_names_raw().map(String::from_utf8_lossy);
    names.map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned()).collect()
}

impl Array {
    /// Finds an array, and checks that its data fit into the file before anyone believes its shape.
    pub(crate) fn find(
        archive: &mut ZipArchive<BufReader<File>>,
        name: &str,
        file_len: u64,
    ) -> Result<Option<Self>, NpzError> {
        let Some(index) = archive.index_for_name(&format!("{name}.npy")) else { return Ok(None) };
        let mut member = archive.by_index_raw(index).map_err(NpzError::Zip)?;
        let packing = |method: String| NpzError::Packing { array: name.to_owned(), method };
        let method = match member.compression() {
            _ if member.encrypted() => return Err(packing("encrypted".to_owned())),
            CompressionMethod::Stored => Packing::Stored,
            CompressionMethod::Deflated => Packing::Deflated,
            other => return Err(packing(format!("packed by {other}"))),
        };
        let start = member.data_start().unwrap_or(file_len);
        let packed = member.compressed_size().min(file_len.saturating_sub(start));
        let size = member.size();
        let header = match method {
            Packing::Stored => Header::read(&mut member),
            Packing::Deflated => Header::read(&mut DeflateDecoder::new(&mut member)),
        }
        .map_err(|problem| NpzError::Header { array: name.to_owned(), problem })?;
        let array = Self { name: name.to_owned(), header, packing: method, start, packed };
        array.check_claim(size)?;
        Ok(Some(array))
    }

    /// The array's name in the file, without `.npy`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shape(&self) -> &[u64] {
        &self.header.shape
    }

    /// Whether its middle can be gone to without reading what comes before.
    pub(crate) fn is_sought_in(&self) -> bool {
        self.packing == Packing::Stored
    }

    /// numpy's type string.
    pub(crate) fn descr(&self) -> &str {
        &self.header.descr
    }

    /// Refuses another element type; `kind` leaves out the byte order.
    pub(crate) fn expect_type(&self, kind: &str, expected: &str) -> Result<(), NpzError> {
        match self.descr().strip_prefix(['|', '<', '>', '=']) {
            Some(found) if found == kind => Ok(()),
            _ => Err(self.wrong_type(expected)),
        }
    }

    pub(crate) fn wrong_type(&self, expected: &str) -> NpzError {
        NpzError::Type {
            array: self.name.clone(),
            expected: expected.to_owned(),
            found: self.descr().to_owned(),
        }
    }

    /// A reader of the data from byte `skip` on.
    pub(crate) fn open(&self, path: &Path, skip: u64) -> Result<Box<dyn Read + Send>, NpzError> {
        let mut file = File::open(path).map_err(NpzError::Read)?;
        let skip = skip.saturating_add(self.header.len);
        let (ahead, discard) = match self.packing {
            Packing::Stored => (skip, 0),
            Packing::Deflated => (0, skip),
        };
        let start = self.start.saturating_add(ahead);
        file.seek(SeekFrom::Start(start)).map_err(NpzError::Read)?;
        let file = BufReader::with_capacity(BUFFER, file);
        let packed = file.take(self.packed.saturating_sub(ahead));
        let mut data: Box<dyn Read + Send> = match self.packing {
            Packing::Stored => Box::new(packed),
            Packing::Deflated => Box::new(DeflateDecoder::new(packed)),
        };
        io::copy(&mut data.by_ref().take(discard), &mut io::sink()).map_err(NpzError::Read)?;
        Ok(data)
    }

    /// Compares the bytes that shape and type claim with what the member says it holds and with what
    /// its bytes in the file can hold at most.
    fn check_claim(&self, size: u64) -> Result<(), NpzError> {
        if self.header.fortran_order && self.header.shape.len() > 1 {
            return Err(NpzError::FortranOrder { array: self.name.clone() });
        }
        let element = element_bytes(self.descr())
            .ok_or_else(|| self.wrong_type("numbers or texts of a fixed size"))?;
        let claimed = self.shape().iter().try_fold(element, |bytes, &side| bytes.checked_mul(side));
        let holds = match self.packing {
            Packing::Stored => self.packed,
            Packing::Deflated => self.packed.saturating_mul(MAX_EXPANSION),
        };
        let there = size.min(holds).saturating_sub(self.header.len);
        match claimed {
            Some(bytes) if bytes <= there => Ok(()),
            _ => Err(NpzError::Claim { array: self.name.clone(), claimed, there }),
        }
    }
}

/// Bytes of one element: `<i8` has 8, `<U12` has 4 for each of its 12 characters.
fn element_bytes(descr: &str) -> Option<u64> {
    let kind = descr.strip_prefix(['|', '<', '>', '='])?;
    let count: u64 = kind.get(1..)?.parse().ok()?;
    match kind.as_bytes().first()? {
        b'b' | b'i' | b'u' | b'f' | b'c' | b'S' | b'V' => Some(count),
        b'U' => count.checked_mul(4),
        _ => None,
    }
}
