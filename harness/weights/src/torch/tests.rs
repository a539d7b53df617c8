use std::path::Path;

use candle_core::Device;
use serde_json::Value;

use super::*;
use crate::{Expected, WeightsError, WeightsFile};

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/weights").join(name)
}

fn refusal(name: &str) -> String {
    let error = WeightsFile::open(&golden(name), "").unwrap_err();
    match &error {
        WeightsError::Executable { global, .. } => global.clone(),
        WeightsError::Unreadable { cause, .. } => cause.to_string(),
        _ => panic!("{error}"),
    }
}

#[test]
fn both_formats_hold_what_pytorch_put_there() {
    let expected = std::fs::read(golden("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (name, tensors) in expected.as_object().unwrap() {
        for format in ["zip", "legacy"] {
            let file = WeightsFile::open(&golden(&format!("{name}-{format}.pth")), "").unwrap();
            let tensors = tensors.as_object().unwrap().iter().map(|(key, tensor)| {
                let integers = tensor["shape"].as_array().unwrap().iter();
                let shape: Vec<usize> =
                    integers.map(|side| side.as_u64().unwrap() as usize).collect();
                let floats = tensor["values"].as_array().unwrap().iter();
                let values: Vec<f32> = floats.map(|v| v.as_f64().unwrap() as f32).collect();
                (Expected::new(key, shape), values)
            });
            let (names, values): (Vec<_>, Vec<_>) = tensors.unzip();
            let found = file.tensors(&names, &[], &Device::Cpu).unwrap();
            for (tensor, values) in names.iter().zip(values) {
                let found = found.get(tensor.name()).unwrap().flatten_all().unwrap();
                assert_eq!(found.to_vec1::<f32>().unwrap(), values, "{name} {format} {tensor:?}");
                let Some(&count) = tensor.shape().first() else { continue };
                let backwards: Vec<usize> = (0..count).rev().collect();
                let rows = file.rows(tensor, &backwards, &Device::Cpu).unwrap();
                let rows = rows.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let expected: Vec<f32> =
                    values.chunks(values.len() / count).rev().flatten().copied().collect();
                assert_eq!(rows, expected, "{name} {format} {tensor:?}");
            }
        }
    }
}

#[test]
fn a_pickle_that_asks_for_more_than_tensors_is_refused_by_name() {
    assert_eq!(refusal("bad-call.pth"), "posix.system");
    assert_eq!(refusal("bad-namespace.pth"), "argparse.Namespace");
    let error = WeightsFile::open(&golden("bad-call.pth"), "").unwrap_err().to_string();
    assert!(error.contains("asks for `posix.system`") && error.contains("safetensors"), "{error}");
}

#[test]
fn of_several_networks_the_first_wanted_one_is_taken() {
    let path = golden("bad-two-networks.pth");
    let open = |wanted: &[&str]| WeightsFile::open_one_of(&path, "", wanted);
    let names = |file: WeightsFile| {
        let problems = file.tensors(&[Expected::new("none", [1])], &[], &Device::Cpu);
        problems.unwrap_err().to_string()
    };
    let (ema, model) = (names(open(&["ema", "model"]).unwrap()), names(open(&["model"]).unwrap()));
    assert_ne!(ema, model);
    assert_eq!(names(open(&["state_dict", "model"]).unwrap()), model);
    assert!(open(&["state_dict"]).is_err());
}

#[test]
fn a_file_that_is_not_one_network_is_refused() {
    assert!(refusal("bad-two-networks.pth").contains("`model` and `ema`"));
    assert_eq!(
        refusal("bad-number.pth"),
        "the tensor `epoch` is not a tensor, in a dictionary of tensors"
    );
    assert_eq!(refusal("bad-list.pth"), "it does not hold a dictionary");
    for name in ["bad-broadcast.pth", "bad-overlap.pth"] {
        let expected = "the tensor `f32` has elements that share their place";
        assert_eq!(refusal(name), expected, "{name}");
    }
}

#[test]
fn the_format_before_0_1_10_and_foreign_pickles_are_named() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(matches!(index(&tar, &[]), Err(TorchError::Tar)));
    let error = index(b"\x80\x02}q\x00.", &[]).unwrap_err().to_string();
    assert_eq!(error, "it is a pickle, but not of PyTorch's");
}

/// Reads the index and every tensor, as a caller would.
fn read(file: &[u8]) -> Result<(), TorchError> {
    for stored in index(file, &[])?.values() {
        let _ = stored.load(file, &Device::Cpu);
    }
    Ok(())
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in ["plain-zip.pth", "views-legacy.pth"] {
        let file = std::fs::read(golden(name)).unwrap();
        assert!(read(&file).is_ok());
        for length in 0..file.len() {
            assert!(read(&file[..length]).is_err(), "{name} cut to {length}");
        }
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let mut refused = 0;
    for name in ["plain-zip.pth", "views-zip.pth", "views-legacy.pth", "module-legacy.pth"] {
        let file = std::fs::read(golden(name)).unwrap();
        for at in 0..file.len() {
            for change in [0x01, 0x80, 0xFF] {
                let mut changed = file.clone();
                changed[at] ^= change;
                refused += usize::from(read(&changed).is_err());
            }
        }
    }
    assert!(refused > 5_000, "{refused}");
}

#[test]
fn claims_beyond_the_file_are_refused() {
    let file = std::fs::read(golden("nested-legacy.pth")).unwrap();
    let long = |needle: &[u8], replacement: &[u8]| {
        let at = file.windows(needle.len()).position(|window| window == needle).unwrap();
        let mut changed = file.clone();
        changed.splice(at..at + needle.len(), replacement.iter().copied());
        read(&changed).unwrap_err().to_string()
    };
    // The shape (2, 3) and its strides (3, 1), each followed by where it is remembered.
    let beyond = "the tensor `f32` reaches beyond its storage";
    assert_eq!(long(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), beyond);
    assert_eq!(long(b"K\x02K\x03\x86", b"J\xFF\xFF\xFF\x7FJ\xFF\xFF\xFF\x7F\x86"), beyond);
    assert_eq!(long(b"K\x03K\x01\x86", b"J\xFF\xFF\xFF\x7FK\x01\x86"), beyond);
    let negative = long(b"K\x02K\x03\x86", b"J\xFF\xFF\xFF\xFFK\x03\x86");
    assert!(negative.contains("a call is not one that PyTorch writes"), "{negative}");
}
