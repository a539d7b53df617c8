use std::fmt::Debug;
use std::fs;
use std::time::{Duration, Instant};

use prismbench_core::Peaks;
use prismbench_kernels::peaks;

/// How long each peak is measured.
const PEAK: Duration = Duration::from_millis(700);

/// What the suite asks of the machine; a test hands over a fake.
pub(super) trait Machine: Debug + Send + Sync {
    /// Time since some moment.
    fn now(&self) -> Duration;

    /// What it can do at most, measured now.
    fn peaks(&self) -> Peaks;

    /// Memory as of now; `None` where the system does not tell.
    fn memory(&self) -> Option<Memory>;

    /// Lets [`Memory::peak`] begin anew at what is resident.
    fn reset_peak(&self);
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Of this process.
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

    fn peaks(&self) -> Peaks {
        Peaks { flops: peaks::matrix_product(PEAK), bytes_per_second: peaks::copy(PEAK) }
    }

    fn memory(&self) -> Option<Memory> {
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

    fn reset_peak(&self) {
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
        let Some(memory) = ThisMachine::default().memory() else { return };
        assert!(memory.resident > 1 << 20 && memory.peak >= memory.resident, "{memory:?}");
    }
}
