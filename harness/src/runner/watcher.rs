use indicatif::{HumanCount, HumanDuration};
use prismbench_suites::{Forecast, Made, Observer, Pixels, SaveError, WantedArrays};

use crate::Streams;
use crate::progress::Progress;
use crate::run_folder::RunFolder;
use crate::saving::{Arrays, Originals};

/// Shows progress and saves arrays while a suite runs.
pub(crate) struct Watcher<'a, 's> {
    pub(crate) progress: Progress,
    pub(crate) wanted: WantedArrays,
    pub(crate) arrays: Vec<Arrays>,
    pub(crate) originals: Option<Originals>,
    /// Whether something failed in a block.
    pub(crate) failed: bool,
    pub(crate) streams: &'a mut Streams<'s>,
    /// What hears of the first block that is measured.
    pub(crate) folder: Option<&'a mut RunFolder>,
}

impl<'a, 's> Watcher<'a, 's> {
    /// A watcher that keeps no arrays.
    pub(crate) fn of(progress: Progress, streams: &'a mut Streams<'s>) -> Self {
        let wanted = WantedArrays::default();
        let (arrays, originals, failed, folder) = (Vec::new(), None, false, None);
        Self { progress, wanted, arrays, originals, failed, streams, folder }
    }
}

impl Observer for Watcher<'_, '_> {
    fn progress(&mut self, done: u64, total: u64) {
        if let Some(folder) = self.folder.take() {
            // Where this cannot be written, nothing can: the end of the pass says so.
            let _ = folder.wake();
        }
        if let Some(line) = self.progress.update(done, total) {
            self.streams.say(&line);
        }
    }

    fn forecast(&mut self, forecast: &Forecast) {
        let &Forecast { samples, drawing, decoding, measuring } = forecast;
        let [all, drawing, decoding, measuring] =
            [forecast.total(), drawing, decoding, measuring].map(HumanDuration);
        self.streams.say(&format!(
            "{} samples are left to draw: about {all} (drawing {drawing}, decoding {decoding}, the metrics' networks \
             {measuring})",
            HumanCount(samples)
        ));
    }

    fn found(&mut self, earlier: &str) {
        self.streams.say(earlier);
    }

    fn failed(&mut self) {
        self.failed = true;
    }

    fn wants(&self) -> WantedArrays {
        self.wanted
    }

    fn seen(&mut self, ids: &[&str], pictures: &[Pixels]) -> Result<(), SaveError> {
        let originals = self.originals.as_mut();
        Ok(originals.map_or(Ok(()), |originals| originals.push(ids, pictures))?)
    }

    fn made(&mut self, subject: usize, ids: &[&str], made: &Made) -> Result<(), SaveError> {
        let arrays = self.arrays.get_mut(subject);
        Ok(arrays.map_or(Ok(()), |arrays| arrays.push(ids, made))?)
    }
}
