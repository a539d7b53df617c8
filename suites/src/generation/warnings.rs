use prismbench_core::{InceptionScoreDialect, MetricDef};
use prismbench_metrics::{
    CMMD, COVERAGE, DENSITY, FD_DINOV2, FID_INFINITY, GFID, INCEPTION_SCORE, PRECISION, RECALL,
    SFID,
};

use crate::Measured;

/// Samples of published tables.
const PUBLISHED: usize = 50_000;

/// Files that lose what a network sees: extensions of ids.
const LOSSY: [&str; 3] = [".jpg", ".jpeg", ".webp"];

/// What a reader of one number must know beyond it.
pub(super) fn of(
    metric: &MetricDef,
    samples: &Measured,
    references: usize,
    dialect: InceptionScoreDialect,
) -> Vec<String> {
    let is = |known: &[&MetricDef]| known.iter().any(|other| other.id == metric.id);
    let n = samples.ids.len();
    let mut warnings = Vec::new();
    if is(&[&GFID, &SFID, &INCEPTION_SCORE, &FD_DINOV2]) && n < PUBLISHED {
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
    if is(&[&INCEPTION_SCORE]) && dialect == InceptionScoreDialect::Adm && sorted_by_class(samples)
    {
        warnings.push(
            "the samples are sorted by class, and blocks of 5,000 in their order hold few classes \
             each: shuffle them, or take `inception-score = \"tfid\"`"
                .to_owned(),
        );
    }
    let lossy = |id: &&String| {
        let id = id.to_lowercase();
        LOSSY.iter().any(|extension| id.ends_with(extension))
    };
    let lossy = samples.ids.iter().filter(lossy).count();
    if lossy > 0 && is(&[&GFID, &SFID, &FID_INFINITY, &FD_DINOV2, &CMMD]) {
        warnings.push(format!(
            "{lossy} of {n} samples are files of lossy compression, which moves the distance; keep \
             samples as PNG or `.npz`"
        ));
    }
    warnings
}

/// Whether labels only ever grow, and more than one class is there in more than one sample.
fn sorted_by_class(samples: &Measured) -> bool {
    let labels: Option<Vec<u32>> = samples.labels.iter().copied().collect();
    labels.is_some_and(|labels| {
        labels.is_sorted() && labels.first() != labels.last() && {
            let mut classes = labels.clone();
            classes.dedup();
            classes.len() < labels.len()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(labels: &[u32], extension: &str) -> Measured {
        Measured {
            ids: (0..labels.len()).map(|number| format!("{number}{extension}")).collect(),
            labels: labels.iter().copied().map(Some).collect(),
            ..Measured::default()
        }
    }

    fn said(metric: &MetricDef, samples: &Measured, references: usize) -> String {
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
        assert!(!said(&GFID, &samples(&[0], ".png"), 1).contains("lossy"));
        let shuffled = of(&INCEPTION_SCORE, &sorted, 4, InceptionScoreDialect::TorchFidelity);
        assert_eq!(shuffled.len(), 1);
    }
}
