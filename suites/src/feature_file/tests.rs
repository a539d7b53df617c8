use std::fs;

use super::*;

fn origin(size: &str) -> Origin {
    let fields = [("network", "fake"), ("size", size), ("weights", "abc")];
    Origin(fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn spool(columns: usize, rows: usize) -> Spool {
    let mut spool = Spool::new(columns);
    for row in 0..rows {
        let values: Vec<f32> = (0..columns).map(|column| (10 * row + column) as f32).collect();
        spool.push("", &values).unwrap();
    }
    spool
}

/// Three pictures, the last of which is the first again.
const DIGESTS: [[u8; DIGEST]; 3] = [[1; DIGEST], [2; DIGEST], [1; DIGEST]];

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("made/features.safetensors");
    let (pooled, spatial) = (spool(4, 3), spool(2, 3));
    write(
        &path,
        &origin("64"),
        &Column::of(DIGESTS).unwrap(),
        &[("pooled", &pooled), ("spatial", &spatial)],
    )
    .unwrap();
    path
}

#[test]
fn what_was_written_is_read_also_where_a_picture_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = FeatureFile::open(&written(folder.path())).unwrap();
    file.check(&origin("64")).unwrap();
    let layer = file.layer(Tap::Spatial).unwrap();
    assert_eq!((layer.rows(), layer.columns(), file.len()), (3, 2, 3));
    let mut values = [0.0; 4];
    layer.read(1, &mut values).unwrap();
    assert_eq!(values.map(f32::to_bits), [10.0, 11.0, 20.0, 21.0].map(f32::to_bits));
    assert!(layer.read(2, &mut values).is_err(), "there is one row only");
    assert!(layer.read(usize::MAX, &mut values).is_err());
    assert_eq!(file.row(&[2; DIGEST], "pooled").unwrap().unwrap(), [10.0, 11.0, 12.0, 13.0]);
    assert!(file.row(&[3; DIGEST], "pooled").is_none() && file.row(&[2; DIGEST], "64").is_none());
    let hash = hexadecimal(Sha256::digest(DIGESTS.as_flattened()));
    assert_eq!(file.pictures_sha256(), hash);
    file.demand(Tap::Pooled, Some(4)).unwrap();
    for (tap, width) in [(Tap::Pooled, Some(5)), (Tap::Pooled, None), (Tap::First, Some(64))] {
        assert!(file.demand(tap, width).is_err(), "{tap:?} {width:?}");
    }
}

#[test]
fn the_file_is_safetensors_to_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let tensors =
        candle_core::safetensors::load(written(folder.path()), &candle_core::Device::Cpu).unwrap();
    assert_eq!(tensors["pooled"].to_vec2::<f32>().unwrap()[2], [20.0, 21.0, 22.0, 23.0]);
    assert_eq!(tensors["digests"].dims(), [3, DIGEST]);
}

#[test]
fn the_first_field_that_differs_is_named_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = FeatureFile::open(&written(folder.path())).unwrap();
    let error = file.check(&origin("256")).unwrap_err().to_string();
    assert!(error.contains("size = 64, this run has 256"), "{error}");
}

/// A byte more, less or other anywhere: an error, and one that is no "file not found".
#[test]
fn a_file_that_was_cut_or_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = FeatureFile::open(&path).unwrap_err();
        assert!(!matches!(error, FeatureFileError::Read { .. }), "{error}");
    };
    (0..whole.len()).for_each(|length| refused(&whole[..length]));
    refused(&[&whole[..], &[0]].concat());
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    // In the header, a changed letter may be another origin, which `check` finds.
    for at in (0..8).chain(header..whole.len()) {
        for bit in [0x01, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            refused(&changed);
        }
    }
    for at in 8..header {
        let mut changed = whole.clone();
        changed[at] ^= 0x04;
        fs::write(&path, changed).unwrap();
        let checked = FeatureFile::open(&path).and_then(|file| {
            file.check(&origin("64"))?;
            file.demand(Tap::Pooled, Some(4))?;
            file.demand(Tap::Spatial, Some(2))
        });
        // Blanks at the header's end turn into no blanks; nothing else may pass.
        assert!(checked.is_err(), "byte {at}");
    }
}

