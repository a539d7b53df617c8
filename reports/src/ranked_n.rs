use std::collections::HashMap;

use prismbench_core::Record;

use crate::standing::is_valued;

/// The number of samples each record is ranked under.
///
/// For a value this is its own `n`. A skipped or failed record has no samples: it stands with the
/// values of its own row, or, where the row has none, with the first values on the same pictures.
pub(crate) fn ranked_n(records: &[Record]) -> Vec<u64> {
    fn pictures(r: &Record) -> [&str; 6] {
        [&r.suite, &r.dataset, &r.split, &r.resolution, &r.protocol_sha256, &r.reference_sha256]
    }
    let mut of_row = HashMap::new();
    let mut of_pictures = HashMap::new();
    for record in records.iter().filter(|record| is_valued(&record.outcome)) {
        of_row.entry((pictures(record), row_key(record))).or_insert(record.n);
        of_pictures.entry(pictures(record)).or_insert(record.n);
    }
    let ranked = records.iter().map(|record| {
        if is_valued(&record.outcome) {
            return record.n;
        }
        let of_row = of_row.get(&(pictures(record), row_key(record)));
        *of_row.or_else(|| of_pictures.get(&pictures(record))).unwrap_or(&record.n)
    });
    ranked.collect()
}

/// What tells the rows of a ranking apart.
pub(crate) fn row_key(r: &Record) -> [&str; 7] {
    [&r.tokenizer, &r.variant, &r.run, &r.weights_sha256, &r.device, &r.dtype, &r.source]
}

#[cfg(test)]
mod tests {
    use prismbench_core::Outcome;

    use crate::fixtures::record;
    use crate::leaderboards;

    #[test]
    fn a_record_without_samples_stands_with_the_rest_of_its_row() {
        let mut failed =
            record("a", "ssim@1", Outcome::Failed { reason: "out of memory".to_owned() });
        failed.n = 0;
        let mut smaller = record("b", "psnr@1", ok(29.0));
        smaller.n = 12;
        let records = [smaller, record("a", "psnr@1", ok(30.0)), failed];
        let boards = leaderboards(&records).unwrap();
        let sizes: Vec<_> = boards.iter().map(|board| (board.n, board.columns.len())).collect();
        assert_eq!(sizes, [(12, 1), (24, 2)]);
    }

    fn ok(value: f64) -> Outcome {
        Outcome::Ok { value, low: None, high: None }
    }
}
