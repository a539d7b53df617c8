use prismbench_core::{
    Better, Choice, FilterCutoff, FilterPass, FrequencyFilter, MetricDef, Protocol, Unit,
};

/// Recall of filtered pictures.
pub(super) const FILTERED_RECALL: MetricDef = MetricDef {
    id: "filtered-r5",
    title: "t2i R@5",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "t2i-r5 of pictures of which only the frequencies below (low) or above (high) a cutoff \
        are left (the setting), by the filter `sweep` of the protocol; texts and alignment are those of \
        whole pictures. Source: WeichenFan/UAE main, prelim_analysis/retrival_exp.py, which has low-pass \
        only",
};

/// The lowest cutoff that retrieval lives on.
pub(super) const LOW_PASS_COLLAPSE: MetricDef = MetricDef {
    id: "low-pass-collapse",
    title: "low-pass collapse",
    unit: Unit::One,
    better: Better::Lower,
    version: 1,
    definition: "the cutoff at which filtered-r5 of low-passed pictures, from cutoff 1 downwards, first \
        falls below half of t2i-r5, on straight lines between the cutoffs of the sweep; below the lowest \
        of them, that one",
};

/// The highest cutoff that retrieval lives on.
pub(super) const HIGH_PASS_COLLAPSE: MetricDef = MetricDef {
    id: "high-pass-collapse",
    title: "high-pass collapse",
    unit: Unit::One,
    better: Better::Higher,
    version: 1,
    definition: "the cutoff at which filtered-r5 of high-passed pictures, from the lowest cutoff upwards, \
        first falls below half of t2i-r5, on straight lines between the cutoffs of the sweep, where whole \
        pictures stand for cutoff 0; above the highest of them, that one",
};

/// Cutoffs of the Prism paper's code, in thousandths.
const CUTOFFS: [u32; 9] = [50, 100, 150, 200, 300, 400, 600, 800, 1000];

/// A sweep of a filter over all cutoffs, both ways.
pub(super) struct Sweep<'a>(&'a Protocol);

/// One stop of a sweep.
pub(super) struct Step {
    pub(super) protocol: Protocol,
    pub(super) place: Place,
}

/// Which side of which cutoff is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pass: FilterPass,
    pub(super) cutoff: FilterCutoff,
}

impl<'a> Sweep<'a> {
    /// The sweep of a protocol; `None` where nothing of it is wanted or the protocol filters already.
    pub(super) fn of(protocol: &'a Protocol, wanted: &[String]) -> Option<Self> {
        let all = [&FILTERED_RECALL, &LOW_PASS_COLLAPSE, &HIGH_PASS_COLLAPSE];
        let any = all.iter().any(|metric| wanted.iter().any(|id| id == metric.id));
        (any && protocol.frequency_filter == FrequencyFilter::None).then_some(Self(protocol))
    }

    /// Low-pass first, each from the lowest cutoff on.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let places = FilterPass::ALL.iter().flat_map(|&pass| {
            let cutoffs = CUTOFFS.into_iter().filter_map(FilterCutoff::from_thousandths);
            cutoffs.map(move |cutoff| Place { pass, cutoff })
        });
        places.map(|place| {
            let Place { pass, cutoff } = place;
            let shape = self.0.sweep;
            let frequency_filter = FrequencyFilter::Band { shape, pass, cutoff };
            Step { protocol: Protocol { frequency_filter, ..self.0.clone() }, place }
        })
    }
}

impl Place {
    /// `low 0.05`: what rows are told apart by.
    pub(super) fn setting(self) -> String {
        format!("{} {}", self.pass, self.cutoff)
    }
}

/// Where a curve of `(cutoff, recall)` that starts above `half` first falls below it; its last cutoff
/// where it never does, its first where it starts there.
pub(super) fn crossing(curve: &[(f64, f64)], half: f64) -> Option<f64> {
    let below = curve.iter().position(|&(_, recall)| recall < half);
    match below {
        None => curve.last().map(|&(cutoff, _)| cutoff),
        Some(0) => curve.first().map(|&(cutoff, _)| cutoff),
        Some(at) => {
            let ((from, above), (to, below)) = (curve[at - 1], curve[at]);
            Some(from + (to - from) * (above - half) / (above - below))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_crossed_on_a_straight_line_and_no_further_than_it_goes() {
        let curve = [(1.0, 0.8), (0.5, 0.6), (0.1, 0.2)];
        assert!((crossing(&curve, 0.4).unwrap() - 0.3).abs() < 1e-12);
        assert!((crossing(&curve, 0.1).unwrap() - 0.1).abs() < 1e-12);
        assert!((crossing(&curve, 0.9).unwrap() - 1.0).abs() < 1e-12);
        // A value at the half is not below it.
        assert!((crossing(&curve, 0.2).unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(crossing(&[], 0.5), None);
    }

    #[test]
    fn a_sweep_goes_over_every_cutoff_both_ways_and_only_when_it_is_wanted() {
        let protocol = Protocol::preset("default").unwrap();
        let wanted = vec![FILTERED_RECALL.id.to_owned()];
        let steps: Vec<Step> = Sweep::of(&protocol, &wanted).unwrap().steps().collect();
        let settings: Vec<String> = steps.iter().map(|step| step.place.setting()).collect();
        assert_eq!((settings.len(), &*settings[0], &*settings[17]), (18, "low 0.05", "high 1"));
        let filter = steps[3].protocol.frequency_filter.to_string();
        assert_eq!(filter, "dct-radial-axis:low:0.2");
        assert!(Sweep::of(&protocol, &["t2i-r5".to_owned()]).is_none());
        assert!(Sweep::of(&steps[3].protocol, &wanted).is_none(), "a filter is not filtered again");
    }
}
