//! Which pictures a plan's data sets are.

use std::collections::BTreeMap;

use super::{Part, ReproductionError, ReproductionPlan};

/// Pictures from the command line, by the id of the data set.
pub(crate) struct Given(BTreeMap<String, String>);

impl Given {
    /// Reads `NAME=DATA`, NAME a data set of the plan; without a name where the plan has one only.
    ///
    /// # Errors
    /// [`ReproductionError::WhichData`] where it could be of several.
    pub(crate) fn read(
        given: &[String],
        plan: &ReproductionPlan,
    ) -> Result<Self, ReproductionError> {
        let names = plan.datasets();
        // Those that the plan brings along need no others.
        let mut needed: Vec<&String> = Vec::new();
        for part in plan.parts.iter().filter(|part| part.data.is_none()) {
            if !needed.contains(&&part.dataset) {
                needed.push(&part.dataset);
            }
        }
        let mut pictures = BTreeMap::new();
        for text in given {
            let named = names.iter().find_map(|name| {
                Some((
                    name.clone(),
                    text.strip_prefix(name.as_str())?.strip_prefix('=')?.to_owned(),
                ))
            });
            let (name, data) = match (named, needed.as_slice(), names.as_slice()) {
                (Some(named), ..) => named,
                (None, [only], _) => ((*only).clone(), text.clone()),
                (None, [], [only]) => (only.clone(), text.clone()),
                (None, ..) => {
                    return Err(ReproductionError::WhichData { found: text.clone(), names });
                }
            };
            pictures.insert(name, data);
        }
        Ok(Self(pictures))
    }

    /// The pictures of a part, or what to do about having none.
    pub(crate) fn of(&self, part: &Part) -> Result<String, String> {
        let data = self.0.get(&part.dataset).or(part.data.as_ref());
        data.cloned().ok_or_else(|| {
            let name = &part.dataset;
            format!("no pictures of {name}: name them with --data {name}=DATA")
        })
    }
}
