use prismbench_core::Stream;

/// The order of the training samples of an epoch: a Fisher-Yates shuffle by the epoch's stream.
pub(super) fn shuffled(samples: usize, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    let mut stream = Stream::new("probe-batches", 0, epoch as u64);
    for place in 0..samples {
        let other = place + stream.below((samples - place) as u64) as usize;
        order.swap(place, other);
    }
    order
}

/// Batches without end: epoch after epoch, across their borders.
pub(super) struct Batches {
    samples: usize,
    epoch: usize,
    order: Vec<usize>,
}

impl Batches {
    pub(super) fn new(samples: usize) -> Self {
        Self { samples, epoch: 0, order: vec![] }
    }

    pub(super) fn next(&mut self, size: usize) -> Vec<usize> {
        while self.order.len() < size {
            self.order.extend(shuffled(self.samples, self.epoch));
            self.epoch += 1;
        }
        self.order.drain(..size).collect()
    }
}

/// `count` initial weights from a normal distribution of deviation 0.01, by the head's stream.
pub(super) fn initial_weights(count: usize, head: u64) -> Vec<f32> {
    let mut stream = Stream::new("probe-head", 0, head);
    (0..count).map(|_| (0.01 * stream.normal()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_sample_once_in_an_order_of_its_own() {
        let mut batches = Batches::new(10);
        let drawn: Vec<usize> = (0..10).flat_map(|_| batches.next(3)).collect();
        let epochs: Vec<&[usize]> = drawn.chunks(10).collect();
        for epoch in &epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..10));
        }
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
        assert_eq!(Batches::new(2).next(7).len(), 7);
    }
}
