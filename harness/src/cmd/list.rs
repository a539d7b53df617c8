use std::path::PathBuf;

use prismbench_baselines::{Entry, GeneratorEntry, Hub, Model, Needs, generators, registry};
use prismbench_core::{Protocol, nearest};
use prismbench_reports::{PublishedRow, published};
use prismbench_suites::suites;

use crate::cli::ListArgs;
use crate::error::Failure;
use crate::known_references::{KnownReference, KnownReferences};
use crate::networks::cache_of;
use crate::reproduction::ReproductionPlan;
use crate::{Exit, Streams};

const WHAT: [&str; 9] = [
    "tokenizers",
    "generators",
    "suites",
    "metrics",
    "protocols",
    "data",
    "references",
    "plans",
    "published",
];
/// Those that [`rows`] does not know.
const APART: [&str; 3] = ["references", "plans", "published"];

/// Prints what this build knows.
pub(crate) fn run(args: &ListArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let text = match args.what.as_deref() {
        None => {
            let mut sections = Vec::new();
            for what in WHAT.into_iter().filter(|what| !APART.contains(what)) {
                sections.push(format!("{what}\n{}", aligned(&rows(what))));
            }
            sections.push(format!("references\n{}", aligned(&references(None)?)));
            sections.push(format!("plans\n{}", aligned(&plans()?)));
            sections.push(
                "published\n  `prismbench list published [WORDS]` lists the numbers\n".to_owned(),
            );
            sections.join("\n")
        }
        Some("published") => published_rows(&args.words)?,
        Some("references") => {
            let known = with_words(references(cache_of(None))?, &args.words)?;
            format!("{}\n{OWN_REFERENCES}", aligned(&known))
        }
        Some("plans") => aligned(&with_words(plans()?, &args.words)?),
        Some(what) if WHAT.contains(&what) => aligned(&with_words(rows(what), &args.words)?),
        Some(what) => {
            let nearest = nearest(what, WHAT).map(str::to_owned);
            return Err(Failure::Unknown { what: "list", found: what.to_owned(), nearest });
        }
    };
    write!(streams.out, "{text}").map_err(Failure::Output)?;
    Ok(Exit::Done)
}

/// What `--data` takes.
const DATA: [(&str, &str); 11] = [
    ("FOLDER", "pictures under a folder, class = first folder below it"),
    ("FOLDER#SPLIT", "train, val or test: a folder of that name, or files named by it"),
    ("FILE.npz", "`arr_0`, u8 [N, H, W, 3]; `arr_1` labels and `ids` where they are there"),
    ("PICTURE", "one picture: JPEG, PNG, WebP, BMP, GIF or TIFF"),
    ("SHARD.tar", "WebDataset: pictures with .cls, .json, .txt; train-{000..012}.tar, or a folder"),
    ("FILE.parquet", "column `image` of {bytes, path}; `label`, `caption`, `text`; or a folder"),
    ("coco:JSON:IMAGES", "`captions_*.json` of COCO, or Karpathy's with #SPLIT behind it"),
    ("idx:IMAGES:LABELS", "files like MNIST's, gzipped or not; or their folder with #SPLIT"),
    ("BATCH.bin", "CIFAR-10's binary version; or its folder with #SPLIT"),
    ("synthetic:SEED:N", "N procedural scenes with natural statistics, classes and captions"),
    ("synthetic:SEED:N:SIDE", "the same with a shorter side of SIDE pixels in place of 288"),
];

/// The lines that have all of some words.
fn with_words(
    mut rows: Vec<(String, String)>,
    words: &[String],
) -> Result<Vec<(String, String)>, Failure> {
    rows.retain(|(name, text)| {
        let line = format!("{name} {text}").to_lowercase();
        words.iter().all(|word| line.contains(&word.to_lowercase()))
    });
    match rows.is_empty() {
        true => Err(Failure::NothingListed { words: words.join(" ") }),
        false => Ok(rows),
    }
}

