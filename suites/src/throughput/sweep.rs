//! Which batch sizes are timed, how often, and when it is enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candle_core::Device;
use prismbench_core::{Timing, TokenizerError};
use prismbench_kernels::accelerator::DeviceFailure;

use super::machine::{Machine, Memory};
use super::times::Times;

/// The largest batch.
pub(super) const LARGEST: usize = 256;
/// A doubling that gives less than this factor is the last.
const WORTH: f64 = 1.05;
/// Part of what is available that a batch may take.
const SHARE: f64 = 0.9;

/// What is timed: a batch size is prepared, then called many times.
pub(super) trait Batched {
    /// Makes everything that a call with a batch of this size needs.
    fn prepare(&mut self, batch: usize) -> Result<(), TokenizerError>;

    /// One call.
    fn call(&mut self) -> Result<(), TokenizerError>;
}

/// How often a batch is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repetitions {
    /// Calls that are not timed: so many at least and at most, and for how long at most.
    warm_up: (usize, usize, Duration),
    timed: (usize, usize, Duration),
}

impl Repetitions {
    pub(super) fn of(timing: Timing) -> Self {
        let forever = Duration::MAX;
        match timing {
            Timing::Sweep => Self {
                warm_up: (1, 10, Duration::from_secs(1)),
                timed: (8, 40, Duration::from_secs(3)),
            },
            Timing::Timm => Self { warm_up: (10, 10, forever), timed: (40, 40, forever) },
        }
    }
}

/// Times of every batch size that was timed, and why there is no larger one.
#[derive(Clone, Debug)]
pub(super) struct Swept {
    pub(super) points: Vec<Point>,
    pub(super) end: End,
    /// The most memory that was resident meanwhile, where the system tells.
    pub(super) peak: Option<u64>,
    /// The same of the device's, where that is not the host.
    pub(super) device_peak: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) batch: usize,
    pub(super) times: Times,
    /// Of the same calls on the device, where that is not the host.
    pub(super) on_device: Option<Times>,
}

impl Point {
    /// Images a second by the median call.
    pub(super) fn rate(&self) -> f64 {
        self.batch as f64 / self.times.median()
    }
}

/// Why a sweep ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The last doubling gave little.
    Flat,
    /// No larger batch is tried.
    Largest,
    /// The next would not fit.
    Memory { batch: usize, needed: u64, available: u64 },
    /// The next did not fit, and the device said so.
    Full { batch: usize },
    /// The next failed.
    Failed { batch: usize, reason: String },
}

impl End {
    /// What a reader of the numbers must know; nothing of a sweep that ended as it should.
    pub(super) fn warning(&self) -> Option<String> {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        match self {
            Self::Flat | Self::Largest => None,
            Self::Memory { batch, needed, available } => Some(format!(
                "batches end below {batch}, which would need about {:.1} GiB more where {:.1} GiB are \
                 available",
                gib(*needed),
                gib(*available)
            )),
            Self::Full { batch } => {
                Some(format!("batches end below {batch}, for which the device has no memory left"))
            }
            Self::Failed { batch, reason } => {
                Some(format!("batches end below {batch}, which failed: {reason}"))
            }
        }
    }
}

/// Why there is no time at all.
#[derive(Debug)]
pub(super) enum NoTimes {
    Interrupted,
    /// Nothing that is on the device can be used any more.
    Lost(TokenizerError),
    /// The device has no room for it.
    OutOfMemory(TokenizerError),
    Tokenizer(TokenizerError),
}

impl From<TokenizerError> for NoTimes {
    fn from(error: TokenizerError) -> Self {
        match DeviceFailure::at_the_bottom_of(&error) {
            Some(DeviceFailure::OutOfMemory) => Self::OutOfMemory(error),
            Some(DeviceFailure::Lost) => Self::Lost(error),
            None => Self::Tokenizer(error),
        }
    }
}

