use std::fs;
use std::io::Write as _;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::npy::Header;

/// Latents of 2 x 3 numbers, the first of them number `first`.
fn values(first: usize, len: usize) -> Vec<f32> {
    (6 * first..6 * (first + len)).map(|at| at as f32 * 0.25 - 3.0).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn npz(path: &Path, arrays: &[(&str, &str, &[u64], Vec<u8>)]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, descr, shape, data) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&Header::encode(descr, shape)).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap();
}

fn tensors(path: &Path, header: &str, data: &[u8]) {
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length, header.as_bytes(), data].concat()).unwrap();
}

fn refusal(path: &Path) -> String {
    crate::chain(&LatentFiles::open(path).unwrap_err())
}

#[test]
fn files_of_both_kinds_in_a_folder_are_one_array() {
    let folder = TempDir::new().unwrap();
    let labels = |of: &[i64]| of.iter().flat_map(|label| label.to_le_bytes()).collect::<Vec<u8>>();
    npz(
        &folder.path().join("part-0.npz"),
        &[
            ("latents", "<f4", &[2, 2, 3], bytes(&values(0, 2))),
            ("labels", "<i8", &[2], labels(&[7, 0])),
        ],
    );
    let data = [bytes(&values(2, 3)), labels(&[1, 2, 999])].concat();
    tensors(
        &folder.path().join("part-1.safetensors"),
        r#"{"latents":{"dtype":"F32","shape":[3,2,3],"data_offsets":[0,72]},"y":{"dtype":"I64","shape":[3],"data_offsets":[72,96]}}"#,
        &data,
    );
    fs::write(folder.path().join("README"), "not read").unwrap();
    let latents = LatentFiles::open(folder.path()).unwrap();
    assert_eq!((latents.len(), latents.shape()), (5, &[2, 3][..]));
    assert_eq!(latents.labels(), Some(&[7, 0, 1, 2, 999][..]));
    assert_eq!(latents.read(0..5).unwrap(), values(0, 5));
    assert_eq!(latents.read(1..3).unwrap(), values(1, 2), "across the border of two files");
    assert_eq!(latents.read(4..5).unwrap(), values(4, 1));
    assert!(latents.read(4..6).unwrap_err().to_string().contains("has 5 latents"));
}

#[test]
fn half_and_double_precision_are_read_exactly() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("z.npz");
    let doubles = values(0, 2).iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    npz(&path, &[("anything", "<f8", &[2, 6], doubles)]);
    assert_eq!(LatentFiles::open(&path).unwrap().read(0..2).unwrap(), values(0, 2));
    let path = folder.path().join("z.safetensors");
    // 1.5 and -2 in bfloat16.
    let header = r#"{"z":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}"#;
    tensors(&path, header, &[0xC0, 0x3F, 0x00, 0xC0]);
    assert_eq!(LatentFiles::open(&path).unwrap().read(0..1).unwrap(), [1.5, -2.0]);
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.npz");
    let mut all = values(0, 3);
    all[8] = f32::NAN;
    npz(&path, &[("arr_0", "<f4", &[3, 6], bytes(&all))]);
    let latents = LatentFiles::open(&path).unwrap();
    assert!(latents.read(0..1).is_ok());
    let error = latents.read(0..3).unwrap_err().to_string();
    assert!(error.contains("latent 1 of") && error.contains("NaN at place 2"), "{error}");
}

#[test]
fn what_is_no_array_of_latents_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    npz(&path("pictures.npz"), &[("arr_0", "|u1", &[1, 2], vec![1, 2])]);
    assert!(refusal(&path("pictures.npz")).contains("(it has: arr_0)"));
    let one = || bytes(&[1.0]);
    npz(&path("two.npz"), &[("a", "<f4", &[1, 1], one()), ("b", "<f4", &[1, 1], one())]);
    assert!(refusal(&path("two.npz")).contains("(it has: a, b)"));
    npz(&path("flat.npz"), &[("z", "<f4", &[3], bytes(&[1.0, 2.0, 3.0]))]);
    assert!(refusal(&path("flat.npz")).contains("shape [3]; expected [N, ...shape"));
    npz(
        &path("labels.npz"),
        &[("z", "<f4", &[2, 1], bytes(&[1.0, 2.0])), ("arr_1", "<i8", &[1], vec![0; 8])],
    );
    assert!(refusal(&path("labels.npz")).contains("one label for each of 2 latents"));
    fs::write(path("x.txt"), "").unwrap();
    assert!(refusal(&path("x.txt")).contains("no `.npz` and no `.safetensors`"));
    fs::create_dir(path("none")).unwrap();
    assert!(refusal(&path("none")).contains("no `.npz` and no `.safetensors` in"));
    assert!(refusal(&path("absent")).contains("cannot read"));
}

#[test]
fn sizes_in_headers_are_not_believed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("z.safetensors");
    let header =
        r#"{"z":{"dtype":"F32","shape":[1000000000,1000],"data_offsets":[0,4000000000000]}}"#;
    tensors(&path, header, &[0; 64]);
    assert!(refusal(&path).contains("and 64 are there"));
    fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert!(refusal(&path).contains("its header claims"));
    fs::write(&path, [1, 2, 3]).unwrap();
    assert!(refusal(&path).contains("ends in its header"));
    // Offsets that do not hold what the shape says.
    let header = r#"{"z":{"dtype":"F32","shape":[4,4],"data_offsets":[0,4]}}"#;
    tensors(&path, header, &[0; 4]);
    assert!(refusal(&path).contains("no usable safetensors"));
}

#[test]
fn files_that_differ_are_not_joined() {
    let folder = TempDir::new().unwrap();
    npz(&folder.path().join("a.npz"), &[("z", "<f4", &[1, 2], bytes(&[1.0, 2.0]))]);
    npz(&folder.path().join("b.npz"), &[("z", "<f4", &[1, 3], bytes(&[1.0, 2.0, 3.0]))]);
    assert!(refusal(folder.path()).contains("latents of shape [3]"));
    npz(
        &folder.path().join("b.npz"),
        &[("z", "<f4", &[1, 2], bytes(&[1.0, 2.0])), ("y", "<i8", &[1], vec![0; 8])],
    );
    assert!(refusal(folder.path()).contains("has no labels and other files"));
}
