use prismbench_core::{Better, Unit};

/// A metric of published rows. Where this project measures one of that name, the direction is the same;
/// the definition need not be.
#[derive(Debug, PartialEq)]
pub struct PublishedMetric {
    /// Id: `rfid`.
    pub id: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// Direction.
    pub better: Better,
    /// Decimals that tables usually print.
    pub decimals: usize,
    /// The least value that is no misprint.
    pub low: f64,
    /// The largest value that is no misprint.
    pub high: f64,
}

const fn metric(
    id: &'static str,
    (unit, better): (Unit, Better),
    decimals: usize,
    (low, high): (f64, f64),
) -> PublishedMetric {
    PublishedMetric { id, unit, better, decimals, low, high }
}

const UP: (Unit, Better) = (Unit::One, Better::Higher);
const DOWN: (Unit, Better) = (Unit::One, Better::Lower);

const METRICS: [PublishedMetric; 20] = [
    metric("psnr", (Unit::Decibel, Better::Higher), 2, (5.0, 60.0)),
    metric("ssim", UP, 2, (0.0, 1.0)),
    metric("lpips", DOWN, 2, (0.0, 1.0)),
    metric("psim", DOWN, 2, (0.0, 3.0)),
    metric("rfid", DOWN, 2, (0.0, 100.0)),
    metric("gfid", DOWN, 2, (0.0, 300.0)),
    metric("sfid", DOWN, 2, (0.0, 300.0)),
    metric("is", UP, 1, (1.0, 1000.0)),
    metric("precision", UP, 2, (0.0, 1.0)),
    metric("recall", UP, 2, (0.0, 1.0)),
    metric("top1", UP, 3, (0.0, 1.0)),
    metric("codebook-usage", UP, 2, (0.0, 1.0)),
    // Benchmarks of understanding count differently: MME up to 2,800, the others in percent.
    metric("score", UP, 0, (0.0, 2800.0)),
    metric("gflops", (Unit::GigaFlop, Better::Lower), 0, (0.1, 1e5)),
    metric("latency", (Unit::Millisecond, Better::Lower), 0, (0.01, 1e5)),
    metric("convergence-speedup", UP, 0, (1.0, 1000.0)),
    metric("clip-score", UP, 2, (0.0, 100.0)),
    metric("clip-iqa", UP, 2, (0.0, 1.0)),
    metric("fvd", DOWN, 1, (0.0, 2000.0)),
    metric("rfvd", DOWN, 1, (0.0, 2000.0)),
];

pub(super) fn find(id: &str) -> Option<&'static PublishedMetric> {
    METRICS.iter().find(|metric| metric.id == id)
}
