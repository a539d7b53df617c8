use std::io;

use prismbench_core::{InceptionScoreDialect, MetricDef};
use prismbench_metrics::{
    COVERAGE, DENSITY, FD_DINOV2, FD_ENCODER, GFID, INCEPTION_SCORE, PRECISION, RECALL, SFID,
};

use crate::Measured;

/// Samples of published tables.
const PUBLISHED: usize = 50_000;

/// Files that lose what a network sees: extensions of ids.
const LOSSY: [&str; 3] = [".jpg", ".jpeg", ".webp"];

/// What is known of all samples together.
pub(super) struct Traits {
    pub(super) n: usize,
    /// Samples from files of lossy compression.
    lossy: usize,
    /// Whether labels only ever grow, and more than one class is there in more than one sample.
    sorted_by_class: bool,
}

impl Traits {
    pub(super) fn of(samples: &Measured) -> io::Result<Self> {
        let mut lossy = 0;
        for picture in samples.pictures.iter() {
            let id = picture?.id.to_lowercase();
            lossy += usize::from(LOSSY.iter().any(|extension| id.ends_with(extension)));
        }
        let sorted_by_class = samples.labels()?.is_some_and(|mut labels| {
            let n = labels.len();
            labels.is_sorted() && labels.first() != labels.last() && {
                labels.dedup();
                labels.len() < n
            }
        });
        Ok(Self { n: samples.count(), lossy, sorted_by_class })
    }
}

/// What a reader of one number must know beyond it.
pub(super) fn of(
    metric: &MetricDef,
    samples: &Traits,
    references: usize,
    dialect: InceptionScoreDialect,
) -> Vec<String> {
    let is = |known: &[&MetricDef]| known.iter().any(|other| other.id == metric.id);
    let &Traits { n, lossy, sorted_by_class } = samples;
    let mut warnings = Vec::new();
    if is(&[&GFID, &SFID, &INCEPTION_SCORE, &FD_DINOV2, &FD_ENCODER]) && n < PUBLISHED {
        warnings.push(format!(
            "of {n} samples, where published numbers are of {PUBLISHED}: comparable only at the same \
             number"
        ));
    }
    if is(&[&PRECISION, &RECALL, &DENSITY, &COVERAGE]) && n != references {
        warnings.push(format!(
            "{n} samples against {references} references: sets of other sizes give other numbers"
        ));
    }
    if is(&[&INCEPTION_SCORE]) && dialect == InceptionScoreDialect::Adm && sorted_by_class {
        warnings.push(
            "the samples are sorted by class, and blocks of 5,000 in their order hold few classes \
             each: shuffle them, or take `inception-score = \"tfid\"`"
                .to_owned(),
        );
    }
    if lossy > 0 {
        warnings.push(format!(
            "{lossy} of {n} samples are files of lossy compression, which moves every number of \
             features; keep samples as PNG or `.npz`"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use prismbench_metrics::KID;

    use super::*;
    use crate::{Column, MeasuredPicture};

    fn samples(labels: &[u32], extension: &str) -> Traits {
        let picture = |(index, &label): (u64, &u32)| {
            let id = format!("{index}{extension}");
            MeasuredPicture { index, id, label: Some(label), size: None }
        };
        let pictures = Column::of((0..).zip(labels).map(picture)).unwrap();
        Traits::of(&Measured { pictures, ..Measured::default() }).unwrap()
    }

    fn said(metric: &MetricDef, samples: &Traits, references: usize) -> String {
        of(metric, samples, references, InceptionScoreDialect::Adm).join("; ")
    }

    #[test]
    fn each_trap_is_named_where_it_moves_the_number_and_nowhere_else() {
        let sorted = samples(&[0, 0, 1, 2], "");
        assert!(said(&INCEPTION_SCORE, &sorted, 4).contains("sorted by class"));
        assert!(!said(&INCEPTION_SCORE, &samples(&[0, 2, 1, 2], ""), 4).contains("sorted"));
        assert!(!said(&INCEPTION_SCORE, &samples(&[0, 1, 2, 3], ""), 4).contains("sorted"));
        assert!(!said(&GFID, &sorted, 4).contains("sorted"));
        assert!(said(&GFID, &sorted, 4).contains("of 4 samples, where published"));
        assert_eq!(said(&PRECISION, &sorted, 4), "");
        assert!(said(&PRECISION, &sorted, 10).contains("4 samples against 10 references"));
        assert!(
            said(&GFID, &samples(&[0], ".JPEG"), 1).contains("1 of 1 samples are files of lossy")
        );
        for metric in [&GFID, &KID, &RECALL] {
            assert!(said(metric, &samples(&[0], ".jpg"), 1).contains("lossy"));
            assert!(!said(metric, &samples(&[0], ".png"), 1).contains("lossy"));
        }
        let shuffled = of(&INCEPTION_SCORE, &sorted, 4, InceptionScoreDialect::TorchFidelity);
        assert_eq!(shuffled.len(), 1);
    }
}
