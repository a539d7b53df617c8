//! Reading of safetensors files against the list of tensors that an architecture needs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use prismbench_core::{TokenizerError, Weights};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

/// A tensor that an architecture needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

/// The tensors of one file, in f32.
#[derive(Debug)]
pub(crate) struct WeightsFile {
    /// Name and digest of the file.
    pub(crate) origin: Weights,
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl WeightsFile {
    /// Reads exactly the `expected` tensors, stored as f32, f16 or bf16.
    ///
    /// # Errors
    /// [`TokenizerError::WeightsMissing`] with `remedy` when there is no such file,
    /// [`TokenizerError::WeightsUnreadable`] when it is not well formed, and
    /// [`TokenizerError::WeightsMismatch`] naming every tensor that is missing, misshapen, of
    /// another element type, or not part of the architecture.
    pub(crate) fn read(
        path: &Path,
        expected: &[Expected],
        device: &Device,
        remedy: &str,
    ) -> Result<Self, TokenizerError> {
        let bytes = fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                let (path, remedy) = (path.to_owned(), remedy.to_owned());
                TokenizerError::WeightsMissing { path, remedy }
            }
            _ => unreadable(path, error),
        })?;
        // The reader checks that the header fits the file, that shapes fit their spans, and that
        // the spans tile the data without gap or overlap.
        let file = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(path, error))?;
        let problems = problems(&file, expected);
        if !problems.is_empty() {
            return Err(TokenizerError::WeightsMismatch { path: path.to_owned(), problems });
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            tensors.insert(name.to_owned(), view.load(device)?.to_dtype(DType::F32)?);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let origin = Weights { name, sha256: sha256(&bytes) };
        Ok(Self { origin, path: path.to_owned(), tensors })
    }

    /// One of the expected tensors.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor, TokenizerError> {
        self.tensors.get(name).cloned().ok_or_else(|| TokenizerError::WeightsMismatch {
            path: self.path.clone(),
            problems: vec![format!("`{name}` is missing")],
        })
    }
}

/// sha256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn problems(file: &SafeTensors<'_>, expected: &[Expected]) -> Vec<String> {
    let mut problems = Vec::new();
    for Expected { name, shape } in expected {
        match file.tensor(name) {
            Err(_) => problems.push(format!("`{name}` {shape:?} is missing")),
            Ok(found) if found.shape() != shape => {
                problems.push(format!("`{name}` is {:?}, expected {shape:?}", found.shape()));
            }
            Ok(found) if !matches!(found.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) => {
                let dtype = found.dtype();
                problems.push(format!("`{name}` is {dtype:?}, expected F32, F16 or BF16"));
            }
            Ok(_) => {}
        }
    }
    let mut extra: Vec<&str> = file.names();
    extra.retain(|name| expected.iter().all(|tensor| tensor.name != *name));
    extra.sort_unstable();
    problems.extend(extra.iter().map(|name| format!("`{name}` is not part of it")));
    problems
}

fn unreadable(
    path: &Path,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> TokenizerError {
    TokenizerError::WeightsUnreadable { path: path.to_owned(), cause: Box::new(cause) }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// A file of this header and as many zero bytes of data.
    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<WeightsFile, TokenizerError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        fs::write(&path, bytes).unwrap();
        let tensor = |name: &str| Expected { name: name.to_owned(), shape: vec![2, 1] };
        WeightsFile::read(&path, &[tensor("a"), tensor("b")], &Device::Cpu, "fetch it")
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
        let file = read(&bytes).unwrap();
        for name in ["a", "b"] {
            let values = file.get(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values, [1.5, -2.0]);
        }
        assert_eq!(file.origin, Weights { name: "a.safetensors".into(), sha256: sha256(&bytes) });
        // FIPS 180-2, appendix B.1.
        assert!(sha256(b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"));
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_named() {
        let bytes = file(
            r#"{"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
                "d":{"dtype":"F32","shape":[0],"data_offsets":[8,8]},
                "c":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#,
            8,
        );
        let Err(TokenizerError::WeightsMismatch { problems, .. }) = read(&bytes) else {
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
        assert!(error.ends_with("`a` is I16, expected F32, F16 or BF16"), "{error}");
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
            file(
                r#"{"a":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
                0,
            ),
        ];
        for (case, bytes) in malformed.iter().enumerate() {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error, TokenizerError::WeightsUnreadable { .. }), "{case}: {error}");
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn a_missing_file_comes_with_the_remedy() {
        let error = WeightsFile::read(Path::new("/no/such"), &[], &Device::Cpu, "fetch it");
        let Err(TokenizerError::WeightsMissing { remedy, .. }) = error else {
            panic!("expected a missing file");
        };
        assert_eq!(remedy, "fetch it");
    }
}
