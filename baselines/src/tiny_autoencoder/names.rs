//! What files call the tensors of a half.

use prismbench_weights::WeightsFile;

use super::layout::Half;

/// How a file names the tensors of a half, which the architecture calls `POSITION.NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// madebyollin's own files: the sequence's positions.
    Original,
    /// diffusers' `AutoencoderTiny`: both halves in one file; the decoder's clamp is no layer, so
    /// that its positions are one less.
    Diffusers(Half),
}

impl Names {
    /// As the file has them.
    pub(super) fn of(file: &WeightsFile, half: Half) -> Self {
        let first = Self::Diffusers(half).of_file(&format!("{}.weight", half.first()));
        if file.shape(&first).is_some() { Self::Diffusers(half) } else { Self::Original }
    }

    /// The file's name for a tensor.
    pub(super) fn of_file(self, name: &str) -> String {
        let (position, rest) = name.split_once('.').unwrap_or((name, ""));
        let position: usize = position.parse().unwrap_or_default();
        match self {
            Self::Original => name.to_owned(),
            Self::Diffusers(Half::Encoder) => format!("encoder.layers.{position}.{rest}"),
            Self::Diffusers(Half::Decoder) => {
                format!("decoder.layers.{}.{rest}", position.saturating_sub(1))
            }
        }
    }

    /// How the names of the other half in the same file begin.
    pub(super) fn other_half(self) -> &'static [&'static str] {
        match self {
            Self::Original => &[],
            Self::Diffusers(Half::Encoder) => &["decoder."],
            Self::Diffusers(Half::Decoder) => &["encoder."],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoder_of_diffusers_has_no_layer_for_the_clamp() {
        let name = "19.conv.2.bias";
        assert_eq!(Names::Original.of_file(name), name);
        assert_eq!(Names::Diffusers(Half::Encoder).of_file(name), "encoder.layers.19.conv.2.bias");
        assert_eq!(Names::Diffusers(Half::Decoder).of_file(name), "decoder.layers.18.conv.2.bias");
    }
}
