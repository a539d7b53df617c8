//! Compiles the CUDA kernels to PTX where the feature `cuda` is on and nvcc is found; what it does not
//! compile, NVRTC does at run time.
//!
//! `NVCC` names the compiler, else `CUDA_HOME` or `CUDA_PATH` the folder that has `bin/nvcc`, else the
//! `PATH` is asked. `CUDA_COMPUTE_CAP` is the oldest GPU that the PTX is for, 80 (A100) where it is not
//! set. No compiler is no error.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What PTX is made for unless `CUDA_COMPUTE_CAP` says otherwise; newer GPUs run it too.
const CAPABILITY: &str = "80";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed=cuda");
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut list = String::from("[");
    if let Some(nvcc) = nvcc() {
        for source in sources() {
            let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let ptx = out.join(format!("{name}.ptx"));
            match compile(&nvcc, &source, &ptx) {
                Ok(()) => {
                    let _ =
                        write!(list, "({name:?}, include_str!({:?})), ", ptx.display().to_string());
                }
                Err(reason) => println!("cargo::warning={name}.cu is left to NVRTC: {reason}"),
            }
        }
    }
    list.push(']');
    if let Err(error) = fs::write(out.join("built.rs"), list) {
        println!("cargo::error=the list of compiled kernels cannot be written: {error}");
    }
}

/// Every `.cu` file, by name.
fn sources() -> Vec<PathBuf> {
    let files = fs::read_dir("cuda").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "cu")).collect();
    files.sort();
    files
}

/// A compiler that says its version.
fn nvcc() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("CUDA_HOME").or_else(|| set("CUDA_PATH"));
    let nvcc = set("NVCC")
        .or_else(|| home().map(|home| home.join("bin").join("nvcc")))
        .unwrap_or_else(|| PathBuf::from("nvcc"));
    let version = Command::new(&nvcc).arg("--version").output();
    version.is_ok_and(|output| output.status.success()).then_some(nvcc)
}

fn compile(nvcc: &Path, source: &Path, ptx: &Path) -> Result<(), String> {
    let capability = env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| CAPABILITY.into());
    let digits: String = capability.chars().filter(char::is_ascii_digit).collect();
    let output = Command::new(nvcc)
        .args(["--ptx", "--fmad=false", "--std=c++17"])
        .arg(format!("--gpu-architecture=compute_{digits}"))
        .arg("-o")
        .args([ptx, source])
        .output()
        .map_err(|error| error.to_string())?;
    let is_empty = || fs::metadata(ptx).map_or(true, |file| file.len() == 0);
    match output.status.success() {
        false => Err(String::from_utf8_lossy(&output.stderr).lines().take(3).collect()),
        true if is_empty() => Err(format!("{} wrote nothing", nvcc.display())),
        true => Ok(()),
    }
}
