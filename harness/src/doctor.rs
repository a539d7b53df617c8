//! What this machine has, what is amiss, and what to do about it.

mod benchmark;
mod checks;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

pub(crate) use benchmark::Benchmark;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    pub(crate) tool_version: &'static str,
    pub(crate) checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) benchmark: Option<Benchmark>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) state: State,
    pub(crate) found: String,
    /// What to do; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Good,
    /// Things work, slower or with less than there could be.
    Note,
    /// Something will fail.
    Bad,
}

impl Check {
    fn good(name: &'static str, found: String) -> Self {
        Self { name, state: State::Good, found, remedy: String::new() }
    }

    fn note(name: &'static str, found: String, remedy: &str) -> Self {
        Self { name, state: State::Note, found, remedy: remedy.to_owned() }
    }

    fn bad(name: &'static str, found: String, remedy: &str) -> Self {
        Self { name, state: State::Bad, found, remedy: remedy.to_owned() }
    }
}

impl Findings {
    /// Looks at everything that takes no time; `threads` are those of the pool.
    pub(crate) fn look(threads: usize, cache: Option<&Path>) -> Self {
        let checks = checks::all(threads, cache);
        Self { tool_version: env!("CARGO_PKG_VERSION"), checks, benchmark: None }
    }

    /// Measures, for ten seconds, and adds what that says.
    pub(crate) fn measure(&mut self) {
        let benchmark = Benchmark::run();
        self.checks.push(benchmark.check());
        self.benchmark = Some(benchmark);
    }

    pub(crate) fn worst(&self) -> State {
        self.checks.iter().map(|check| check.state).max().unwrap_or(State::Good)
    }

    pub(crate) fn text(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        let mut text = format!("prismbench {}\n", self.tool_version);
        for Check { name, state, found, remedy } in &self.checks {
            let mark = match state {
                State::Good => "  ",
                State::Note => "· ",
                State::Bad => "! ",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{mark}{name:width$}  {found}");
            if !remedy.is_empty() {
                let _ = writeln!(text, "  {:width$}  -> {remedy}", "");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_and_every_remedy_is_shown() {
        let checks = vec![
            Check::good("threads", "4".to_owned()),
            Check::note("gpu", "none".to_owned(), "buy one"),
        ];
        let mut findings = Findings { tool_version: "1", checks, benchmark: None };
        assert_eq!(findings.worst(), State::Note);
        let text = findings.text();
        assert_eq!(text, "prismbench 1\n  threads  4\n· gpu      none\n           -> buy one\n");
        findings.checks.push(Check::bad("cache", "full".to_owned(), "clear it"));
        assert_eq!(findings.worst(), State::Bad);
        let json = serde_json::to_value(&findings).unwrap();
        assert_eq!(json["checks"][2]["state"], "bad");
        assert!(json["checks"][0].get("remedy").is_none());
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let cache = tempfile::tempdir().unwrap();
        std::fs::write(cache.path().join("a"), [0; 1000]).unwrap();
        let findings = Findings::look(3, Some(cache.path()));
        let find = |name: &str| findings.checks.iter().find(|check| check.name == name).unwrap();
        assert!(find("threads").found.starts_with('3'), "{:?}", find("threads"));
        assert!(find("cache").found.ends_with("1 file, 0.0 MB"), "{:?}", find("cache"));
        assert_eq!(find("cache").state, State::Good);
        assert!(!find("instructions").found.is_empty() && !find("eigenvalues").found.is_empty());
        let gone = Findings::look(1, Some(Path::new("/proc/no such place/cache")));
        assert_eq!(gone.worst(), State::Bad, "nothing can be written there");
    }
}
