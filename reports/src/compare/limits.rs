use prismbench_core::{Record, unversioned};
use prismbench_metrics::{is_counted, is_timed};
use serde::Deserialize;

/// What a change is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Smaller changes do not matter, whatever their statistics; in the metric's unit.
    pub absolute: f64,
    /// The same as a share of the value before. The larger of the two holds.
    pub relative: f64,
    /// Confidence of intervals and tests: 0.99.
    pub confidence: f64,
    /// The value must not be less, whatever it was before.
    pub min: Option<f64>,
    /// The value must not be more, whatever it was before.
    pub max: Option<f64>,
    /// Which changes fail a gate.
    pub sides: Sides,
    /// Whether slices are looked at.
    pub slices: Slicing,
    /// Whether a gate fails by it.
    pub weight: Weight,
}

/// Which changes fail a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Worse.
    One,
    /// Worse and better: for a number that should not move at all.
    Two,
}

/// Whether slices are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slicing {
    /// Classes of the pictures, and what size they had before the crop.
    All,
    /// Classes of the pictures.
    ByClass,
    /// What size the pictures had before the crop.
    ByResolution,
    /// No.
    Off,
}

impl Slicing {
    /// Slices by their names in a rule.
    fn of(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|known| known == name);
        match (has("class"), has("resolution")) {
            (true, true) => Self::All,
            (true, false) => Self::ByClass,
            (false, true) => Self::ByResolution,
            (false, false) => Self::Off,
        }
    }

    pub(super) fn by_class(self) -> bool {
        matches!(self, Self::All | Self::ByClass)
    }

    pub(super) fn by_resolution(self) -> bool {
        matches!(self, Self::All | Self::ByResolution)
    }
}

/// Whether a gate fails by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It does.
    Binding,
    /// It shows the change and goes on.
    Advisory,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            absolute: 0.0,
            relative: 0.01,
            confidence: 0.99,
            min: None,
            max: None,
            sides: Sides::One,
            slices: Slicing::All,
            weight: Weight::Binding,
        }
    }
}

impl Limit {
    /// The change that matters, in the metric's unit.
    #[must_use]
    pub fn floor(&self, before: f64) -> f64 {
        self.absolute.max(self.relative * before.abs())
    }

    /// Absolute and relative floor of a metric, by its id without version.
    ///
    /// Effects that people report and act on; METHODOLOGY.md says where each comes from.
    pub(crate) fn of_metric(metric: &str) -> Self {
        let (absolute, relative) = match metric {
            "psnr" => (0.02, 0.0),
            "ssim" | "ms-ssim" | "lpips" => (0.001, 0.0),
            "rfid" | "sfid" => (0.01, 0.015),
            "fd-random" | "fd-dinov2" | "fd-encoder" => (0.0, 0.015),
            "gfid" | "fid-infinity" | "is" | "kid" | "cmmd" => (0.0, 0.02),
            "precision" | "recall" | "density" | "coverage" => (0.005, 0.0),
            "latent-floats" => (0.0, 0.0),
            "bpp" => (0.0, 0.005),
            "top1" | "top5" | "mean-per-class" => (0.002, 0.0),
            timed if is_timed(timed) => (0.0, 0.1),
            counted if is_counted(counted) => (0.0, 0.0),
            recall if is_recall(recall) => (0.002, 0.0),
            _ => (0.0, 0.01),
        };
        // No second run gives a time again. Medians have intervals, and with these a gate may decide;
        // the others are shown.
        let median = metric.ends_with("-rate") || metric.ends_with("-latency");
        let weight = match is_timed(metric) && !median {
            true => Weight::Advisory,
            false => Weight::Binding,
        };
        Self { absolute, relative, weight, ..Self::default() }
    }
}

/// A rule of a baseline file: what it does not say is as by default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Metrics that it is for, with or without version; `*` stands for anything.
    pub metric: Option<String>,
    /// Tokenizers that it is for.
    pub tokenizer: Option<String>,
    /// Suites that it is for, with or without version.
    pub suite: Option<String>,
    /// Data sets that it is for.
    pub dataset: Option<String>,
    /// [`Limit::absolute`].
    pub floor: Option<f64>,
    /// [`Limit::relative`]: 0.015 for 1.5 %.
    pub relative: Option<f64>,
    /// [`Limit::confidence`].
    pub confidence: Option<f64>,
    /// [`Limit::min`].
    pub min: Option<f64>,
    /// [`Limit::max`].
    pub max: Option<f64>,
    /// [`Limit::sides`].
    pub two_sided: Option<bool>,
    /// [`Limit::slices`]: `["class", "resolution"]`, one of them, or `[]` for none.
    pub slices: Option<Vec<String>>,
    /// [`Limit::weight`].
    pub advisory: Option<bool>,
}

