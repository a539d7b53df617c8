//! Real photographs and real weights, where `PRISMBENCH_SHARED` names a folder that holds them.

use std::io::Write;
use std::path::PathBuf;

use prismbench::Exit;

use crate::program::{records, run_in};

/// The shared folder; says so, past libtest's capture, when there is none.
fn shared(test: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("PRISMBENCH_SHARED").map(PathBuf::from);
    if shared.is_none() {
        let line = format!("left out: {test} (PRISMBENCH_SHARED is not set)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    shared
}

/// One record's value.
fn value(records: &[serde_json::Value], tokenizer: &str, metric: &str) -> f64 {
    let of = |record: &&serde_json::Value| {
        record["tokenizer"] == tokenizer && record["metric"] == metric
    };
    records.iter().find(of).unwrap()["value"].as_f64().unwrap()
}

#[test]
fn taef2_with_real_weights_on_real_pictures_gives_what_pytorch_gives() {
    let Some(shared) = shared("taef2 on Kodak") else { return };
    let (weights, kodak) = (shared.join("weights/taef2"), shared.join("data/kodak"));
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = format!("taef2={}", weights.display());
    let arguments =
        ["--data", kodak.to_str().unwrap(), "-t", &tokenizer, "-t", "jpeg:75", "--limit", "6"];
    run_in(folder.path(), &arguments).expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    let golden: serde_json::Value = serde_json::from_slice(
        &std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/taef2/kodak.json")).unwrap(),
    )
    .unwrap();
    for (metric, tolerance) in [("psnr@1", 1e-3), ("ssim@1", 1e-4)] {
        // f32 networks differ by 4e-6 of the range; where a value stands between two levels one of
        // 200,000 pixels rounds the other way, which moves these means by less than this.
        let expected = golden[metric].as_f64().unwrap();
        let found = value(&records, "taef2", metric);
        assert!((found - expected).abs() < tolerance, "{metric}: {found}, expected {expected}");
    }
    let of = |record: &&serde_json::Value| record["tokenizer"] == "taef2";
    assert_eq!(records.iter().find(of).unwrap()["latent"], "32x32x32");
}
