//! Where tokenizers and networks compute.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candle_core::Device;
use prismbench_kernels::accelerator;
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// `cpu`, or `cuda:N` for the N-th GPU; `cuda` is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    #[default]
    Cpu,
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().map(Self::Cuda);
        match text.split_once(':') {
            None if text == "cpu" => Some(Self::Cpu),
            None if text == "cuda" => Some(Self::Cuda(0)),
            Some(("cuda", index)) => number(index),
            _ => None,
        }
        .ok_or_else(|| "expected cpu, cuda or cuda:N".to_owned())
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceChoice {
    /// # Errors
    /// [`Failure::NoDevice`] with the reason and what helps.
    pub(crate) fn open(self) -> Result<Device, Failure> {
        let Self::Cuda(index) = self else { return Ok(Device::Cpu) };
        on_gpu(index).map_err(|failed| {
            // What the system says explains a failure; a container may hide it from a device that works.
            let (reason, remedy) = Gpu::look(Path::new("/")).problem().unwrap_or(failed);
            let device = self.to_string();
            Failure::NoDevice { device, reason, remedy }
        })
    }

    /// What the GPU that this is, and was opened as `device`, says of itself, and the system of its driver.
    pub(crate) fn in_use(self, device: &Device) -> Option<GpuInUse> {
        let Self::Cuda(index) = self else { return None };
        let Gpu { driver, models, .. } = Gpu::look(Path::new("/"));
        let said = accelerator::describe(device);
        let clocks = said.as_ref().and_then(|said| said.clocks).map(GpuClocks::from);
        // Machines of several models are rare, and the first is better than none.
        let listed = || models.get(index).or(models.first()).cloned().unwrap_or_default();
        let model = said.map_or_else(listed, |said| said.name);
        Some(GpuInUse { model, driver: driver.unwrap_or_default(), clocks })
    }
}

/// What a run on a GPU is told from others by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GpuInUse {
    /// Empty where the system does not tell.
    pub(crate) model: String,
    pub(crate) driver: String,
    /// When the run began, where the driver's library tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clocks: Option<GpuClocks>,
}

/// In MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GpuClocks {
    pub(crate) multiprocessors: u32,
    pub(crate) most_multiprocessors: u32,
    pub(crate) memory: u32,
}

impl From<accelerator::Clocks> for GpuClocks {
    fn from(clocks: accelerator::Clocks) -> Self {
        let accelerator::Clocks { multiprocessors, most_multiprocessors, memory } = clocks;
        Self { multiprocessors, most_multiprocessors, memory }
    }
}

/// The N-th GPU, or what is wrong with it and what helps.
#[cfg(feature = "cuda")]
fn on_gpu(index: usize) -> Result<Device, (String, String)> {
    let look = || "`prismbench doctor` tells what there is".to_owned();
    prismbench_kernels::cuda::for_tensors(index).map_err(|error| (error.to_string(), look()))
}

#[cfg(not(feature = "cuda"))]
fn on_gpu(_: usize) -> Result<Device, (String, String)> {
    Err((
        "this build of prismbench computes on the CPU alone".to_owned(),
        "leave `--device` away, or build with `--features cuda`".to_owned(),
    ))
}

/// What the system says of GPUs, found out without loading their libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// Version of NVIDIA's kernel module.
    pub(crate) driver: Option<String>,
    /// Model of each GPU.
    pub(crate) models: Vec<String>,
    /// Where the driver's library lies.
    pub(crate) library: Option<String>,
    /// Libraries of [`LIBRARIES`] that are nowhere.
    pub(crate) missing: Vec<&'static str>,
}

/// What a build for a GPU loads besides the driver's `libcuda.so.1`: the first four when it starts, the last to read
/// clocks.
const LIBRARIES: [&str; 5] = [
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcurand.so.10",
    "libnvrtc.so.13",
    "libnvidia-ml.so.1",
];

/// Where systems keep such libraries.
const FOLDERS: [&str; 7] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/wsl/lib",
    "usr/local/nvidia/lib64",
    "usr/local/cuda/lib64",
];

impl Gpu {
    /// Under this root.
    pub(crate) fn look(root: &Path) -> Self {
        let version = std::fs::read_to_string(root.join("proc/driver/nvidia/version")).ok();
        let driver = version.and_then(|text| {
            let word =
                |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
            text.lines().next()?.split_whitespace().find(word).map(str::to_owned)
        });
        let mut models = Vec::new();
        if let Ok(gpus) = std::fs::read_dir(root.join("proc/driver/nvidia/gpus")) {
            for gpu in gpus.flatten() {
                let text = std::fs::read_to_string(gpu.path().join("information"));
                let text = text.unwrap_or_default();
                let model = text.lines().find_map(|line| line.strip_prefix("Model:"));
                models.extend(model.map(|model| model.trim().to_owned()));
            }
        }
        models.sort();
        let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let named = std::env::split_paths(&named)
            .filter_map(|folder| folder.strip_prefix("/").ok().map(Path::to_owned));
        let folders: Vec<PathBuf> = named.chain(FOLDERS.map(PathBuf::from)).collect();
        let find = |name: &str| {
            let mut places = folders.iter().map(|folder| root.join(folder).join(name));
            places.find(|path| path.exists())
        };
        let library = find("libcuda.so.1").map(|path| path.display().to_string());
        let missing = LIBRARIES.into_iter().filter(|name| find(name).is_none()).collect();
        Self { driver, models, library, missing }
    }

