use std::error::Error;
use std::fs;

use super::*;

/// A file of this header and as many zero bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Weights, Tensors), WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    fs::write(&path, bytes).unwrap();
    let expected = ["a", "b"].map(|name| Expected::new(name, [2, 1]));
    let file = WeightsFile::open(&path, "fetch it")?;
    Ok((file.origin().clone(), file.tensors(&expected, &["x."], &Device::Cpu)?))
}

#[test]
fn half_precision_is_widened_and_the_file_is_digested() {
    let mut bytes = file(
        r#"{"a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},
            "b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]}}"#,
        0,
    );
    // 1.5 and -2 in f16, then in bf16.
    for half in [0x3E00_u16, 0xC000, 0x3FC0, 0xC000] {
        bytes.extend(half.to_le_bytes());
    }
    let (origin, tensors) = read(&bytes).unwrap();
    for name in ["a", "b"] {
        let values = tensors.get(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values, [1.5, -2.0]);
    }
    assert_eq!(origin, Weights { name: "a.safetensors".into(), sha256: sha256(&bytes) });
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let header = r#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
                     "b":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]}}"#;
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut bytes = file(header, 12);
        bytes.extend(value.to_le_bytes());
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.ends_with("`b` has values that are not finite"), "{error}");
    }
}

#[test]
fn every_tensor_that_does_not_fit_is_named() {
    let bytes = file(
        r#"{"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
            "d":{"dtype":"F32","shape":[0],"data_offsets":[8,8]},
            "c":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#,
        8,
    );
    let Err(WeightsError::Mismatch { problems, .. }) = read(&bytes) else {
        panic!("expected a mismatch");
    };
    let expected = [
        "`a` [2, 1] is missing",
        "`b` is [1, 2], expected [2, 1]",
        "`c` is not part of it",
        "`d` is not part of it",
    ];
    assert_eq!(problems, expected);
    let bytes = file(
        r#"{"a":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]},
            "b":{"dtype":"F16","shape":[2,1],"data_offsets":[4,8]}}"#,
        8,
    );
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.ends_with("`a` is I16, expected F64, F32, F16 or BF16"), "{error}");
}

#[test]
fn a_malformed_file_is_an_error_that_carries_its_cause() {
    let tensors = |a: &str, b: &str| {
        format!(
            r#"{{"a":{{"dtype":"F16","shape":[2,1],"data_offsets":{a}}},
                "b":{{"dtype":"F16","shape":[2,1],"data_offsets":{b}}}}}"#
        )
    };
    let mut long_header = file("{}", 0);
    long_header[..8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    let mut past_the_end = file("{}", 0);
    past_the_end[0] = 200;
    let malformed = [
        Vec::new(),
        b"short".to_vec(),
        long_header,
        past_the_end,
        file("not json", 0),
        file(&tensors("[0,4]", "[2,6]"), 6),
        file(&tensors("[0,4]", "[8,12]"), 12),
        file(&tensors("[0,4]", "[4,8]"), 7),
        file(&tensors("[0,4]", "[4,2]"), 8),
        file(&tensors("[0,18446744073709551615]", "[4,8]"), 8),
        file(r#"{"a":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
    ];
    for (case, bytes) in malformed.iter().enumerate() {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, WeightsError::Unreadable { .. }), "{case}: {error}");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_missing_file_comes_with_the_remedy() {
    let error = WeightsFile::open(Path::new("/no/such"), "fetch it");
    let Err(WeightsError::Missing { remedy, .. }) = error else {
        panic!("expected a missing file");
    };
    assert_eq!(remedy, "fetch it");
}

#[test]
fn other_names_for_a_tensor_are_found_and_ignored_ones_may_be_there() {
    let bytes = file(
        r#"{"bb":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},
            "a.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[8,16]},
            "x.a":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}}"#,
        20,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    fs::write(&path, bytes).unwrap();
    let file = WeightsFile::open(&path, "").unwrap();
    let expected = [Expected::new("b", [1]).or("bb")];
    let tensors = file.tensors(&expected, &["x."], &Device::Cpu).unwrap();
    assert_eq!(tensors.get("b").unwrap().to_vec1::<f32>().unwrap(), [0.0]);
    assert!(file.tensors(&expected, &[], &Device::Cpu).is_err());
    assert_eq!(file.shape("x.a"), Some(&[1][..]));
}

