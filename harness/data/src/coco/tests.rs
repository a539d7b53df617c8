use super::*;
use crate::{DataSpec, chain, open};

const PIXEL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/decode/png-rgb8.png"));

const CAPTIONS: &str = r#"{
    "info": {"year": 2017}, "licenses": [],
    "images": [
        {"id": 9, "file_name": "000009.png", "height": 17, "width": 23, "license": 3},
        {"id": 4, "file_name": "000004.png"},
        {"id": 7, "file_name": "sub/000007.png"}
    ],
    "annotations": [
        {"id": 1, "image_id": 4, "caption": "A grey cat. "},
        {"id": 2, "image_id": 9, "caption": "Ein Café"},
        {"id": 3, "image_id": 4, "caption": "Another of the cat"}
    ]
}"#;

const KARPATHY: &str = r#"{"dataset": "coco", "images": [
    {"filepath": "val2014", "filename": "b.png", "split": "test", "cocoid": 2, "imgid": 0,
     "sentences": [{"raw": "one", "tokens": ["one"], "sentid": 5}, {"raw": "two", "sentid": 6}]},
    {"filepath": "train2014", "filename": "a.png", "split": "train", "sentences": [{"raw": "three"}]},
    {"filepath": "val2014", "filename": "c.png", "split": "restval", "sentences": [{"raw": "four"}]},
    {"filename": "d.png", "split": "test", "sentences": []}
]}"#;

/// A folder with `captions.json` and pictures in `images`.
fn folder(json: &str, pictures: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("captions.json"), json).unwrap();
    fs::create_dir(root.path().join("images")).unwrap();
    for picture in pictures {
        let path = root.path().join("images").join(picture);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, PIXEL).unwrap();
    }
    root
}

fn spec(root: &tempfile::TempDir, split: Option<Split>) -> DataSpec {
    let (captions, images) = (root.path().join("captions.json"), root.path().join("images"));
    DataSpec::Coco { captions, images, split }
}

fn rows(set: &dyn Dataset) -> Vec<(String, Vec<String>)> {
    let samples = set.samples(0..set.len()).unwrap();
    samples.map(|p| p.unwrap().load().unwrap()).map(|s| (s.id, s.captions)).collect()
}

fn refusal(json: &str) -> String {
    let root = folder(json, &["000009.png", "000004.png", "sub/000007.png"]);
    let error = open(&spec(&root, None)).err().unwrap();
    assert!(!error.is_sample());
    chain(&error)
}

fn row(id: &str, captions: &[&str]) -> (String, Vec<String>) {
    (id.to_owned(), captions.iter().map(|&caption| caption.to_owned()).collect())
}

#[test]
fn pictures_come_by_number_with_all_their_captions() {
    let root = folder(CAPTIONS, &["000009.png", "000004.png", "sub/000007.png", "other.png"]);
    let set = open(&spec(&root, None)).unwrap();
    let expected = [
        row("000004.png", &["A grey cat. ", "Another of the cat"]),
        row("sub/000007.png", &[]),
        row("000009.png", &["Ein Café"]),
    ];
    assert_eq!(rows(set.as_ref()), expected);
    let text = spec(&root, None).to_string();
    assert_eq!((set.id(), set.name(2)), (text.as_str(), Some("000009.png")));
    let one = set.samples(1..2).unwrap().next().unwrap().unwrap();
    assert_eq!((one.index, one.id.as_str()), (1, "sub/000007.png"));
}

#[test]
fn karpathys_splits_are_taken_one_at_a_time_and_restval_is_training() {
    let root = folder(KARPATHY, &["val2014/b.png", "a.png", "val2014/c.png", "d.png"]);
    let test = open(&spec(&root, Some(Split::Test))).unwrap();
    assert_eq!(rows(test.as_ref()), [row("b.png", &["one", "two"]), row("d.png", &[])]);
    // `a.png` lies beside the folder that the JSON names.
    let train = open(&spec(&root, Some(Split::Train))).unwrap();
    assert_eq!(rows(train.as_ref()), [row("a.png", &["three"]), row("c.png", &["four"])]);
    let error = open(&spec(&root, None)).err().unwrap().to_string();
    assert!(error.contains("holds splits (train, test)"), "{error}");
    let error = open(&spec(&root, Some(Split::Validation))).err().unwrap().to_string();
    assert!(error.contains("no split `val` (it has train, test)"), "{error}");
}

#[test]
fn captions_that_name_missing_images_are_refused() {
    let root = folder(CAPTIONS, &["000004.png"]);
    let text = chain(&open(&spec(&root, None)).err().unwrap());
    let expected = "captions of 2 pictures that are not in";
    assert!(text.contains(expected) && text.contains("first of them `sub/000007.png`"), "{text}");
    let text = refusal(&CAPTIONS.replace(r#""image_id": 9"#, r#""image_id": 10"#));
    assert!(text.contains("caption 1 is of image 10, which `images` does not list"), "{text}");
    let root = folder(KARPATHY, &["val2014/b.png"]);
    let text = chain(&open(&spec(&root, Some(Split::Test))).err().unwrap());
    assert!(text.contains("captions of 1 pictures") && text.contains("`d.png`"), "{text}");
    let nowhere = DataSpec::Coco {
        captions: root.path().join("captions.json"),
        images: root.path().join("nowhere"),
        split: Some(Split::Test),
    };
    assert!(matches!(open(&nowhere).err().unwrap(), DataError::NotFound { .. }));
}

#[test]
fn empty_captions_and_files_of_another_kind_are_refused() {
    let instances = CAPTIONS.replace("caption\"", "category_id\"");
    for (json, expected) in [
        (CAPTIONS.replace("Ein Café", " \\n"), "caption 1 of `000009.png` is empty"),
        (instances, "annotation 0 has no `caption`; give COCO's `captions_*.json`"),
        (CAPTIONS.replace("\"id\": 4", "\"id\": 9"), "it lists `9 (000009.png)` twice"),
        (CAPTIONS.replace("000004.png", "000009.png"), "it lists `000009.png` twice"),
        (CAPTIONS.replace("000004.png", "../x.png"), "`../x.png` leads out of the folder"),
        (CAPTIONS.replace("000004.png", "/etc/x.png"), "`/etc/x.png` leads out of the folder"),
        (CAPTIONS.replace("\"id\": 4, ", ""), "`000004.png` has no `id`"),
        (CAPTIONS.replace("\"file_name\": \"000004.png\"", "\"x\": 1"), "entry 1 of `images`"),
        (KARPATHY.replace("restval", "extra"), "`c.png` is of split `extra`"),
        (KARPATHY.replace("\"three\"", "\"\""), "caption 0 of `a.png` is empty"),
        (r#"{"images": [], "annotations": []}"#.to_owned(), "it lists no picture"),
        ("[1, 2".to_owned(), "neither COCO's `captions_*.json`"),
        ("[".repeat(100_000), "neither COCO's `captions_*.json`"),
    ] {
        let text = refusal(&json);
        assert!(text.contains(expected) && text.contains("captions.json"), "{text}");
    }
}
