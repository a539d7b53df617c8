use crate::MetricError;

/// A metric under construction: a commutative monoid with an input side and an output side.
///
/// Laws, tested for every implementation:
/// 1. **identity**: merging a fresh accumulator changes nothing;
/// 2. **split**: updating one accumulator with `a ++ b` equals updating two and merging them;
/// 3. **order**: `merge(x, y)` and `merge(y, x)` finish alike.
///
/// All three hold bit for bit. The state serialises, so a shard can be written to disk and merged
/// by a later process: streaming, threading, sharding and resuming are all `merge`.
pub trait Accumulator: Sized {
    /// What one update consumes.
    type Item;
    /// What [`finish`](Self::finish) gives.
    type Output;

    /// Takes in one item.
    ///
    /// # Errors
    /// [`MetricError`] when the item does not fit what came before; the state stays as it was.
    fn update(&mut self, item: Self::Item) -> Result<(), MetricError>;

    /// Takes in everything that `other` has seen.
    ///
    /// # Errors
    /// [`MetricError`] when the two do not fit together.
    fn merge(&mut self, other: Self) -> Result<(), MetricError>;

    /// Turns the state into the metric.
    ///
    /// # Errors
    /// [`MetricError::TooFew`] when the metric is not defined for so few items.
    fn finish(self) -> Result<Self::Output, MetricError>;
}