fn rows(what: &str) -> Vec<(String, String)> {
    match what {
        "tokenizers" => tokenizers(),
        "generators" => listed_generators(),
        "suites" => suites()
            .iter()
            .map(|suite| {
                (format!("{}@{}", suite.id(), suite.version()), suite.summary().to_owned())
            })
            .collect(),
        "metrics" => metrics(),
        "protocols" => Protocol::PRESETS
            .iter()
            .map(|name| {
                let purpose = Protocol::purpose(name);
                // `explain` has the rest.
                let first = purpose.split_once(". ").map_or(purpose, |(first, _)| first);
                ((*name).to_owned(), first.to_owned())
            })
            .collect(),
        _ => DATA.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect(),
    }
}

fn aligned(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let indent = " ".repeat(width + 4);
    rows.iter()
        .map(|(name, text)| {
            format!("  {name:width$}  {}\n", text.replace('\n', &format!("\n{indent}")))
        })
        .collect()
}

/// How a reference gets a name.
const OWN_REFERENCES: &str = "\
A reference with a hash of its means (mu) is recognised whoever packed it, one with a hash of its file as that
very file, whatever it is called; records name it. `references.toml` in the cache folder (`prismbench doctor` says
where) adds your own, and the hash of one that has none here; `stats` and a run with --reference say it:

  [[reference]]
  name = \"our-val-256\"
  mu = \"sha256 of the means of Inception's pooled features\"
  sha256 = \"of the file, beside mu or in its place; bytes = its length\"
  about = \"centre crops of our validation set\"
";

/// Files that samples are compared with: those of this build, and those of a cache folder.
fn references(cache: Option<PathBuf>) -> Result<Vec<(String, String)>, Failure> {
    let known = KnownReferences::load(cache.as_deref())?;
    let line = |known: &KnownReference| {
        let mu = known.mu.as_ref().map(|mu| format!("mu {mu}"));
        let file = known.sha256.as_ref().map(|sha256| format!("file {sha256}"));
        let neither = (mu.is_none() && file.is_none()).then(|| "no hash known".to_owned());
        let size = known.size.map(|size| format!("{size} pixels"));
        let (about, source) = (Some(known.about.clone()), Some(known.source.clone()));
        let parts = [about, size, mu, file, neither, source];
        let parts: Vec<String> =
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        (known.name.clone(), parts.join("; "))
    };
    Ok(known.iter().map(line).collect())
}

/// What `reproduce` takes besides published rows.
fn plans() -> Result<Vec<(String, String)>, Failure> {
    let plans = ReproductionPlan::embedded()?.into_iter().map(|plan| {
        let numbers: usize = plan.parts.iter().map(|part| part.numbers.len()).sum();
        let data = plan.datasets().join(", ");
        (plan.name, format!("{}; {numbers} published numbers on {data}", plan.about))
    });
    Ok(plans.collect())
}

/// A line for each published number that matches some words, then one for each paper.
fn published_rows(words: &[String]) -> Result<String, Failure> {
    let words = words.join(" ");
    let mut rows = published()?;
    rows.retain(|row| row.matches(&words));
    if rows.is_empty() {
        return Err(Failure::NothingPublished { words });
    }
    let joined = |parts: &[&str]| {
        let parts = parts.iter().copied().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    };
    let head =
        ["tokenizer", "variant", "metric", "value", "setting", "data", "paper", "source", ""];
    let mut cells = vec![head.map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        [
            row.tokenizer.clone(),
            row.variant.clone(),
            joined(&[row.metric.id, &row.dialect]),
            joined(&[&row.text(), row.metric.unit.symbol()]),
            row.setting.clone(),
            joined(&[&row.dataset, &row.split, &row.resolution]),
            paper_of(row),
            row.source.clone(),
            if row.contradicted { "contradicted" } else { "" }.to_owned(),
        ]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; 9]| {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    let mut text: String = cells.iter().map(line).collect();
    let contradicted = rows.iter().filter(|row| row.contradicted).count();
    if contradicted > 0 {
        text += &format!(
            "\n  contradicted: another source prints another value ({contradicted} of {})\n",
            rows.len()
        );
    }
    Ok(format!("{text}\n{}", aligned(&sources(&rows))))
}

/// A paper and its version.
fn paper_of(row: &PublishedRow) -> String {
    format!("{} {}", row.paper, row.paper_version).trim_end().to_owned()
}

/// A line for each paper and version: how much it prints, of what.
fn sources(rows: &[PublishedRow]) -> Vec<(String, String)> {
    let mut papers: Vec<(String, Vec<&PublishedRow>)> = Vec::new();
    for row in rows {
        let name = paper_of(row);
        match papers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => papers.push((name, vec![row])),
        }
    }
    let lines = papers.into_iter().map(|(name, rows)| {
        let tokenizers = distinct(&rows, |row| &row.tokenizer);
        let values = if rows.len() == 1 { "1 value" } else { &format!("{} values", rows.len()) };
        let of = match tokenizers.as_slice() {
            few if few.len() <= 3 => few.join(", "),
            many => format!("{} tokenizers", many.len()),
        };
        (name, format!("{values} of {of}: {}", distinct(&rows, |row| &row.suite).join(", ")))
    });
    lines.collect()
}

