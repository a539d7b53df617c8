//! What a tokenizer's network does for one image, as measurements.

use prismbench_core::{Cost, MacDialect, MetricDef, Outcome, StageCost, TokenizerError};
use prismbench_metrics::{
    DECODER_FLOPS, DECODER_INTENSITY, DECODER_MACS, DECODER_MACS_SPLIT, DECODER_PARAMETERS,
    DECODER_REST, ENCODER_FLOPS, ENCODER_INTENSITY, ENCODER_MACS, ENCODER_MACS_SPLIT,
    ENCODER_PARAMETERS, ENCODER_REST, HEAD_MACS, PARAMETERS,
};

use super::passes::outcome;
use super::rows::{Rows, skipped, value};
use super::sweep::LARGEST;
use crate::Measurement;

/// Encoder, decoder or head, or why nothing is known of it.
type Part = Result<StageCost, Outcome>;

impl Rows<'_> {
    pub(super) fn counts(&self, cost: Result<Cost, TokenizerError>, all: &mut Vec<Measurement>) {
        let cost = cost.as_ref().map_err(outcome);
        let part = |part: fn(&Cost) -> Option<StageCost>, missing: &str| -> Part {
            cost.clone().and_then(|cost| part(cost).ok_or_else(|| skipped(missing)))
        };
        let encoder: Part = cost.clone().map(|cost| cost.encoder);
        let decoder = part(|cost| cost.decoder, "it has no decoder");
        let head = part(|cost| cost.head, "it has no head that pools features");
        self.operations([&encoder, &decoder], all);
        let parameters = |stage: &StageCost| value(stage.parameters as f64);
        all.push(self.row(&PARAMETERS, value(self.tokenizer.spec().parameters as f64)));
        all.push(self.row(&ENCODER_PARAMETERS, of(&encoder, parameters)));
        all.push(self.row(&DECODER_PARAMETERS, of(&decoder, parameters)));
        self.split(&ENCODER_MACS_SPLIT, &encoder, all);
        self.split(&DECODER_MACS_SPLIT, &decoder, all);
        let rest = |stage: &StageCost| giga(stage.rest);
        all.push(self.row(&ENCODER_REST, of(&encoder, rest)));
        all.push(self.row(&DECODER_REST, of(&decoder, rest)));
        let dialect = MacDialect::Mac.to_string();
        let head = of(&head, |stage| giga(stage.macs()));
        all.push(Measurement { dialect, ..self.row(&HEAD_MACS, head) });
        self.intensity(&ENCODER_INTENSITY, &encoder, all);
        self.intensity(&DECODER_INTENSITY, &decoder, all);
    }

    /// In the protocol's dialect, and its unit.
    fn operations(&self, [of_encoder, of_decoder]: [&Part; 2], all: &mut Vec<Measurement>) {
        let dialect = self.inputs.protocol.macs;
        let (encoder, decoder) = match dialect.is_flop() {
            true => (&ENCODER_FLOPS, &DECODER_FLOPS),
            false => (&ENCODER_MACS, &DECODER_MACS),
        };
        let operations = [
            (encoder, of(of_encoder, |stage| giga(dialect.of_encoder(stage)))),
            (decoder, of(of_decoder, |stage| giga(dialect.of_decoder(stage)))),
        ];
        for (metric, outcome) in operations {
            let dialect = dialect.to_string();
            all.push(Measurement { dialect, ..self.row(metric, outcome) });
        }
    }

    /// A row for each kind of product; one with the reason where there are none.
    fn split(&self, metric: &'static MetricDef, stage: &Part, all: &mut Vec<Measurement>) {
        let rows = match stage {
            Ok(stage) => stage.products().map(|(part, count)| (part, giga(count))).to_vec(),
            Err(outcome) => vec![("", outcome.clone())],
        };
        for (part, outcome) in rows {
            let (dialect, setting) = (MacDialect::Mac.to_string(), part.to_owned());
            all.push(Measurement { dialect, setting, ..self.row(metric, outcome) });
        }
    }

    /// Of one image, which reads every weight for itself, and of the largest batch.
    fn intensity(&self, metric: &'static MetricDef, stage: &Part, all: &mut Vec<Measurement>) {
        let number = self.inputs.protocol.element_type.bytes();
        let of_batch = |images: usize| {
            of(stage, |stage| {
                let intensity = stage.intensity(images as u64, number);
                intensity.map_or_else(|| skipped("it moves nothing that is counted"), value)
            })
        };
        all.push(self.row(metric, of_batch(1)));
        if let largest @ Outcome::Ok { .. } = of_batch(LARGEST) {
            let setting = format!("batch {LARGEST}");
            all.push(Measurement { setting, ..self.row(metric, largest) });
        }
    }
}

fn of(stage: &Part, number: impl Fn(&StageCost) -> Outcome) -> Outcome {
    stage.as_ref().map_or_else(Clone::clone, number)
}

fn giga(count: u64) -> Outcome {
    value(count as f64 / 1e9)
}
