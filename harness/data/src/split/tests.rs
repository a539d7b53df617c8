use std::fs;
use std::ops::Range;
use std::path::Path;

use super::*;
use crate::{chain, open};

const PIXEL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/decode/png-rgb8.png"));

/// A folder of pictures with the given names.
fn folder(pictures: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for picture in pictures {
        let path = root.path().join(picture);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, PIXEL).unwrap();
    }
    root
}

fn spec(train: &Path, test: &Path) -> SplitSpec {
    format!("train={},test={}", train.display(), test.display()).parse().unwrap()
}

fn labels(set: &dyn Dataset, range: Range<u64>) -> Vec<(String, Option<u32>)> {
    let samples = set.samples(range).unwrap().map(|p| p.unwrap().load().unwrap());
    samples.map(|sample| (sample.id, sample.label)).collect()
}

#[test]
fn a_pair_prints_as_it_is_written_in_either_order() {
    let text = "train=synthetic:7:64,test=coco:c.json:images#test";
    let pair: SplitSpec = text.parse().unwrap();
    assert_eq!(pair.to_string(), text);
    let other: SplitSpec = "test=coco:c.json:images#test,train=synthetic:7:64".parse().unwrap();
    assert_eq!(other, pair);
    let commas: SplitSpec = "train=a,b,test=c,d".parse().unwrap();
    assert_eq!(
        (commas.train, commas.test),
        (DataSpec::Path("a,b".into()), DataSpec::Path("c,d".into()))
    );
    for text in
        ["", "a", "train=a", "train=,test=b", "train=a,test=", "train=a test=b", "x=a,test=b"]
    {
        let error = text.parse::<SplitSpec>().unwrap_err().to_string();
        assert!(error.contains("write `train=DATA,test=DATA`"), "{error}");
    }
}

#[test]
fn labels_are_matched_by_class_name() {
    // A picture beside the folders has no class and keeps none.
    let train = folder(&["cat/1.png", "dog/2.png", "eel/3.png"]);
    let test = folder(&["dog/1.png", "cat/2.png", "eel/3.png", "root.png"]);
    let sets = spec(train.path(), test.path()).open(open).unwrap();
    assert_eq!(sets.train.classes(), sets.test.classes());

    // Names whose order is another one: shards whose names are listed by number.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("classnames.txt"), "eel\ncat\ndog\n").unwrap();
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data_sets/pax.tar"),
        other.path().join("s.tar"),
    )
    .unwrap();
    let sets = spec(train.path(), other.path()).open(open).unwrap();
    assert_eq!(sets.test.classes(), ["cat", "dog", "eel"]);
    let found = labels(sets.test.as_ref(), 0..5);
    // 2, 0 and 1 in the shard.
    let expected = [Some(1), Some(2), Some(0), None, None];
    assert_eq!(found.iter().map(|(_, label)| *label).collect::<Vec<_>>(), expected);
    assert_eq!(found[0].0, "s/000");
    assert_eq!(labels(sets.test.as_ref(), 1..2), found[1..2]);
    assert_eq!((sets.test.len(), sets.test.name(0)), (5, Some("s/000")));
}

#[test]
fn classes_that_differ_between_splits_are_named_with_the_split() {
    let (two, three) =
        (folder(&["cat/1.png", "dog/1.png"]), folder(&["cat/1.png", "dog/1.png", "eel/1.png"]));
    let error = spec(two.path(), three.path()).open(open).unwrap_err().to_string();
    assert!(
        error.contains("class `eel` is in the test split and not in the train split"),
        "{error}"
    );
    let error = spec(three.path(), two.path()).open(open).unwrap_err().to_string();
    assert!(
        error.contains("class `eel` is in the train split and not in the test split"),
        "{error}"
    );
    let flat = folder(&["1.png"]);
    let error = spec(two.path(), flat.path()).open(open).unwrap_err().to_string();
    assert!(
        error.contains("names its classes and") && error.contains("only numbers them"),
        "{error}"
    );
    let pair = spec(flat.path(), folder(&["2.png"]).path());
    assert!(matches!(pair.open(open), Err(DataError::NotFound { .. })));
}

#[test]
fn one_set_is_not_its_own_test_split() {
    let error = spec(Path::new("a"), Path::new("a")).open(open).unwrap_err().to_string();
    assert!(error.contains("`a` is given as train and as test"), "{error}");
}

#[test]
fn a_set_brings_its_splits_along_or_is_unsplittable() {
    let root = folder(&["train/cat/1.png", "val/cat/2.png", "train/dog/1.png", "val/dog/9.png"]);
    let whole = DataSpec::Path(root.path().to_owned());
    let pair = SplitSpec::of(&whole).unwrap();
    let here = root.path().display();
    assert_eq!(pair.to_string(), format!("train={here}#train,test={here}#val"));
    let sets = pair.open(open).unwrap();
    assert_eq!(sets.train.id(), format!("{here}#train"));
    let expected = [("cat/2.png".to_owned(), Some(0)), ("dog/9.png".to_owned(), Some(1))];
    assert_eq!(labels(sets.test.as_ref(), 0..2), expected);
    // Without the word, the tree is what it has always been.
    assert_eq!(open(&whole).unwrap().classes(), ["train", "val"]);

    let test = folder(&["test/cat/1.png", "validation/cat/1.png", "train/cat/1.png"]);
    let pair = SplitSpec::of(&DataSpec::Path(test.path().to_owned())).unwrap();
    assert!(pair.to_string().ends_with("#test"), "{pair}");

    let flat = folder(&["cat/1.png"]);
    let error = SplitSpec::of(&DataSpec::Path(flat.path().to_owned())).unwrap_err().to_string();
    assert!(error.contains("cannot be split into train and test (its splits: none)"), "{error}");
    let half = folder(&["train/cat/1.png"]);
    let error = SplitSpec::of(&DataSpec::Path(half.path().to_owned())).unwrap_err();
    assert!(chain(&error).contains("its splits: train); name two sets"), "{error}");
    for text in ["synthetic:7:64", "x#train", "no/such/folder", "idx:a:b"] {
        let error = SplitSpec::of(&text.parse().unwrap()).unwrap_err();
        assert!(matches!(error, DataError::Unsplittable { .. }), "{error}");
    }
}
