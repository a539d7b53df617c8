//! The tensors of the architecture, by the names that diffusers gives them.

/// Groups of channels of every norm.
pub(super) const GROUPS: usize = 32;

/// Of every norm. PyTorch's default, 1e-5, is not it.
pub(super) const EPSILON: f64 = 1e-6;

/// What distinguishes one `AutoencoderKL` from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Architecture {
    /// Channels of each level, from the picture's resolution down.
    pub(super) widths: [usize; LEVELS],
    /// Residual blocks of a level of the encoder; the decoder has one more.
    pub(super) blocks: usize,
    /// Channels of a latent.
    pub(super) channels: usize,
    pub(super) quantiser: Quantiser,
}

/// Every level but the last halves the side.
pub(super) const LEVELS: usize = 4;

/// 1x1 convolutions on both sides of the latent: a remnant of the VQ-GAN that the code was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantiser {
    Convolutions,
    None,
}

/// Name and shape of a tensor.
pub(super) type Named = (String, Vec<usize>);

impl Architecture {
    /// Stable Diffusion's, versions 1 to XL.
    pub(super) const FOUR_CHANNELS: Self = Self {
        widths: [128, 256, 512, 512],
        blocks: 2,
        channels: 4,
        quantiser: Quantiser::Convolutions,
    };

    /// That of Stable Diffusion 3 and FLUX.1.
    pub(super) const SIXTEEN_CHANNELS: Self =
        Self { channels: 16, quantiser: Quantiser::None, ..Self::FOUR_CHANNELS };

    /// Channels before and after level `i` of the encoder.
    pub(super) fn down(&self, i: usize) -> (usize, usize) {
        (self.widths[i.saturating_sub(1)], self.widths[i])
    }

    /// Channels before and after level `i` of the decoder, from the latent's resolution up.
    pub(super) fn up(&self, i: usize) -> (usize, usize) {
        let width = |i: usize| self.widths[LEVELS - 1 - i];
        (width(i.saturating_sub(1)), width(i))
    }

    /// Every tensor.
    pub(super) fn tensors(&self) -> Vec<Named> {
        let mut list = List(Vec::new());
        self.encoder(&mut list);
        self.decoder(&mut list);
        list.0
    }

    /// Learned numbers of the encoder, and of the decoder.
    pub(super) fn parameters(&self) -> [u64; 2] {
        let count = |half: fn(&Self, &mut List)| {
            let mut list = List(Vec::new());
            half(self, &mut list);
            list.0.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum()
        };
        [count(Self::encoder), count(Self::decoder)]
    }

    fn encoder(&self, list: &mut List) {
        let widest = self.widths[LEVELS - 1];
        list.conv("encoder.conv_in", 3, self.widths[0], 3);
        for level in 0..LEVELS {
            let (from, to) = self.down(level);
            let name = format!("encoder.down_blocks.{level}");
            list.level(&name, self.blocks, from, to);
            if level + 1 < LEVELS {
                list.conv(&format!("{name}.downsamplers.0.conv"), to, to, 3);
            }
        }
        list.middle("encoder", widest);
        list.pair("encoder.conv_norm_out", &[widest]);
        list.conv("encoder.conv_out", widest, 2 * self.channels, 3);
        if self.quantiser == Quantiser::Convolutions {
            list.conv("quant_conv", 2 * self.channels, 2 * self.channels, 1);
        }
    }

    fn decoder(&self, list: &mut List) {
        let (widest, narrowest) = (self.widths[LEVELS - 1], self.widths[0]);
        if self.quantiser == Quantiser::Convolutions {
            list.conv("post_quant_conv", self.channels, self.channels, 1);
        }
        list.conv("decoder.conv_in", self.channels, widest, 3);
        list.middle("decoder", widest);
        for level in 0..LEVELS {
            let (from, to) = self.up(level);
            let name = format!("decoder.up_blocks.{level}");
            list.level(&name, self.blocks + 1, from, to);
            if level + 1 < LEVELS {
                list.conv(&format!("{name}.upsamplers.0.conv"), to, to, 3);
            }
        }
        list.pair("decoder.conv_norm_out", &[narrowest]);
        list.conv("decoder.conv_out", narrowest, 3, 3);
    }
}

struct List(Vec<Named>);

impl List {
    /// A weight, and a bias for its outputs.
    fn pair(&mut self, name: &str, weight: &[usize]) {
        self.0.push((format!("{name}.weight"), weight.to_vec()));
        self.0.push((format!("{name}.bias"), vec![weight[0]]));
    }

    fn conv(&mut self, name: &str, inputs: usize, outputs: usize, side: usize) {
        self.pair(name, &[outputs, inputs, side, side]);
    }

    fn resnet(&mut self, name: &str, from: usize, to: usize) {
        self.pair(&format!("{name}.norm1"), &[from]);
        self.conv(&format!("{name}.conv1"), from, to, 3);
        self.pair(&format!("{name}.norm2"), &[to]);
        self.conv(&format!("{name}.conv2"), to, to, 3);
        if from != to {
            self.conv(&format!("{name}.conv_shortcut"), from, to, 1);
        }
    }

    fn level(&mut self, name: &str, blocks: usize, from: usize, to: usize) {
        for block in 0..blocks {
            let from = if block == 0 { from } else { to };
            self.resnet(&format!("{name}.resnets.{block}"), from, to);
        }
    }

    fn middle(&mut self, half: &str, width: usize) {
        let name = format!("{half}.mid_block");
        self.resnet(&format!("{name}.resnets.0"), width, width);
        self.pair(&format!("{name}.attentions.0.group_norm"), &[width]);
        for part in ["to_q", "to_k", "to_v", "to_out.0"] {
            self.pair(&format!("{name}.attentions.0.{part}"), &[width, width]);
        }
        self.resnet(&format!("{name}.resnets.1"), width, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architectures_have_the_published_numbers_of_tensors_and_parameters() {
        let count = |architecture: Architecture| {
            let tensors = architecture.tensors();
            let parameters: usize =
                tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
            (tensors.len(), parameters)
        };
        assert_eq!(count(Architecture::FOUR_CHANNELS), (248, 83_653_863));
        assert_eq!(count(Architecture::SIXTEEN_CHANNELS), (244, 83_819_683));
        // The published halves, and the convolutions on both sides of the latent.
        let halves = [34_163_592 + 72, 49_490_179 + 20];
        assert_eq!(Architecture::FOUR_CHANNELS.parameters(), halves);
        assert_eq!(Architecture::SIXTEEN_CHANNELS.parameters(), [34_274_208, 49_545_475]);
    }

    #[test]
    fn shortcuts_are_where_the_width_changes() {
        let tensors = Architecture::FOUR_CHANNELS.tensors();
        let shortcuts: Vec<&str> = tensors
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(".conv_shortcut.weight"))
            .collect();
        let expected = [
            "encoder.down_blocks.1.resnets.0",
            "encoder.down_blocks.2.resnets.0",
            "decoder.up_blocks.2.resnets.0",
            "decoder.up_blocks.3.resnets.0",
        ];
        assert_eq!(shortcuts, expected);
    }
}
