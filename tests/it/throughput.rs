//! What tokenizers cost, through the program.

use prismbench::Exit;
use serde_json::Value;

use crate::program::{records, run_in};

const REQUESTED: [&str; 7] = [
    "encoder-macs-split",
    "decoder-macs-split",
    "encoder-rest",
    "decoder-rest",
    "head-macs",
    "encoder-intensity",
    "decoder-intensity",
];

fn measured(more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let common = ["--data", "synthetic:5:8", "--set", "size=16", "-s", "throughput"];
    let tokenizers = ["-t", "pca:f8:5", "-t", "dct:8", "--fit", "synthetic:1:64"];
    run_in(folder.path(), &[&common[..], &tokenizers, more].concat()).expect(Exit::Done);
    records(&folder.path().join("run"))
}

fn of<'r>(records: &'r [Value], tokenizer: &str, metric: &str) -> Vec<&'r Value> {
    let metric = format!("{metric}@1");
    let wanted = |record: &&Value| {
        record["tokenizer"].as_str().unwrap().starts_with(tokenizer) && record["metric"] == metric
    };
    records.iter().filter(wanted).collect()
}

#[test]
fn the_parts_of_a_count_are_told_on_request() {
    let named = REQUESTED.iter().flat_map(|metric| ["-m", metric]);
    let named: Vec<&str> = named.chain(["-m", "encoder-macs"]).collect();
    let found = measured(&named);
    let values = |metric| -> Vec<f64> {
        of(&found, "pca", metric).iter().map(|record| record["value"].as_f64().unwrap()).collect()
    };
    // 4 patches of 192 numbers become 5 each.
    let linear = f64::from(4 * 192 * 5) / 1e9;
    assert_eq!(values("encoder-macs"), [linear]);
    assert_eq!(values("encoder-macs-split"), [0.0, linear, 0.0]);
    let settings: Vec<_> = of(&found, "pca", "decoder-macs-split");
    let settings: Vec<_> = settings.iter().map(|record| &record["setting"]).collect();
    assert_eq!(settings, ["convolution", "linear", "attention"]);
    let [one, largest] = values("encoder-intensity")[..] else { panic!("{found:?}") };
    assert!(0.0 < one && one < largest, "weights are read once for a batch: {one}, {largest}");
    for metric in REQUESTED {
        let rows = of(&found, "dct", metric);
        let [row] = rows[..] else { panic!("{metric}: {rows:?}") };
        assert_eq!(row["outcome"], "skipped", "{row}");
        assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
    }
    let default = measured(&[]);
    assert!(!of(&default, "pca", "encoder-macs").is_empty());
    for metric in REQUESTED {
        assert_eq!(of(&default, "", metric), Vec::<&Value>::new(), "{metric}");
    }
}
