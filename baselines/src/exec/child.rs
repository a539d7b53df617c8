//! A child process and its pipes: what is asked, what is answered, how long that may take, and that
//! nothing is left of it afterwards.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::ExecError;
use super::frame::{CHUNK, Frame, FrameError, Outgoing};

/// Chunks that may wait to be looked at.
const WAITING: usize = 4;

/// First bytes of an answer that an error shows.
const HEAD: usize = 64;

/// How often a wait looks whether anything else has happened.
const TICK: Duration = Duration::from_millis(100);

/// How long a program may take to end once its stdin has, or to be found dead once its stdout has.
const GRACE: Duration = Duration::from_secs(2);

/// Every program that runs.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends every program that stands for a tokenizer, with whatever it has started.
///
/// For a process that is about to exit without dropping its tokenizers; those that are dropped
/// end theirs themselves.
pub fn end_programs() {
    for &id in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        end_group(id);
    }
}

/// A program that runs, in a process group of its own.
pub(super) struct Program {
    child: Child,
    /// Gone once the program is to end.
    stdin: Option<ChildStdin>,
    stdout: Patient,
    patience: Duration,
}

/// The program's stdout, read in a thread of its own so that waiting can end.
struct Patient {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    /// The first bytes of the answer at hand.
    head: Vec<u8>,
}

/// How the other direction is doing while an answer is waited for.
#[derive(Default)]
struct Sending {
    written: AtomicU64,
    broken: AtomicBool,
}

impl Program {
    /// Starts the first of `words` with the others as arguments, by no shell.
    pub(super) fn start(words: &[String], patience: Duration) -> Result<Self, ExecError> {
        let (program, arguments) = words.split_first().map_or(("", words), |(p, a)| (p, a));
        let failed = |cause| ExecError::Start { program: program.to_owned(), cause };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // So that the end of a wrapper (`uv run`, `conda run`) is the end of what it wraps, and so
        // that Ctrl-C reaches this process alone, which ends the program in its own time.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(failed)?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id());
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        stdin.iter().for_each(widen);
        stdout.iter().for_each(widen);
        let (sender, chunks) = sync_channel(WAITING);
        let stdout = stdout.map(|stdout| {
            thread::Builder::new().name("exec stdout".to_owned()).spawn(|| pump(stdout, sender))
        });
        let stdout_of = Patient { chunks, chunk: Vec::new(), at: 0, head: Vec::new() };
        let program = Self { child, stdin, stdout: stdout_of, patience };
        match stdout.transpose() {
            Ok(_) => Ok(program),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Sends a request and waits for its answer, of at most `limit` bytes.
    pub(super) fn ask(
        &mut self,
        name: &'static str,
        request: &Outgoing<'_>,
        limit: u64,
    ) -> Result<Frame, ExecError> {
        let Self { child, stdin: Some(stdin), stdout, patience } = self else {
            return Err(ExecError::Over { reason: "its stdin is closed".to_owned() });
        };
        stdout.head.clear();
        let sending = Sending::default();
        // The request leaves in a thread of its own: a program may answer before it has read all.
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let sent = request.write(stdin, &sending.written);
                sending.broken.store(sent.is_err(), Ordering::Release);
            });
            let mut reader = Waiting { stdout, sending: &sending, patience: *patience };
            let answer = Frame::read(&mut reader, limit)
                .map_err(|cause| reader.failure(name, cause, child))
                .and_then(|answer| {
                    // What it has not read yet would be taken for the next request.
                    reader
                        .wait_until(|| writer.is_finished())
                        .map_err(|cause| reader.failure(name, FrameError::Read(cause), child))?;
                    Ok(answer)
                });
            if answer.is_err() {
                // The writer may wait for somebody to read.
                kill(child);
            }
            answer
        })
    }

    /// Kills it: it is not worth waiting for.
    pub(super) fn kill(&mut self) {
        kill(&mut self.child);
    }
}

impl Drop for Program {
    /// Closes its stdin, which asks it to end; if it does not within a moment, kills it.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let id = self.child.id();
        let ended = ends_within(&mut self.child, GRACE).is_some();
        // What it has started itself may have outlived it. Its number cannot have been given to
        // another group while there is one of that number.
        end_group(id);
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Lets a pipe hold more, so that its two ends wait for each other less often.
#[cfg(target_os = "linux")]
fn widen(pipe: &impl std::os::fd::AsFd) {
    // What an unprivileged process may ask for; refused, the pipe is slower and as good.
    let _ = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1 << 20));
}