#[test]
fn another_shape_of_the_same_numbers_is_given_in_the_first() {
    let header = r#"{"a":{"dtype":"F32","shape":[2,1,1,1],"data_offsets":[0,8]},
                     "b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}"#;
    let mut bytes = file(header, 0);
    for value in [1.5_f32, -2.0, 3.0, 4.0] {
        bytes.extend(value.to_le_bytes());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    fs::write(&path, bytes).unwrap();
    let file = WeightsFile::open(&path, "").unwrap();
    let expected = |name| Expected::new(name, [2, 1]).or_shape([2, 1, 1, 1]);
    let tensors = file.tensors(&[expected("a")], &["b"], &Device::Cpu).unwrap();
    assert_eq!(tensors.get("a").unwrap().to_vec2::<f32>().unwrap(), [[1.5], [-2.0]]);
    let error = file.tensors(&[expected("a"), expected("b")], &[], &Device::Cpu).unwrap_err();
    let WeightsError::Mismatch { problems, .. } = error else { panic!("expected a mismatch") };
    assert_eq!(problems, ["`b` is [1, 2], expected [2, 1] or [2, 1, 1, 1]"]);
    // An alternative of another size is none.
    let wrong = Expected::new("a", [3]).or_shape([2, 1, 1, 1]);
    assert!(file.tensors(&[wrong], &["b"], &Device::Cpu).is_err());
}

/// Opens a file of `[3, 2]`, stored as f16, whose second row has a NaN.
fn table(folder: &Path) -> WeightsFile {
    let header = r#"{"a":{"dtype":"F16","shape":[3,2],"data_offsets":[0,12]},
                     "b":{"dtype":"I16","shape":[1,2],"data_offsets":[12,16]}}"#;
    let mut bytes = file(header, 0);
    // 1, 1.5; 2, NaN; -2, 0; and two numbers that nobody reads.
    for half in [0x3C00_u16, 0x3E00, 0x4000, 0x7E00, 0xC000, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let path = folder.join("weights");
    fs::write(&path, bytes).unwrap();
    WeightsFile::open(&path, "").unwrap()
}

#[test]
fn rows_are_given_as_asked_for_and_only_those_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = table(folder.path());
    assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b"]);
    let expected = Expected::new("a", [3, 2]);
    let rows = |rows: &[usize]| file.rows(&expected, rows, &Device::Cpu);
    let found = rows(&[2, 0, 2]).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(found, [[-2.0, 0.0], [1.0, 1.5], [-2.0, 0.0]]);
    assert_eq!(rows(&[]).unwrap().dims(), [0, 2]);
    let error = rows(&[0, 1]).unwrap_err().to_string();
    assert!(error.ends_with("`a` has values that are not finite"), "{error}");
    let error = rows(&[0, 3]).unwrap_err().to_string();
    assert!(error.ends_with("`a` has not all of the rows [0, 3]"), "{error}");
    let error = file.rows(&Expected::new("a", [2, 3]), &[0], &Device::Cpu).unwrap_err();
    assert!(error.to_string().ends_with("`a` is [3, 2], expected [2, 3]"));
    let error = file.rows(&Expected::new("b", [1, 2]), &[0], &Device::Cpu).unwrap_err();
    assert!(error.to_string().ends_with("`b` is I16, expected F64, F32, F16 or BF16"));
}

#[test]
fn a_file_is_checked_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = table(folder.path());
    let expected = [Expected::new("a", [3, 2])];
    // The NaN is found when its tensor is loaded.
    assert!(file.check(&expected, &["b"]).is_ok());
    assert!(file.load(&expected, &Device::Cpu).is_err());
    assert!(file.check(&expected, &[]).is_err());
    assert!(file.load(&[Expected::new("c", [1])], &Device::Cpu).is_err());
}
