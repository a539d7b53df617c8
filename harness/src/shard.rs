//! Which part of a run a process does: one of N ranges of the pictures, said by `--shard I/N` or by the
//! launcher that started the process.

mod environment;
mod found;

use std::fmt;
use std::str::FromStr;

use crate::cli::RunArgs;
use crate::error::Failure;
pub(crate) use environment::{KUBERNETES_COUNT, ShardError};
pub(crate) use found::{ShardsError, complete, shards};

/// More shards than this are a slip of the hand: a run has fewer blocks.
pub(crate) const MAX_SHARDS: u32 = 100_000;

/// The `index`-th of `count` parts, written `I/N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u32,
    count: u32,
}

/// Why something is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BadShard {
    #[error("expected I/N, as in `3/8`, or `none`")]
    Form,
    #[error("shards are counted from 1: the first of {count} is `1/{count}`")]
    Zero { count: u32 },
    #[error("there is no shard {index} of {count}")]
    Beyond { index: u64, count: u32 },
    #[error("expected from 1 to {MAX_SHARDS} shards, found {count}")]
    Count { count: u64 },
}

impl Shard {
    /// # Errors
    /// [`BadShard`] unless `1 <= index <= count <= MAX_SHARDS`.
    pub(crate) fn new(index: u64, count: u64) -> Result<Self, BadShard> {
        let count = match u32::try_from(count) {
            Ok(count @ 1..=MAX_SHARDS) => count,
            _ => return Err(BadShard::Count { count }),
        };
        match u32::try_from(index) {
            Ok(0) => Err(BadShard::Zero { count }),
            Ok(index) if index <= count => Ok(Self { index, count }),
            _ => Err(BadShard::Beyond { index, count }),
        }
    }

    /// From 1 to [`count`](Self::count).
    pub(crate) fn index(self) -> u32 {
        self.index
    }

    /// At least 1, at most [`MAX_SHARDS`].
    pub(crate) fn count(self) -> u32 {
        self.count
    }
}

impl FromStr for Shard {
    type Err = BadShard;

    fn from_str(text: &str) -> Result<Self, BadShard> {
        let (index, count) = text.split_once('/').ok_or(BadShard::Form)?;
        let (index, count) = whole_number(index).zip(whole_number(count)).ok_or(BadShard::Form)?;
        Self::new(index, count)
    }
}

/// `3/8`, as the flag takes it.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Digits alone; a number beyond 64 bits is as good as the largest one, since every bound is far below.
fn whole_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// What `--shard` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardChoice {
    Part(Shard),
    /// `none`: the whole run, whatever the environment says.
    Whole,
}

impl FromStr for ShardChoice {
    type Err = BadShard;

    fn from_str(text: &str) -> Result<Self, BadShard> {
        match text {
            "none" => Ok(Self::Whole),
            text => text.parse().map(Self::Part),
        }
    }
}

/// A shard and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedShard {
    pub(crate) shard: Shard,
    /// `--shard`, or the variables that agree: `SLURM_PROCID, RANK`.
    pub(crate) said_by: String,
}

/// The first line of a run that does a part: `shard 3 of 8 (SLURM_ARRAY_TASK_ID)`.
impl fmt::Display for ResolvedShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {} ({})", self.shard.index, self.shard.count, self.said_by)
    }
}

/// The part that this process is to do; none for the whole run. The flag goes before the environment, which
/// is then not looked at.
///
/// # Errors
/// [`Failure::Shard`] where the environment is ambiguous or broken.
pub(crate) fn resolve(
    args: &RunArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ResolvedShard>, Failure> {
    match args.shard {
        Some(ShardChoice::Whole) => Ok(None),
        Some(ShardChoice::Part(shard)) => {
            Ok(Some(ResolvedShard { shard, said_by: "--shard".to_owned() }))
        }
        None => Ok(environment::read(environment)?),
    }
}

/// A variable of this process, for [`resolve`]. What is no text becomes a text that is no number.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "3/8", "8/8", "100000/100000"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        assert_eq!("03/08".parse::<Shard>(), Shard::new(3, 8));
    }

    #[test]
    fn what_is_no_shard_is_refused_with_what_was_expected() {
        let message = |text: &str| text.parse::<Shard>().unwrap_err().to_string();
        for text in ["", "3", "/", "3/", "/8", "3/8/9", "+3/8", "3/-8", "a/b", "3 / 8", "1.0/2"] {
            assert_eq!(message(text), "expected I/N, as in `3/8`, or `none`", "{text}");
        }
        assert_eq!(message("0/8"), "shards are counted from 1: the first of 8 is `1/8`");
        assert_eq!(message("9/8"), "there is no shard 9 of 8");
        assert_eq!(message("99999999999999999999/8").split(' ').next_back(), Some("8"));
        assert_eq!(message("1/0"), "expected from 1 to 100000 shards, found 0");
        assert_eq!(message("1/100001"), "expected from 1 to 100000 shards, found 100001");
    }

    #[test]
    fn the_flag_goes_before_an_environment_that_says_otherwise_or_is_broken() {
        let environment = |name: &str| (name == "RANK").then(|| "nonsense".to_owned());
        let of = |text: &str| {
            let args = RunArgs { shard: Some(text.parse().unwrap()), ..RunArgs::default() };
            resolve(&args, &environment).unwrap()
        };
        assert_eq!(of("none"), None);
        assert_eq!(of("2/3").unwrap().to_string(), "shard 2 of 3 (--shard)");
        assert!(resolve(&RunArgs::default(), &environment).is_err());
        assert_eq!(resolve(&RunArgs::default(), &|_| None).unwrap(), None);
    }
}