fn distinct<'r>(
    rows: &[&'r PublishedRow],
    field: impl Fn(&'r PublishedRow) -> &'r String,
) -> Vec<&'r str> {
    let mut seen: Vec<&str> = Vec::new();
    for row in rows {
        if !seen.contains(&field(row).as_str()) {
            seen.push(field(row));
        }
    }
    seen
}

/// Each metric once, whichever suites measure it.
fn metrics() -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for metric in suites().iter().flat_map(|suite| suite.metrics()) {
        let direction = match metric.better {
            prismbench_core::Better::Higher => "higher is better",
            prismbench_core::Better::Lower => "lower is better",
            prismbench_core::Better::Neither => "describes",
        };
        let unit = metric.unit.symbol();
        let unit = if unit.is_empty() { String::new() } else { format!("{unit}; ") };
        let row = (metric.versioned_id(), format!("{}: {unit}{direction}", metric.title));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

fn tokenizers() -> Vec<(String, String)> {
    let hub = Hub::from_environment();
    registry().iter().map(|entry| tokenizer(entry, &hub)).collect()
}

fn listed_generators() -> Vec<(String, String)> {
    let hub = Hub::from_environment();
    let row = |entry: &GeneratorEntry| {
        let mut text = format!("{}; sampled by {}", entry.summary, entry.sampling);
        if let Some(tokenizer) = entry.tokenizer {
            text.push_str(&format!("; latents of {tokenizer}"));
        }
        if let Some(model) = entry.model {
            text.push_str(&format!("\n{}", weights(model, &hub)));
        }
        if let Some(guide) = entry.guide {
            text.push_str(&format!("\npublished with {} by {}", guide.guidance, guide.id));
        }
        (entry.syntax.clone(), text)
    };
    generators().iter().map(row).collect()
}

fn tokenizer(entry: &Entry, hub: &Hub) -> (String, String) {
    if let Some(model) = entry.model {
        return (model.id.to_owned(), format!("{}\n{}", model.summary, weights(model, hub)));
    }
    let needs = match entry.needs {
        Needs::Nothing | Needs::Weights | Needs::Own => "",
        Needs::TrainingPictures => "; fitted on training pictures",
    };
    let options = if entry.options.is_empty() { "" } else { "\n" }.to_owned() + entry.options;
    (entry.syntax.to_string(), format!("{}{needs}{options}", entry.summary))
}

/// Size, licence and source of a model's weights, and whether they are here.
fn weights(model: &Model, hub: &Hub) -> String {
    let size = |bytes: u64| match bytes {
        0..100_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        100_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    };
    let here = |part: &prismbench_baselines::Part| {
        part.files.iter().find_map(|file| hub.find(file, None)?.metadata().ok())
    };
    let found: Option<Vec<_>> = model.parts.iter().map(here).collect();
    let state = match found {
        Some(files) => format!("cached, {}", size(files.iter().map(|file| file.len()).sum())),
        None if !model.is_on_hub() => "no repository is known to have all of it".to_owned(),
        // Nearly all are published in f32.
        None => format!("not here, about {}", size(4 * model.parameters)),
    };
    let mut repositories: Vec<&str> = Vec::new();
    for file in model.parts.iter().filter_map(|part| part.files.first()) {
        if !repositories.contains(&file.repository) {
            repositories.push(file.repository);
        }
    }
    let parameters = model.parameters as f64 / 1e6;
    let mut facts = vec![format!("{parameters:.1} M parameters"), model.licence.to_owned()];
    if !repositories.is_empty() {
        facts.push(repositories.join(" and "));
    }
    facts.push(state);
    facts.join("; ")
}
