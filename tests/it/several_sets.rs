//! Samples that are judged by one reference beside several sets of real pictures.

use std::collections::BTreeSet;

use prismbench::Exit;

use crate::generation::{judge, made, program};
use crate::program::records;

#[test]
fn every_set_of_real_pictures_beside_a_reference_has_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, _) = made(folder.path(), "samples", "synthetic:92:12", "dct:16");
    let samples = samples.display().to_string();
    program(folder.path(), &["stats", "synthetic:91:12", "-o", "@ref.npz", "--set", "size=64"])
        .expect(Exit::Done);
    let judged = ["--samples", &samples, "--reference", "@ref.npz", "-m", "gfid", "-m", "kid"];
    let [one, two] = ["synthetic:93:12", "synthetic:94:14"];
    let both = [&judged[..], &["--data", one, "--data", two, "--set", "kid-subset=10"]].concat();
    judge(folder.path(), &both).expect(Exit::Done);
    let found = records(&folder.path().join("run"));
    let sets: BTreeSet<&str> =
        found.iter().map(|record| record["dataset"].as_str().unwrap()).collect();
    assert_eq!(sets.len(), 2, "{sets:?}");
    let kid = |set: &str| {
        let is_it = |record: &&serde_json::Value| {
            record["metric"].as_str().unwrap().starts_with("kid")
                && record["dataset"].as_str().unwrap().ends_with(&format!("with {set}"))
        };
        found.iter().find(is_it).unwrap()["value"].clone()
    };
    for set in [one, two] {
        let alone = [&judged[..], &["--data", set, "--set", "kid-subset=10"]].concat();
        judge(folder.path(), &alone).expect(Exit::Done);
        let alone = records(&folder.path().join("run"));
        let value =
            alone.iter().find(|record| record["metric"].as_str().unwrap().starts_with("kid"));
        assert_eq!(value.unwrap()["value"], kid(set));
        assert!(!value.unwrap()["dataset"].as_str().unwrap().contains(" with "));
    }
    assert_ne!(kid(one), kid(two));
}