impl Rule {
    /// Says what is wrong with its numbers, if anything is.
    ///
    /// # Errors
    /// Words for the user, with the key.
    pub fn check(&self) -> Result<(), String> {
        let numbers = [("floor", self.floor), ("relative", self.relative)];
        for (key, number) in numbers {
            if number.is_some_and(|number| !(number >= 0.0 && number.is_finite())) {
                return Err(format!("`{key}` must be a finite number of at least 0"));
            }
        }
        for (key, number) in [("min", self.min), ("max", self.max)] {
            if number.is_some_and(|number| !number.is_finite()) {
                return Err(format!("`{key}` must be a finite number"));
            }
        }
        if self.confidence.is_some_and(|confidence| !(0.5..1.0).contains(&confidence)) {
            return Err("`confidence` must be at least 0.5 and less than 1, as in 0.99".to_owned());
        }
        let known = ["class", "resolution"];
        match self.slices.iter().flatten().find(|slice| !known.contains(&slice.as_str())) {
            Some(slice) => {
                Err(format!("there is no slice `{slice}`; it is `class`, `resolution` or none"))
            }
            None => Ok(()),
        }
    }

    fn is_for(&self, record: &Record) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            let bare = unversioned(text);
            pattern.as_deref().is_none_or(|pattern| glob(pattern, text) || glob(pattern, bare))
        };
        fits(&self.metric, &record.metric)
            && fits(&self.tokenizer, &record.tokenizer)
            && fits(&self.suite, &record.suite)
            && fits(&self.dataset, &record.dataset)
    }

    fn apply(&self, limit: Limit) -> Limit {
        // A rule that names one kind of floor replaces both.
        let named = self.floor.is_some() || self.relative.is_some();
        let or_default = |own: Option<f64>, default: f64| match named {
            true => own.unwrap_or(0.0),
            false => default,
        };
        let sides = match self.two_sided {
            Some(true) => Sides::Two,
            Some(false) => Sides::One,
            None => limit.sides,
        };
        let slices = match &self.slices {
            Some(slices) => Slicing::of(slices),
            None => limit.slices,
        };
        let weight = match self.advisory {
            Some(true) => Weight::Advisory,
            Some(false) => Weight::Binding,
            None => limit.weight,
        };
        Limit {
            absolute: or_default(self.floor, limit.absolute),
            relative: or_default(self.relative, limit.relative),
            confidence: self.confidence.unwrap_or(limit.confidence),
            min: self.min.or(limit.min),
            max: self.max.or(limit.max),
            sides,
            slices,
            weight,
        }
    }
}