impl NoTimes {
    /// Why there are no times for this batch, where there may be some for others.
    fn end(self, batch: usize) -> Result<End, Self> {
        match self {
            Self::OutOfMemory(_) => Ok(End::Full { batch }),
            Self::Tokenizer(error) => Ok(End::Failed { batch, reason: error.to_string() }),
            Self::Interrupted | Self::Lost(_) => Err(self),
        }
    }
}

/// Times what is given over batch sizes.
pub(super) struct Sweep<'a> {
    pub(super) machine: &'a dyn Machine,
    pub(super) device: &'a Device,
    pub(super) timing: Timing,
    pub(super) interrupted: &'a AtomicBool,
}

impl Sweep<'_> {
    pub(super) fn run(&self, work: &mut dyn Batched) -> Result<Swept, NoTimes> {
        match self.timing {
            Timing::Sweep => self.doubling(work),
            Timing::Timm => self.decaying(work),
        }
    }

    /// 1, 2, 4 and so on.
    fn doubling(&self, work: &mut dyn Batched) -> Result<Swept, NoTimes> {
        let mut growth = Growth::default();
        let mut points: Vec<Point> = Vec::new();
        let mut batch = 1;
        let end = loop {
            let point = match self.point(work, batch, &mut growth) {
                Ok(point) => point,
                Err(error) if points.is_empty() => return Err(error),
                Err(error) => break error.end(batch)?,
            };
            let before = points.last().map(Point::rate);
            let flat = before.is_some_and(|before| point.rate() < WORTH * before);
            points.push(point);
            batch *= 2;
            match growth.shortage(batch) {
                _ if flat => break End::Flat,
                _ if batch > LARGEST => break End::Largest,
                Some((needed, available)) => break End::Memory { batch, needed, available },
                None => {}
            }
        };
        Ok(self.swept(points, end, &growth))
    }

    /// As timm's `benchmark.py`: 256, or the next smaller of its sizes that fits.
    fn decaying(&self, work: &mut dyn Batched) -> Result<Swept, NoTimes> {
        let mut growth = Growth::default();
        let mut end = End::Largest;
        // Two sizes tell how memory grows: what is too large must not be tried.
        for batch in [1, 2] {
            self.reset_peaks();
            work.prepare(batch)?;
            work.call()?;
            self.note(batch, &mut growth);
        }
        let mut batch = LARGEST;
        loop {
            if let Some((needed, available)) = growth.shortage(batch).filter(|_| batch > 1) {
                end = End::Memory { batch, needed, available };
                batch = smaller(batch);
                continue;
            }
            match self.point(work, batch, &mut growth) {
                Ok(point) => return Ok(self.swept(vec![point], end, &growth)),
                Err(error) if batch == 1 => return Err(error),
                Err(error) => {
                    end = error.end(batch)?;
                    batch = smaller(batch);
                }
            }
        }
    }

    fn swept(&self, points: Vec<Point>, end: End, growth: &Growth) -> Swept {
        let on_host = self.device.is_cpu();
        let device_peak = growth.highest.filter(|_| !on_host);
        let peak = if on_host { growth.highest } else { growth.highest_of_host };
        Swept { points, end, peak, device_peak }
    }

    fn reset_peaks(&self) {
        self.machine.reset_peak(self.device);
        if !self.device.is_cpu() {
            self.machine.reset_peak(&Device::Cpu);
        }
    }

    /// What limits the batch is the memory of the device, whatever the host has.
    fn note(&self, batch: usize, growth: &mut Growth) {
        growth.note(batch, self.machine.memory(self.device));
        if !self.device.is_cpu() {
            let host = self.machine.memory(&Device::Cpu).map(|memory| memory.peak);
            growth.highest_of_host = growth.highest_of_host.max(host);
        }
    }

    fn point(
        &self,
        work: &mut dyn Batched,
        batch: usize,
        growth: &mut Growth,
    ) -> Result<Point, NoTimes> {
        self.reset_peaks();
        work.prepare(batch)?;
        let Repetitions { warm_up, timed } = Repetitions::of(self.timing);
        self.repeat(work, warm_up)?;
        let (seconds, on_device) = self.repeat(work, timed)?;
        self.note(batch, growth);
        match Times::new(seconds) {
            Some(times) => Ok(Point { batch, times, on_device: Times::new(on_device) }),
            None => Err(NoTimes::Interrupted),
        }
    }

    /// Seconds of each call by the clock on the wall, and by the device's own where it has one.
    fn repeat(
        &self,
        work: &mut dyn Batched,
        (least, most, limit): (usize, usize, Duration),
    ) -> Result<(Vec<f64>, Vec<f64>), NoTimes> {
        let (start, mut seconds) = (self.machine.now(), Vec::with_capacity(most));
        let mut on_device = Vec::new();
        let early = || self.machine.now().saturating_sub(start) < limit;
        while seconds.len() < least || seconds.len() < most && early() {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(NoTimes::Interrupted);
            }
            let call = self.machine.now();
            let there = self.machine.device_time(self.device, &mut || work.call())?;
            seconds.push((self.machine.now() - call).as_secs_f64());
            on_device.extend(there.map(|time| time.as_secs_f64()));
        }
        Ok((seconds, on_device))
    }
}

