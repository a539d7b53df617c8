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

/// A PNG of `width x height` with a gradient, at `path`.
pub(crate) fn png(path: &Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (x ^ y) as u8]);
    image::RgbImage::from_fn(width, height, pixel).save(path).unwrap();
}
