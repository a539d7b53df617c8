//! Published numbers beside measured ones.

use std::collections::BTreeMap;

use prismbench::Exit;

use crate::program::{prismbench, run_in};

#[test]
fn published_sources_are_listed() {
    let list = prismbench(&["list", "published"]).expect(Exit::Done).text();
    let start = |line: &&str| line.starts_with("  arXiv:2512.19693 v5 ");
    let line = list.lines().find(start).unwrap();
    assert!(line.contains(" values of ") && line.contains("reconstruction"), "{line}");
    assert!(prismbench(&["list"]).expect(Exit::Done).text().contains("list published"));
}

#[test]
fn every_published_number_is_listed_with_where_it_stands_and_words_choose_some() {
    let list = prismbench(&["list", "published"]).expect(Exit::Done).text();
    let (rows, counts) = list.split_once("\n\n").unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let head: Vec<&str> = rows[0].split_whitespace().collect();
    assert_eq!(
        head,
        ["tokenizer", "variant", "metric", "value", "setting", "data", "paper", "source"]
    );
    let known = prismbench_reports::published().unwrap();
    assert_eq!((rows.len() - 1, known.len()), (1_215, 1_215));
    for (line, row) in rows[1..].iter().zip(&known) {
        assert!(line.trim_start().starts_with(&row.tokenizer), "{line}");
        let value = row.text();
        let parts =
            [&row.variant, &row.setting, &row.paper, &row.paper_version, &row.source, &value];
        for part in parts {
            assert!(line.contains(part.as_str()), "{part} in {line}");
        }
        assert!(line.split_whitespace().any(|word| word == row.metric.id), "{line}");
        assert_eq!(line.ends_with("  contradicted"), row.contradicted, "{line}");
    }
    let flagged = known.iter().filter(|row| row.contradicted).count();
    assert!(flagged > 0 && counts.contains(&format!("another value ({flagged} of 1215)")));
    assert!(counts.lines().last().unwrap().contains(" value"), "{counts}");
    let some = prismbench(&["list", "published", "OpenVision3-B", "table 2"]).expect(Exit::Done);
    insta::assert_snapshot!(some.text());
    let none = prismbench(&["list", "published", "no-such-paper"]).expect(Exit::Usage);
    assert!(none.err.contains("nothing that is published matches `no-such-paper`"), "{}", none.err);
    let some = prismbench(&["list", "tokenizers", "jpeg"]).expect(Exit::Done).text();
    assert!(some.contains("jpeg") && !some.contains("pca:"), "{some}");
    let none = prismbench(&["list", "metrics", "psnr", "ssim"]).expect(Exit::Usage);
    assert!(none.err.contains("nothing in this list has `psnr ssim`"), "{}", none.err);
}

/// Table, row, column: the values as they were printed, pivoted by the oracle from the raw file.
type Printed = BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<String>>>>;

/// The cells of a Markdown table under a heading, by row and column; values of one place together.
fn cells(markdown: &str, heading: &str) -> BTreeMap<(String, String), Vec<f64>> {
    let plain = |text: &str| text.replace('\\', "").trim().to_owned();
    let split =
        |line: &str| -> Vec<String> { line.trim_matches('|').split(" |").map(plain).collect() };
    let (_, rest) = markdown.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let mut lines = rest.lines().skip_while(|line| !line.starts_with('|'));
    let head = split(lines.next().unwrap());
    let mut cells: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let row = split(line);
        for (column, text) in head.iter().zip(&row).skip(2) {
            let digits: String =
                text.chars().filter(|c| c.is_ascii_digit() || *c == '.' || *c == '-').collect();
            if !digits.is_empty() {
                let column = column.split(['↑', '↓']).next().unwrap().trim().to_owned();
                let row = format!("{}|{}", row[0], row[1]);
                cells.entry((row, column)).or_default().push(digits.parse().unwrap());
            }
        }
    }
    cells
}

#[test]
fn the_printed_tables_of_three_papers_are_those_of_the_papers_cell_by_cell() {
    let all = prismbench(&["table", "--published", "--format", "markdown"]).expect(Exit::Done);
    let markdown = all.text().replace('\\', "");
    let mut compared = 0;
    for golden in [
        include_str!("../golden/published/rae.json"),
        include_str!("../golden/published/uae.json"),
        include_str!("../golden/published/openvision3.json"),
    ] {
        let printed: Printed = serde_json::from_str(golden).unwrap();
        for (name, rows) in printed {
            let [suite, dataset, resolution, source] =
                name.splitn(4, '|').collect::<Vec<_>>().try_into().unwrap();
            let start = format!("### † published · {source} · {suite}");
            let of_data = |line: &&str| {
                line.starts_with(&start)
                    && (dataset.is_empty() || line.contains(&format!(" · {dataset}")))
                    && (resolution.is_empty() || line.contains(&format!(" · {resolution} ·")))
            };
            let heading = markdown.lines().find(of_data).unwrap_or_else(|| panic!("no {name}"));
            let found = cells(&markdown, &format!("{heading}\n"));
            for (row, columns) in rows {
                for (column, texts) in columns {
                    let title = column.replace('|', " ");
                    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
                    let scale = if column.starts_with("top1|") { 0.01 } else { 1.0 };
                    let number = |text: &String| text.parse::<f64>().unwrap() * scale;
                    let mut expected: Vec<f64> = texts.iter().map(number).collect();
                    let place = (row.clone(), title.clone());
                    let Some(cells) = found.get(&place) else {
                        panic!("{name}: no {title} of {row} in {found:?}")
                    };
                    let mut cells = cells.clone();
                    expected.sort_by(f64::total_cmp);
                    cells.sort_by(f64::total_cmp);
                    assert_eq!(cells.len(), expected.len(), "{name}: {row} {title}");
                    for (cell, expected) in cells.iter().zip(&expected) {
                        assert!((cell - expected).abs() < 1e-12, "{name}: {row} {title}: {cell}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 480, "{compared}");
}

#[test]
fn measured_rows_come_first_and_published_ones_carry_a_dagger() {
    let folder = tempfile::tempdir().unwrap();
    // A program that calls itself by a published name: nothing else here needs weights.
    run_in(folder.path(), &["--data", "synthetic:3:4", "-t", "dct:4", "-t", "identity"])
        .expect(Exit::Done);
    let run = folder.path().join("run");
    let records = std::fs::read_to_string(run.join("records.jsonl")).unwrap();
    std::fs::write(run.join("records.jsonl"), records.replace("dct:4", "sd-vae")).unwrap();
    let run = run.to_str().unwrap();
    let plain = prismbench(&["table", run]).expect(Exit::Done).text();
    let cited = prismbench(&["table", run, "--published"]).expect(Exit::Done).text();
    assert!(!plain.contains('†'));
    let rows: Vec<_> = cited.lines().filter(|line| line.starts_with("† sd-vae")).collect();
    assert!(rows.len() > 3 && rows.iter().any(|row| row.contains("25.68")), "{cited}");
    assert!(rows.iter().all(|row| !row.contains('*') && !row.contains('°')), "{rows:?}");
    assert!(cited.contains("by a protocol that nobody stated: not ranked"), "{cited}");
}
