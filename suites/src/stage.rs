use tracing::span::EnteredSpan;

/// A part of the way of the data, as a trace shows it.
///
/// Without a subscriber a span is one relaxed load of a number, next to stages of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From a file's bytes to pixels.
    Read,
    /// From pixels to the square that is measured.
    Crop,
    /// From noise to latents, by a generator.
    Draw,
    /// From pictures to latents.
    Encode,
    /// From latents to pictures.
    Decode,
    /// From pictures to numbers.
    Metric,
    /// From numbers to files.
    Write,
}

impl Stage {
    /// Every stage, in the order of the data.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Crop, Self::Draw, Self::Encode, Self::Decode, Self::Metric, Self::Write];

    /// What spans of stages are told from others by.
    pub const TARGET: &'static str = "prismbench::stage";

    /// The name of its spans.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "decode picture",
            Self::Crop => "crop",
            Self::Draw => "draw",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Metric => "metric",
            Self::Write => "write",
        }
    }

    /// Begins it on this thread; it ends when what is given is dropped.
    pub fn enter(self) -> EnteredSpan {
        let span = match self {
            Self::Read => tracing::info_span!(target: Stage::TARGET, "decode picture"),
            Self::Crop => tracing::info_span!(target: Stage::TARGET, "crop"),
            Self::Draw => tracing::info_span!(target: Stage::TARGET, "draw"),
            Self::Encode => tracing::info_span!(target: Stage::TARGET, "encode"),
            Self::Decode => tracing::info_span!(target: Stage::TARGET, "decode"),
            Self::Metric => tracing::info_span!(target: Stage::TARGET, "metric"),
            Self::Write => tracing::info_span!(target: Stage::TARGET, "write"),
        };
        span.entered()
    }
}
