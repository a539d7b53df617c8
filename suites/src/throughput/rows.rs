//! From times and counts to measurements.

use std::time::Duration;

use prismbench_core::{
    Cost, MetricDef, Outcome, Peaks, StageCost, Timing, Tokenizer, TokenizerError,
};
use prismbench_metrics::{
    COPY_BANDWIDTH, DECODE_DEVICE_TIME, DECODE_LATENCY, DECODE_LATENCY_P95, DECODE_RATE,
    DECODE_ROOFLINE, ENCODE_DEVICE_TIME, ENCODE_LATENCY, ENCODE_LATENCY_P95, ENCODE_RATE,
    ENCODE_ROOFLINE, FIRST_CALL_TIME, LOAD_TIME, MATRIX_PEAK, PEAK_DEVICE_MEMORY, PEAK_HOST_MEMORY,
    ROUND_TRIP_DEVICE_TIME, ROUND_TRIP_LATENCY, ROUND_TRIP_LATENCY_P95, ROUND_TRIP_RATE,
    ROUND_TRIP_ROOFLINE,
};

use super::inputs::Inputs;
use super::passes::{Kind, Timed, outcome};
use super::sweep::{Point, Swept};
use crate::{Measurement, Report};

/// The metrics of one pass: rate, roofline, latency, its 95th percentile, and the device's own time.
type Metrics = [&'static MetricDef; 5];

fn metrics(kind: Kind) -> Metrics {
    match kind {
        Kind::Encode => [
            &ENCODE_RATE,
            &ENCODE_ROOFLINE,
            &ENCODE_LATENCY,
            &ENCODE_LATENCY_P95,
            &ENCODE_DEVICE_TIME,
        ],
        Kind::Decode => [
            &DECODE_RATE,
            &DECODE_ROOFLINE,
            &DECODE_LATENCY,
            &DECODE_LATENCY_P95,
            &DECODE_DEVICE_TIME,
        ],
        Kind::RoundTrip => [
            &ROUND_TRIP_RATE,
            &ROUND_TRIP_ROOFLINE,
            &ROUND_TRIP_LATENCY,
            &ROUND_TRIP_LATENCY_P95,
            &ROUND_TRIP_DEVICE_TIME,
        ],
    }
}

/// What the rows of one tokenizer are made with.
pub(super) struct Rows<'a> {
    pub(super) tokenizer: &'a dyn Tokenizer,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) peaks: Peaks,
    pub(super) load: Option<Duration>,
    pub(super) wanted: &'a [String],
}

