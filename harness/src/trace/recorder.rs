use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prismbench_suites::Stage;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// One stage on one thread, in seconds since the recording began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) stage: Stage,
    pub(super) thread: u64,
    pub(super) start: f64,
    pub(super) end: f64,
}

/// Records stages while it is asked to. It is the process's subscriber from the first recording on: those
/// of single threads do not see the threads of a pool.
pub(super) struct Recorder;

static ONLY: Mutex<()> = Mutex::new(());
static RECORDING: AtomicBool = AtomicBool::new(false);
static SPANS: Mutex<Vec<Span>> = Mutex::new(Vec::new());
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// When the recording began, in nanoseconds since [`START`].
static BEGAN: AtomicU64 = AtomicU64::new(0);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: Cell<Option<u64>> = const { Cell::new(None) };
    /// Stages that this thread is in, with the time that they began at.
    static OPEN: RefCell<Vec<(u64, u64)>> = const { RefCell::new(Vec::new()) };
}

impl Recorder {
    /// Waits for another recording to end.
    pub(super) fn start() -> MutexGuard<'static, ()> {
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        // There is one already after the first recording.
        let _ = tracing::subscriber::set_global_default(Self);
        spans().clear();
        BEGAN.store(now(), Ordering::Relaxed);
        RECORDING.store(true, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
        only
    }

    /// What was recorded, and how long that took in seconds.
    pub(super) fn stop() -> (Vec<Span>, f64) {
        RECORDING.store(false, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
        let length = seconds(now());
        (std::mem::take(&mut *spans()), length)
    }
}

fn spans() -> MutexGuard<'static, Vec<Span>> {
    SPANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nanoseconds since [`START`].
fn now() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Since the recording began.
fn seconds(now: u64) -> f64 {
    now.saturating_sub(BEGAN.load(Ordering::Relaxed)) as f64 * 1e-9
}

fn thread() -> u64 {
    THREAD.with(|thread| {
        let number = thread.get().unwrap_or_else(|| THREADS.fetch_add(1, Ordering::Relaxed));
        thread.set(Some(number));
        number
    })
}

/// Spans are told apart by their stage alone: a thread leaves first what it entered last.
impl Subscriber for Recorder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.target() == Stage::TARGET {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match RECORDING.load(Ordering::Relaxed) {
            true => LevelFilter::INFO,
            false => LevelFilter::OFF,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == Stage::TARGET && RECORDING.load(Ordering::Relaxed)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let name = span.metadata().name();
        let place = Stage::ALL.iter().position(|stage| stage.name() == name);
        Id::from_u64(place.unwrap_or_default() as u64 + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        OPEN.with_borrow_mut(|open| open.push((span.into_u64(), now())));
    }

    fn exit(&self, span: &Id) {
        let Some((id, start)) = OPEN.with_borrow_mut(Vec::pop) else { return };
        let stage = Stage::ALL.get((span.into_u64() - 1) as usize);
        if let Some(&stage) = stage.filter(|_| id == span.into_u64()) {
            let (start, end) = (seconds(start), seconds(now()));
            spans().push(Span { stage, thread: thread(), start, end });
        }
    }
}
