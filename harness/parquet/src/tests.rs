use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use prismbench_core::Sample;
use prismbench_data::{DataError, Dataset, Limits, SplitSpec, open_with, open_within};

const LABELS: [Option<u32>; 7] = [Some(2), Some(0), Some(1), None, Some(2), None, Some(0)];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data_sets")).join(name)
}

fn open(spec: &str) -> Result<Box<dyn Dataset>, DataError> {
    open_with(&spec.parse().unwrap(), super::open)
}

fn open_golden(name: &str) -> Result<Box<dyn Dataset>, DataError> {
    open(&golden(name).display().to_string())
}

/// Picture `n` of `tests/oracle/data_sets.py`.
fn picture(n: usize) -> Vec<u8> {
    (36 * n..36 * n + 36).map(|k| ((k * k + 7 * k) % 251) as u8).collect()
}

fn load(set: &dyn Dataset, range: Range<u64>) -> Vec<Sample> {
    set.samples(range).unwrap().map(|pending| pending.unwrap().load().unwrap()).collect()
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[test]
fn rows_of_every_packing_that_pyarrow_writes_are_the_same_samples() {
    for name in ["none", "snappy", "zstd", "gzip", "version2"] {
        let set = open_golden(&format!("{name}.parquet")).unwrap();
        assert_eq!(set.classes(), ["ankle boot", "bag", "coat"], "{name}");
        assert_eq!((set.len(), set.name(0)), (7, None));
        for (n, sample) in load(set.as_ref(), 0..7).iter().enumerate() {
            assert_eq!((sample.index, sample.id.clone()), (n as u64, n.to_string()));
            assert_eq!((sample.image.width(), sample.image.height()), (4, 3));
            assert_eq!(sample.image.pixels(), picture(n), "{name} {n}");
            assert_eq!(sample.label, LABELS[n], "{name} {n}");
            let captions = [format!("picture {n}"), format!("the one after {}", n as i32 - 1)];
            assert_eq!(sample.captions, captions);
        }
    }
}

#[test]
fn a_range_gives_what_the_whole_walk_gives_there_on_any_thread() {
    let set = open_golden("snappy.parquet").unwrap();
    let whole = load(set.as_ref(), 0..7);
    for start in 0..=7 {
        for end in start..=7 {
            assert_eq!(load(set.as_ref(), start..end), whole[start as usize..end as usize]);
        }
    }
    assert!(matches!(set.samples(3..8), Err(DataError::Range { len: 7, .. })));
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (set, whole) = (&set, &whole);
            scope.spawn(move || {
                for _ in 0..20 {
                    let range = start..start + 3;
                    assert_eq!(load(set.as_ref(), range), whole[start as usize..][..3]);
                }
            });
        }
    });
}

#[test]
fn pictures_labels_and_captions_are_found_under_other_names() {
    let set = open_golden("other.parquet").unwrap();
    let samples = load(set.as_ref(), 0..3);
    assert_eq!(set.classes().len(), 3);
    for (n, sample) in samples.iter().enumerate() {
        assert_eq!((sample.image.pixels(), sample.label), (&picture(n)[..], Some(n as u32)));
        assert_eq!(sample.captions, [["a", "b", "c"][n]]);
    }
    let set = open_golden("bytes.parquet").unwrap();
    let sample = &load(set.as_ref(), 1..2)[0];
    assert_eq!((sample.image.pixels(), sample.label), (&picture(1)[..], None));
    assert!(sample.captions.is_empty());
}

#[test]
fn a_folder_of_the_hub_has_splits_of_several_files() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("data")).unwrap();
    for (from, to) in [
        ("snappy", "train-00000-of-00002"),
        ("zstd", "train-00001-of-00002"),
        ("none", "test-00000-of-00001"),
    ] {
        let to = root.path().join("data").join(format!("{to}.parquet"));
        std::fs::copy(golden(&format!("{from}.parquet")), to).unwrap();
    }
    let here = root.path().display().to_string();
    let pair = SplitSpec::of(&here.parse().unwrap()).unwrap();
    let sets = pair.open(|spec| open_with(spec, super::open)).unwrap();
    assert_eq!((sets.train.len(), sets.test.len()), (14, 7));
    assert_eq!(sets.train.id(), format!("{here}#train"));
    let across = load(sets.train.as_ref(), 5..10);
    let ids: Vec<&str> = across.iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["05", "06", "07", "08", "09"]);
    let pixels: Vec<_> = across.iter().map(|sample| sample.image.pixels().to_vec()).collect();
    assert_eq!(pixels, [5, 6, 0, 1, 2].map(picture));

    let other = root.path().join("data/train-00002-of-00002.parquet");
    std::fs::copy(golden("bytes.parquet"), &other).unwrap();
    let text = chain(&open(&format!("{here}#train")).err().unwrap());
    assert!(text.contains("train-00002") && text.contains("are not those of"), "{text}");
}

