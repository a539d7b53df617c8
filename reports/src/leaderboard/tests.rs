use proptest::prelude::*;

use super::*;
use crate::fixtures::{self, record};
use crate::standing::is_valued;

fn ok(value: f64) -> Outcome {
    Outcome::Ok { value, low: None, high: None }
}

fn names(board: &Leaderboard) -> Vec<&str> {
    board.rows.iter().map(|row| row.subject.tokenizer.as_str()).collect()
}

fn best(board: &Leaderboard, column: usize) -> Vec<&str> {
    let marked =
        |row: &&Row| row.cells[column].as_ref().is_some_and(|cell| cell.place == Place::Best);
    board.rows.iter().filter(marked).map(|row| row.subject.tokenizer.as_str()).collect()
}

proptest! {
    /// Whatever records are thrown together, a ranking holds one protocol, one set of pictures
    /// and one n, and every record appears in exactly one cell.
    #[test]
    fn no_ranking_mixes_what_is_not_comparable(
        picks in prop::collection::vec(
            (0..3usize, 0..3usize, 0..2usize, 0..2u64, 0..4usize, 0..3usize, 0..4usize), 1..60),
    ) {
        let records: Vec<Record> = picks
            .iter()
            .enumerate()
            .map(|(i, &(protocol, picture, set, n, tokenizer, metric, outcome))| {
                let outcomes = [
                    ok(i as f64),
                    Outcome::Infinite { infinite: 1, finite_mean: None },
                    Outcome::Skipped { reason: "no".to_owned() },
                    Outcome::Failed { reason: "no".to_owned() },
                ];
                let metric = ["psnr@1", "ssim@1", "bpp@1"][metric];
                let mut made =
                    record(["a", "b", "c", "d"][tokenizer], metric, outcomes[outcome].clone());
                // Neither the name of a protocol nor that of a data set is its identity.
                made.protocol_sha256 = format!("{protocol}");
                made.reference_sha256 = format!("{picture}");
                made.dataset = format!("set{set}");
                made.n = n;
                made
            })
            .collect();
        let boards = leaderboards(&records).unwrap();
        let mut cells = 0;
        for board in &boards {
            for row in &board.rows {
                for (column, cell) in board.columns.iter().zip(&row.cells) {
                    let Some(cell) = cell else { continue };
                    cells += 1;
                    let found = records.iter().any(|r| {
                        r.protocol_sha256 == board.protocol_sha256
                            && r.reference_sha256 == board.reference_sha256
                            && r.dataset == board.dataset
                            && (r.n == board.n || !is_valued(&r.outcome))
                            && r.metric == column.metric
                            && r.tokenizer == row.subject.tokenizer
                            && r.outcome == cell.outcome
                    });
                    prop_assert!(found, "{cell:?} of {row:?} is in the wrong ranking");
                }
            }
        }
        prop_assert_eq!(cells, records.len());
    }
}

#[test]
fn the_first_metric_ranks_and_the_next_break_ties() {
    let records = [
        record("worse", "psnr@1", ok(30.0)),
        record("tied", "psnr@1", ok(31.0)),
        record("better", "psnr@1", ok(31.0)),
        record("worse", "bpp@1", ok(0.1)),
        record("tied", "bpp@1", ok(0.9)),
        record("better", "bpp@1", ok(0.3)),
    ];
    let boards = leaderboards(&records).unwrap();
    assert_eq!(boards.len(), 1);
    assert_eq!(names(&boards[0]), ["better", "tied", "worse"]);
    assert_eq!(best(&boards[0], 0), ["better", "tied"], "a tie shares the mark");
    assert_eq!(best(&boards[0], 1), ["worse"], "fewer bits are better");
}

#[test]
fn the_mark_goes_by_the_unrounded_value() {
    let records = [record("a", "psnr@1", ok(31.421)), record("b", "psnr@1", ok(31.422))];
    let boards = leaderboards(&records).unwrap();
    assert_eq!(best(&boards[0], 0), ["b"]);
}

#[test]
fn without_a_value_there_is_no_best() {
    let skipped = Outcome::Skipped { reason: "no bit stream".to_owned() };
    let boards = leaderboards(&[record("a", "bpp@1", skipped)]).unwrap();
    assert!(best(&boards[0], 0).is_empty());
}

#[test]
fn two_runs_of_a_tokenizer_are_two_rows() {
    let mut records =
        vec![record("jpeg:75", "psnr@1", ok(30.0)), record("jpeg:75", "psnr@1", ok(32.0))];
    records[1].run = "second".to_owned();
    let boards = leaderboards(&records).unwrap();
    let runs: Vec<_> = boards[0].rows.iter().map(|row| row.subject.run.as_str()).collect();
    assert_eq!(runs, ["second", "quick-3f9c1e"]);
    assert_eq!(boards[0].runs, ["quick-3f9c1e", "second"]);
    // The same run given twice: nothing tells the rows apart, and still none is lost.
    records[1].run = records[0].run.clone();
    assert_eq!(leaderboards(&records).unwrap()[0].rows.len(), 2);
}

#[test]
fn the_settings_of_a_sweep_are_the_columns_of_a_table_of_its_own() {
    let made = |tokenizer, metric, setting: &str, value| {
        let mut made = record(tokenizer, metric, ok(value));
        made.setting = setting.to_owned();
        made
    };
    let records = [
        made("a", "psnr@1", "low 0.1", 1.0),
        made("a", "psnr@1", "high 0.1", 2.0),
        made("a", "psnr@1", "low 0.2", 3.0),
        made("b", "psnr@1", "low 0.1", 4.0),
        made("a", "bpp@1", "", 5.0),
    ];
    let boards = leaderboards(&records).unwrap();
    let found: Vec<_> = boards
        .iter()
        .map(|board| {
            let columns: Vec<_> = board.columns.iter().map(|c| c.setting.as_str()).collect();
            (board.curve.as_deref(), columns, names(board))
        })
        .collect();
    let (low, high) = ("psnr@1 (per-image) low", "psnr@1 (per-image) high");
    assert_eq!(
        found,
        [
            (None, vec![""], vec!["a"]),
            (Some(low), vec!["low 0.1", "low 0.2"], vec!["b", "a"]),
            (Some(high), vec!["high 0.1"], vec!["a"]),
        ]
    );
}

#[test]
fn what_only_describes_has_no_best_and_ranks_nothing() {
    let mut records = [
        record("a", "psnr@1", ok(1.0)),
        record("b", "psnr@1", ok(2.0)),
        record("c", "psnr@1", ok(0.0)),
    ];
    for record in &mut records {
        record.better = Better::Neither;
    }
    let boards = leaderboards(&records).unwrap();
    assert_eq!(names(&boards[0]), ["a", "b", "c"]);
    assert!(best(&boards[0], 0).is_empty());
}

#[test]
fn no_records_are_an_error_that_says_so() {
    let error = leaderboards(&[]).unwrap_err().to_string();
    assert_eq!(error, "no records, so there is no table; give a run folder that holds some");
}

#[test]
fn the_made_up_records_give_a_ranking_per_protocol() {
    let boards = leaderboards(&fixtures::everything()).unwrap();
    let names: Vec<_> = boards.iter().map(|board| board.protocols.clone()).collect();
    assert_eq!(names, [["default"], ["rae"]]);
}
