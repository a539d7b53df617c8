//! What the generation suite judges: finished samples, latents, generators.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use prismbench_baselines::GeneratorRef;
use prismbench_data::DataSpec;
use prismbench_suites::LatentScale;

/// One of the things that a plan lets be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Pictures that somebody made.
    Samples(DataSpec),
    /// Latents that somebody's generator wrote.
    Latents(LatentsChoice),
    /// A generator that is run here.
    Generator(GeneratorRef),
}

/// `normalised:FILE` or `raw:FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatentsChoice {
    pub(crate) scale: LatentScale,
    pub(crate) path: PathBuf,
}

/// Latents without a word on their scale, which decides every pixel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` does not say how the latents are scaled; write normalised:FILE for latents as a \
     generator is trained on them, raw:FILE for latents as the encoder gives them"
)]
pub(crate) struct NoScale {
    found: String,
}

impl LatentsChoice {
    /// The same, with a relative path beginning at a folder.
    pub(crate) fn beside(self, folder: &Path) -> Self {
        Self { path: folder.join(self.path), ..self }
    }
}

impl FromStr for LatentsChoice {
    type Err = NoScale;

    fn from_str(text: &str) -> Result<Self, NoScale> {
        let (scale, path) = match text.split_once(':') {
            Some(("normalised" | "normalized", path)) => (LatentScale::Normalised, path),
            Some(("raw", path)) => (LatentScale::Raw, path),
            _ => return Err(NoScale { found: text.to_owned() }),
        };
        Ok(Self { scale, path: path.into() })
    }
}

impl fmt::Display for LatentsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = match self.scale {
            LatentScale::Normalised => "normalised",
            LatentScale::Raw => "raw",
        };
        write!(f, "{scale}:{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_latents_must_be_said() {
        let choice: LatentsChoice = "raw:a/b:c.npz".parse().unwrap();
        assert_eq!(choice.to_string(), "raw:a/b:c.npz");
        let moved = "normalized:z.npz".parse::<LatentsChoice>().unwrap().beside(Path::new("plans"));
        assert_eq!(moved.to_string(), "normalised:plans/z.npz");
        let error = "z.npz".parse::<LatentsChoice>().unwrap_err().to_string();
        assert!(error.contains("normalised:FILE"), "{error}");
    }
}