#[test]
fn another_format_is_told_from_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(FORMAT.len()).position(|bytes| bytes == FORMAT.as_bytes()).unwrap();
    bytes[at + FORMAT.len() - 1] = b'2';
    fs::write(&path, bytes).unwrap();
    let error = FeatureFile::open(&path).unwrap_err().to_string();
    let end = "is of format `prismbench-features-2`; this build reads `prismbench-features-1`";
    assert!(error.ends_with(end), "{error}");
}

fn with_header(path: &Path, header: &str, data: &[u8]) {
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length[..], header.as_bytes(), data].concat()).unwrap();
}

#[test]
fn no_size_in_a_header_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    let huge = u64::MAX;
    let digests = r#""digests":{"dtype":"U8","shape":[1,32],"data_offsets":[0,32]}"#;
    let layer = |shape: &str, offsets: &str| {
        format!(r#"{digests},"pooled":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let cases = [
        String::new(),
        digests.replace("[1,32]", &format!("[{huge},32]")),
        digests.replace("[1,32]", "[576460752303423488,32]"),
        digests.replace("[1,32]", "[1000000000000,32]").replace("[0,32]", "[0,32000000000000]"),
        digests.replace("[1,32]", "[1]"),
        digests.replace("[0,32]", "[32,0]"),
        digests.replace("U8", "F64"),
        layer("[1,1]", &format!("[{huge},{huge}]")),
        layer("[1,1]", "[0,4]"),
        layer("[1,1]", "[31,35]"),
        layer("[1,1]", "[33,37]"),
        layer("[1,0]", "[32,32]"),
        layer("[2,1]", "[32,40]"),
        layer("[1,4611686018427387905]", "[32,36]"),
        layer("[1,-1]", "[32,36]"),
        format!(
            r#"{},"64":{{"dtype":"F32","shape":[1,1],"data_offsets":[32,36]}}"#,
            layer("[1,1]", "[32,36]")
        ),
    ];
    for tensors in cases {
        let comma = if tensors.is_empty() { "" } else { "," };
        let header = format!(r#"{{"__metadata__":{{"format":"{FORMAT}"}}{comma}{tensors}}}"#);
        with_header(&path, &header, &[0; 40]);
        let error = FeatureFile::open(&path).unwrap_err();
        assert!(matches!(error, FeatureFileError::Damaged { .. }), "{header}: {error}");
    }
    for size in [1 << 20, 1 << 21, 1 << 62, huge - 7, huge] {
        fs::write(&path, size.to_le_bytes()).unwrap();
        let error = FeatureFile::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("its header claims {size} bytes")), "{error}");
    }
    for text in ["", "x", "{}", "[1]", "null"] {
        with_header(&path, text, &[]);
        assert!(FeatureFile::open(&path).is_err());
    }
    with_header(&path, &"[".repeat(1 << 19), &[]);
    assert!(FeatureFile::open(&path).is_err());
}

#[test]
fn features_that_are_not_finite_are_not_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.safetensors");
    let mut spool = spool(2, 1);
    spool.push("", &[0.0, f32::NAN]).unwrap();
    let digests = Column::of(DIGESTS[..2].iter().copied()).unwrap();
    write(&path, &origin("64"), &digests, &[("pooled", &spool)]).unwrap();
    let file = FeatureFile::open(&path).unwrap();
    let layer = file.layer(Tap::Pooled).unwrap();
    layer.read(0, &mut [0.0; 2]).unwrap();
    let error = layer.read(1, &mut [0.0; 2]).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

#[test]
fn an_archive_of_moments_is_told_from_other_archives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.npz");
    let zip = |names: &[&str]| {
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap();
        FeatureFile::open(&path).unwrap_err()
    };
    assert!(matches!(zip(&["mu.npy", "sigma.npy"]), FeatureFileError::MomentsOnly { .. }));
    for names in [&["arr_0.npy"][..], &[]] {
        let error = zip(names).to_string();
        assert!(error.ends_with("or is damaged: it is a zip archive"), "{error}");
    }
}
