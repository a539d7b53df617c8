use std::io::Write as _;

use zip::write::SimpleFileOptions;

use super::*;
use crate::{DataSpec, chain, open};

const LEN: u64 = 5;
const BYTES: usize = 3 * 4 * 3;
const NAMES: [&str; 5] = ["b/two.png", "a/one.png", "c/Ünï 日本.png", "x", "c/five 😀.png"];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/npz")).join(name)
}

/// The picture that `tests/oracle/npz.py` wrote, by its formula.
fn picture(index: u64) -> Vec<u8> {
    let first = index * BYTES as u64;
    (first..first + BYTES as u64).map(|i| ((i * i + 7 * i) % 251) as u8).collect()
}

fn load(set: &dyn Dataset, range: Range<u64>) -> Vec<Sample> {
    set.samples(range).unwrap().map(|pending| pending.unwrap().load().unwrap()).collect()
}

fn refusal(path: &Path) -> String {
    let error = open(&DataSpec::Path(path.to_owned())).err().unwrap();
    assert!(!error.is_sample());
    chain(&error)
}

/// An `.npz` of one `arr_0` with a header of our choice, and the data given.
fn hostile(method: CompressionMethod, shape: &str, data: &[u8]) -> tempfile::TempPath {
    let mut file = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
    let mut zip = zip::ZipWriter::new(&mut file);
    zip.start_file("arr_0.npy", SimpleFileOptions::default().compression_method(method)).unwrap();
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    zip.write_all(b"\x93NUMPY\x01\0").unwrap();
    zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    zip.write_all(header.as_bytes()).unwrap();
    zip.write_all(data).unwrap();
    zip.finish().unwrap();
    file.into_temp_path()
}

use zip::CompressionMethod::{self, Deflated, Stored};

#[test]
fn every_way_that_numpy_writes_gives_the_same_pictures() {
    let plain = ["stored", "deflated", "version2", "zip64"];
    let full = ["stored-labels-ids", "deflated-labels-ids", "big-endian"];
    for name in plain.into_iter().chain(full) {
        let set = Npz::open(&golden(&format!("{name}.npz")), Limits::default()).unwrap();
        assert_eq!(set.len(), LEN);
        let samples = load(&set, 0..LEN);
        assert_eq!(samples.len(), 5);
        for (i, sample) in samples.iter().enumerate() {
            assert_eq!(sample.index, i as u64);
            assert_eq!((sample.image.width(), sample.image.height()), (4, 3));
            assert_eq!(sample.image.pixels(), picture(i as u64), "{name} {i}");
            let (label, id) = match full.contains(&name) {
                true => (Some([3, 0, 999, 7, 3][i]), NAMES[i].to_owned()),
                false => (None, i.to_string()),
            };
            assert_eq!((sample.label, &sample.id), (label, &id), "{name}");
        }
    }
}

#[test]
fn a_range_gives_what_the_whole_walk_gives_there() {
    for name in ["stored-labels-ids.npz", "deflated-labels-ids.npz"] {
        let set = Npz::open(&golden(name), Limits::default()).unwrap();
        let whole = load(&set, 0..LEN);
        for start in 0..=LEN {
            for end in start..=LEN {
                let part = &whole[start as usize..end as usize];
                assert_eq!(load(&set, start..end), part, "{name} {start}..{end}");
            }
        }
        assert!(matches!(set.samples(3..6), Err(DataError::Range { .. })));
        #[expect(clippy::reversed_empty_ranges, reason = "a reversed range is the case tested")]
        let reversed = 3..2;
        assert!(matches!(set.samples(reversed), Err(DataError::Range { .. })));
    }
}

#[test]
fn a_sample_may_be_loaded_on_another_thread_after_the_walk_has_gone_on() {
    let set = Npz::open(&golden("deflated.npz"), Limits::default()).unwrap();
    let pending: Vec<_> = set.samples(0..LEN).unwrap().collect();
    std::thread::scope(|scope| {
        for (i, pending) in pending.into_iter().enumerate().rev() {
            let sample = scope.spawn(move || pending.unwrap().load().unwrap()).join().unwrap();
            assert_eq!(sample.image.pixels(), picture(i as u64));
        }
    });
}

#[test]
fn indices_are_padded_so_that_names_sort_like_them() {
    let file = hostile(Deflated, "(120, 1, 1, 3)", &[9; 360]);
    let ids: Vec<String> = load(&Npz::open(&file, Limits::default()).unwrap(), 0..120)
        .into_iter()
        .map(|s| s.id)
        .collect();
    assert_eq!((ids[0].as_str(), ids[119].as_str()), ("000", "119"));
    assert!(ids.is_sorted());
}

