use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use prismbench_metrics::{FeatureNetwork, FeatureRows, Tap};
use sha2::{Digest, Sha256};

use crate::feature_file::{AddError, Origin};
use crate::pictures::Prepared;
use crate::spool::Spool;

const FORMAT: &str = "prismbench-rows-1";
/// A sample's digest and the sha256 of its rows.
const ENTRY: usize = 64;

/// Features of samples as they come, one row of each tap for each.
pub(crate) struct Rows {
    spools: Vec<Spool>,
    ledger: Option<Ledger>,
}

/// Which rows lie in files that outlive the process: one entry for each sample, in their order, written
/// when the rows are. A run that was cut short finds them again, in whatever state it left the files.
struct Ledger {
    file: File,
    /// Bytes before the first entry.
    header: u64,
    /// Entries of an earlier run, of which the first may be those of this run's samples.
    known: Vec<[u8; ENTRY]>,
}

impl Rows {
    /// No rows yet, in memory and temporary files.
    pub(crate) fn new(network: &dyn FeatureNetwork, taps: &[Tap]) -> Self {
        let spool = |&tap: &Tap| Spool::new(network.width(tap).unwrap_or(0));
        Self { spools: taps.iter().map(spool).collect(), ledger: None }
    }

    /// The same in the files `NAME.*` of `folder`, with what an earlier run left there of features of
    /// the same `origin`.
    ///
    /// # Errors
    /// Those of the files.
    pub(crate) fn in_folder(
        network: &dyn FeatureNetwork,
        taps: &[Tap],
        (folder, name): (&Path, &str),
        origin: &Origin,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let spool = |&tap: &Tap| -> io::Result<Spool> {
            let file = keeping(&folder.join(format!("{name}.{}.rows", tap.id())))?;
            Ok(Spool::in_file(network.width(tap).unwrap_or(0), file))
        };
        let layers: Vec<_> = taps.iter().map(|&tap| (tap.id(), network.width(tap))).collect();
        let origin: Vec<_> = origin.fields().collect();
        let mut header = serde_json::to_vec(&(FORMAT, origin, layers))?;
        header.push(b'\n');
        let ledger = Ledger::open(&folder.join(format!("{name}.ledger")), &header)?;
        let spools = taps.iter().map(spool).collect::<io::Result<_>>()?;
        Ok(Self { spools, ledger: Some(ledger) })
    }

    /// Takes in the rows of a block of samples: those that an earlier run left, and for the others, which
    /// it gets, what `compute` gives, the rows of each tap.
    ///
    /// # Errors
    /// What `compute` fails with, and those of the files.
    pub(crate) fn add<E>(
        &mut self,
        block: &[Prepared],
        compute: impl FnOnce(&[Prepared]) -> Result<Vec<FeatureRows>, E>,
    ) -> Result<(), AddError<E>> {
        let mut known = 0;
        while block.get(known).is_some_and(|sample| self.recall(sample)) {
            known += 1;
        }
        let fresh = &block[known..];
        if fresh.is_empty() {
            return Ok(());
        }
        let computed = compute(fresh).map_err(AddError::Compute)?;
        let mut taps: Vec<_> = computed.iter().map(FeatureRows::rows).collect();
        for sample in fresh {
            let rows: Vec<&[f32]> = taps.iter_mut().filter_map(Iterator::next).collect();
            self.push(sample, &rows).map_err(AddError::Spool)?;
        }
        Ok(())
    }

    /// The rows of tap number `place`.
    pub(crate) fn spool(&self, place: usize) -> Option<&Spool> {
        self.spools.get(place)
    }

    /// Samples so far.
    fn len(&self) -> usize {
        self.spools.first().map_or(0, prismbench_metrics::Features::rows)
    }

    /// Takes in the rows that an earlier run left of the next sample; false where it left none, or
    /// those of another sample, or no whole ones.
    fn recall(&mut self, sample: &Prepared) -> bool {
        let entry = self.ledger.as_ref().and_then(|ledger| ledger.known.get(self.len()));
        let Some((digest, of_rows)) = entry.map(|entry| entry.split_at(ENTRY / 2)) else {
            return false;
        };
        let mut hash = Sha256::new();
        for spool in &self.spools {
            match spool.next_row() {
                Ok(bytes) => hash.update(bytes),
                Err(_) => return false,
            }
        }
        let is_it = digest == sample.digest && of_rows == hash.finalize().as_slice();
        if is_it {
            self.spools.iter_mut().for_each(|spool| spool.recall(&sample.id));
        }
        is_it
    }

    fn push(&mut self, sample: &Prepared, rows: &[&[f32]]) -> io::Result<()> {
        let at = self.len();
        let mut hash = Sha256::new();
        for (spool, row) in self.spools.iter_mut().zip(rows) {
            spool.push(&sample.id, row)?;
            row.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        match &mut self.ledger {
            Some(ledger) => ledger.enter(at, &sample.digest, &hash.finalize()),
            None => Ok(()),
        }
    }
}

impl Ledger {
    fn open(path: &Path, header: &[u8]) -> io::Result<Self> {
        let mut file = keeping(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let known = match bytes.strip_prefix(header) {
            Some(entries) => entries.as_chunks().0.to_vec(),
            None => {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(header)?;
                Vec::new()
            }
        };
        Ok(Self { file, header: header.len() as u64, known })
    }

    /// Enters sample number `at`. What an earlier run entered from there on is of other samples.
    fn enter(&mut self, at: usize, digest: &[u8], of_rows: &[u8]) -> io::Result<()> {
        let place = self.header + (at * ENTRY) as u64;
        if self.known.len() > at {
            self.known.truncate(at);
            self.file.set_len(place)?;
        }
        self.file.seek(SeekFrom::Start(place))?;
        self.file.write_all(&[digest, of_rows].concat())
    }
}

/// A file with what is in it.
fn keeping(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}
