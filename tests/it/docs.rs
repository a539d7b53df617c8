//! What the README says is what the program does.

use prismbench::Exit;

use crate::program::run_in;

const README: &str = include_str!("../../README.md");

/// The lines between two marks of the README, without the fence.
fn block(mark: &str) -> String {
    let (_, rest) = README.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (block, _) = rest.split_once("<!-- end -->").unwrap();
    block.lines().filter(|line| !line.starts_with("```")).map(|line| format!("{line}\n")).collect()
}

/// The table is the embedded default's, whatever the machine; only the run's name is the test's own.
#[test]
fn the_readme_shows_the_table_that_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &[]).expect(Exit::Done);
    let (shown, printed) = (block("table"), ran.text());
    let body = |text: &str| text.rsplit_once(" · run ").unwrap().0.to_owned();
    assert_eq!(body(&shown), body(&printed), "paste this into README.md:\n{printed}");
}

#[test]
fn the_readme_lists_the_exit_codes_of_the_program() {
    let codes = [
        Exit::Done,
        Exit::Internal,
        Exit::Usage,
        Exit::Regressed,
        Exit::Partial,
        Exit::Missing,
        Exit::Inconclusive,
        Exit::Interrupted,
    ];
    let rows: Vec<i32> = block("exit codes")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(rows, codes.map(|code| code as i32));
}

#[test]
fn the_readme_names_the_commands_that_continuous_integration_runs() {
    assert_eq!(block("run").trim(), "cargo run --release -- run");
    assert_eq!(block("test").trim(), "cargo test --release --workspace");
}
