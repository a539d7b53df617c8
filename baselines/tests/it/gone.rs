//! Whether processes have ended, which only Linux's `/proc` tells.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whether a process is there; one that has ended and was not reaped counts as there.
pub(crate) fn is_running(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

/// Waits until a process that its new parent has to reap is gone.
pub(crate) fn is_gone(process: &str) -> bool {
    let start = Instant::now();
    while is_running(process) && start.elapsed() < Duration::from_secs(20) {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if state.contains(") Z ") {
            // It has ended; in a container nobody may reap what has lost its parent.
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    !is_running(process)
}
