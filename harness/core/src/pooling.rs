use crate::choice::choice;

choice! {
    /// How the tokens of a picture become one row of features.
    pub enum Pooling = "pooling" {
        /// The mean of the tokens.
        Mean = "mean": "mean of the patch tokens or the cells of the latent, without class and \
            register tokens, summed in f64",
        /// The class token.
        Cls = "cls": "the class token; a tokenizer without one is skipped",
        /// Both, one behind the other.
        ClsMean = "cls+mean": "the class token, and behind it the mean of the patch tokens. Source: \
            DINOv2, eval/linear.py, with average pooling",
        /// All tokens.
        Flatten = "flatten": "all patch tokens or cells, row by row, one behind the other",
        /// Means of sixteen parts.
        Spatial4x4 = "spatial-4x4": "means over the 4 x 4 parts of the grid, row by row, in f64; part \
            i of n cells goes from floor(i n / 4) to ceil((i + 1) n / 4), as PyTorch's \
            adaptive_avg_pool2d has it. A latent without a grid is skipped",
        /// The encoder's own.
        Own = "own": "the encoder's own summary, where it has one: CLIP's projected class token, \
            SigLIP's attention pooling; what its text tower compares with",
    }
}
