//! The journals that shards leave, as a merge reads them: damaged, and damaged with digests that fit, as somebody
//! may write them on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use prismbench_baselines::{OpenOptions, Opened, TokenizerRef, open};
use prismbench_core::Protocol;
use prismbench_suites::{
    Context, Extraction, Journals, Networks, Observer, OnBad, Part, Pictures, SuiteError,
    Synthetic, extract,
};
use sha2::{Digest, Sha256};

/// Bytes of the header of a block: fields, and the digests of what follows.
const FIELDS: usize = 40;
const HEADER: usize = FIELDS + 64;

struct Silent;

impl Observer for Silent {}

/// A pass over twenty small pictures.
fn pass(journals: &Journals) -> Result<Option<Extraction>, Box<SuiteError>> {
    let protocol = Protocol::preset("default").unwrap().with("size", "16").unwrap();
    let reference: TokenizerRef = "dct:1".parse().unwrap();
    let Opened::Ready(tokenizer) = open(&reference, &OpenOptions::on(&Device::Cpu)).unwrap() else {
        panic!("nothing is fitted")
    };
    let dataset = Synthetic::new(1, 20);
    let (part, limit, on_bad) = (Part::All, None, OnBad::Stop);
    let pictures = Pictures { dataset: &dataset, part, limit, protocol: &protocol, on_bad };
    let mut context = Context {
        metrics: &[],
        device: &Device::Cpu,
        batch: 8,
        seed: 0,
        protocol: &protocol,
        networks: &Networks::default(),
        allow_unlike_reference: false,
        training: None,
        text_tower: None,
        load_times: &[],
        reference: None,
        cache: None,
        save_features: None,
        journals,
        save_samples: None,
        interrupted: &AtomicBool::new(false),
        observer: &mut Silent,
    };
    extract(&[tokenizer.as_ref()], &pictures, &mut context).map_err(Box::new)
}

/// The only file of a folder.
fn only(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let shard = Journals::Shard { folder: folder.path().to_owned(), index: 0, count: 1 };
    assert!(pass(&shard).unwrap().is_none());
    vec![fs::read(only(folder.path())).unwrap()]
}

/// Merges a file as the only shard's, as it is and with digests that fit.
pub(crate) fn feed(path: &Path) -> bool {
    let folder = path.parent().unwrap().join("shard");
    if !folder.exists() {
        let shard = Journals::Shard { folder: folder.clone(), index: 0, count: 1 };
        pass(&shard).unwrap();
    }
    let file = only(&folder);
    let bytes = fs::read(path).unwrap();
    let merge = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        pass(&Journals::Merged(vec![folder.clone()])).is_ok()
    };
    let as_it_is = merge(&bytes);
    merge(&signed(bytes)) && as_it_is
}

/// The same with the digests of the blocks as they are now.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some(line) = bytes.iter().position(|&byte| byte == b'\n') else { return bytes };
    let mut at = line + 1;
    while at + HEADER <= bytes.len() {
        let long = |from: usize| {
            let field = bytes[at + from..at + from + 8].try_into().unwrap();
            usize::try_from(u64::from_le_bytes(field)).unwrap()
        };
        let head = (at + HEADER).saturating_add(long(24));
        let end = head.saturating_add(long(32));
        if end > bytes.len() {
            break;
        }
        let fields = Sha256::new_with_prefix(&bytes[at..at + FIELDS]);
        let of_head = fields.chain_update(&bytes[at + HEADER..head]).finalize();
        let of_rows = Sha256::digest(&bytes[head..end]);
        bytes[at + FIELDS..at + FIELDS + 32].copy_from_slice(&of_head);
        bytes[at + FIELDS + 32..at + HEADER].copy_from_slice(&of_rows);
        at = end;
    }
    bytes
}
