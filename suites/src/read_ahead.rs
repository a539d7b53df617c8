//! Pictures that are decoded and cropped while others are measured.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::{Scope, Yield};

use crate::pictures::{Blocks, PictureBlock, PictureError, Skipped};

/// How long a waiting thread sleeps before it looks whether there is work that it could share.
const NAP: Duration = Duration::from_micros(500);

/// Calls `pass` with the blocks of `blocks`, of which up to `ahead` are made before they are asked for.
///
/// They are made by the threads of the pool that this is called in, or of rayon's own: a pass that leaves
/// these idle, because it waits for a device or a file, gets its next block without waiting, and one that
/// keeps them busy loses nothing. Blocks, their order and errors are those that `blocks` gives by itself, and
/// at most `ahead` are in memory besides the one that was given. When `pass` returns before the end, the
/// block that is being made is finished and none is begun.
///
/// # Panics
/// When making a block does.
pub fn read_ahead<'a, T>(
    blocks: Blocks<'a>,
    ahead: usize,
    pass: impl FnOnce(&mut ReadAhead<'_, 'a>) -> T,
) -> T {
    let shared = Arc::new(Shared {
        blocks: Mutex::new(blocks),
        ahead: ahead.max(1),
        queue: Mutex::new(Queue { ready: VecDeque::new(), maker: Maker::Idle }),
        arrived: Condvar::new(),
    });
    rayon::in_place_scope(|scope| {
        let mut ahead = ReadAhead { shared, scope, skipped: Vec::new() };
        ahead.shared.begin(scope);
        pass(&mut ahead)
    })
}

/// Blocks of pictures that are made ahead; see [`read_ahead`].
pub struct ReadAhead<'s, 'a> {
    shared: Arc<Shared<'a>>,
    scope: &'s Scope<'a>,
    skipped: Vec<Skipped>,
}

struct Shared<'a> {
    blocks: Mutex<Blocks<'a>>,
    /// Blocks that may wait.
    ahead: usize,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

struct Queue {
    ready: VecDeque<Arrival>,
    maker: Maker,
}

/// What makes blocks, of which there is one at a time: so they are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    /// Nothing does, because enough are ready.
    Idle,
    Busy,
    /// There is no further block, or nobody takes it.
    Ended,
}

/// What one call of [`Blocks::next_block`] gave.
struct Arrival {
    block: Result<Option<PictureBlock>, PictureError>,
    /// Left out in that call.
    skipped: Vec<Skipped>,
}

impl ReadAhead<'_, '_> {
    /// The pictures left out before the end of the last block that was given, in order.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The next block, as [`Blocks::next_block`] gives it; after an error there is none.
    ///
    /// # Errors
    /// As [`Blocks::next_block`].
    pub fn next_block(&mut self) -> Result<Option<PictureBlock>, PictureError> {
        loop {
            let mut queue = self.shared.queue();
            if let Some(Arrival { block, skipped }) = queue.ready.pop_front() {
                drop(queue);
                self.shared.begin(self.scope);
                self.skipped.extend(skipped);
                return block;
            }
            if queue.maker == Maker::Ended {
                return Ok(None);
            }
            drop(queue);
            // With one thread in the pool, nobody but this one can make the block.
            if rayon::yield_now() != Some(Yield::Executed) {
                self.shared.wait();
            }
        }
    }
}

impl Drop for ReadAhead<'_, '_> {
    fn drop(&mut self) {
        self.shared.queue().maker = Maker::Ended;
    }
}

impl<'a> Shared<'a> {
    /// A panic while this is held is one of the allocator: nothing is half done.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an arrival, but not for long.
    fn wait(&self) {
        let queue = self.queue();
        if queue.ready.is_empty() && queue.maker == Maker::Busy {
            drop(self.arrived.wait_timeout(queue, NAP));
        }
    }

    /// Has the next block made, if nobody makes it and there is room for it.
    fn begin(self: &Arc<Self>, scope: &Scope<'a>) {
        let mut queue = self.queue();
        if queue.maker == Maker::Idle && queue.ready.len() < self.ahead {
            queue.maker = Maker::Busy;
            drop(queue);
            let shared = Arc::clone(self);
            scope.spawn(move |scope| shared.make(scope));
        }
    }

    fn make(self: Arc<Self>, scope: &Scope<'a>) {
        // Ends the queue if making a block panics, so that nobody waits for it.
        let mut made = Made { shared: &self, arrival: None };
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = blocks.skipped().len();
        let block = blocks.next_block();
        let skipped = blocks.skipped()[before..].to_vec();
        drop(blocks);
        made.arrival = Some(Arrival { block, skipped });
        drop(made);
        self.begin(scope);
    }
}

/// What a maker leaves behind, however it ends.
struct Made<'s, 'a> {
    shared: &'s Shared<'a>,
    arrival: Option<Arrival>,
}

impl Drop for Made<'_, '_> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        let goes_on = matches!(self.arrival, Some(Arrival { block: Ok(Some(_)), .. }));
        queue.maker = match (queue.maker, goes_on) {
            (Maker::Ended, _) | (_, false) => Maker::Ended,
            (Maker::Busy | Maker::Idle, true) => Maker::Idle,
        };
        queue.ready.extend(self.arrival.take());
        drop(queue);
        self.shared.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests;