/// The next smaller batch of timm's `decay_batch_step`: powers of two, and halfway between them.
fn smaller(batch: usize) -> usize {
    let power = 1 << batch.saturating_sub(1).max(1).ilog2();
    let step = (power / 2).max(1);
    let next = power + batch.saturating_sub(power + 1) / step * step;
    next.min(batch - 1).max(1)
}

/// How memory grows with the batch.
#[derive(Debug, Default)]
struct Growth {
    /// The last two batch sizes with their peaks.
    last: Option<(usize, Memory)>,
    before: Option<(usize, Memory)>,
    highest: Option<u64>,
    highest_of_host: Option<u64>,
}

impl Growth {
    fn note(&mut self, batch: usize, memory: Option<Memory>) {
        let Some(memory) = memory else { return };
        self.before = self.last.replace((batch, memory));
        self.highest = self.highest.max(Some(memory.peak));
    }

    /// What a batch would need more than is resident, and what is available, if it is less: peaks are
    /// taken to grow with the images as they last did; of one size alone everything above what is
    /// resident now belongs to its images.
    fn shortage(&self, batch: usize) -> Option<(u64, u64)> {
        let (last, memory) = self.last?;
        let each = match self.before {
            Some((before, earlier)) if before < last => {
                memory.peak.saturating_sub(earlier.peak) / (last - before) as u64
            }
            _ => memory.peak.saturating_sub(memory.resident) / last as u64,
        };
        let more = each * batch.saturating_sub(last) as u64;
        let needed = (memory.peak + more).saturating_sub(memory.resident);
        (needed as f64 > SHARE * memory.available as f64).then_some((needed, memory.available))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_decay_as_in_timm() {
        // What `decay_batch_step` gives, one after the other.
        let sizes = std::iter::successors(Some(256), |&batch| (batch > 1).then(|| smaller(batch)));
        let expected = [256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];
        assert_eq!(sizes.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_shortage_is_foreseen_from_the_last_two_peaks() {
        let memory = |peak| Some(Memory { resident: 100, peak, available: 1000 });
        let mut growth = Growth::default();
        assert_eq!(growth.shortage(4), None, "nothing is known");
        growth.note(1, memory(200));
        assert_eq!(growth.shortage(2), None);
        growth.note(2, memory(350));
        assert_eq!(growth.shortage(4), None, "550 more of 1000");
        assert_eq!(growth.shortage(8), Some((1150, 1000)));
        assert_eq!(growth.highest, Some(350));
    }
}
