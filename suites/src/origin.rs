use std::collections::BTreeMap;

use prismbench_data::FileState;

/// What something was made of, by name: of equal origins two things are the same.
pub type Origin = BTreeMap<String, String>;

/// Ends the names of fields that cannot tell alone whether something has changed.
const TOUCHED: &str = ", touched";

/// In what two origins differ.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference<'a> {
    /// In nothing.
    None,
    /// The files of these names were touched; what is in them tells whether they have changed.
    Doubt(Vec<&'a str>),
    /// In the field of this name.
    Field(&'a str),
}

impl<'a> Difference<'a> {
    /// Between what there was and what there is now.
    #[must_use]
    pub fn between(then: &'a Origin, now: &'a Origin) -> Self {
        let differs = |field: &&String| then.get(*field) != now.get(*field);
        let mut touched = Vec::new();
        for field in then.keys().chain(now.keys()).filter(differs) {
            match field.strip_suffix(TOUCHED) {
                Some(name) if !touched.contains(&name) => touched.push(name),
                Some(_) => {}
                None => return Self::Field(field),
            }
        }
        if touched.is_empty() { Self::None } else { Self::Doubt(touched) }
    }

    /// The first field in which they differ.
    #[must_use]
    pub fn first(&self) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Doubt(names) => names.first().copied(),
            Self::Field(name) => Some(name),
        }
    }
}

/// Enters the state of files under a name.
pub fn enter_files(origin: &mut Origin, name: &str, state: FileState) {
    origin.insert(name.to_owned(), state.written);
    origin.insert(format!("{name}{TOUCHED}"), state.touched);
}

/// Whether a field is of files of this name.
pub(crate) fn is_of_files(field: &str, name: &str) -> bool {
    field.strip_suffix(TOUCHED).unwrap_or(field) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(written: &str, touched: &str) -> Origin {
        let mut origin = Origin::from([("weights".to_owned(), "w".to_owned())]);
        let state = FileState { written: written.to_owned(), touched: touched.to_owned() };
        enter_files(&mut origin, "pictures' files", state);
        origin
    }

    #[test]
    fn files_that_were_only_touched_leave_in_doubt() {
        let then = origin("a", "b");
        assert_eq!(Difference::between(&then, &origin("a", "b")), Difference::None);
        let now = origin("a", "c");
        assert_eq!(Difference::between(&then, &now), Difference::Doubt(vec!["pictures' files"]));
        let now = origin("b", "c");
        assert_eq!(Difference::between(&then, &now), Difference::Field("pictures' files"));
        let mut now = origin("a", "c");
        now.insert("weights".to_owned(), "v".to_owned());
        assert_eq!(Difference::between(&then, &now), Difference::Field("weights"));
        now.remove("weights");
        assert_eq!(Difference::between(&then, &now).first(), Some("weights"));
        assert_eq!(Difference::between(&now, &then).first(), Some("weights"));
    }
}