#[cfg(not(target_os = "linux"))]
fn widen<P>(_: &P) {}

/// The status of a child that ends within a time.
fn ends_within(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if start.elapsed() < time => thread::sleep(Duration::from_millis(2)),
            _ => return None,
        }
    }
}

fn kill(child: &mut Child) {
    end_group(child.id());
    let _ = child.kill();
}

/// Kills a process group, if there is one of that number.
fn end_group(id: u32) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(id) {
        use nix::sys::signal::{Signal, killpg};
        let _ = killpg(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// Hands on what comes out of a pipe until it ends or nobody listens.
fn pump(mut stdout: ChildStdout, sender: SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let part = match stdout.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                chunk.truncate(count);
                Ok(chunk)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        if sender.send(part).is_err() {
            return;
        }
    }
}

/// [`Patient`], while a request is under way.
struct Waiting<'a> {
    stdout: &'a mut Patient,
    sending: &'a Sending,
    patience: Duration,
}

impl Waiting<'_> {
    /// Waits for more bytes, until neither direction has moved for too long.
    fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut watch = Watch::new(self.sending);
        loop {
            match self.stdout.chunks.recv_timeout(TICK.min(self.patience)) {
                Ok(chunk) => return chunk.map(Some),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => watch.look(self.sending, self.patience)?,
            }
        }
    }

    /// Waits for the sending to end.
    fn wait_until(&mut self, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut watch = Watch::new(self.sending);
        while !is_over() {
            thread::sleep(Duration::from_micros(200));
            watch.look(self.sending, self.patience)?;
        }
        match self.sending.broken.load(Ordering::Acquire) {
            true => Err(ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }

    /// Makes sense of an answer that did not come.
    fn failure(
        &mut self,
        request: &'static str,
        cause: FrameError,
        child: &mut Child,
    ) -> ExecError {
        let head = std::mem::take(&mut self.stdout.head);
        let kind = match &cause {
            FrameError::Read(error) => error.kind(),
            _ => return ExecError::Frame { request, head: self.stdout.more(head), cause },
        };
        let pipe = match kind {
            ErrorKind::TimedOut => {
                let seconds = self.patience.as_secs_f64();
                return ExecError::Silent { request, seconds, head };
            }
            ErrorKind::UnexpectedEof => "stdout",
            ErrorKind::BrokenPipe => "stdin",
            _ => return ExecError::Frame { request, head, cause },
        };
        match ends_within(child, GRACE) {
            Some(status) => ExecError::Ended { request, status: status.to_string() },
            None => ExecError::Closed { request, pipe },
        }
    }
}

impl Read for Waiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stdout.at == self.stdout.chunk.len() {
            match self.next_chunk()? {
                Some(chunk) => self.stdout.chunk = chunk,
                None => return Ok(0),
            }
            self.stdout.at = 0;
        }
        Ok(self.stdout.take(buffer))
    }
}

impl Patient {
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let rest = &self.chunk[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        let shown = count.min(HEAD - self.head.len());
        self.head.extend_from_slice(&rest[..shown]);
        self.at += count;
        count
    }

    /// The first bytes, with those that have come and were not read yet.
    fn more(&self, mut head: Vec<u8>) -> Vec<u8> {
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        head.extend(rest.iter().take(HEAD - head.len()));
        head
    }
}

/// When something last moved.
struct Watch {
    moved: Instant,
    written: u64,
    broken: Option<Instant>,
}

impl Watch {
    fn new(sending: &Sending) -> Self {
        let written = sending.written.load(Ordering::Relaxed);
        Self { moved: Instant::now(), written, broken: None }
    }

    fn look(&mut self, sending: &Sending, patience: Duration) -> io::Result<()> {
        let written = sending.written.load(Ordering::Relaxed);
        if written != self.written {
            (self.moved, self.written) = (Instant::now(), written);
        }
        // It may have answered with its last breath: what it wrote comes first.
        if sending.broken.load(Ordering::Acquire)
            && self.broken.get_or_insert_with(Instant::now).elapsed() > GRACE
        {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.moved.elapsed() >= patience {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}
