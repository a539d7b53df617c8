use crate::choice::choice;

choice! {
    /// How exactly networks compute on the CPU: feature networks and tokenizers alike.
    pub enum NetworkArithmetic = "network arithmetic" {
        /// Winograd where it pays.
        Fast = "fast": "convolutions of 3x3, 5x5, 1x3, 3x1, 1x7 and 7x1 by Winograd's minimal \
            filtering where it pays, f32; the same bits on every machine. METHODOLOGY.md has its \
            error against an f64 network, which is below the tolerance of every metric",
        /// Sums of products only.
        Strict = "strict": "every convolution as the sum of its products, f32; the same bits on \
            every machine",
    }
}

choice! {
    /// How samples are split for the Inception Score.
    pub enum InceptionScoreDialect = "Inception Score dialect" {
        /// Ten shuffled splits.
        TorchFidelity = "tfid": "mean over 10 splits i n / 10 after numpy RandomState(2020) \
            permutation, in f64. Source: torch-fidelity metric_isc.py",
        /// Blocks of 5,000.
        Adm = "adm": "mean over consecutive blocks of 5,000 in index order, the last may be \
            short; pictures sorted by class give a low score. Source: guided-diffusion \
            evaluator.py (which computes in f32)",
    }
}

choice! {
    /// How the distances of precision and recall are rounded.
    pub enum PrecisionRecallDialect = "precision and recall dialect" {
        /// Distances as defined.
        Exact = "exact": "k = 3, squared distances compared by <= as if in f64. torch-fidelity's \
            f32 decides alike up to 1 / n",
        /// Distances in binary16.
        AdmHalf = "adm-fp16": "k = 3, <=; points, norms, products and sums rounded to IEEE \
            binary16, products summed in f32: coarse distances have ties, which a closed ball \
            gains. Source: guided-diffusion evaluator.py",
    }
}
