use std::fmt::Write;

use prismbench_baselines::{generators, registry};
use prismbench_core::{
    Choice, Dinov2Resize, InceptionResize, InceptionScoreDialect, LpipsTrunk, MacDialect,
    MetricDef, MsSsimDialect, PrecisionRecallDialect, Protocol, PsnrDialect, SsimDialect, nearest,
    unversioned,
};
use prismbench_metrics::probe::{MEAN_PER_CLASS, TOP1, TOP5};
use prismbench_metrics::{
    BITS_PER_PIXEL, COVERAGE, DENSITY, FID_INFINITY, FLOOR_FID, GFID, IMAGE_TO_TEXT,
    INCEPTION_SCORE, LATENT_FLOATS, LPIPS, MS_SSIM, PRECISION, PSNR, RECALL, SSIM, TEXT_TO_IMAGE,
};
use prismbench_suites::{NetworkKind, suites};

use crate::cli::ExplainArgs;
use crate::error::Failure;
use crate::{Exit, Streams};

/// Prints what a name stands for, with constants and sources.
pub(crate) fn run(args: &ExplainArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let name = unversioned(&args.name);
    let text = protocol(name)
        .or_else(|| metric(name))
        .or_else(|| suite(name))
        .or_else(|| tokenizer(name))
        .or_else(|| generator(name))
        .ok_or_else(|| unknown(&args.name))?;
    write!(streams.out, "{text}").map_err(Failure::Output)?;
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    let suites = suites();
    let metrics = suites.iter().flat_map(|suite| suite.metrics()).map(|metric| metric.id);
    let known = Protocol::PRESETS
        .into_iter()
        .chain(metrics)
        .chain(suites.iter().map(|suite| suite.id()))
        .chain(registry().iter().map(|entry| entry.family))
        .chain(generators().iter().map(|entry| entry.family));
    let nearest = nearest(name, known).map(str::to_owned);
    let what = "protocol, metric, suite, tokenizer or generator";
    Failure::Unknown { what, found: name.to_owned(), nearest }
}

fn protocol(name: &str) -> Option<String> {
    let protocol = Protocol::preset(name).ok()?;
    let mut text = format!("protocol {name}\n{}\n", wrapped(Protocol::purpose(name), "  "));
    for (field, value, meaning) in protocol.explain() {
        let _ = writeln!(text, "\n  {field} = {value}\n{}", wrapped(meaning, "    "));
    }
    for suite in suites() {
        let concern = suite.concern();
        let (hash, of) = (protocol.sha256_for(concern), protocol.canonical_for(concern));
        let _ = writeln!(text, "\n  sha256 for {} {hash}\n  of {of}", suite.id());
    }
    Some(text)
}

fn metric(name: &str) -> Option<String> {
    let suites = suites();
    let metric = suites.iter().flat_map(|suite| suite.metrics()).find(|m| m.id == name)?;
    let mut text = format!(
        "metric {} ({})\n{}\n",
        metric.versioned_id(),
        metric.title,
        wrapped(metric.definition, "  ")
    );
    let _ = writeln!(text, "\n{}", wrapped(interval(name), "  "));
    match name {
        "psnr" => dialects(&mut text, PsnrDialect::ALL),
        "ssim" => dialects(&mut text, SsimDialect::ALL),
        "ms-ssim" => dialects(&mut text, MsSsimDialect::ALL),
        "lpips" => dialects(&mut text, LpipsTrunk::ALL),
        "encoder-macs" | "decoder-macs" => dialects(&mut text, MacDialect::ALL),
        "is" => dialects(&mut text, InceptionScoreDialect::ALL),
        "precision" | "recall" => dialects(&mut text, PrecisionRecallDialect::ALL),
        _ => {}
    }
    let one_of = "\n  Pictures become the network's input by one of:";
    match NetworkKind::of(name) {
        Some(NetworkKind::Inception) => {
            let _ = writeln!(text, "{one_of}");
            dialects(&mut text, InceptionResize::ALL);
        }
        Some(NetworkKind::Dinov2) => {
            let _ = writeln!(text, "{one_of}");
            dialects(&mut text, Dinov2Resize::ALL);
        }
        _ => {}
    }
    Some(text)
}