#[test]
fn each_wrong_file_is_refused_with_its_name_and_what_would_be_right() {
    let cases = [
        (
            "bad-float",
            "`arr_0` is of type `<f4`; expected 8-bit pictures, as `pictures.astype(numpy.uint8)`",
        ),
        ("bad-grey", "`arr_0` has shape [5, 3, 4]; expected [N, height, width, 3]"),
        ("bad-channels-first", "`arr_0` has shape [5, 3, 3, 4]; expected [N, height, width, 3]"),
        (
            "bad-none",
            "`arr_0` has shape [0, 3, 4, 3]; expected [N, height, width, 3] with at least one",
        ),
        ("bad-fortran", "`arr_0` is in Fortran order; save `numpy.ascontiguousarray(arr_0)`"),
        ("bad-names", "no array `arr_0` (it has: images, labels); write it with `numpy.savez(path"),
        ("bad-object", "`arr_0` is of type `|O`"),
        (
            "bad-labels-short",
            "`arr_1` has shape [4]; expected one entry for each of the 5 pictures",
        ),
        ("bad-labels-negative", "in `arr_1`, label 2 is not in 0..2^32"),
        ("bad-labels-float", "`arr_1` is of type `<f8`; expected class labels"),
        ("bad-ids-long", "`ids` has shape [6]; expected one entry for each of the 5 pictures"),
        ("bad-ids-twice", "in `ids`, `b/two.png` names two pictures"),
        ("bad-ids-bytes", "`ids` is of type `|S1`; expected ids, as `numpy.array(ids, dtype=str)`"),
        ("bad-bzip2", "`arr_0` is packed by"),
        ("bad-cut", "it is no whole zip file; it may be cut short"),
        ("bad-empty", "it is no whole zip file; it may be cut short"),
        ("bad-member", "the header of `arr_0` is damaged: it does not begin like an .npy"),
    ];
    for (name, expected) in cases {
        let path = golden(&format!("{name}.npz"));
        let found = refusal(&path);
        assert!(found.contains(expected), "{name}: {found}");
        assert!(found.contains(&path.display().to_string()), "{found}");
    }
}

#[test]
fn a_header_that_claims_more_than_the_file_holds_is_refused_before_anything_is_allocated() {
    // 10^12 pictures; a product beyond 2^64; one picture too many; a picture of 12 GB.
    for shape in [
        "(1000000000000, 256, 256, 3)",
        "(18446744073709551615, 18446744073709551615, 2, 3)",
        "(3, 2, 2, 3)",
        "(1, 65536, 65536, 3)",
    ] {
        for method in [Stored, Deflated] {
            let found = refusal(&hostile(method, shape, &[0; 24]));
            assert!(found.contains("the header of `arr_0` claims"), "{shape}: {found}");
        }
    }
}

#[test]
fn a_bomb_is_refused_by_its_claim_or_streamed_but_never_expanded() {
    // 64 MB of zeros in 64 KB of deflate: one picture of 22 megapixels is honest, and is read.
    let data = vec![0; 3 << 20];
    let file = hostile(Deflated, "(1, 1024, 1024, 3)", &data);
    assert_eq!(load(&Npz::open(&file, Limits::default()).unwrap(), 0..1)[0].image.pixels(), data);
    // The same bytes cannot hold what deflate cannot reach: 1032 times their number.
    let found = refusal(&hostile(Deflated, "(1024, 1024, 1024, 3)", &data));
    assert!(found.contains("claims 3221225472 bytes"), "{found}");
    // A picture beyond the limit of all pictures, even where its bytes are there.
    let found = refusal(&hostile(Stored, "(0, 16384, 16384, 3)", &[]));
    assert!(found.contains("at most 178956970"), "{found}");
}

/// Rewrites the sizes of the member in the zip's own headers, to lie as the array header does.
fn with_claimed_size(path: &Path, size: u32) {
    let mut bytes = std::fs::read(path).unwrap();
    let local = bytes.windows(4).position(|w| w == b"PK\x03\x04").unwrap();
    let central = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in [local + 22, central + 24] {
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn data_that_end_before_the_header_says_are_an_error_and_end_the_walk() {
    let file = hostile(Deflated, "(1000, 2, 2, 3)", &[7; 1200]);
    with_claimed_size(&file, 20_000);
    let set = Npz::open(&file, Limits::default()).unwrap();
    let walk: Vec<_> = set.samples(0..1000).unwrap().collect();
    assert_eq!(walk.len(), 101, "a hundred pictures are there, then comes the error");
    let error = walk.into_iter().next_back().unwrap().unwrap_err();
    assert!(!error.is_sample());
    assert!(chain(&error).contains("its data cannot be read to their end"), "{error:?}");
}
