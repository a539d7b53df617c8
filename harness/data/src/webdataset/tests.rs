use std::io::Write as _;

use super::*;
use crate::{DataSpec, chain, open};

const LONG: &str = "a folder with a long name/";

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data_sets")).join(name)
}

/// Picture `n` of `tests/oracle/data_sets.py`.
fn picture(n: usize) -> Vec<u8> {
    (36 * n..36 * n + 36).map(|k| ((k * k + 7 * k) % 251) as u8).collect()
}

fn load(set: &dyn Dataset, range: Range<u64>) -> Vec<Sample> {
    set.samples(range).unwrap().map(|pending| pending.unwrap().load().unwrap()).collect()
}

fn refusal(spec: &str) -> String {
    let error = open(&spec.parse().unwrap()).err().unwrap();
    assert!(!error.is_sample());
    chain(&error)
}

/// A member as any `tar` writes it.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(content.len() as u64);
    header.set_cksum();
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [header.as_bytes(), content, &padding].concat()
}

/// A shard of pictures with the given keys and classes.
fn shard(path: &Path, samples: &[(&str, &str)]) {
    let png = fs::read(golden("../decode/png-rgb8.png")).unwrap();
    let mut bytes = Vec::new();
    for (key, class) in samples {
        bytes.extend(member(&format!("{key}.png"), &png));
        bytes.extend(member(&format!("{key}.cls"), class.as_bytes()));
    }
    bytes.extend([0; 1024]);
    fs::write(path, bytes).unwrap();
}

#[test]
fn shards_that_python_wrote_hold_pictures_classes_and_captions() {
    for shard in ["pax", "gnu"] {
        let set = open(&DataSpec::Path(golden(&format!("{shard}.tar")))).unwrap();
        let samples = load(set.as_ref(), 0..5);
        let long = format!("{shard}/{}003 日本", LONG.repeat(6));
        let ids = ["000", "001", "002"].map(|key| format!("{shard}/{key}"));
        let ids = [&ids[0], &ids[1], &ids[2], &long, &format!("{shard}/004")];
        let captions: [&[&str]; 5] =
            [&["a grey café", "a second line"], &[], &["from json"], &["one", "two"], &[]];
        for (n, sample) in samples.iter().enumerate() {
            assert_eq!((sample.index, &sample.id), (n as u64, ids[n]));
            assert_eq!(sample.image.pixels(), picture(n), "{shard} {n}");
            assert_eq!(sample.label, [Some(2), Some(0), Some(1), None, None][n]);
            assert_eq!(sample.captions, captions[n]);
            assert_eq!(set.name(n as u64), Some(sample.id.as_str()));
        }
        assert_eq!(load(set.as_ref(), 3..5), samples[3..]);
        assert!(matches!(set.samples(3..6), Err(DataError::Range { len: 5, .. })));
    }
}

#[test]
fn a_range_a_folder_and_a_split_name_shards_in_order() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    for (name, keys) in [("s-08", ["a", "b"]), ("s-09", ["a", "c"]), ("s-10", ["d", "e"])] {
        shard(&path(&format!("{name}.tar")), &[(keys[0], "0"), (keys[1], "1")]);
    }
    let ids = |spec: String| -> Vec<String> {
        let set = open(&spec.parse().unwrap()).unwrap();
        assert_eq!(set.id(), spec);
        set.samples(0..set.len()).unwrap().map(|pending| pending.unwrap().id).collect()
    };
    let all = ["s-08/a", "s-08/b", "s-09/a", "s-09/c", "s-10/d", "s-10/e"];
    let here = root.path().display();
    assert_eq!(ids(format!("{here}")), all);
    assert_eq!(ids(format!("webdataset:{here}")), all);
    assert_eq!(ids(format!("{here}/s-{{08..10}}.tar")), all);
    assert_eq!(ids(format!("webdataset:{here}/s-{{09..10}}.tar")), all[2..]);
    let text = refusal(&format!("{here}/s-{{08..11}}.tar"));
    assert!(text.contains("there is nothing at") && text.contains("s-11.tar"), "{text}");
    let text = refusal(&format!("{here}/s-{{11..08}}.tar"));
    assert!(text.contains("names 0 shards"), "{text}");

    fs::rename(path("s-10.tar"), path("imagenet1k-test-0000.tar")).unwrap();
    fs::rename(path("s-08.tar"), path("imagenet1k-train-0000.tar")).unwrap();
    fs::remove_file(path("s-09.tar")).unwrap();
    assert!(refusal(&format!("{here}")).contains("holds splits (train, test)"));
    assert_eq!(ids(format!("{here}#test")), ["imagenet1k-test-0000/d", "imagenet1k-test-0000/e"]);
    assert_eq!(ids(format!("webdataset:{here}#train"))[0], "imagenet1k-train-0000/a");
}

