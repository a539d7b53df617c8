use std::io;

use prismbench_core::{
    Choice, Concern, FeatureTap, MetricDef, Outcome, Pooling, ProbeRecipe, Protocol, Tokenizer,
};
use prismbench_metrics::probe::{
    CHOSEN, Labelled, MEAN_PER_CLASS, Probe, ProbeInputs, ProbeSetting, Proportion, TOP1, TOP5,
    probe,
};
use prismbench_metrics::{Interval, MetricError};

use crate::extraction::{Extracted, extract};
use crate::suite::{Learns, joint_sha256, training};
use crate::{Column, Context, Measurement, Pass, Pictures, Report, Stage, Suite, SuiteError};

/// Fits a classifier to frozen features of the training pictures and judges it on the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProbingSuite;

impl Suite for ProbingSuite {
    fn id(&self) -> &'static str {
        "probing"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "fits a classifier to features of training pictures and counts how often it is right on others"
    }

    fn concern(&self) -> Concern {
        Concern::Probing
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        vec![&TOP1, &TOP5, &MEAN_PER_CLASS, &CHOSEN]
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
        let train = extract(subjects, &training(context, pictures)?, context)?;
        let test = extract(subjects, pictures, context)?;
        let (Some(train), Some(test)) = (train, test) else { return Ok(None) };
        let sets = Sets {
            recipe: pictures.protocol.probe,
            inputs: inputs(pictures.protocol),
            train: train.pictures.labels()?,
            test: test.pictures.labels()?,
            classes: pictures.dataset.classes().len(),
            reference: joint_sha256(&[&test.pictures.sha256, &train.pictures.sha256]),
        };
        let pairs = train.subjects.into_iter().zip(test.subjects);
        let reports = pairs.map(|(train, test)| sets.report(train, test, context.metrics));
        let reports = reports.collect::<io::Result<_>>()?;
        let warnings = [train.warnings, test.warnings].concat();
        Ok(Some(Pass { pictures: test.pictures, reports, warnings }))
    }
}

/// What all tokenizers are probed with.
struct Sets {
    recipe: ProbeRecipe,
    inputs: ProbeInputs,
    /// `None` where a picture has no label.
    train: Option<Vec<u32>>,
    test: Option<Vec<u32>>,
    /// Classes with names.
    classes: usize,
    reference: String,
}

impl Sets {
    fn report(
        &self,
        train: Result<Extracted, Outcome>,
        test: Result<Extracted, Outcome>,
        wanted: &[String],
    ) -> io::Result<Report> {
        let mut report = Report::default();
        let found = train.and_then(|train| {
            let test = test?;
            report.latent.clone_from(&test.latent);
            report.seconds = train.seconds + test.seconds;
            self.probes(&train, &test)
        });
        match found {
            Ok(probes) => {
                for probe in &probes {
                    self.add(probe, wanted, &mut report)?;
                }
            }
            Err(outcome) => {
                let metrics = ProbingSuite.metrics().into_iter();
                let metrics = metrics.filter(|metric| wanted.iter().any(|id| id == metric.id));
                report.measurements =
                    metrics.map(|metric| self.measurement(metric, outcome.clone(), "")).collect();
            }
        }
        Ok(report)
    }

    fn probes(&self, train: &Extracted, test: &Extracted) -> Result<Vec<Probe>, Outcome> {
        let (Some(of_train), Some(of_test)) = (&self.train, &self.test) else {
            let reason = "its pictures have no class labels; name a set that has (`list data`)";
            return Err(Outcome::Skipped { reason: reason.to_owned() });
        };
        let _metric = Stage::Metric.enter();
        let last = of_train.iter().chain(of_test).max().map_or(0, |&last| last as usize + 1);
        let classes = self.classes.max(last);
        let probes = Labelled::new(train.features(), of_train, classes).and_then(|train| {
            let test = Labelled::new(test.features(), of_test, classes)?;
            probe(self.recipe, self.inputs, &train, &test)
        });
        probes.map_err(|error: MetricError| Outcome::failed(&error))
    }

    /// Adds the accuracies of a probe, and what it says of each picture.
    fn add(&self, probe: &Probe, wanted: &[String], report: &mut Report) -> io::Result<()> {
        // What a recipe chose is no setting that rows are told apart by; what it varies is one.
        let setting = match probe.setting {
            ProbeSetting::Neighbours(_) => probe.setting.to_string(),
            _ => String::new(),
        };
        let accuracy = &probe.accuracy;
        let all = [
            (&TOP1, Some(accuracy.top1)),
            (&TOP5, accuracy.top5),
            (&MEAN_PER_CLASS, Some(accuracy.mean_per_class)),
        ];
        for (metric, share) in all {
            if wanted.iter().any(|id| id == metric.id) {
                let outcome = share.map_or_else(too_few_classes, outcome);
                report.measurements.push(self.measurement(metric, outcome, &setting));
            }
        }
        let named = |name: &str| match setting.as_str() {
            "" => name.to_owned(),
            setting => format!("{name} {setting}"),
        };
        if let Some(value) =
            probe.setting.chosen().filter(|_| wanted.iter().any(|id| id == CHOSEN.id))
        {
            let outcome = Outcome::Ok { value, low: None, high: None };
            report.measurements.push(self.measurement(&CHOSEN, outcome, &setting));
        }
        let predictions = &probe.predictions;
        let right = predictions.ranks.iter().map(|rank| f64::from(u8::from(*rank == Some(0))));
        let class = predictions.first.iter().map(|&class| f64::from(class));
        report.per_image.push((named(TOP1.id), Column::of(right)?));
        report.per_image.push((named("prediction"), Column::of(class)?));
        Ok(())
    }

    fn measurement(
        &self,
        metric: &'static MetricDef,
        outcome: Outcome,
        setting: &str,
    ) -> Measurement {
        Measurement {
            metric,
            dialect: self.recipe.id().to_owned(),
            setting: setting.to_owned(),
            outcome,
            n: self.test.as_ref().map_or(0, |labels| labels.len() as u64),
            reference: Some(self.reference.clone()),
            warnings: Vec::new(),
            replicates: Vec::new(),
        }
    }
}

fn outcome(share: Proportion) -> Outcome {
    let Proportion { value, interval: Interval { low, high } } = share;
    Outcome::Ok { value, low: Some(low), high: Some(high) }
}

fn too_few_classes() -> Outcome {
    Outcome::Skipped { reason: "five classes or fewer are always among the first five".to_owned() }
}

/// What the columns of features are under a protocol.
fn inputs(protocol: &Protocol) -> ProbeInputs {
    match (protocol.tap, protocol.pooling) {
        (FeatureTap::Last(blocks), Pooling::ClsMean) => {
            ProbeInputs::ClassTokensAndMean { blocks: blocks.get() }
        }
        _ => ProbeInputs::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_tokens_of_several_blocks_beside_a_mean_are_inputs_of_their_own() {
        let linear = Protocol::preset("dinov2-linear").unwrap();
        assert_eq!(inputs(&linear), ProbeInputs::ClassTokensAndMean { blocks: 4 });
        for (field, value) in [("tap", "output"), ("pooling", "cls")] {
            assert_eq!(inputs(&linear.with(field, value).unwrap()), ProbeInputs::Whole);
        }
    }
}
