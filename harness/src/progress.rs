use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Streams;
use crate::cli;

const TEMPLATE: &str = "{prefix}  {bar:24}  {human_pos}/{human_len}  {elapsed}, {eta} left";

/// Shows how far a pass is: a bar on a terminal, a line per tenth elsewhere, or nothing.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines { title: String, start: Instant, tenths: u64 },
    None,
}

impl Progress {
    pub(crate) fn new(
        style: Option<cli::ProgressStyle>,
        streams: &Streams<'_>,
        title: String,
        total: u64,
    ) -> Self {
        match style {
            Some(cli::ProgressStyle::None) => Self::None,
            Some(cli::ProgressStyle::Lines) => Self::lines(title),
            Some(cli::ProgressStyle::Bar) => Self::bar(title, total),
            None if streams.bar => Self::bar(title, total),
            None => Self::lines(title),
        }
    }

    fn lines(title: String) -> Self {
        Self::Lines { title, start: Instant::now(), tenths: 0 }
    }

    fn bar(title: String, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        // The template is a constant: a test draws it. The default style serves if it is wrong.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_prefix(title);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    /// The line that the new state is worth, where lines are shown.
    pub(crate) fn update(&mut self, done: u64, total: u64) -> Option<String> {
        match self {
            Self::Bar(bar) => {
                bar.set_position(done);
                None
            }
            Self::Lines { title, start, tenths } => {
                let reached = 10 * done / total.max(1);
                if reached <= *tenths {
                    return None;
                }
                *tenths = reached;
                let seconds = start.elapsed().as_secs_f64();
                Some(format!("{title}  {done}/{total}  {seconds:.1} s"))
            }
            Self::None => None,
        }
    }

    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_once_per_tenth() {
        let mut progress = Progress::lines("reconstruction".to_owned());
        let lines: Vec<String> = (1..=100).filter_map(|n| progress.update(n, 100)).collect();
        assert_eq!(lines.len(), 10);
        assert!(lines[9].starts_with("reconstruction  100/100  "), "{}", lines[9]);
    }

    #[test]
    fn the_template_of_the_bar_is_one() {
        assert!(matches!(Progress::bar(String::new(), 3), Progress::Bar(_)));
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
