//! How fast a tokenizer is and what it costs.

mod counts;
mod inputs;
mod machine;
mod passes;
mod rows;
mod sweep;
#[cfg(test)]
mod tests;
mod times;

use prismbench_core::{Concern, ElementType, MetricDef, Tokenizer};
use prismbench_metrics::{
    COPY_BANDWIDTH, DECODE_DEVICE_TIME, DECODE_LATENCY, DECODE_LATENCY_P95, DECODE_RATE,
    DECODE_ROOFLINE, DECODER_INTENSITY, DECODER_MACS, DECODER_MACS_SPLIT, DECODER_PARAMETERS,
    DECODER_REST, ENCODE_DEVICE_TIME, ENCODE_LATENCY, ENCODE_LATENCY_P95, ENCODE_RATE,
    ENCODE_ROOFLINE, ENCODER_INTENSITY, ENCODER_MACS, ENCODER_MACS_SPLIT, ENCODER_PARAMETERS,
    ENCODER_REST, FIRST_CALL_TIME, HEAD_MACS, LOAD_TIME, MATRIX_PEAK, PARAMETERS,
    PEAK_DEVICE_MEMORY, PEAK_HOST_MEMORY, ROUND_TRIP_DEVICE_TIME, ROUND_TRIP_LATENCY,
    ROUND_TRIP_LATENCY_P95, ROUND_TRIP_RATE, ROUND_TRIP_ROOFLINE,
};

use crate::journal::Entry;
use crate::seen::Seen;
use crate::{Context, Pass, Pictures, Suite, SuiteError};
use inputs::Inputs;
use machine::{Machine, ThisMachine};
use passes::Timed;
use rows::Rows;

/// Pictures that batches are made of.
const PICTURES: usize = 16;

/// Times encode, decode and both, and counts what they compute.
#[derive(Debug)]
pub struct ThroughputSuite {
    machine: Box<dyn Machine>,
}

impl Default for ThroughputSuite {
    fn default() -> Self {
        Self { machine: Box::new(ThisMachine::default()) }
    }
}

impl Suite for ThroughputSuite {
    fn id(&self) -> &'static str {
        "throughput"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "times encode and decode over batch sizes, beside what they compute and what the machine can do"
    }

    fn concern(&self) -> Concern {
        Concern::Throughput
    }

    fn subjects_at_once(&self) -> usize {
        1
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        vec![
            &ENCODE_RATE,
            &DECODE_RATE,
            &ROUND_TRIP_RATE,
            &ENCODE_ROOFLINE,
            &DECODE_ROOFLINE,
            &ROUND_TRIP_ROOFLINE,
            &ENCODE_LATENCY,
            &DECODE_LATENCY,
            &ROUND_TRIP_LATENCY,
            &ENCODE_LATENCY_P95,
            &DECODE_LATENCY_P95,
            &ROUND_TRIP_LATENCY_P95,
            &ENCODE_DEVICE_TIME,
            &DECODE_DEVICE_TIME,
            &ROUND_TRIP_DEVICE_TIME,
            &PEAK_HOST_MEMORY,
            &PEAK_DEVICE_MEMORY,
            &LOAD_TIME,
            &FIRST_CALL_TIME,
            &ENCODER_MACS,
            &DECODER_MACS,
            &PARAMETERS,
            &ENCODER_PARAMETERS,
            &DECODER_PARAMETERS,
            &ENCODER_MACS_SPLIT,
            &DECODER_MACS_SPLIT,
            &ENCODER_REST,
            &DECODER_REST,
            &HEAD_MACS,
            &ENCODER_INTENSITY,
            &DECODER_INTENSITY,
            &COPY_BANDWIDTH,
            &MATRIX_PEAK,
        ]
    }

    fn on_request(&self) -> &'static [&'static str] {
        &[
            ENCODE_LATENCY_P95.id,
            DECODE_LATENCY_P95.id,
            ROUND_TRIP_LATENCY_P95.id,
            ENCODE_DEVICE_TIME.id,
            DECODE_DEVICE_TIME.id,
            ROUND_TRIP_DEVICE_TIME.id,
            PEAK_DEVICE_MEMORY.id,
            ENCODER_PARAMETERS.id,
            DECODER_PARAMETERS.id,
            ENCODER_MACS_SPLIT.id,
            DECODER_MACS_SPLIT.id,
            ENCODER_REST.id,
            DECODER_REST.id,
            HEAD_MACS.id,
            ENCODER_INTENSITY.id,
            DECODER_INTENSITY.id,
        ]
    }

    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        if context.journals.is_shard() || context.journals.is_merge() {
            return Err(SuiteError::NoShards);
        }
        let element = pictures.protocol.element_type;
        if element != ElementType::F32 && context.device.is_cpu() {
            return Err(SuiteError::ElementType { element });
        }
        let mut blocks = pictures.blocks(PICTURES)?;
        let block = blocks.next_block()?.unwrap_or_default();
        let mut seen = Seen::default();
        let entries: Vec<Entry> = block.iter().map(Entry::of).collect();
        seen.add(&entries, blocks.skipped().to_vec())?;
        let measured = seen.finish();
        let lent = (context.device, context.seed);
        let Some(inputs) = Inputs::new(&block, pictures.protocol, lent) else {
            let (dataset, skipped) = (pictures.dataset.id().to_owned(), measured.skipped.len());
            return Err(SuiteError::NothingLeft { dataset, skipped });
        };
        let peaks = self.machine.peaks(context.device, element)?;
        let mut reports = Vec::with_capacity(subjects.len());
        let total = pictures.count();
        for (number, tokenizer) in subjects.iter().enumerate() {
            let timed = Timed::of(*tokenizer, &inputs, self.machine.as_ref(), context)?;
            let rows = Rows {
                tokenizer: *tokenizer,
                inputs: &inputs,
                peaks,
                load: context.load_times.get(number).copied(),
                wanted: context.metrics,
            };
            reports.push(rows.report(&timed));
            let done = (number + 1) as u64 * total / subjects.len().max(1) as u64;
            context.observer.progress(done, total);
        }
        Ok(Some(Pass { pictures: measured, reports, warnings: Vec::new() }))
    }
}
