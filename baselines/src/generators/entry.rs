use std::sync::LazyLock;

use prismbench_core::Sampling;

use super::models::ROWS;
use crate::Model;

/// One family of generators, as a list shows it.
#[derive(Clone, Debug)]
pub struct GeneratorEntry {
    /// The first word of a reference: `ditdh-xl`.
    pub family: &'static str,
    /// How a reference is written; brackets mark what may be left out.
    pub syntax: String,
    /// What the words of the syntax stand for.
    pub options: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Its size and where its weights are; `None` for one whose size its file says.
    pub model: Option<&'static Model>,
    /// How it is sampled unless told: as its published configuration has it, without guidance.
    pub sampling: Sampling,
    /// The tokenizer whose latents it makes, where that is published.
    pub tokenizer: Option<&'static str>,
    /// What it is guided by where that is published.
    pub guide: Option<PublishedGuide>,
}

/// A weaker network that a published configuration guides with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedGuide {
    /// A generator.
    pub id: &'static str,
    /// The guidance: `autoguidance:1.42`.
    pub guidance: &'static str,
}

/// Every family, in the order of a list.
#[must_use]
pub fn generators() -> &'static [GeneratorEntry] {
    static ENTRIES: LazyLock<Vec<GeneratorEntry>> = LazyLock::new(|| {
        let entry = |row: &'static super::models::Row| {
            let id = row.model.id;
            let on_hub = row.model.is_on_hub();
            GeneratorEntry {
                family: id,
                syntax: match on_hub {
                    true => format!("{id}[@REVISION] or {id}=PATH"),
                    false => format!("{id}=PATH"),
                },
                options: match on_hub {
                    true => "REVISION of the hub, PATH a folder or file instead",
                    false => "PATH a folder or file",
                },
                summary: row.model.summary,
                model: row.config.is_some().then_some(&row.model),
                sampling: Sampling::published(row.integrator),
                tokenizer: row.tokenizer,
                guide: row.guide,
            }
        };
        ROWS.iter().map(entry).collect()
    });
    &ENTRIES
}
