use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::{DataSpec, open};

/// A folder with the given files, each of them a PNG of one pixel unless its content is given.
fn folder(files: &[(&str, Option<&[u8]>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.unwrap_or(PIXEL)).unwrap();
    }
    root
}

const PIXEL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/decode/png-rgb8.png"));

fn pictures<'a>(names: &[&'a str]) -> Vec<(&'a str, Option<&'static [u8]>)> {
    names.iter().map(|&name| (name, None)).collect()
}

fn ids(root: &Path) -> Vec<String> {
    let set = Folder::open(root).unwrap();
    let walk = set.samples(0..set.len()).unwrap();
    walk.map(|pending| pending.unwrap().id).collect()
}

#[test]
fn ids_are_relative_paths_in_bytewise_order_whatever_the_extension() {
    let names =
        ["b/2.JPEG", "a.png", "b/10.webp", "Z.Tiff", "b/c/d.bmp", "b-1/x.gif", "é.jpe", "b/1.jfif"];
    let root = folder(&pictures(&names));
    let mut sorted = names.map(str::to_owned).to_vec();
    sorted.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(ids(root.path()), sorted);
}

#[test]
fn hidden_files_and_files_of_other_kinds_are_passed_over() {
    let root =
        folder(&pictures(&["a.png", ".b.png", ".git/c.png", "notes.txt", "png", "x/.d.jpg"]));
    assert_eq!(ids(root.path()), ["a.png"]);
}

#[test]
fn the_first_folder_is_the_class_and_pictures_in_the_root_have_none() {
    let root = folder(&pictures(&["n02/a/x.png", "n01/b.png", "n02/c.png", "root.png"]));
    let set = Folder::open(root.path()).unwrap();
    assert_eq!(set.classes(), ["n01", "n02"]);
    let labels: BTreeMap<String, Option<u32>> = set
        .samples(0..4)
        .unwrap()
        .map(|pending| pending.unwrap().load().unwrap())
        .map(|sample| (sample.id, sample.label))
        .collect();
    let expected = [
        ("n01/b.png", Some(0)),
        ("n02/a/x.png", Some(1)),
        ("n02/c.png", Some(1)),
        ("root.png", None),
    ];
    assert_eq!(labels, expected.map(|(id, label)| (id.to_owned(), label)).into());
    let flat = folder(&pictures(&["a.png", "b.png"]));
    assert!(Folder::open(flat.path()).unwrap().classes().is_empty());
}

#[test]
fn classes_are_numbered_as_torchvision_numbers_them() {
    let names = ["b-1", "b", "B", "é", "a b", "a"].map(|class| format!("{class}/x/1.png"));
    let root = folder(&pictures(&names.each_ref().map(String::as_str)));
    // `ImageFolder(root).classes` of torchvision 0.29. Its pictures go class by class: `b/` before `b-1/`.
    let classes = ["B", "a", "a b", "b", "b-1", "é"];
    let set = Folder::open(root.path()).unwrap();
    assert_eq!(set.classes(), classes);
    for pending in set.samples(0..6).unwrap() {
        let sample = pending.unwrap().load().unwrap();
        let class = classes[sample.label.unwrap() as usize];
        assert!(sample.id.starts_with(&format!("{class}/")), "{} is {class}", sample.id);
    }
}

#[test]
fn ranges_number_samples_by_their_place_in_the_whole_set() {
    let root = folder(&pictures(&["a.png", "b.png", "c.png"]));
    let set = open(&DataSpec::Path(root.path().to_owned())).unwrap();
    assert_eq!(set.id(), root.path().display().to_string());
    let sample = set.samples(1..2).unwrap().next().unwrap().unwrap().load().unwrap();
    assert_eq!((sample.index, sample.id.as_str()), (1, "b.png"));
    assert_eq!((sample.image.width(), sample.image.height()), (23, 17));
    assert!(matches!(set.samples(0..4), Err(DataError::Range { len: 3, .. })));
}

#[test]
fn one_picture_is_a_set_of_one() {
    let root = folder(&[("deep/a.png", None), ("b.txt", None)]);
    let set = open(&DataSpec::Path(root.path().join("deep/a.png"))).unwrap();
    assert_eq!((set.len(), set.classes().len()), (1, 0));
    let sample = set.samples(0..1).unwrap().next().unwrap().unwrap().load().unwrap();
    assert_eq!((sample.id.as_str(), sample.label), ("a.png", None));
    let error = open(&DataSpec::Path(root.path().join("b.txt"))).err().unwrap();
    assert!(matches!(error, DataError::UnknownKind { .. }), "{error}");
}

#[test]
fn an_empty_folder_says_how_many_files_were_passed_over() {
    let root = folder(&pictures(&["a.txt", "b/c.md", ".hidden"]));
    let error = Folder::open(root.path()).err().unwrap();
    assert!(error.to_string().contains("none of its 2 files"), "{error}");
    assert!(!error.is_sample());
}

#[test]
fn a_bad_picture_is_named_and_leaves_the_others_alone() {
    let root = folder(&[("a.png", None), ("b.jpg", Some(b"\xFF\xD8\xFFno")), ("c.png", None)]);
    let set = Folder::open(root.path()).unwrap();
    let loaded: Vec<_> = set.samples(0..3).unwrap().map(|p| p.unwrap().load()).collect();
    assert!(loaded[0].is_ok() && loaded[2].is_ok());
    let error = loaded[1].as_ref().err().unwrap();
    assert!(error.is_sample() && error.to_string().contains("b.jpg"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let root = folder(&pictures(&["a/x.png", "b/y.png"]));
    symlink(root.path(), root.path().join("a/up")).unwrap();
    symlink("../a", root.path().join("b/a")).unwrap();
    symlink("nowhere", root.path().join("b/gone.png")).unwrap();
    assert_eq!(ids(root.path()), ["a/x.png", "b/a/x.png", "b/gone.png", "b/y.png"]);
    let set = Folder::open(root.path()).unwrap();
    let gone = set.samples(2..3).unwrap().next().unwrap().unwrap().load().unwrap_err();
    assert!(gone.is_sample() && gone.to_string().contains("gone.png"), "{gone}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_an_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let root = folder(&pictures(&["a.png"]));
    fs::write(root.path().join(OsStr::from_bytes(b"\xFF.png")), PIXEL).unwrap();
    let error = Folder::open(root.path()).err().unwrap();
    assert!(matches!(error, DataError::Name { .. }), "{error}");
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}