    /// Why no GPU can be used, and what helps; `None` where one could.
    pub(crate) fn problem(&self) -> Option<(String, String)> {
        let say = |reason: &str, remedy: &str| Some((reason.to_owned(), remedy.to_owned()));
        match self {
            Self { driver: None, library: None, .. } => say(
                "no NVIDIA driver is there",
                "install NVIDIA's driver 580 or newer; in a container, start it with `--gpus all`",
            ),
            Self { driver: None, library: Some(_), .. } => say(
                "the driver's library is there and its kernel module is not loaded",
                "load it with `modprobe nvidia`, or start the container with `--gpus all`",
            ),
            Self { library: None, .. } => say(
                "the kernel module is loaded and libcuda.so.1 is in none of the system's folders, nor on LD_LIBRARY_PATH",
                "install the driver's libraries, or put their folder on LD_LIBRARY_PATH",
            ),
            Self { models, .. } if models.is_empty() => {
                say("the driver is there and sees no GPU", "see what `nvidia-smi` says")
            }
            Self { driver: Some(driver), .. } if major(driver).is_some_and(|major| major < 580) => {
                Some((
                    format!("driver {driver} is too old"),
                    "install 580 or newer, which CUDA 13 needs".to_owned(),
                ))
            }
            _ => None,
        }
    }
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::RunArgs;
    use crate::plan::Plan;

    #[test]
    fn devices_are_named_by_kind_and_number() {
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for wrong in ["gpu", "cuda:", "cuda:x", "cpu:0", ""] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
        assert!(DeviceChoice::Cpu.open().is_ok());
        let failure = DeviceChoice::Cuda(1).open().unwrap_err();
        assert_eq!(failure.exit(), crate::Exit::Missing);
        let text = failure.render();
        assert!(text.starts_with("error: `--device cuda:1` cannot be used: "), "{text}");
        assert!(text.contains("hint: "), "{text}");
    }

    #[test]
    fn a_device_is_part_of_a_plan_where_it_is_not_the_cpu() {
        let plan = |device: Option<&str>| {
            let device = device.map(|text| text.parse().unwrap());
            Plan::resolve(&RunArgs { device, ..RunArgs::default() }).unwrap()
        };
        let [plain, cpu, first, second] =
            [None, Some("cpu"), Some("cuda"), Some("cuda:1")].map(plan);
        assert_eq!((plain.device, plain.hash()), (DeviceChoice::Cpu, cpu.hash()));
        assert!(!plain.text.contains("device"), "plans without one keep their hashes");
        assert_eq!(first.device, DeviceChoice::Cuda(0));
        assert!(first.text.contains("device = \"cuda\"\n"), "{}", first.text);
        assert_eq!(second.device, DeviceChoice::Cuda(1));
        assert!(first.hash() != plain.hash() && first.hash() == second.hash());
        assert_eq!(DeviceChoice::Cpu.in_use(&Device::Cpu), None);
    }

    #[test]
    fn what_is_wrong_with_a_gpu_is_told_with_what_helps() {
        let root = tempfile::tempdir().unwrap();
        let reason = || Gpu::look(root.path()).problem().map(|(reason, _)| reason);
        assert_eq!(reason().as_deref(), Some("no NVIDIA driver is there"));
        let driver = root.path().join("proc/driver/nvidia");
        fs::create_dir_all(driver.join("gpus/0000:01:00.0")).unwrap();
        let version = |number: &str| {
            let line = format!("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {number}  Tue\n");
            fs::write(driver.join("version"), line).unwrap();
        };
        version("570.86.15");
        assert!(reason().unwrap().contains("libcuda.so.1 is in none"));
        let folder = root.path().join("usr/lib64");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("libcuda.so.1"), "").unwrap();
        assert_eq!(reason().as_deref(), Some("the driver is there and sees no GPU"));
        let information = driver.join("gpus/0000:01:00.0/information");
        fs::write(information, "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 5\n").unwrap();
        assert_eq!(reason().as_deref(), Some("driver 570.86.15 is too old"));
        version("580.65.06");
        let gpu = Gpu::look(root.path());
        assert_eq!(gpu.problem(), None);
        assert_eq!(gpu.models, ["NVIDIA H100 80GB HBM3"]);
        assert_eq!(gpu.missing, LIBRARIES);
        let cuda = root.path().join("usr/local/cuda/lib64");
        fs::create_dir_all(&cuda).unwrap();
        LIBRARIES[..4].iter().for_each(|name| fs::write(cuda.join(name), "").unwrap());
        assert_eq!(Gpu::look(root.path()).missing, ["libnvidia-ml.so.1"]);
        fs::remove_file(driver.join("version")).unwrap();
        assert!(reason().unwrap().contains("kernel module is not loaded"));
    }
}
