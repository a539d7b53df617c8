use std::ops::Add;

use crate::choice::choice;

/// What a tokenizer costs for one image, found out from the shapes that run, without running it.
///
/// Encoder and decoder are those of `encode` (the mode of the posterior, neither noise nor mask) and
/// `decode`, with the resizes in them and without what turns pictures into tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// From pictures to latents.
    pub encoder: StageCost,
    /// From latents to pictures; `None` for an encoder alone.
    pub decoder: Option<StageCost>,
    /// What makes one vector of the encoder's tokens, where there is such a thing: no part of
    /// `encode`, and run for features only.
    pub head: Option<StageCost>,
}

/// What one half of a tokenizer costs for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCost {
    /// Learned or fitted numbers, as the weights files have them.
    pub parameters: u64,
    /// Multiply-accumulates of convolutions: each tap of each output, however it is computed.
    pub convolution: u64,
    /// Multiply-accumulates of linear layers.
    pub linear: u64,
    /// Multiply-accumulates of attention: queries with keys, parts with values.
    pub attention: u64,
    /// Operations of everything else: norms, activations, softmax, sums, resizes. No dialect counts
    /// them.
    pub rest: u64,
    /// Numbers that layers hold and that are read once for a batch of any size.
    pub weights: u64,
    /// Values of maps that layers read and write for each image.
    pub values: u64,
}

choice! {
    /// What papers call the operations of a tokenizer.
    pub enum MacDialect = "macs" {
        /// All products.
        Mac = "mac": "multiply-accumulates of convolutions, linear layers and both products of attention; fvcore \
            with explicit attention. What most papers call GFLOPs",
        /// RAE's figures.
        MacLinear = "mac-linear": "multiply-accumulates of convolutions and linear layers, attention left out: \
            22.2, 78.1 and 106.7 of RAE's decoders (arXiv 2510.11690)",
        /// Two for each product.
        Flop = "flop": "floating-point operations: 2 for each multiply-accumulate of `mac`; PyTorch's \
            FlopCounterMode",
        /// UAE's Table 3.
        Uae = "uae": "2 for each multiply-accumulate, attention left out in the encoder and counted in the \
            decoder: 266.24 for both together (arXiv 2512.19693, Table 3)",
    }
}

impl MacDialect {
    /// Whether it counts floating-point operations, two for each multiply-accumulate.
    #[must_use]
    pub fn is_flop(self) -> bool {
        matches!(self, Self::Flop | Self::Uae)
    }

    /// Operations of an encoder for one image.
    #[must_use]
    pub fn of_encoder(self, cost: &StageCost) -> u64 {
        match self {
            Self::Mac => cost.macs(),
            Self::MacLinear => cost.macs_without_attention(),
            Self::Flop => 2 * cost.macs(),
            Self::Uae => 2 * cost.macs_without_attention(),
        }
    }

    /// Operations of a decoder for one image.
    #[must_use]
    pub fn of_decoder(self, cost: &StageCost) -> u64 {
        match self {
            Self::Uae => 2 * cost.macs(),
            other => other.of_encoder(cost),
        }
    }
}

impl StageCost {
    /// Multiply-accumulates of all products.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.macs_without_attention() + self.attention
    }

    /// The multiply-accumulates by what they belong to; together they are [`macs`](Self::macs).
    #[must_use]
    pub fn products(&self) -> [(&'static str, u64); 3] {
        [("convolution", self.convolution), ("linear", self.linear), ("attention", self.attention)]
    }

    /// Multiply-accumulates of convolutions and linear layers.
    #[must_use]
    pub fn macs_without_attention(&self) -> u64 {
        self.convolution + self.linear
    }

    /// Bytes that a batch of so many images moves at least, with numbers of so many bytes: weights
    /// once, the values of maps once for each layer that reads or writes them.
    #[must_use]
    pub fn bytes(&self, images: u64, number: u64) -> u64 {
        number * (self.weights + images * self.values)
    }

    /// Floating-point operations per byte, 2 for each multiply-accumulate; `None` where nothing is
    /// moved.
    #[must_use]
    pub fn intensity(&self, images: u64, number: u64) -> Option<f64> {
        let bytes = self.bytes(images, number);
        let operations = 2.0 * self.macs() as f64 * images as f64;
        (bytes > 0).then(|| operations / bytes as f64)
    }

    /// Seconds that a batch takes at least on a machine with these peaks, with numbers of so many bytes:
    /// the longer of what its products and what its bytes need (Williams et al. 2009, "Roofline").
    ///
    /// No bound for a machine that keeps maps in its caches from layer to layer, nor for an algorithm
    /// with fewer products, such as Winograd's.
    #[must_use]
    pub fn roofline_seconds(&self, images: u64, number: u64, peaks: Peaks) -> f64 {
        let products = 2.0 * self.macs() as f64 * images as f64 / peaks.flops;
        let bytes = self.bytes(images, number) as f64 / peaks.bytes_per_second;
        products.max(bytes)
    }
}

/// One part behind another.
impl Add for StageCost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            parameters: self.parameters + other.parameters,
            convolution: self.convolution + other.convolution,
            linear: self.linear + other.linear,
            attention: self.attention + other.attention,
            rest: self.rest + other.rest,
            weights: self.weights + other.weights,
            values: self.values + other.values,
        }
    }
}

/// What a machine can do, measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Floating-point operations per second of a matrix product in f32.
    pub flops: f64,
    /// Bytes read and written per second by copying.
    pub bytes_per_second: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: StageCost = StageCost {
        parameters: 7,
        convolution: 100,
        linear: 20,
        attention: 3,
        rest: 1_000_000,
        weights: 50,
        values: 10,
    };

    #[test]
    fn dialects_count_what_they_say() {
        let both = |dialect: MacDialect| (dialect.of_encoder(&STAGE), dialect.of_decoder(&STAGE));
        assert_eq!(both(MacDialect::Mac), (123, 123));
        assert_eq!(both(MacDialect::MacLinear), (120, 120));
        assert_eq!(both(MacDialect::Flop), (246, 246));
        assert_eq!(both(MacDialect::Uae), (240, 246));
    }

    #[test]
    fn products_by_kind_are_all_products() {
        let products = STAGE.products();
        assert_eq!(products, [("convolution", 100), ("linear", 20), ("attention", 3)]);
        assert_eq!(products.map(|(_, count)| count).iter().sum::<u64>(), STAGE.macs());
    }

    #[test]
    fn weights_are_read_once_for_a_batch() {
        assert_eq!(STAGE.bytes(1, 4), 4 * 60);
        assert_eq!(STAGE.bytes(8, 2), 2 * 130);
        assert_eq!(STAGE.intensity(1, 4), Some(246.0 / 240.0));
        assert_eq!(StageCost::default().intensity(1, 4), None);
    }

    #[test]
    fn the_roofline_is_the_longer_of_products_and_bytes() {
        let seconds = |flops, bytes_per_second| {
            STAGE.roofline_seconds(2, 4, Peaks { flops, bytes_per_second })
        };
        assert!((seconds(4.92, 1e9) - 100.0).abs() < 1e-9);
        assert!((seconds(1e9, 2.8) - 100.0).abs() < 1e-9);
    }
}
