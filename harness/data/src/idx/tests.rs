use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{DataSpec, SplitSpec, chain, open};

const SIDES: (usize, usize) = (3, 4);

/// A file in the format: magic, sides, data.
fn idx(sides: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sides.len() as u8];
    bytes.extend(sides.iter().flat_map(|side| side.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Grey levels that follow from their place, and that no packing makes shorter.
fn levels(count: usize) -> Vec<u8> {
    let level = |i: usize| ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    (0..count * SIDES.0 * SIDES.1).map(level).collect()
}

fn images(count: usize) -> Vec<u8> {
    idx(&[count as u32, SIDES.0 as u32, SIDES.1 as u32], &levels(count))
}

fn labels(count: usize) -> Vec<u8> {
    idx(&[count as u32], &(0..count).map(|i| (i % 10) as u8).collect::<Vec<_>>())
}

/// A folder with the given files.
fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(root.path().join(name), content).unwrap();
    }
    root
}

fn load(set: &dyn Dataset, range: Range<u64>) -> Vec<Sample> {
    set.samples(range).unwrap().map(|pending| pending.unwrap().load().unwrap()).collect()
}

fn at(root: &tempfile::TempDir, split: &str) -> Result<Box<dyn Dataset>, DataError> {
    open(&format!("{}#{split}", root.path().display()).parse().unwrap())
}

fn refusal(images: Vec<u8>, labels: Vec<u8>) -> String {
    let root = folder(&[("i", images), ("l", labels)]);
    let (images, labels) = (root.path().join("i"), root.path().join("l"));
    let error = open(&DataSpec::Idx { images, labels }).err().unwrap();
    assert!(!error.is_sample());
    chain(&error)
}

#[test]
fn plain_and_gzipped_files_give_the_same_pictures_in_any_order_of_ranges() {
    let root = folder(&[
        ("train-images-idx3-ubyte", images(25)),
        ("train-labels-idx1-ubyte", labels(25)),
        ("t10k-images-idx3-ubyte.gz", gzip(&images(25))),
        ("t10k-labels-idx1-ubyte.gz", gzip(&labels(25))),
    ]);
    let (plain, packed) = (at(&root, "train").unwrap(), at(&root, "test").unwrap());
    let whole = load(plain.as_ref(), 0..25);
    for (index, sample) in whole.iter().enumerate() {
        let levels = &levels(25)[index * 12..][..12];
        let expected: Vec<u8> = levels.iter().flat_map(|&level| [level; 3]).collect();
        assert_eq!(sample.image.pixels(), expected);
        assert_eq!((sample.image.width(), sample.image.height()), (4, 3));
        assert_eq!((sample.index, sample.label), (index as u64, Some(index as u32 % 10)));
        assert_eq!(sample.id, format!("{index:02}"));
    }
    for range in [0..25, 7..9, 9..12, 3..4, 20..25, 25..25, 0..1] {
        let expected = &whole[range.start as usize..range.end as usize];
        assert_eq!(load(plain.as_ref(), range.clone()), expected);
        assert_eq!(load(packed.as_ref(), range), expected);
    }
    assert!(plain.samples(20..26).is_err() && packed.classes().is_empty());
}

#[test]
fn files_that_python_wrote_are_read() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data_sets");
    let spec =
        format!("idx:{golden}/train-images-idx3-ubyte.gz:{golden}/train-labels-idx1-ubyte.gz");
    let set = open(&spec.parse().unwrap()).unwrap();
    let samples = load(set.as_ref(), 0..5);
    assert_eq!(samples.iter().map(|s| s.label.unwrap()).collect::<Vec<_>>(), [3, 0, 9, 7, 3]);
    for (n, sample) in samples.iter().enumerate() {
        // The red channel of `picture(n)` in tests/oracle/data_sets.py.
        let red = (0..12).map(|i| 36 * n + 3 * i).map(|k| ((k * k + 7 * k) % 251) as u8);
        assert_eq!(sample.image.pixels(), red.flat_map(|level| [level; 3]).collect::<Vec<_>>());
    }
}

#[test]
fn a_folder_with_two_splits_asks_for_one_and_one_split_needs_no_name() {
    let both = folder(&[
        ("train-images-idx3-ubyte", images(2)),
        ("train-labels-idx1-ubyte", labels(2)),
        ("t10k-images.idx3-ubyte", images(3)),
        ("t10k-labels.idx1-ubyte", labels(3)),
    ]);
    let error = open(&DataSpec::Path(both.path().to_owned())).err().unwrap().to_string();
    assert!(error.contains("holds splits (train, test)") && error.contains("#train"), "{error}");
    assert_eq!(at(&both, "test").unwrap().len(), 3);
    let error = at(&both, "val").err().unwrap().to_string();
    assert!(error.contains("no split `val` (it has train, test)"), "{error}");
    let one = folder(&[
        ("t10k-images-idx3-ubyte", images(2)),
        ("t10k-labels-idx1-ubyte.gz", gzip(&labels(2))),
    ]);
    assert_eq!(open(&DataSpec::Path(one.path().to_owned())).unwrap().len(), 2);
}

