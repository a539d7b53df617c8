//! Opening and using a device through fakes of the driver's library, each in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::super::{CudaError, Device, PlaneFilter};
use super::{Emulator, Order, floats};
use crate::Size;
use crate::filters::{self, Cutoff, Pass, Shape};

/// Set in the processes that see the fake.
const FAKE: &str = "PRISMBENCH_FAKE_CUDA";

/// A folder with a `libcuda.so` made from `tests/cuda_on_host/driver.cpp`; none without a compiler.
fn fake_driver() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(build).clone()
}

fn build() -> Option<PathBuf> {
    let folder = Path::new(env!("OUT_DIR")).join("fake-driver");
    std::fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda_on_host/driver.cpp");
    let unfinished = folder.join(format!("{}.so", std::process::id()));
    let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "g++".into()));
    let compiler = compiler.args(["-shared", "-fPIC", "-o"]).arg(&unfinished).arg(source);
    match compiler.output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::rename(&unfinished, folder.join("libcuda.so")).unwrap();
            Some(folder)
        }
        Err(error) => {
            println!("left out: a fake driver: g++ cannot be started: {error}");
            None
        }
    }
}

/// What `says_what_it_finds` prints where the fake driver does as `settings` say.
fn found_with(folder: &Path, settings: &[(&str, &str)]) -> String {
    let libraries = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cuda::tests::fakes::says_what_it_finds", "--ignored", "--nocapture"])
        .env("LD_LIBRARY_PATH", format!("{}:{libraries}", folder.display()))
        .env(FAKE, "1")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
#[ignore = "the other tests here start it in processes that see a fake driver"]
fn says_what_it_finds() {
    assert!(std::env::var_os(FAKE).is_some(), "there is no fake driver");
    let all = || -> Result<(), CudaError> {
        let device = Device::open(0)?;
        println!("name: {}", device.name());
        println!("second: {}", Device::open(1).unwrap_err());
        let values = floats(1000, 1);
        let copied = device.copy(&device.upload(&values)?)?;
        assert_eq!(copied.to_vec()?, values);
        assert_eq!(device.zeros::<f64>(3)?.to_vec()?, [0.0; 3]);
        // The fake's kernels: a mean that it makes up, and planes full of it.
        let all = Cutoff::from_thousandths(1000).unwrap();
        let size = Size::new(3, 2);
        let filter = filters::PlaneFilter::new(size, Shape::DctSquare, Pass::High, all);
        let filtered = PlaneFilter::new(&device, &filter)?.apply(&values[..12])?.to_vec()?;
        assert_eq!(filtered[..6], [2.5; 6]);
        assert_eq!(filtered[6..], [3.5; 6]);
        println!("filtered");
        Ok(())
    };
    if let Err(error) = all() {
        println!("error: {error}\nkind: {error:?}");
    }
}

#[test]
fn a_driver_that_serves_less_is_too_old() {
    let Some(folder) = fake_driver() else { return };
    let found = found_with(&folder, &[("FAKE_VERSION", "12080")]);
    assert!(
        found.contains("error: the NVIDIA driver serves CUDA 12.8 and 13.0 is needed"),
        "{found}"
    );
    assert!(found.contains("update it to 580 or newer"), "{found}");
}

#[test]
fn a_machine_without_devices_says_so() {
    let Some(folder) = fake_driver() else { return };
    for settings in [[("FAKE_INIT", "100")], [("FAKE_COUNT", "0")]] {
        let found = found_with(&folder, &settings);
        assert!(found.contains("error: there is no CUDA device 0: the driver shows 0"), "{found}");
    }
}

#[test]
fn a_full_device_and_a_lost_one_are_told_apart() {
    let Some(folder) = fake_driver() else { return };
    let found = found_with(&folder, &[("FAKE_ALLOCATION", "2")]);
    assert!(found.contains("no memory left for 4000 bytes"), "{found}");
    // An uncorrectable error of memory, met by a copy.
    let found = found_with(&folder, &[("FAKE_COPY", "214")]);
    assert!(found.contains("CUDA device 0 was lost while copying to the device"), "{found}");
    assert!(found.contains("CUDA_ERROR_ECC_UNCORRECTABLE"), "{found}");
}

#[test]
fn launches_reach_the_driver_with_their_arguments() {
    let Some(folder) = fake_driver() else { return };
    let found = found_with(&folder, &[]);
    assert!(found.contains("name: A fake GPU"), "{found}");
    assert!(found.contains("second: there is no CUDA device 1: the driver shows 1"), "{found}");
    match found.contains("kind: NoCompiler") {
        true => println!("left out: a launch through a fake driver: there is no NVRTC"),
        false => assert!(found.contains("filtered"), "{found}"),
    }
    if found.contains("filtered") {
        let found = found_with(&folder, &[("FAKE_LAUNCH", "719")]);
        assert!(found.contains("was lost while plane_means (CUDA_ERROR_LAUNCH_FAILED)"), "{found}");
    }
}

#[test]
fn a_machine_without_a_driver_says_so() {
    match Device::open(0) {
        Err(error @ CudaError::NoDriver) => {
            assert!(error.to_string().contains("install driver 580"), "{error}");
        }
        other => println!("left out: this machine has a driver: {other:?}"),
    }
}

#[test]
fn a_device_without_memory_says_how_much_was_asked_for() {
    let Ok(mut emulator) = Emulator::new(Order::Ascending) else {
        println!("left out: no emulated device");
        return;
    };
    emulator.memory = 100;
    let device = Device::emulated(emulator);
    let found = device.upload(&[0_f32; 30]);
    assert!(matches!(found, Err(CudaError::OutOfMemory { bytes: 120, .. })), "{found:?}");
    // What fits still does.
    assert_eq!(device.upload(&[1_f32; 25]).unwrap().to_vec().unwrap(), [1.0; 25]);
}