#[test]
fn class_names_lie_beside_the_shards_and_bound_the_labels() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("test");
    fs::create_dir(&folder).unwrap();
    fs::write(root.path().join("classnames.txt"), "cat\nsea lion\n").unwrap();
    shard(&folder.join("0.tar"), &[("a", "1"), ("b", "2"), ("c", "dog")]);
    let set = open(&format!("{}#test", root.path().display()).parse().unwrap()).unwrap();
    assert_eq!(set.classes(), ["cat", "sea lion"]);
    let loads: Vec<_> = set.samples(0..3).unwrap().map(|p| p.unwrap().load()).collect();
    assert_eq!(loads[0].as_ref().unwrap().label, Some(1));
    for (load, expected) in [(&loads[1], "0.tar/b"), (&loads[2], "0.tar/c.cls")] {
        let error = load.as_ref().unwrap_err();
        let text = error.to_string();
        assert!(error.is_sample() && text.contains(expected) && text.contains("class"), "{text}");
    }
}

#[test]
fn a_bad_picture_or_an_empty_caption_is_named_and_leaves_the_others_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("s.tar");
    let png = fs::read(golden("../decode/png-rgb8.png")).unwrap();
    let parts = [
        member("a.jpg", b"\xFF\xD8\xFFno"),
        member("b.png", &png),
        member("b.txt", b" \n"),
        member("c.png", &png),
        vec![0; 1024],
    ];
    fs::write(&path, parts.concat()).unwrap();
    let set = open(&DataSpec::Path(path)).unwrap();
    let loads: Vec<_> = set.samples(0..3).unwrap().map(|p| p.unwrap().load()).collect();
    for (load, expected) in loads.iter().zip(["s.tar/a.jpg`", "the caption is empty"]) {
        let error = load.as_ref().unwrap_err();
        assert!(error.is_sample() && error.to_string().contains(expected), "{error}");
    }
    assert!(loads[2].is_ok());
}

#[test]
fn each_wrong_shard_is_refused_with_what_is_wrong() {
    for (name, expected) in [
        ("cut", "it is cut short"),
        ("no-end", "there is neither a member nor the end of the archive"),
        ("checksum", "the header at byte 0 is damaged: its checksum is wrong"),
        ("link", "`005.png` is a link; pack it with `tar --dereference"),
        ("up", "the name `../000.png` leads out of the archive"),
        ("inside", "the name `a/../../000.png` leads out of the archive"),
        ("root", "the name `/000.png` leads out of the archive"),
        ("size", "the header of `000.png` claims 1099511627776 bytes"),
        ("long-name", "the header of `././@LongLink` claims 1099511627776 bytes"),
        ("negative", "the header"),
        ("scattered", "key `000` comes again after other keys"),
        ("pair", "sample `000` has .png and .jpg; expected one of them"),
        ("no-picture", "sample `000` has no picture (.jpg .jpeg .png .webp); it has .cls"),
        ("none", "there is no sample in it"),
    ] {
        let text = refusal(&golden(&format!("bad-{name}.tar")).display().to_string());
        assert!(text.contains(&format!("bad-{name}.tar` is no usable shard")), "{text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn what_a_sparse_file_claims_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    // The file has the bytes that its header claims, as holes: names and pictures are never so long.
    for (name, kind, size, expected) in [
        ("name", ::tar::EntryType::GNULongName, 1 << 33, "there can be 1048576 at most"),
        ("pax", ::tar::EntryType::XHeader, 1 << 33, "there can be 1048576 at most"),
        ("picture", ::tar::EntryType::Regular, 1 << 33, "there can be 1073741824 at most"),
    ] {
        let path = root.path().join(format!("{name}.tar"));
        let mut header = ::tar::Header::new_gnu();
        header.set_path("x.png").unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        let mut file = File::create(&path).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        file.set_len(512 + size + 1024).unwrap();
        let text = refusal(&path.display().to_string());
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn shards_of_one_name_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["0", "1"] {
        fs::create_dir(root.path().join(folder)).unwrap();
        shard(&root.path().join(folder).join("s.tar"), &[("a", "0")]);
    }
    let text = refusal(&format!("{}/{{0..1}}/s.tar", root.path().display()));
    assert!(text.contains("ids are made of names; rename one"), "{text}");
}