#[test]
fn rows_that_cannot_be_used_are_named_and_leave_the_others_alone() {
    let set = open_golden("bad-rows.parquet").unwrap();
    let loads: Vec<_> = set.samples(0..7).unwrap().map(|p| p.unwrap().load()).collect();
    assert!(loads[0].is_ok());
    for (row, expected) in [
        (1, "caption 0 is empty"),
        (2, "its class is 3 and the names are those of 3"),
        (3, "its class is -2"),
        (4, "it has no bytes of a picture"),
        (5, "is no usable picture"),
        (6, "it has no bytes of a picture"),
    ] {
        let error = loads[row].as_ref().unwrap_err();
        let text = chain(error);
        assert!(error.is_sample() && text.contains(expected), "{row}: {text}");
        assert!(text.contains(&format!("bad-rows.parquet/row {row}")), "{text}");
    }
}

#[test]
fn files_without_the_columns_and_damaged_ones_are_refused() {
    for (name, expected) in [
        ("no-image", "it has no column `image` of structs {bytes, path} (it has: `url`"),
        ("two", "columns `left`, `right` are all pictures; name the one that is meant `image`"),
        ("label", "column `label` is of type Utf8View; expected integers of 32 or 64 bits"),
        ("none", "there is no row in it"),
        ("cut", "it is no whole Parquet file"),
        ("empty", "it is no whole Parquet file"),
        ("hollow", "its footer does not hold together: row group"),
    ] {
        let error = open_golden(&format!("bad-{name}.parquet")).err().unwrap();
        let text = chain(&error);
        assert!(!error.is_sample() && text.contains(expected), "{name}: {text}");
        assert!(text.contains(&format!("bad-{name}.parquet` is no usable Parquet")), "{text}");
    }
    let error = open("parquet:no/such/file.parquet").err().unwrap();
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
}

#[test]
fn damage_between_the_ends_ends_the_walk() {
    let set = open_golden("bad-zeros.parquet").unwrap();
    let mut walk = set.samples(0..7).unwrap();
    let error = walk.next().unwrap().unwrap_err();
    assert!(!error.is_sample() && chain(&error).contains("bad-zeros.parquet"), "{error}");
    assert!(walk.next().is_none());
}

/// Found by `tests/fuzz`: a page with a count below zero, at which Polars asks for 2^61 bytes and the program ends.
#[test]
fn a_page_that_claims_a_count_below_zero_ends_the_walk() {
    let set = open_golden("bad-count.parquet").unwrap();
    let mut walk = set.samples(0..set.len()).unwrap();
    let text = chain(&walk.next().unwrap().unwrap_err());
    assert!(
        text.contains("bad-count.parquet")
            && text.contains("of row group 0: page 1 claims -61 values"),
        "{text}"
    );
    assert!(walk.next().is_none());
}

#[test]
fn pictures_beyond_the_limit_are_refused_one_by_one() {
    let spec = golden("snappy.parquet").display().to_string().parse().unwrap();
    let load = |pixels: u64| {
        let limits = Limits::of_pixels(pixels);
        let set = open_within(&spec, super::open, limits).unwrap();
        let pending = set.samples(0..1).unwrap().next().unwrap().unwrap();
        pending.load().map(|_| ())
    };
    load(12).unwrap();
    let error = load(11).unwrap_err();
    assert!(error.is_sample() && chain(&error).contains("--max-image-pixels"), "{error}");
}

#[test]
fn no_change_of_a_byte_makes_a_panic() {
    let whole = std::fs::read(golden("snappy.parquet")).unwrap();
    let root = tempfile::tempdir().unwrap();
    let path: &Path = &root.path().join("x.parquet");
    for at in (0..whole.len()).step_by(23) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(path, bytes).unwrap();
        // Whatever comes out is an error or a sample, and never more samples than there are.
        let Ok(set) = open(&path.display().to_string()) else { continue };
        let walk = set.samples(0..set.len()).unwrap();
        for pending in walk.take(100) {
            let _ = pending.and_then(prismbench_data::Pending::load);
        }
    }
}
