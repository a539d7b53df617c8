use std::fmt;

/// Sizes of a network, and which of the reference's options it is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// Channels of a latent, and positions along its side.
    pub(super) channels: usize,
    pub(super) side: usize,
    pub(super) classes: usize,
    /// Random frequencies that the time is seen through.
    pub(super) frequencies: usize,
    /// The part that sees the class: of a LightningDiT, all of it.
    pub(super) encoder: StackConfig,
    /// The wide part of a DiT^DH.
    pub(super) head: Option<StackConfig>,
    pub(super) options: Options,
}

/// A stack of equal blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StackConfig {
    pub(super) width: usize,
    pub(super) depth: usize,
    pub(super) heads: usize,
    /// Channels within the MLP.
    pub(super) hidden: usize,
}

/// What the reference's flags change; [`Options::PUBLISHED`] is what its configurations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) norm: NormKind,
    pub(super) mlp: MlpKind,
    pub(super) head_norms: HeadNorms,
    pub(super) positions: PositionTable,
    pub(super) outputs: Outputs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormKind {
    /// By the root mean square, with weights.
    Rms,
    /// By mean and deviation, without.
    Layer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MlpKind {
    SwiGlu,
    /// GELU by tanh.
    Gelu,
}

/// Norms of queries and keys, head by head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadNorms {
    None,
    Rms,
}

/// Whether fixed embeddings of positions are added to the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PositionTable {
    Added,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outputs {
    Velocity,
    /// As many channels again behind it, which sampling drops.
    VelocityAndSigma,
}

impl Options {
    pub(super) const PUBLISHED: Self = Self {
        norm: NormKind::Rms,
        mlp: MlpKind::SwiGlu,
        head_norms: HeadNorms::None,
        positions: PositionTable::Added,
        outputs: Outputs::Velocity,
    };
}

impl StackConfig {
    /// With the hidden channels that SwiGLU has for an MLP four times as wide: `int(2/3 int(4 D))`.
    pub(super) const fn new(width: usize, depth: usize, heads: usize) -> Self {
        Self { width, depth, heads, hidden: 8 * width / 3 }
    }

    /// Channels of a head.
    pub(super) const fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

impl Config {
    /// What all published networks share: 768 channels, 1000 classes, 256 frequencies.
    const fn published(side: usize, encoder: StackConfig, head: Option<StackConfig>) -> Self {
        let options = Options::PUBLISHED;
        Self { channels: 768, side, classes: 1000, frequencies: 256, encoder, head, options }
    }

    /// DiT^DH with the head of the paper: two blocks of 2048.
    pub(super) const fn ditdh(side: usize, encoder: StackConfig) -> Self {
        Self::published(side, encoder, Some(StackConfig::new(2048, 2, 16)))
    }

    pub(super) const fn lightningdit(encoder: StackConfig) -> Self {
        Self::published(16, encoder, None)
    }

    /// Tokens of a latent.
    pub(super) const fn tokens(&self) -> usize {
        self.side * self.side
    }

    /// Channels of the last layer.
    pub(super) const fn outputs(&self) -> usize {
        match self.options.outputs {
            Outputs::Velocity => self.channels,
            Outputs::VelocityAndSigma => 2 * self.channels,
        }
    }

    /// `[C, h, w]` of a latent.
    pub(super) const fn latent(&self) -> [usize; 3] {
        [self.channels, self.side, self.side]
    }

    /// The stack whose tokens become the output.
    pub(super) fn last(&self) -> &StackConfig {
        self.head.as_ref().unwrap_or(&self.encoder)
    }
}

impl fmt::Display for Config {
    /// `DiT^DH for 1000 classes of 768x16x16 (28 blocks of 1152 with 16 heads, 2 of 2048 with 16)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.head.is_some() { "DiT^DH" } else { "LightningDiT" };
        let Self { classes, channels, side, encoder, .. } = self;
        write!(f, "{name} for {classes} classes of {channels}x{side}x{side} (")?;
        let StackConfig { width, depth, heads, .. } = encoder;
        write!(f, "{depth} blocks of {width} with {heads} heads")?;
        if let Some(StackConfig { width, depth, heads, .. }) = self.head {
            write!(f, ", {depth} of {width} with {heads}")?;
        }
        let Options { norm, mlp, head_norms, positions, outputs } = self.options;
        let differences = [
            (norm == NormKind::Layer, "layer norms"),
            (mlp == MlpKind::Gelu, "GELU"),
            (head_norms == HeadNorms::Rms, "norms of queries and keys"),
            (positions == PositionTable::None, "no table of positions"),
            (outputs == Outputs::VelocityAndSigma, "a sigma"),
        ];
        for (_, difference) in differences.into_iter().filter(|(differs, _)| *differs) {
            write!(f, ", {difference}")?;
        }
        f.write_str(")")
    }
}
