//! The program as a function: arguments in, exit code and both streams out.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use prismbench::{Exit, Streams, main_from};

pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Standard error with the folder of the test replaced by `DIR`.
    pub(crate) fn err_without(&self, folder: &Path) -> String {
        self.err.replace(&folder.display().to_string(), "DIR")
    }

    pub(crate) fn expect(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "{}", self.err);
        self
    }
}

/// Runs `prismbench` with these arguments.
pub(crate) fn prismbench(arguments: &[&str]) -> Ran {
    with_signal(arguments, &AtomicBool::new(false))
}

/// Runs `prismbench` as if a signal had come or not.
pub(crate) fn with_signal(arguments: &[&str], interrupted: &AtomicBool) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams = Streams { out: &mut out, err: &mut err, width: 100, bar: false, interrupted };
    let arguments = std::iter::once("prismbench").chain(arguments.iter().copied());
    let exit = main_from(arguments.map(Into::into), streams);
    Ran { exit, out, err: String::from_utf8(err).unwrap() }
}

/// `prismbench run` into `folder/run`, quietly, with further arguments.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    let out = folder.join("run");
    let mut all = vec!["run", "--out", out.to_str().unwrap(), "--progress", "none"];
    all.extend(arguments);
    prismbench(&all)
}

/// The lines of a run's records, without what no two runs share.
pub(crate) fn records(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("records.jsonl")).unwrap();
    let parse = |line| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = record.as_object_mut().unwrap();
        fields.remove("seconds").unwrap();
        fields.remove("run").unwrap();
        record
    };
    text.lines().map(parse).collect()
}

/// Pictures of three classes that overlap in colour and less so in what changes within 8 pixels: encoders that
/// keep that tell some apart that means alone do not. `folder/train` has 90 and `folder/test` 72, by class.
pub(crate) fn three_classes(folder: &Path) {
    for (split, numbers) in [("train", 0..30_u32), ("test", 30..54)] {
        for class in 0..3_u32 {
            for i in numbers.clone() {
                let path = folder.join(split).join(class.to_string()).join(format!("{i}.png"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let slope = ((i * 53 + class * 17 + i * i * 3) % 31) as i32 - 20 + 5 * class as i32;
                let level = |c: u32, x: u32| {
                    let shift = ((i * 37 + class * 11 + c * 29 + i * i * 7) % 41) as i32 - 20;
                    let base = 100 + 14 * i32::from(class == c) + shift;
                    (base + (slope * (x % 8) as i32).div_euclid(2)) as u8
                };
                let pixel = |x, _| image::Rgb([level(0, x), level(1, x), level(2, x)]);
                image::RgbImage::from_fn(64, 64, pixel).save(path).unwrap();
            }
        }
    }
}

/// A PNG of `width x height` with a gradient, at `path`.
pub(crate) fn png(path: &Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (x ^ y) as u8]);
    image::RgbImage::from_fn(width, height, pixel).save(path).unwrap();
}
