//! Made-up records for the tests. The numbers are invented.

use prismbench_core::{Better, Outcome, Record, Unit};

/// A record of a run of 24 pictures under the protocol `default`.
pub(crate) fn record(tokenizer: &str, metric: &str, outcome: Outcome) -> Record {
    let (unit, better, dialect) = match metric {
        "psnr@1" => (Unit::Decibel, Better::Higher, "per-image"),
        "ssim@1" | "ms-ssim@1" => (Unit::One, Better::Higher, "torchmetrics"),
        "latent-floats@1" => (Unit::FloatsPerImage, Better::Lower, ""),
        "bpp@1" => (Unit::BitsPerPixel, Better::Lower, ""),
        _ => panic!("no metric `{metric}`"),
    };
    Record {
        run: "quick-3f9c1e".to_owned(),
        tokenizer: tokenizer.to_owned(),
        variant: String::new(),
        latent: "32x32x32".to_owned(),
        suite: "reconstruction@1".to_owned(),
        dataset: "kodak".to_owned(),
        split: "all".to_owned(),
        resolution: "256".to_owned(),
        n: 24,
        metric: metric.to_owned(),
        dialect: dialect.to_owned(),
        setting: String::new(),
        outcome,
        unit,
        better,
        protocol: "default".to_owned(),
        protocol_sha256: "1a2b3c4d".repeat(8),
        weights_sha256: String::new(),
        reference_sha256: "9f00aa11".repeat(8),
        device: "cpu".to_owned(),
        dtype: "f32".to_owned(),
        seconds: 1.25,
        source: "measured".to_owned(),
        warnings: Vec::new(),
        replicates: Vec::new(),
        tool_version: "0.1.0".to_owned(),
    }
}

fn plain(value: f64) -> Outcome {
    Outcome::Ok { value, low: None, high: None }
}

fn between(low: f64, value: f64, high: f64) -> Outcome {
    Outcome::Ok { value, low: Some(low), high: Some(high) }
}

/// A row per tokenizer, a column per metric: nothing, one number, an interval with its value in the
/// middle, `infinite` with its count and the mean over the others, or a reason.
const EVERYTHING: &str = r#"
                   ;           ; psnr@1               ; ssim@1               ; ms-ssim@1            ; latent-floats@1             ; bpp@1
jpeg:75            ;           ; 31.102 31.421 31.748 ; 0.9101 0.9123 0.9151 ; 0.9811 0.9823 0.9842 ; skipped: a bit stream has no floats ; 1.201 1.234 1.262
identity           ; 3x256x256 ; infinite 24          ; 1 1 1                ; 1 1 1                ; 196608                      ; skipped: no bit stream
taef2              ; 32x32x32  ; 27.7 28.049 28.4     ; 0.85 0.861 0.872     ; failed:              ; 32768                       ; skipped: no bit stream
dct:16             ; 48x32x32  ; 31.102 31.421 31.748 ; 0.9 0.91 0.92        ; 0.98                 ; 32768                       ;
jpeg:99            ;           ; infinite 2 41.3724   ; 0.99 0.9952 0.9985   ; 1                    ; skipped: a bit stream has no floats ; 4.5
pipe|*star*_[x](y) ; 32x8x8    ; skipped: 160 pixels | MS-SSIM needs 176 ; 0.5 ;                    ; 2048                        ; skipped: no bit stream
broken             ;           ; failed:              ; failed:              ; failed:              ; failed:                     ; failed:
"#;

/// Every kind of cell: two protocols, infinite, skipped, failed and missing outcomes, ties,
/// intervals, and names that try to break a table.
pub(crate) fn everything() -> Vec<Record> {
    let mut lines =
        EVERYTHING.trim_matches('\n').lines().map(|line| line.split(';').map(str::trim));
    let metrics: Vec<_> = lines.next().unwrap().skip(2).collect();
    let mut records = Vec::new();
    for mut line in lines {
        let (tokenizer, latent) = (line.next().unwrap(), line.next().unwrap());
        for (metric, text) in metrics.iter().zip(line) {
            let Some(outcome) = outcome(text) else { continue };
            let mut made = record(tokenizer, metric, outcome);
            latent.clone_into(&mut made.latent);
            records.push(made);
        }
    }
    for (tokenizer, value) in [("jpeg:75", 31.4), ("taef2", 28.1)] {
        let mut made = record(tokenizer, "psnr@1", plain(value));
        made.protocol = "rae".to_owned();
        made.protocol_sha256 = "5e6f7081".repeat(8);
        made.dialect = "rae".to_owned();
        records.push(made);
    }
    records
}

fn outcome(text: &str) -> Option<Outcome> {
    if let Some(reason) = text.strip_prefix("skipped: ") {
        return Some(Outcome::Skipped { reason: reason.to_owned() });
    }
    if text.starts_with("failed:") {
        let reason = "the codec failed:\n\u{1b}[31mstream, cut \"short\"".to_owned();
        return Some(Outcome::Failed { reason });
    }
    let words = text.split(' ').filter_map(|word| word.parse::<f64>().ok()).collect::<Vec<_>>();
    match (text.starts_with("infinite"), words.as_slice()) {
        (true, [count, mean @ ..]) => {
            Some(Outcome::Infinite { infinite: *count as u64, finite_mean: mean.first().copied() })
        }
        (false, [value]) => Some(plain(*value)),
        (false, [low, value, high]) => Some(between(*low, *value, *high)),
        (false, []) => None,
        _ => panic!("no outcome `{text}`"),
    }
}

/// One tokenizer in two runs, which called one and the same protocol differently.
pub(crate) fn two_runs() -> Vec<Record> {
    let mut records = vec![
        record("taef2", "psnr@1", between(27.7, 28.0, 28.4)),
        record("jpeg:75", "psnr@1", between(31.1, 31.4, 31.7)),
        record("taef2", "psnr@1", between(27.8, 28.1, 28.5)),
    ];
    records[2].run = "later-77aa00".to_owned();
    records[2].protocol = "rae+quantiser=round+psnr=per-image".to_owned();
    records
}

/// The size of table that should fit a terminal.
pub(crate) fn ten_by_five() -> Vec<Record> {
    let mut records = Vec::new();
    for at in 0..10 {
        let tokenizer = format!("resample-f{at}");
        let shift = f64::from(at) / 100.0;
        let outcomes = [
            ("psnr@1", between(31.1 - shift, 31.4 - shift, 31.7 - shift)),
            ("ssim@1", between(0.91 - shift, 0.912 - shift, 0.915 - shift)),
            ("ms-ssim@1", between(0.98 - shift, 0.982 - shift, 0.985 - shift)),
            ("latent-floats@1", plain(196_608.0)),
            ("bpp@1", between(1.2 + shift, 1.23 + shift, 1.26 + shift)),
        ];
        for (metric, outcome) in outcomes {
            let mut made = record(&tokenizer, metric, outcome);
            made.latent = "3x256x256".to_owned();
            records.push(made);
        }
    }
    records
}
