use super::config::{Config, MlpKind, StackConfig};

impl Config {
    /// Multiply-accumulates of one call for one latent: the products of linear layers and of
    /// attention.
    pub(super) fn multiply_accumulates(&self) -> u64 {
        let product = |rows: usize, inputs: usize, outputs: usize| {
            rows as u64 * inputs as u64 * outputs as u64
        };
        let tokens = self.tokens();
        let first = self.encoder.width;
        let mut sum = product(1, 2 * self.frequencies, first) + product(1, first, first);
        sum += product(tokens, self.channels, first);
        sum += self.blocks(&self.encoder, 1);
        let conditions = match &self.head {
            None => 1,
            Some(head) => {
                if head.width != first {
                    sum += product(tokens, first, head.width);
                }
                sum += product(tokens, self.channels, head.width) + self.blocks(head, tokens);
                tokens
            }
        };
        let last = self.last().width;
        sum += product(conditions, last, 2 * last);
        // A sigma behind the velocity is not computed.
        sum + product(tokens, last, self.channels)
    }

    /// Of a stack, with so many conditions for each latent.
    fn blocks(&self, stack: &StackConfig, conditions: usize) -> u64 {
        let StackConfig { width, depth, hidden, .. } = *stack;
        let halves = match self.options.mlp {
            MlpKind::SwiGlu => 3,
            MlpKind::Gelu => 2,
        };
        let tokens = self.tokens();
        let layers = 4 * width * width + halves * hidden * width;
        let block = tokens * layers + 2 * tokens * tokens * width + conditions * 6 * width * width;
        depth as u64 * block as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_products_sum_to() {
        let giga = |config: Config| config.multiply_accumulates() as f64 / 1e9;
        // By the figures beside the published sizes: 119, 39 and 4 for XL, an encoder of 6 for S.
        let xl = Config::ditdh(16, StackConfig::new(1152, 28, 16));
        let s = Config::ditdh(16, StackConfig::new(384, 12, 6));
        assert!((giga(xl) - 162.0).abs() < 1.5, "{}", giga(xl));
        assert!((giga(xl) - giga(s) - 113.0).abs() < 1.5, "{}", giga(s));
        // One token of 3 channels, one block of 4 with 5 hidden channels, by hand: time 2 3 4 + 4 4,
        // embedding 3 4, block 4 16 + 3 20 + 2 4 + 6 16, last layer 4 8 + 4 3.
        let encoder = StackConfig { width: 4, depth: 1, heads: 2, hidden: 5 };
        let small =
            Config { channels: 3, side: 1, frequencies: 3, ..Config::lightningdit(encoder) };
        let by_hand = (24 + 16) + 12 + (64 + 60 + 8 + 96) + (32 + 12);
        assert_eq!(small.multiply_accumulates(), by_hand);
        // Four tokens: those of the condition and the time stay.
        let four = Config { side: 2, ..small };
        let by_hand = 40 + 4 * 12 + (4 * 124 + 2 * 16 * 4 + 96) + (32 + 4 * 12);
        assert_eq!(four.multiply_accumulates(), by_hand);
    }
}
