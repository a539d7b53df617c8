use std::fmt;

use cudarc::driver::sys::CUresult;

use crate::accelerator::DeviceFailure;

/// A version of CUDA, as the driver counts it: a thousand for the major and ten for the minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl Version {
    /// What the driver must serve: CUDA 13.0, whose functions this program calls and whose PTX it loads.
    pub const NEEDED: Self = Self(13_000);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// What can go wrong between this program and a GPU.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// The machine has no driver.
    #[error(
        "there is no NVIDIA driver: `libcuda.so.1` cannot be loaded; install driver 580 or newer, or \
         compute on the CPU"
    )]
    NoDriver,
    /// The driver is older than what this was written for.
    #[error(
        "the NVIDIA driver serves CUDA {found} and {needed} is needed: update it to 580 or newer, or \
         compute on the CPU"
    )]
    DriverTooOld {
        /// What it serves.
        found: Version,
        /// What it must serve.
        needed: Version,
    },
    /// There is no such device.
    #[error(
        "there is no CUDA device {ordinal}: the driver shows {count}; choose another, see whether \
         `CUDA_VISIBLE_DEVICES` hides it, or compute on the CPU"
    )]
    NoDevice {
        /// The device that was asked for.
        ordinal: usize,
        /// How many there are, counted from 0.
        count: usize,
    },
    /// The memory of the device is full.
    #[error(
        "CUDA device {ordinal} has no memory left for {bytes} bytes (CUDA_ERROR_OUT_OF_MEMORY): use smaller \
         batches, or end the other programs that `nvidia-smi` lists"
    )]
    OutOfMemory {
        /// The device.
        ordinal: usize,
        /// What was asked for.
        bytes: usize,
    },
    /// The device does not answer any more, or a kernel broke it: nothing that is on it can be used.
    #[error(
        "CUDA device {ordinal} was lost while {operation} ({code}): what was computed on it is gone; \
         look at `nvidia-smi` and `dmesg`, then start the program again"
    )]
    DeviceLost {
        /// The device.
        ordinal: usize,
        /// What was being done.
        operation: &'static str,
        /// The driver's name of it.
        code: String,
    },
    /// Nothing here can compile kernels.
    #[error(
        "the kernels were built without nvcc and `libnvrtc.so.13` cannot be loaded: install it (`pip \
         install \"nvidia-cuda-nvrtc==13.0.*\"`) and name its folder in `LD_LIBRARY_PATH`, or build \
         this program where nvcc is"
    )]
    NoCompiler,
    /// A kernel does not compile.
    #[error(
        "`kernels/cuda/{program}.cu` does not compile for compute capability {capability}: a GPU \
         older than 7.5 or a bug; the compiler says: {log}"
    )]
    Compilation {
        /// Name of the source.
        program: String,
        /// Of the device.
        capability: String,
        /// What the compiler says.
        log: String,
    },
    /// A kernel takes other arguments than it was given: a bug.
    #[error("kernel `{kernel}` takes {expected} and was given {found}: a bug, please report it")]
    Arguments {
        /// Its name.
        kernel: &'static str,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// Operands do not fit each other.
    #[error("`{operation}` takes {expected} and was given {found}")]
    Lengths {
        /// Name of the function.
        operation: &'static str,
        /// What fits.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The twin on the CPU can do it, a GPU cannot.
    #[error("`{operation}` cannot be done on a GPU for {reason}: do it on the CPU")]
    Unsupported {
        /// Name of the function.
        operation: &'static str,
        /// Why.
        reason: String,
    },
    /// A buffer that lies on another device.
    #[error(
        "a buffer of CUDA device {found} was given to device {expected}: copy it over the host"
    )]
    OtherDevice {
        /// The device that computes.
        expected: usize,
        /// The one that has the buffer.
        found: usize,
    },
    /// Anything else that the driver says.
    #[error("{operation} on CUDA device {ordinal} failed: the driver says {code}")]
    Driver {
        /// The device.
        ordinal: usize,
        /// What was being done.
        operation: &'static str,
        /// The driver's name of it.
        code: String,
    },
}

impl CudaError {
    /// What a driver's code means, for something that took `bytes` of memory.
    pub(super) fn of(
        code: CUresult,
        ordinal: usize,
        operation: &'static str,
        bytes: usize,
    ) -> Self {
        let name = format!("{code:?}");
        match DeviceFailure::of_code(&name) {
            Some(DeviceFailure::OutOfMemory) => Self::OutOfMemory { ordinal, bytes },
            Some(DeviceFailure::Lost) => Self::DeviceLost { ordinal, operation, code: name },
            None => Self::Driver { ordinal, operation, code: name },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_driver_are_told_apart() {
        let of = |code| CudaError::of(code, 1, "a launch", 64);
        let is_lost = |code| matches!(of(code), CudaError::DeviceLost { ordinal: 1, .. });
        assert_eq!(
            of(CUresult::CUDA_ERROR_OUT_OF_MEMORY),
            CudaError::OutOfMemory { ordinal: 1, bytes: 64 }
        );
        assert!(is_lost(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS));
        assert!(is_lost(CUresult::CUDA_ERROR_ECC_UNCORRECTABLE));
        assert!(!is_lost(CUresult::CUDA_ERROR_INVALID_VALUE));
        let message = of(CUresult::CUDA_ERROR_INVALID_VALUE).to_string();
        assert!(message.contains("CUDA_ERROR_INVALID_VALUE"), "{message}");
    }

    #[test]
    fn versions_read_as_people_write_them() {
        assert_eq!(Version(13_000).to_string(), "13.0");
        assert_eq!(Version(12_040).to_string(), "12.4");
        assert!(Version(12_090) < Version::NEEDED);
    }
}
