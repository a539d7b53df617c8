//! Names and quantities as the API server accepts them, checked before it sees them.

use std::fmt;
use std::str::FromStr;

/// Characters of a DNS label (RFC 1123).
const LABEL: usize = 63;
/// What follows a Job's name in those of its pods' hosts: `-` and an index below 100,000; or `-merge`.
const SUFFIX: usize = 6;

/// A name for the Jobs of a run: a DNS label that leaves room for an index.
pub(super) fn job_name(plan: &str, hash: &str) -> String {
    let room = LABEL - SUFFIX - "prismbench--".len() - hash.len();
    let kept = plan.chars().map(|c| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '-',
    });
    let kept: String = kept.take(room).collect();
    match kept.trim_matches('-') {
        "" => format!("prismbench-{hash}"),
        kept => format!("prismbench-{kept}-{hash}"),
    }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=LABEL).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Labels with dots between them.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A number above 0 with a suffix: `4`, `0.5`, `500m`, `32Gi`, `1e9`.
fn is_quantity(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let exponent = |digits: &str| {
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let known = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let has_digits = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    let above_0 = number.contains(|c: char| matches!(c, '1'..='9'));
    let scaled = known.contains(&suffix) || suffix.strip_prefix(['e', 'E']).is_some_and(exponent);
    has_digits && above_0 && number.matches('.').count() <= 1 && scaled
}

/// A path that is its own shortest form.
fn is_mount(text: &str) -> bool {
    let mut parts = text.split('/');
    let rooted = parts.next() == Some("") && !text.is_empty();
    // A colon would be read as the end of the path by what mounts it.
    let sound = |part: &str| {
        !matches!(part, "" | "." | "..") && !part.contains(|c: char| c.is_control() || c == ':')
    };
    rooted && parts.all(sound) && !text.starts_with("/etc/prismbench")
}

/// A reference as container runtimes take it; the registry has the last word.
fn is_image(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let known = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    first && text.chars().all(known)
}

macro_rules! checked_text {
    ($(#[$doc:meta] $name:ident: $is:ident, $expected:literal;)*) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match $is(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(format!("expected {}", $expected)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

checked_text! {
    /// A namespace.
    Namespace: is_label, "at most 63 lower-case letters, digits and `-` within";
    /// A PersistentVolumeClaim.
    ClaimName: is_subdomain, "lower-case letters, digits, `-` and `.`";
    /// An amount of a resource.
    Quantity: is_quantity, "a quantity above 0, as in `4`, `500m` or `32Gi`";
    /// Where a volume is mounted.
    MountPath: is_mount, "an absolute path without `.`, `..`, `:` or `/` at its end, as in `/data`";
    /// A container image.
    Image: is_image, "an image, as in `registry.example/prismbench:1.0`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_gives_a_label_that_leaves_room_for_an_index() {
        let long = "x".repeat(200);
        for plan in ["default", "My_Plan.v2", "...", "_", "-a-", &long] {
            let name = job_name(plan, "0123abcd");
            assert!(is_label(&name), "{name}");
            assert!(is_label(&format!("{name}-99999")) && is_label(&format!("{name}-merge")));
        }
        assert_eq!(job_name("My_Plan.v2", "0123abcd"), "prismbench-my-plan-v2-0123abcd");
        assert_eq!(job_name("._", "0123abcd"), "prismbench-0123abcd");
        // Trimmed to its place, a name must not end in a dash either.
        let cut = format!("{}-{}", "y".repeat(36), "z".repeat(9));
        assert!(is_label(&job_name(&cut, "0123abcd")));
    }

    #[test]
    fn quantities_are_those_of_the_api_above_0() {
        for good in ["4", "0.5", "500m", "32Gi", "1e9", "1E-3", "2.5G", "8Ti", "100k"] {
            assert!(good.parse::<Quantity>().is_ok(), "{good}");
        }
        for bad in
            ["", "0", "0Gi", "-1", "4 Gi", "4gb", "4GB", "1.", ".5", "1.2.3", "1e", "Gi", "4K"]
        {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_paths_that_the_server_would_refuse_are_refused() {
        assert!("team-a".parse::<Namespace>().is_ok() && "d.x-1".parse::<ClaimName>().is_ok());
        for bad in ["", "A", "-a", "a-", "a_b", "a b", "a\n", &"x".repeat(64)] {
            assert!(bad.parse::<Namespace>().is_err() && bad.parse::<ClaimName>().is_err());
        }
        assert!("a.b".parse::<Namespace>().is_err() && "a..b".parse::<ClaimName>().is_err());
        assert!("/mnt/a b".parse::<MountPath>().is_ok());
        for bad in ["", "/", "data", "/data/", "/a/../b", "/a:b", "/etc/prismbench/x", "/a\nb"] {
            assert!(bad.parse::<MountPath>().is_err(), "{bad}");
        }
        assert!("ghcr.io/lab/p:1@sha256:00ff".parse::<Image>().is_ok());
        for bad in ["", "a b", "$(X)", "-x", "a\n"] {
            assert!(bad.parse::<Image>().is_err(), "{bad}");
        }
    }
}