/// How the interval of a metric comes about.
fn interval(metric: &str) -> &'static str {
    let is_of = |metrics: &[MetricDef]| metrics.iter().any(|known| known.id == metric);
    match metric {
        _ if metric.ends_with("-rate") || metric.ends_with("-latency") => {
            "The interval is that of the median call at 95 %, between order statistics; under timm's \
             convention there is none."
        }
        _ if is_of(&[PSNR, SSIM, MS_SSIM, LPIPS, BITS_PER_PIXEL, LATENT_FLOATS]) => {
            "The interval is the 95 % percentile bootstrap over images, 1,000 resamples, and beyond \
             65,536 images the normal approximation; what all images share has none."
        }
        _ if is_of(&[TOP1, TOP5]) => "The interval is Wilson's at 95 %, of pictures as trials.",
        _ if is_of(&[MEAN_PER_CLASS]) => {
            "The interval is Wilson's at 95 %, of as many trials as give a mean of classes its variance."
        }
        _ if is_of(&TEXT_TO_IMAGE) || is_of(&IMAGE_TO_TEXT) || metric == "filtered-r5" => {
            "The interval is Wilson's at 95 %; texts of one picture are alike and count as a cluster of \
             trials."
        }
        _ if is_of(&[GFID, FLOOR_FID]) => {
            "The interval is the 95 % block jackknife: each tenth of the samples left out in turn, t \
             with 9 degrees of freedom; from 20 samples on."
        }
        _ if is_of(&[PRECISION]) => {
            "The interval is the 95 % block jackknife: each tenth of the samples left out in turn of the \
             mean, while the balls stay; from 20 samples on."
        }
        _ if is_of(&[RECALL]) => {
            "The interval is the 95 % block jackknife: each tenth of the references left out in turn of \
             the mean, while the balls stay; from 20 references on."
        }
        _ if is_of(&[DENSITY, COVERAGE]) => {
            "The interval is the 95 % block jackknife: each tenth of the samples left out in turn, of \
             reconstructions with its originals, while radii stay; from 20 samples on."
        }
        _ if is_of(&[INCEPTION_SCORE]) => {
            "The interval is the 95 % block jackknife: each tenth of the samples left out of its splits in \
             turn, t with 9 degrees of freedom; from 20 samples on."
        }
        _ if is_of(&[FID_INFINITY]) => "There is no interval.",
        // Distances between sets of features.
        _ if NetworkKind::of(metric).is_some() => {
            "The interval is the 95 % block jackknife: each tenth of the images left out in turn, \
             with its reconstructions, t with 9 degrees of freedom; from 20 images on."
        }
        _ => "There is no interval.",
    }
}

fn dialects<C: Choice>(text: &mut String, dialects: &[C]) {
    for dialect in dialects {
        let _ = writeln!(text, "\n  {}\n{}", dialect.id(), wrapped(dialect.describe(), "    "));
    }
}

fn suite(name: &str) -> Option<String> {
    let suites = suites();
    let suite = suites.iter().find(|suite| suite.id() == name)?;
    let metrics: Vec<_> = suite.metrics().iter().map(|metric| metric.versioned_id()).collect();
    Some(format!(
        "suite {}@{}\n{}\n\n  metrics: {}\n",
        suite.id(),
        suite.version(),
        wrapped(suite.summary(), "  "),
        metrics.join(", ")
    ))
}

fn tokenizer(name: &str) -> Option<String> {
    let family = name.split(':').next()?;
    let entry = registry().iter().find(|entry| entry.family == family)?;
    let mut text = format!("tokenizer {}\n{}\n", entry.syntax, wrapped(entry.summary, "  "));
    if !entry.options.is_empty() {
        let _ = writeln!(text, "\n{}", wrapped(entry.options, "  "));
    }
    Some(text)
}

fn generator(name: &str) -> Option<String> {
    let family = name.split('=').next()?;
    let entry = generators().iter().find(|entry| entry.family == family)?;
    let mut text = format!("generator {}\n{}\n", entry.syntax, wrapped(entry.summary, "  "));
    let _ = writeln!(text, "\n{}", wrapped(entry.options, "  "));
    let _ = writeln!(text, "\n  sampled by {} unless told otherwise", entry.sampling);
    if let Some(tokenizer) = entry.tokenizer {
        let _ = writeln!(text, "  latents of {tokenizer}");
    }
    if let Some(guide) = entry.guide {
        let _ = writeln!(text, "  published with {} by {}", guide.guidance, guide.id);
    }
    if let Some(model) = entry.model {
        let parameters = model.parameters as f64 / 1e6;
        let _ = writeln!(text, "  {parameters:.1} M parameters; {}", model.licence);
    }
    Some(text)
}

/// Lines of at most 96 columns, each behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| {
            line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > 96
        });
        if full {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
