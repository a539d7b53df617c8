//! References of moments: recognised, and refused where they were made otherwise.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use prismbench::Exit;

use crate::generation::{judge, made, program};
use crate::program::records;

/// The same archive under another name, with the last bit of the first mean turned where asked.
fn repacked(from: &Path, to: &Path, turned: bool) {
    let mut archive = zip::ZipArchive::new(fs::File::open(from).unwrap()).unwrap();
    let mut copy = zip::ZipWriter::new(fs::File::create(to).unwrap());
    for place in 0..archive.len() {
        let mut member = archive.by_index(place).unwrap();
        let (name, mut bytes) = (member.name().unwrap().into_owned(), Vec::new());
        std::io::copy(&mut member, &mut bytes).unwrap();
        if turned && name == "mu.npy" {
            let first = bytes.len() - 2048 * 8;
            bytes[first] ^= 1;
        }
        copy.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        copy.write_all(&bytes).unwrap();
    }
    copy.finish().unwrap();
}

#[test]
fn a_reference_is_recognised_by_its_means_whatever_its_file_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let stats = ["stats", "synthetic:4:12", "-o", "@ref.npz", "--set", "size=64"];
    let said = program(folder.path(), &stats).expect(Exit::Done).err;
    let hash = said.split_once(", mu ").unwrap().1.trim().to_owned();
    assert_eq!(hash.len(), 64, "{said}");
    let (pictures, _) = made(folder.path(), "made", "synthetic:3:12", "dct:16");
    let pictures = pictures.display().to_string();
    let against = |reference: &str| {
        let samples = ["--samples", &pictures, "-m", "gfid", "--reference", reference];
        let ran = judge(folder.path(), &samples).expect(Exit::Done);
        let record = records(&at("run")).remove(0);
        (ran.err, record["dataset"].as_str().unwrap().to_owned(), record["value"].clone())
    };
    let (said, dataset, value) = against("@ref.npz");
    assert!(said.contains(&format!("not among the known references (mu {hash})")), "{said}");
    assert!(dataset.ends_with("/ref.npz"), "{dataset}");
    let list = format!("[[reference]]\nname = \"our-scenes\"\nmu = \"{hash}\"\n");
    fs::write(at("cache/references.toml"), list).unwrap();
    repacked(&at("ref.npz"), &at("other.npz"), false);
    let (said, dataset, again) = against("@other.npz");
    assert!(said.contains("other.npz` has the moments of our-scenes"), "{said}");
    assert_eq!((dataset.as_str(), again), ("our-scenes", value));
    // The very file has a name, and a repacked one has not.
    let sha256 = prismbench_weights::sha256(&fs::read(at("ref.npz")).unwrap());
    let list = format!("[[reference]]\nname = \"the-file\"\nsha256 = \"{sha256}\"\n");
    fs::write(at("cache/references.toml"), list).unwrap();
    let (said, dataset, _) = against("@ref.npz");
    assert!(said.contains(&format!("ref.npz` is the file of the-file (mu {hash})")), "{said}");
    assert_eq!(dataset, "the-file");
    assert!(against("@other.npz").0.contains("not among the known references"));
    let list = format!("[[reference]]\nname = \"our-scenes\"\nmu = \"{hash}\"\n");
    fs::write(at("cache/references.toml"), list).unwrap();
    // A run that was judged before the reference had a name is not judged again.
    let samples = ["--samples", &pictures, "-m", "gfid", "--reference", "@ref.npz"];
    let run = |out: &'static str| {
        let resumed = ["run", "--set", "size=64", "--out", out];
        program(folder.path(), &[&resumed[..], &samples].concat()).expect(Exit::Done);
        records(&at("resumed")).len()
    };
    fs::rename(at("cache/references.toml"), at("put-aside.toml")).unwrap();
    let before = run("@resumed");
    fs::rename(at("put-aside.toml"), at("cache/references.toml")).unwrap();
    assert_eq!(run("@resumed"), before);
    repacked(&at("ref.npz"), &at("turned.npz"), true);
    let (said, dataset, _) = against("@turned.npz");
    assert!(said.contains("not among the known") && dataset.ends_with("/turned.npz"), "{said}");
    fs::write(at("cache/references.toml"), "[[reference]]\nname = 1\n").unwrap();
    let samples = ["--samples", &pictures, "-m", "gfid", "--reference", "@ref.npz"];
    let broken = ["run", "--set", "size=64", "--out", "@broken"];
    let said = program(folder.path(), &[&broken[..], &samples].concat()).expect(Exit::Usage).err;
    assert!(said.contains("references.toml") && said.contains("line 2"), "{said}");
    assert!(!at("broken").exists(), "it is told before anything is made");
}

#[test]
fn a_reference_that_was_made_otherwise_is_refused_or_marks_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let stats = [
        "stats",
        "synthetic:4:24",
        "-o",
        "@ref.npz",
        "--set",
        "size=64",
        "--set",
        "inception=half-pixel",
    ];
    program(folder.path(), &stats).expect(Exit::Done);
    let (pictures, _) = made(folder.path(), "made", "synthetic:3:24", "dct:16");
    let pictures = pictures.display().to_string();
    let against =
        ["--samples", &pictures, "--reference", "@ref.npz", "-m", "gfid", "-m", "precision"];
    let said = judge(folder.path(), &against).expect(Exit::Usage).err;
    assert!(said.contains("made with inception = half-pixel, this run has tf1"), "{said}");
    assert!(said.contains("--allow-unlike-reference"), "{said}");
    judge(folder.path(), &[&against[..], &["--allow-unlike-reference"]].concat())
        .expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    let gfid = &records[0];
    assert!(gfid["dialect"].as_str().unwrap().ends_with("-against-inception=half-pixel"), "{gfid}");
    assert!(gfid["dataset"].as_str().unwrap().ends_with("/ref.npz"));
    let precision = &records[1];
    assert!(precision["reason"].as_str().unwrap().contains("moments alone"), "{precision}");
    // Nothing is overwritten.
    let said = program(folder.path(), &stats).expect(Exit::Usage).err;
    assert!(said.contains("is there already"), "{said}");
}
