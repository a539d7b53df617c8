//! The map of ARCHITECTURE.md against what Cargo knows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which of our packages each package may depend on.
const MAP: [(&str, &[&str]); 12] = [
    ("prismbench-kernels", &[]),
    ("prismbench-core", &[]),
    ("prismbench-data", &["core"]),
    ("prismbench-pages", &[]),
    ("prismbench-parquet", &["core", "data", "pages"]),
    ("prismbench-weights", &["core"]),
    ("prismbench-metrics", &["core", "kernels", "weights"]),
    ("prismbench-baselines", &["core", "data", "kernels", "weights"]),
    ("prismbench-suites", &["core", "data", "kernels", "metrics"]),
    ("prismbench-reports", &["core", "metrics", "pages"]),
    (
        "prismbench",
        &[
            "core",
            "data",
            "parquet",
            "kernels",
            "weights",
            "metrics",
            "baselines",
            "suites",
            "reports",
        ],
    ),
    (
        "prismbench-tests",
        &["", "core", "data", "parquet", "weights", "metrics", "baselines", "suites", "reports"],
    ),
];

#[test]
fn the_arrows_between_packages_are_those_of_the_map() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found: BTreeMap<String, BTreeSet<String>> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let ours = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dependency| text(&dependency["name"]))
                .filter(|name| name.starts_with("prismbench"));
            (text(&package["name"]), ours.collect())
        })
        .collect();
    assert_eq!(found.len(), MAP.len(), "a package is not on the map: {:?}", found.keys());
    for (package, allowed) in MAP {
        let allowed: BTreeSet<String> = allowed
            .iter()
            .map(|name| format!("prismbench-{name}").trim_end_matches('-').to_owned())
            .collect();
        let found = &found[package];
        assert!(found.is_subset(&allowed), "{package} depends on {found:?}, may on {allowed:?}");
    }
}
