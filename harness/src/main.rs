//! `prismbench`; everything is in the library, where tests can call it.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use prismbench::{Exit, Streams};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    // The first signal asks the run to end after the block at hand, the second ends it at once.
    // Without a handler a signal simply kills the process: losing it costs no result.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // They are in process groups of their own, which no terminal interrupts.
            prismbench_baselines::end_programs();
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let streams = Streams {
        out: &mut stdout(),
        err: &mut stderr(),
        width: width.unwrap_or(100),
        bar: stderr().is_terminal(),
        interrupted: &INTERRUPTED,
    };
    prismbench::main_from(std::env::args_os(), streams).into()
}
