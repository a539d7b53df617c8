use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::GzDecoder;

use super::{DataError, IdxError, failed};

/// Deflate cannot expand further: a length of 258 costs 2 bits at least (RFC 1951, section 3.2.5).
const MAX_EXPANSION: u64 = 1032;

/// Bytes that are read from the file at once.
const BUFFER: usize = 1 << 18;

/// The type code of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// An array of bytes in an IDX file. Nothing is held open.
#[derive(Debug)]
pub(super) struct Array {
    sides: Vec<u64>,
    is_gzip: bool,
    /// Bytes before the data.
    start: u64,
}

impl Array {
    /// Reads the header of an array of `axes` sides and compares it with the size of the file.
    pub(super) fn find(path: &Path, axes: u8) -> Result<Self, DataError> {
        let io = |cause| DataError::io(path, cause);
        let refused = |cause| failed(path, cause);
        let mut file = File::open(path).map_err(io)?;
        let file_len = file.metadata().map_err(io)?.len();
        let mut magic = [0; 2];
        let is_gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1F, 0x8B];
        file.rewind().map_err(io)?;
        let sides = if is_gzip {
            read_header(&mut GzDecoder::new(&mut file), axes)
        } else {
            read_header(&mut file, axes)
        }
        .map_err(refused)?;
        let start = 4 + 4 * u64::from(axes);
        let array = Self { sides, is_gzip, start };
        let claimed = array.data_len().ok_or_else(|| refused(array.wrong_shape()))?;
        if is_gzip {
            array.check_gzip(&mut file, file_len, claimed).map_err(refused)?;
        } else if file_len.saturating_sub(start) != claimed {
            return Err(refused(IdxError::Size { claimed, there: file_len.saturating_sub(start) }));
        }
        Ok(array)
    }

    pub(super) fn sides(&self) -> &[u64] {
        &self.sides
    }

    /// Whether its middle can be gone to without reading what comes before.
    pub(super) fn is_sought_in(&self) -> bool {
        !self.is_gzip
    }

    /// A reader of the data from byte `skip` on.
    pub(super) fn open(&self, path: &Path, skip: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        let skip = self.start.saturating_add(skip);
        if !self.is_gzip {
            file.seek(SeekFrom::Start(skip))?;
            return Ok(Box::new(BufReader::with_capacity(BUFFER, file)));
        }
        let mut data = GzDecoder::new(BufReader::with_capacity(BUFFER, file));
        io::copy(&mut data.by_ref().take(skip), &mut io::sink())?;
        Ok(Box::new(data))
    }

    fn data_len(&self) -> Option<u64> {
        self.sides.iter().try_fold(1_u64, |bytes, &side| bytes.checked_mul(side))
    }

    fn wrong_shape(&self) -> IdxError {
        IdxError::Shape { found: self.sides.clone() }
    }

    /// A gzip ends with the size of what it holds, modulo 2^32 (RFC 1952, section 2.3.1): one that is
    /// cut short is found before anything is measured.
    fn check_gzip(&self, file: &mut File, file_len: u64, claimed: u64) -> Result<(), IdxError> {
        let mut size = [0; 4];
        file.seek(SeekFrom::End(-4))
            .and_then(|_| file.read_exact(&mut size))
            .map_err(IdxError::Read)?;
        let whole = self.start.saturating_add(claimed);
        let can_hold = whole <= file_len.saturating_mul(MAX_EXPANSION);
        if can_hold && u32::from_le_bytes(size) == whole as u32 {
            Ok(())
        } else {
            Err(IdxError::Gzip { claimed })
        }
    }
}

fn read_header(reader: &mut dyn Read, axes: u8) -> Result<Vec<u64>, IdxError> {
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(IdxError::Read)?;
    if magic != [0, 0, UNSIGNED_BYTE, axes] {
        let expected = match axes {
            1 => "file of labels (00 00 08 01, `idx1-ubyte`)",
            _ => "file of pictures (00 00 08 03, `idx3-ubyte`)",
        };
        return Err(IdxError::Header { expected, found: format!("{magic:02x?}") });
    }
    let mut side = || {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map_err(IdxError::Read)?;
        Ok(u64::from(u32::from_be_bytes(bytes)))
    };
    (0..axes).map(|_| side()).collect()
}
