//! The spectrum of latents: where their energy lies, and what their encoder answers to.

mod subject;

use prismbench_core::{Concern, MetricDef, Outcome, Protocol, Tokenizer};
use prismbench_metrics::{
    BAND_ENERGY, BAND_RESPONSE, BandCurves, ENERGY_BELOW, PRISM_FIGURE, SPECTRAL_CENTROID,
    SPECTRAL_SLOPE, prism_figure,
};

use crate::filtered::filtered;
use crate::follow::{Passing, follow, of_tokenizers};
use crate::journal::{Block, Recalled};
use crate::pictures::PictureBlock;
use crate::{Context, Measurement, Observer, Pass, Pictures, Report, Suite, SuiteError};
use subject::{Curves, Found, Subject, Wanted};

/// Takes latents apart by frequency, and shows encoders one band of pictures at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpectrumSuite;

impl Suite for SpectrumSuite {
    fn id(&self) -> &'static str {
        "spectrum"
    }

    fn version(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "says in which frequencies of a latent its energy lies, and which of a picture's it answers to"
    }

    fn concern(&self) -> Concern {
        Concern::Spectrum
    }

    fn metrics(&self) -> Vec<&'static MetricDef> {
        vec![
            &SPECTRAL_CENTROID,
            &SPECTRAL_SLOPE,
            &BAND_ENERGY,
            &ENERGY_BELOW,
            &BAND_RESPONSE,
            &PRISM_FIGURE,
        ]
    }

    fn on_request(&self) -> &'static [&'static str] {
        const IDS: [&str; 1] = [PRISM_FIGURE.id];
        &IDS
    }

    fn run<'a>(
        &self,
        subjects: &[&dyn Tokenizer],
        pictures: &Pictures<'a>,
        context: &mut Context<'a>,
    ) -> Result<Option<Pass>, SuiteError> {
        let wanted = Wanted::of(context.metrics);
        let going = subjects
            .iter()
            .map(|&tokenizer| Subject::new(tokenizer, pictures.protocol, context.seed, wanted))
            .collect();
        let mut pass = Spectra { protocol: pictures.protocol, going };
        let own = of_tokenizers(subjects);
        let measured = follow(&mut pass, pictures, ("spectrum", own), context)?;
        let Some(measured) = measured else { return Ok(None) };
        let measured = measured.some(pictures)?;
        let going = pass.going;
        let n = measured.count() as u64;
        let curves: Vec<_> = going.into_iter().map(Subject::finish).collect();
        let figures = if wanted.figure { figures(&curves) } else { Vec::new() };
        let rows = Rows { wanted: context.metrics, n };
        let reports = curves.into_iter().enumerate().map(|(number, curves)| {
            let figure = figures.get(number).cloned();
            rows.report(curves, figure)
        });
        let (pictures, reports) = (measured, reports.collect());
        Ok(Some(Pass { pictures, reports, warnings: Vec::new() }))
    }
}

/// A pass that looks at frequencies.
struct Spectra<'a> {
    protocol: &'a Protocol,
    going: Vec<Subject<'a>>,
}

impl Passing for Spectra<'_> {
    type State = Vec<Found>;

    fn measure(
        &mut self,
        block: &PictureBlock,
        context: &mut Context<'_>,
    ) -> Result<Block<Self::State>, SuiteError> {
        let batch = filtered(&block.batch(context.device)?, self.protocol.frequency_filter)?;
        let measure = |subject: &mut Subject<'_>| subject.measure(block, &batch);
        let state: Vec<Found> = self.going.iter_mut().map(measure).collect();
        let failures = state.iter().flat_map(Found::failures).map(str::to_owned).collect();
        Ok(Block { state, rows: Vec::new(), failures })
    }

    fn take(
        &mut self,
        _: Recalled<'_, Self::State>,
        state: Self::State,
        _: &mut dyn Observer,
    ) -> Result<(), SuiteError> {
        self.going.iter_mut().zip(state).for_each(|(subject, found)| subject.take(found));
        Ok(())
    }
}

/// The paper's curve of each tokenizer, which depends on those it is drawn with.
fn figures(curves: &[Curves]) -> Vec<Result<Vec<f64>, Outcome>> {
    let whole: Vec<Option<BandCurves>> = curves.iter().map(Curves::for_figure).collect();
    let there: Vec<BandCurves> = whole.iter().flatten().cloned().collect();
    let mut drawn = match prism_figure(&there) {
        Ok(drawn) => drawn.into_iter(),
        Err(error) => return whole.iter().map(|_| Err(Outcome::failed(&error))).collect(),
    };
    let reason = "its energy or its response is not there".to_owned();
    let place = |curves: &Option<BandCurves>| {
        let curve = curves.as_ref().and_then(|_| drawn.next());
        curve.ok_or_else(|| Outcome::Skipped { reason: reason.clone() })
    };
    whole.iter().map(place).collect()
}

/// How measurements are made of curves.
struct Rows<'a> {
    wanted: &'a [String],
    n: u64,
}

impl Rows<'_> {
    fn report(&self, curves: Curves, figure: Option<Result<Vec<f64>, Outcome>>) -> Report {
        let mut report = Report::default();
        let (energy, response) = (&curves.energy, &curves.response);
        let of = |value: f64| Outcome::Ok { value, low: None, high: None };
        let scalar = |value: Result<f64, Outcome>| [value.map_or_else(|no| no, of)];
        let energy = energy.as_ref().map_err(Clone::clone);
        let slope = energy.clone().and_then(|spectrum| {
            let reason = "its grid is too small, or a ring of it has no energy";
            spectrum.slope.ok_or_else(|| Outcome::Skipped { reason: reason.to_owned() })
        });
        let centroid = scalar(energy.clone().map(|spectrum| spectrum.centroid));
        self.add(&SPECTRAL_CENTROID, &centroid, &mut report);
        self.add(&SPECTRAL_SLOPE, &scalar(slope), &mut report);
        let curve = |values: Result<&[f64], Outcome>| match values {
            Ok(values) => values.iter().map(|&value| of(value)).collect(),
            Err(outcome) => vec![outcome],
        };
        let shares = energy.clone().map(|spectrum| &*spectrum.shares);
        self.add(&BAND_ENERGY, &curve(shares), &mut report);
        self.add(&ENERGY_BELOW, &curve(energy.map(|spectrum| &*spectrum.below)), &mut report);
        let response = response.as_ref().map(Vec::as_slice).map_err(Clone::clone);
        self.add(&BAND_RESPONSE, &curve(response), &mut report);
        if let Some(figure) = figure {
            let figure = figure.as_ref().map(Vec::as_slice).map_err(Clone::clone);
            self.add(&PRISM_FIGURE, &curve(figure), &mut report);
        }
        Report { latent: curves.latent, seconds: curves.seconds, ..report }
    }

    /// One measurement, or one for each band, counted from 1.
    fn add(&self, metric: &'static MetricDef, outcomes: &[Outcome], report: &mut Report) {
        if !self.wanted.iter().any(|id| id == metric.id) {
            return;
        }
        for (band, outcome) in (1..).zip(outcomes) {
            let setting = match outcomes {
                [_] => String::new(),
                _ => format!("band {band}"),
            };
            report.measurements.push(Measurement {
                metric,
                dialect: String::new(),
                setting,
                outcome: outcome.clone(),
                n: self.n,
                reference: None,
                warnings: Vec::new(),
                replicates: Vec::new(),
            });
        }
    }
}
