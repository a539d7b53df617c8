use super::*;
use crate::chain;

#[test]
fn a_spec_prints_as_it_is_written() {
    for text in [
        "synthetic:7:64",
        "synthetic:0:1",
        "synthetic:7:64:32",
        "synthetic:7:64:1024",
        "coco:captions_val2017.json:val2017",
        "coco:dataset_coco.json:images#test",
        "idx:train-images-idx3-ubyte.gz:train-labels-idx1-ubyte.gz",
        "webdataset:shards",
        "webdataset:train-{000..012}.tar",
        "webdataset:shards#train",
        "parquet:data#val",
        "parquet:a.parquet",
        "fashion-mnist#train",
    ] {
        let spec: DataSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), text);
        assert!(!matches!(spec, DataSpec::Path(_)), "{text}");
    }
}

#[test]
fn the_rest_is_a_path() {
    for text in [
        "pictures/val",
        "./synthetic:x",
        "a.npz",
        "a:b",
        "s-{0..9}.tar",
        "a#b",
        "#train",
        "a#2#x",
        "",
    ] {
        let spec: DataSpec = text.parse().unwrap();
        assert_eq!(spec, DataSpec::Path(text.into()));
        assert_eq!(spec.to_string(), text);
    }
    let long: DataSpec = "a#validation".parse().unwrap();
    assert_eq!(long.to_string(), "a#val");
}

#[test]
fn half_a_spec_is_an_error_that_shows_a_whole_one() {
    for (text, expected) in [
        ("synthetic:", "synthetic:7:64"),
        ("synthetic:7", "synthetic:7:64"),
        ("synthetic:7:", "synthetic:7:64"),
        ("synthetic:x:4", "synthetic:7:64"),
        ("synthetic:1:0", "synthetic:7:64"),
        ("synthetic:1:1:31", "32 to 1024"),
        ("synthetic:1:1:1025", "32 to 1024"),
        ("synthetic:1:1:64:2", "synthetic:SEED:N:SIDE"),
        ("coco:a.json", "coco:JSON:IMAGES"),
        ("coco::images", "coco:JSON:IMAGES"),
        ("idx:a", "idx:IMAGES:LABELS"),
        ("idx:a:b#train", "idx:IMAGES:LABELS"),
        ("webdataset:", "webdataset:FOLDER"),
        ("parquet:#test", "parquet:FOLDER"),
    ] {
        let error = text.parse::<DataSpec>().unwrap_err().to_string();
        assert!(error.contains(text) && error.contains(expected), "{error}");
    }
}

#[test]
fn paths_are_taken_from_a_folder() {
    for (text, expected) in [
        ("a", "/f/a"),
        ("/a#test", "/a#test"),
        ("coco:a:/b#val", "coco:/f/a:/b#val"),
        ("idx:a:b", "idx:/f/a:/f/b"),
        ("webdataset:s-{0..1}.tar", "webdataset:/f/s-{0..1}.tar"),
        ("parquet:a", "parquet:/f/a"),
        ("synthetic:1:2", "synthetic:1:2"),
        ("synthetic:1:2:288", "synthetic:1:2"),
    ] {
        let spec: DataSpec = text.parse().unwrap();
        assert_eq!(spec.beside(Path::new("/f")).to_string(), expected);
    }
}

#[test]
fn a_path_without_anything_is_named() {
    let error = open(&DataSpec::Path("no/such/folder".into())).err().unwrap();
    assert_eq!(error.to_string(), "there is nothing at `no/such/folder`");
    assert!(!error.is_sample());
}

#[test]
fn pictures_go_before_other_files_and_parquet_needs_its_reader() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    std::fs::create_dir(path("data")).unwrap();
    std::fs::write(path("data/train-00000-of-00001.parquet"), "PAR1").unwrap();
    std::fs::write(path("data/test-00000-of-00001.parquet"), "PAR1").unwrap();
    std::fs::write(path("README.md"), "").unwrap();
    let here = DataSpec::Path(root.path().to_owned());
    let error = open(&here).err().unwrap();
    assert!(chain(&error).contains("holds splits (train, test)"), "{error}");
    let found = |spec: &str| {
        let spec: DataSpec =
            spec.replace("HERE", &root.path().display().to_string()).parse().unwrap();
        let error = open_with(&spec, |files| {
            let names = files.paths.iter().map(|path| path.file_name().unwrap().to_string_lossy());
            let found = names.collect::<Vec<_>>().join(" ");
            Err(DataError::BadSpec { found, expected: "" })
        });
        error.err().unwrap().to_string()
    };
    assert!(found("HERE#test").contains("`test-00000-of-00001.parquet`"));
    assert!(found("parquet:HERE#train").contains("`train-00000-of-00001.parquet`"));
    assert!(
        found("HERE/data/test-00000-of-00001.parquet").contains("`test-00000-of-00001.parquet`")
    );
    assert!(found("parquet:HERE/x-{0..1}.parquet").contains("`x-0.parquet x-1.parquet`"));
    assert!(found("webdataset:HERE").contains("no `.tar` in"));
    let error = open(&here.with_split(Split::Test).unwrap()).err().unwrap();
    assert!(
        error.to_string().contains("is Parquet, which is read as data to measure on"),
        "{error}"
    );

    std::fs::write(path("picture.png"), "").unwrap();
    assert_eq!(open(&here).unwrap().len(), 1);
    assert!(found("HERE#test").contains("`test-00000-of-00001.parquet`"));
}