#[test]
fn files_of_wrong_size_or_kind_are_refused_when_they_are_opened() {
    let wrong = |sides: &[u32]| idx(sides, &levels(2));
    for (images, labels, expected) in [
        (images(3)[..40].to_vec(), labels(3), "claims 36 bytes of data and 24 are there"),
        ([images(3), vec![0]].concat(), labels(3), "claims 36 bytes of data and 37 are there"),
        (images(3), labels(2), "it has 2 labels for the 3 pictures of"),
        (images(3), labels(3)[..9].to_vec(), "claims 3 bytes of data and 1 are there"),
        (labels(3), images(3), "it is no file of pictures (00 00 08 03"),
        (images(3), images(3), "it is no file of labels (00 00 08 01"),
        (b"P6 4 3 255".to_vec(), labels(3), "it begins with [50, 36, 20, 34]"),
        (vec![0, 0, 8], labels(3), "cut short"),
        (idx(&[0, 3, 4], &[]), labels(0), "claims sides [0, 3, 4]"),
        (wrong(&[u32::MAX, u32::MAX, u32::MAX]), labels(3), "claims sides [4294967295"),
        (wrong(&[u32::MAX, 3, 4]), labels(3), "and 24 are there"),
        (idx(&[1, 1 << 31, 1], &[]), labels(1), "and 0 are there"),
    ] {
        let text = refusal(images, labels);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_truncated_gzip_is_refused_wherever_it_is_cut() {
    let whole = gzip(&images(40));
    for len in [3, 12, 30, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
        let text = refusal(whole[..len].to_vec(), labels(40));
        assert!(text.contains("cut short"), "{len}: {text}");
    }
    let packed = gzip(&labels(40));
    let text = refusal(images(40), packed[..packed.len() - 6].to_vec());
    assert!(text.contains("cut short"), "{text}");
    // Two parts, and a header that claims more than any gzip of this size can hold.
    let parts = [gzip(&images(40)), gzip(&[1, 2, 3])].concat();
    assert!(refusal(parts, labels(40)).contains("made of several parts"));
    let claim = idx(&[u32::MAX, 256, 256], &[]);
    assert!(refusal(gzip(&claim), labels(40)).contains("the gzip ends otherwise"));
}

#[test]
fn labels_with_a_wrong_checksum_are_refused_and_a_hole_in_the_pictures_ends_the_walk() {
    let mut packed = gzip(&labels(40));
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert!(refusal(images(40), packed).contains("cannot be read to their end"));

    // Both ends of the gzip are whole; what lies between is not.
    let mut packed = gzip(&images(4000));
    let middle = packed.len() / 2;
    packed[middle..middle + 600].fill(0xFF);
    let root = folder(&[("i", packed), ("l", labels(4000))]);
    let (images, labels) = (root.path().join("i"), root.path().join("l"));
    let set = open(&DataSpec::Idx { images, labels }).unwrap();
    let mut walk = set.samples(0..4000).unwrap().skip_while(Result::is_ok);
    let error = walk.next().unwrap().unwrap_err();
    assert!(!error.is_sample() && chain(&error).contains("damaged"), "{}", chain(&error));
    assert!(walk.next().is_none());
}

/// Debian's package `dataset-fashion-mnist`; without it the test says that it was left out.
#[test]
fn fashion_mnist_has_the_real_pictures_that_python_reads() {
    let folder = Path::new("/usr/share/datasets/fashion-mnist");
    if !folder.is_dir() {
        let line = format!("left out: Fashion-MNIST ({} is not there)\n", folder.display());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    let whole = DataSpec::Path(folder.to_owned());
    let sets = SplitSpec::of(&whole).unwrap().open(open).unwrap();
    // sha256 of the grey levels and of the labels, by Python's gzip and hashlib.
    for (set, len, levels, labels) in [
        (
            &sets.train,
            60_000,
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        ),
        (
            &sets.test,
            10_000,
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
    ] {
        let (mut seen, mut classes) = (Sha256::new(), Sha256::new());
        for pending in set.samples(0..len).unwrap() {
            let sample = pending.unwrap().load().unwrap();
            seen.update(sample.image.pixels().iter().step_by(3).copied().collect::<Vec<u8>>());
            classes.update([sample.label.unwrap() as u8]);
        }
        let text = |hash: Sha256| -> String { prismbench_core::hexadecimal(hash.finalize()) };
        assert_eq!((set.len(), text(seen).as_str()), (len, levels));
        assert_eq!(text(classes), labels);
    }
}