/// The limit of a record: that of the first rule which is for it, with defaults for what it leaves out.
#[must_use]
pub fn limit_for(record: &Record, rules: &[Rule]) -> Limit {
    let metric = unversioned(&record.metric);
    let limit = Limit::of_metric(metric);
    match rules.iter().find(|rule| rule.is_for(record)) {
        Some(rule) => rule.apply(limit),
        None => limit,
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any number of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Recall@k of retrieval.
fn is_recall(metric: &str) -> bool {
    let of = ["t2i-r", "i2t-r", "filtered-r"].iter().find_map(|of| metric.strip_prefix(of));
    of.is_some_and(|k| k.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use prismbench_core::Outcome;

    use super::*;
    use crate::fixtures::record;

    #[test]
    fn patterns_are_whole_texts_with_anything_for_a_star() {
        for (pattern, text, fits) in [
            ("psnr", "psnr", true),
            ("psnr", "psnr@1", false),
            ("psn*", "psnr@1", true),
            ("*", "", true),
            ("jpeg:*5", "jpeg:75", true),
            ("jpeg:*5", "jpeg:50", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_shown_alone_can_be_made_to_decide_and_shares_have_no_floor_of_recalls() {
        let binding: Rule = toml::from_str("metric = 'load-time'\nadvisory = false").unwrap();
        let limit = |metric: &str, rules: &[Rule]| {
            let outcome = Outcome::Ok { value: 1.0, low: None, high: None };
            let record = Record { metric: metric.to_owned(), ..record("dct:4", "psnr@1", outcome) };
            limit_for(&record, rules)
        };
        assert_eq!(limit("load-time@1", &[]).weight, Weight::Advisory);
        assert_eq!(limit("load-time@1", &[binding]).weight, Weight::Binding);
        let floors = |metric: &str| {
            let limit = limit(metric, &[]);
            (limit.absolute, limit.relative)
        };
        for recall in ["t2i-r5@1", "i2t-r10@1", "filtered-r5@1"] {
            assert_eq!(floors(recall), (0.002, 0.0), "{recall}");
        }
        for share in ["band-response@1", "encode-roofline@1"] {
            assert_ne!(floors(share), (0.002, 0.0), "{share}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_wins_and_the_rest_is_as_by_default() {
        let rules: [Rule; 2] = [
            toml::from_str("metric = 'psnr'\ntokenizer = 'jpeg:*'\nfloor = 0.5").unwrap(),
            toml::from_str("metric = '*'\ntwo-sided = true\nslices = []\nadvisory = true").unwrap(),
        ];
        let limit = |tokenizer: &str, metric: &str| {
            let outcome = Outcome::Ok { value: 1.0, low: None, high: None };
            limit_for(&record(tokenizer, metric, outcome), &rules)
        };
        let ours = limit("jpeg:75", "psnr@1");
        assert!((ours.floor(30.0) - 0.5).abs() < 1e-15);
        assert_eq!((ours.sides, ours.weight), (Sides::One, Weight::Binding));
        let others = limit("dct:4", "psnr@1");
        assert!((others.floor(30.0) - 0.02).abs() < 1e-15);
        assert_eq!((others.sides, others.slices), (Sides::Two, Slicing::Off));
        assert_eq!(others.weight, Weight::Advisory);
        let bits = limit("dct:4", "bpp@1");
        assert!((bits.floor(-2.0) - 0.01).abs() < 1e-15, "relative to the size");
    }

    #[test]
    fn times_are_held_against_a_ratio_and_counts_are_exact() {
        let limit = Limit::of_metric;
        assert!((limit("encode-rate").floor(20.0) - 2.0).abs() < 1e-12, "a tenth");
        assert_eq!(limit("encode-rate").weight, Weight::Binding);
        assert_eq!(limit("decode-latency").weight, Weight::Binding);
        for shown in ["load-time", "encode-latency-p95", "peak-host-memory", "copy-bandwidth"] {
            assert_eq!(limit(shown).weight, Weight::Advisory, "{shown}");
        }
        assert!(limit("encoder-macs").floor(136.0) < 1e-12);
        assert!(limit("decoder-rest").floor(1.0) < 1e-12, "no recall, though it has its letters");
    }

    /// Two trainings of one generator lie up to 1.3 % apart (arXiv 2606.20536).
    #[test]
    fn numbers_of_generators_move_by_more_than_training_again_does_before_they_count() {
        for metric in ["gfid", "fid-infinity", "is"] {
            let limit = Limit::of_metric(metric);
            assert!((limit.floor(2.5) - 0.05).abs() < 1e-12, "{metric}");
            assert!(limit.floor(2.5) > 0.013 * 2.5 && limit.sides == Sides::One, "{metric}");
        }
    }

    #[test]
    fn rules_that_say_nothing_sensible_are_refused() {
        let wrong = |text: &str| toml::from_str::<Rule>(text).unwrap().check().unwrap_err();
        assert!(wrong("floor = -1.0").contains("`floor`"));
        assert!(wrong("relative = inf").contains("`relative`"));
        assert!(wrong("max = nan").contains("`max`"));
        assert!(wrong("confidence = 99.0").contains("`confidence`"));
        assert!(wrong("slices = ['colour']").contains("`colour`"));
        let unknown = toml::from_str::<Rule>("floors = 1.0").unwrap_err().to_string();
        assert!(unknown.contains("unknown field `floors`"), "{unknown}");
    }
}
