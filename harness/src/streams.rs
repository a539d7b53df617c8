use std::io::Write;
use std::sync::atomic::AtomicBool;

/// What the program writes to and how it is asked to stop. A test hands over buffers.
pub struct Streams<'a> {
    /// Results.
    pub out: &'a mut (dyn Write + Send),
    /// Progress, warnings, errors.
    pub err: &'a mut (dyn Write + Send),
    /// Columns that a text table may take.
    pub width: usize,
    /// Whether the process's standard error is a terminal, on which a bar can be drawn.
    pub bar: bool,
    /// Set when the user wants to stop.
    pub interrupted: &'a AtomicBool,
}

impl Streams<'_> {
    /// A line for people. A closed standard error is no reason to stop measuring.
    pub(crate) fn say(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }
}
