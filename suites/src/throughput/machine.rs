use std::fmt::Debug;
use std::fs;
use std::time::{Duration, Instant};

use candle_core::Device;
use prismbench_core::{ElementType, Peaks, TokenizerError};
use prismbench_kernels::accelerator::{self, Stopwatch};
use prismbench_kernels::peaks;

/// How long each peak is measured.
const PEAK: Duration = Duration::from_millis(700);

/// What the suite asks of the machine; a test hands over a fake.
pub(super) trait Machine: Debug + Send + Sync {
    /// Time since some moment.
    fn now(&self) -> Duration;

    /// Makes a call that waits for the device, and tells the time that passed there between its begin and its
    /// end; `None` where the device is the host.
    ///
    /// # Errors
    /// Those of the call, and when the device fails.
    fn device_time(
        &self,
        device: &Device,
        call: &mut dyn FnMut() -> Result<(), TokenizerError>,
    ) -> Result<Option<Duration>, TokenizerError>;

    /// What it can do at most, measured now, on a device and with numbers of a type.
    ///
    /// # Errors
    /// When the device fails.
    fn peaks(&self, device: &Device, element: ElementType) -> Result<Peaks, TokenizerError>;

    /// Memory of a device as of now; `None` where the system does not tell.
    fn memory(&self, device: &Device) -> Option<Memory>;

    /// Lets [`Memory::peak`] begin anew at what is resident.
    fn reset_peak(&self, device: &Device);
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Of this process, or its tensors on a device.
    pub(super) resident: u64,
    /// The most that was resident.
    pub(super) peak: u64,
    /// What can still be had.
    pub(super) available: u64,
}

/// Linux by `/proc` and control groups; other systems do not tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThisMachine {
    start: Instant,
}

impl Default for ThisMachine {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Machine for ThisMachine {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn device_time(
        &self,
        device: &Device,
        call: &mut dyn FnMut() -> Result<(), TokenizerError>,
    ) -> Result<Option<Duration>, TokenizerError> {
        let watch = Stopwatch::start(device)?;
        call()?;
        Ok(watch.map(Stopwatch::stop).transpose()?)
    }

    fn peaks(&self, device: &Device, element: ElementType) -> Result<Peaks, TokenizerError> {
        if device.is_cpu() {
            let (flops, bytes_per_second) = (peaks::matrix_product(PEAK), peaks::copy(PEAK));
            return Ok(Peaks { flops, bytes_per_second });
        }
        let (flops, bytes_per_second) = peaks::of_device(device, element.dtype(), PEAK)?;
        Ok(Peaks { flops, bytes_per_second })
    }

    fn memory(&self, device: &Device) -> Option<Memory> {
        if !device.is_cpu() {
            let accelerator::Memory { used, peak, available } = accelerator::memory(device)?;
            return Some(Memory { resident: used, peak, available });
        }
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let system = fs::read_to_string("/proc/meminfo").ok()?;
        let resident = kibibytes(&status, "VmRSS:")?;
        let mut available = kibibytes(&system, "MemAvailable:")?;
        // A container may have less than the machine.
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        if let (Some(limit), Some(used)) =
            (number("/sys/fs/cgroup/memory.max"), number("/sys/fs/cgroup/memory.current"))
        {
            available = available.min(limit.saturating_sub(used));
        }
        Some(Memory { resident, peak: kibibytes(&status, "VmHWM:")?, available })
    }

    fn reset_peak(&self, device: &Device) {
        accelerator::reset_peak(device);
        // Where this is not allowed, the peak is that of the process since it began.
        let _ = fs::write("/proc/self/clear_refs", "5");
    }
}

/// The bytes behind a word of `/proc`.
fn kibibytes(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    Some(1024 * line.split_whitespace().next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_system_are_read_with_their_unit() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:"), Some(2 << 20));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
        assert_eq!(kibibytes("VmRSS: many kB", "VmRSS:"), None);
    }

    #[test]
    fn this_process_has_memory_where_the_system_tells() {
        let Some(memory) = ThisMachine::default().memory(&Device::Cpu) else { return };
        assert!(memory.resident > 1 << 20 && memory.peak >= memory.resident, "{memory:?}");
    }
}
