use prismbench_baselines::{Needs, registry};
use prismbench_core::{Protocol, nearest};
use prismbench_suites::suites;

use crate::cli::ListArgs;
use crate::error::Failure;
use crate::{Exit, Streams};

const WHAT: [&str; 5] = ["tokenizers", "suites", "metrics", "protocols", "data"];

/// Prints what this build knows.
pub(crate) fn run(args: &ListArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let text = match args.what.as_deref() {
        None => WHAT.map(|what| format!("{what}\n{}", section(what))).join("\n"),
        Some(what) if WHAT.contains(&what) => section(what),
        Some(what) => {
            let nearest = nearest(what, WHAT).map(str::to_owned);
            return Err(Failure::Unknown { what: "list", found: what.to_owned(), nearest });
        }
    };
    write!(streams.out, "{text}").map_err(Failure::Output)?;
    Ok(Exit::Done)
}

fn section(what: &str) -> String {
    let rows: Vec<(String, String)> = match what {
        "tokenizers" => registry()
            .iter()
            .map(|entry| {
                let needs = match entry.needs {
                    Needs::Nothing | Needs::Own => "",
                    Needs::TrainingPictures => "; fitted on training pictures",
                    Needs::Weights => "; needs weights",
                };
                let options =
                    if entry.options.is_empty() { "" } else { "\n" }.to_owned() + entry.options;
                (entry.syntax.to_string(), format!("{}{needs}{options}", entry.summary))
            })
            .collect(),
        "suites" => suites()
            .iter()
            .map(|suite| {
                (format!("{}@{}", suite.id(), suite.version()), suite.summary().to_owned())
            })
            .collect(),
        "metrics" => suites()
            .iter()
            .flat_map(|suite| suite.metrics())
            .map(|metric| {
                let direction = match metric.better {
                    prismbench_core::Better::Higher => "higher is better",
                    prismbench_core::Better::Lower => "lower is better",
                };
                let unit = metric.unit.symbol();
                let unit = if unit.is_empty() { String::new() } else { format!("{unit}; ") };
                (metric.versioned_id(), format!("{}: {unit}{direction}", metric.title))
            })
            .collect(),
        "protocols" => Protocol::PRESETS
            .iter()
            .map(|name| {
                let purpose = Protocol::purpose(name);
                // `explain` has the rest.
                let first = purpose.split_once(". ").map_or(purpose, |(first, _)| first);
                ((*name).to_owned(), first.to_owned())
            })
            .collect(),
        _ => [
            ("FOLDER", "pictures under a folder, class = first folder below it"),
            ("FILE.npz", "`arr_0`, u8 [N, H, W, 3]; `arr_1` labels and `ids` where they are there"),
            ("PICTURE", "one picture: JPEG, PNG, WebP, BMP, GIF or TIFF"),
            (
                "synthetic:SEED:N",
                "N procedural scenes with natural statistics, classes and captions",
            ),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .to_vec(),
    };
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let indent = " ".repeat(width + 4);
    rows.iter()
        .map(|(name, text)| {
            format!("  {name:width$}  {}\n", text.replace('\n', &format!("\n{indent}")))
        })
        .collect()
}