impl Rows<'_> {
    pub(super) fn report(&self, timed: &Timed) -> Report {
        let (height, width) = self.inputs.size;
        let cost = self.tokenizer.cost(height, width);
        let mut all = Vec::new();
        for (kind, swept) in Kind::ALL.into_iter().zip(&timed.passes) {
            self.pass(kind, swept, cost.as_ref(), &mut all);
        }
        let peak = timed.passes.iter().flatten().filter_map(|swept| swept.peak).max();
        let memory = match peak {
            Some(bytes) => value(bytes as f64 / f64::from(1 << 20)),
            None => skipped("the system does not tell, or nothing was timed"),
        };
        all.push(self.row(&PEAK_HOST_MEMORY, memory));
        let peak = timed.passes.iter().flatten().filter_map(|swept| swept.device_peak).max();
        let memory = match peak {
            Some(bytes) => value(bytes as f64 / f64::from(1 << 20)),
            None => skipped("it computes in the host's memory, or nothing was timed"),
        };
        all.push(self.row(&PEAK_DEVICE_MEMORY, memory));
        let load = self.load.map_or_else(
            || skipped("it was loaded before"),
            |time| value(1e3 * time.as_secs_f64()),
        );
        all.push(self.row(&LOAD_TIME, load));
        let first = timed.first_call.as_ref().map_or_else(Clone::clone, |&s| value(1e3 * s));
        all.push(self.row(&FIRST_CALL_TIME, first));
        self.counts(cost, &mut all);
        all.push(self.row(&COPY_BANDWIDTH, value(self.peaks.bytes_per_second / 1e9)));
        all.push(self.row(&MATRIX_PEAK, value(self.peaks.flops / 1e9)));
        all.retain(|row| self.wanted.iter().any(|id| id == row.metric.id));
        let latent = self.tokenizer.latent_shape(height, width).to_string();
        Report { latent, seconds: timed.seconds, measurements: all, per_image: Vec::new() }
    }

    /// The best batch, then every batch by itself.
    fn pass(
        &self,
        kind: Kind,
        swept: &Result<Swept, Outcome>,
        cost: Result<&Cost, &TokenizerError>,
        all: &mut Vec<Measurement>,
    ) {
        let [rate, roofline, latency, latency_95, device_time] = metrics(kind);
        let best = match swept {
            Ok(swept) => swept.points.iter().max_by(|a, b| a.rate().total_cmp(&b.rate())),
            Err(_) => None,
        };
        let (Ok(swept), Some(best)) = (swept, best) else {
            let outcome = swept.as_ref().err().cloned();
            let outcome = outcome.unwrap_or_else(|| skipped("nothing was timed"));
            all.extend(metrics(kind).map(|metric| self.row(metric, outcome.clone())));
            return;
        };
        let stage = cost.map_err(outcome).and_then(|cost| stage(cost, kind));
        let number = self.inputs.protocol.element_type.bytes();
        let share = |point: &Point| match &stage {
            Ok(stage) => {
                let bound = stage.roofline_seconds(point.batch as u64, number, self.peaks);
                value(bound / point.times.median())
            }
            Err(outcome) => outcome.clone(),
        };
        let timm = self.inputs.protocol.timing == Timing::Timm;
        let warnings: Vec<String> = swept.end.warning().into_iter().collect();
        let best_rate = Measurement { warnings, ..self.row(rate, rate_of(best, timm)) };
        all.extend([best_rate, self.row(roofline, share(best))]);
        // A single image, or what timm has of its one batch.
        let single = swept.points.first().unwrap_or(best);
        let interval = single.times.interval().filter(|_| !timm);
        let (low, high) = interval.map(|(low, high)| (1e3 * low, 1e3 * high)).unzip();
        let middle = if timm { single.times.mean() } else { single.times.median() };
        all.push(self.row(latency, Outcome::Ok { value: 1e3 * middle, low, high }));
        all.push(self.row(latency_95, value(1e3 * single.times.percentile_95())));
        all.push(self.row(device_time, on_device(single, timm)));
        for point in &swept.points {
            let setting = format!("batch {}", point.batch);
            let mut rows = vec![(rate, rate_of(point, timm)), (roofline, share(point))];
            rows.extend(point.on_device.is_some().then(|| (device_time, on_device(point, timm))));
            for (metric, outcome) in rows {
                all.push(Measurement { setting: setting.clone(), ..self.row(metric, outcome) });
            }
        }
    }

    pub(super) fn row(&self, metric: &'static MetricDef, outcome: Outcome) -> Measurement {
        Measurement {
            metric,
            dialect: String::new(),
            setting: String::new(),
            outcome,
            n: self.inputs.count(),
            reference: None,
            replicates: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Images a second, with the interval of the median call's.
fn rate_of(point: &Point, timm: bool) -> Outcome {
    let batch = point.batch as f64;
    if timm {
        return value(batch * point.times.len() as f64 / point.times.total());
    }
    let (low, high) = match point.times.interval() {
        Some((short, long)) => (Some(batch / long), Some(batch / short)),
        None => (None, None),
    };
    Outcome::Ok { value: point.rate(), low, high }
}

/// Milliseconds of a call on the device, as the latency has those on the wall.
fn on_device(point: &Point, timm: bool) -> Outcome {
    let Some(times) = &point.on_device else {
        return skipped("it computes on the host, which has one clock");
    };
    let interval = times.interval().filter(|_| !timm);
    let (low, high) = interval.map(|(low, high)| (1e3 * low, 1e3 * high)).unzip();
    let middle = if timm { times.mean() } else { times.median() };
    Outcome::Ok { value: 1e3 * middle, low, high }
}

fn stage(cost: &Cost, kind: Kind) -> Result<StageCost, Outcome> {
    let decoder = cost.decoder.ok_or_else(|| skipped("it has no decoder"));
    match kind {
        Kind::Encode => Ok(cost.encoder),
        Kind::Decode => decoder,
        Kind::RoundTrip => Ok(cost.encoder + decoder?),
    }
}

pub(super) fn value(value: f64) -> Outcome {
    Outcome::Ok { value, low: None, high: None }
}

pub(super) fn skipped(reason: &str) -> Outcome {
    Outcome::Skipped { reason: reason.to_owned() }
}
