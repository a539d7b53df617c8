//! Retrieval of pictures by texts and of texts by pictures, with ever fewer frequencies.

mod finding;
mod space;
mod sweep;
mod texts;

use prismbench_core::{Concern, JointSpace, MetricDef, Pooling, Protocol, Tokenizer};
use prismbench_metrics::{IMAGE_TO_TEXT, TEXT_TO_IMAGE};

use crate::extraction::extract;
use crate::networks::weights_id;
use crate::suite::{Learns, training};
use crate::{Context, Pass, Pictures, Stage, Suite, SuiteError};
use finding::{Findings, Rows};
use sweep::{FILTERED_RECALL, HIGH_PASS_COLLAPSE, LOW_PASS_COLLAPSE, Sweep};
use texts::Texts;

/// Compares texts with pictures in one space and counts how often they find each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetrievalSuite;

impl Suite for RetrievalSuite {
    fn id(&self) -> &'static str {
        "retrieval"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "finds pictures by texts and texts by pictures, whole and with frequencies filtered out"
    }

    fn concern(&self) -> Concern {
        Concern::Retrieval
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        let recalls = TEXT_TO_IMAGE.iter().chain(&IMAGE_TO_TEXT);
        recalls.chain([&LOW_PASS_COLLAPSE, &HIGH_PASS_COLLAPSE, &FILTERED_RECALL]).collect()
    }

    fn learns(&self) -> Learns {
        Learns::FromTraining
    }

    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        let protocol = effective(pictures.protocol);
        let pictures = &Pictures { protocol: &protocol, ..*pictures };
        let Some(whole) = extract(subjects, pictures, context)? else {
            return shard(subjects, pictures, context).map(|()| None);
        };
        let mut warnings = whole.warnings;
        let texts = Texts::of_set(protocol.queries, &whole.pictures, &whole.captions, pictures);
        let spaces = space::of_all(subjects, pictures, &texts, context, &mut warnings)?;
        let images = whole.subjects.into_iter().zip(spaces.each);
        let mut findings: Vec<Findings> = images.map(Findings::new).collect();
        if let Some(sweep) = Sweep::of(&protocol, context.metrics) {
            for step in sweep.steps() {
                let filtered = Pictures { protocol: &step.protocol, ..*pictures };
                let Some(found) = extract(subjects, &filtered, context)? else { continue };
                warnings.extend(found.warnings);
                for (finding, images) in findings.iter_mut().zip(found.subjects) {
                    finding.add(step.place, images);
                }
            }
        }
        let rows = Rows {
            wanted: context.metrics,
            dialect: dialect(&protocol, context),
            filter: protocol.frequency_filter,
            reference: space::reference(&whole.pictures, &spaces.learnt_from, &texts),
            n: whole.pictures.count() as u64,
        };
        let _metric = Stage::Metric.enter();
        let reports = findings.into_iter().map(|finding| finding.report(&rows));
        let reports = reports.collect::<std::io::Result<_>>()?;
        warnings.dedup();
        Ok(Some(Pass { pictures: whole.pictures, reports, warnings }))
    }
}

/// The other features that all shards take together.
fn shard(
    subjects: &[&dyn Tokenizer],
    pictures: &Pictures<'_>,
    context: &mut Context<'_>,
) -> Result<(), SuiteError> {
    let protocol = pictures.protocol;
    if protocol.joint_space != JointSpace::Own {
        extract(subjects, &training(context, pictures)?, context)?;
    }
    for step in Sweep::of(protocol, context.metrics).iter().flat_map(Sweep::steps) {
        extract(subjects, &Pictures { protocol: &step.protocol, ..*pictures }, context)?;
    }
    Ok(())
}

/// The protocol with the one pooling that a model's own space has.
fn effective(protocol: &Protocol) -> Protocol {
    match protocol.joint_space {
        JointSpace::Own => Protocol { pooling: Pooling::Own, ..protocol.clone() },
        JointSpace::BagOfWords | JointSpace::Tower(_) => protocol.clone(),
    }
}

/// What looks for what, in which space: `captions bag-of-words`; a tower with its weights.
fn dialect(protocol: &Protocol, context: &Context<'_>) -> String {
    let weights = context.text_tower.map(|tower| weights_id(&tower.spec().weights));
    let space = &protocol.joint_space;
    format!("{} {space}{}", protocol.queries, weights.unwrap_or_default())
}
