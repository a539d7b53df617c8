use candle_core::DType;

use crate::choice::choice;

choice! {
    /// How the time of a tokenizer is taken.
    pub enum Timing = "timing" {
        /// prismbench's own.
        Sweep = "sweep": "prismbench: pictures of the data; batches of 1, 2, 4 and so on while a doubling still \
            gives 5 % more and the next batch fits into memory; 1 to 10 calls to warm up, for a second at \
            most, then 8 to 40 timed calls, for 3 seconds at most; medians",
        /// pytorch-image-models' `benchmark.py`.
        Timm = "timm": "timm benchmark.py: standard normal numbers in place of pictures; one batch of 256, made \
            smaller step by step where it fails or does not fit; 10 calls to warm up, 40 timed calls; images of \
            all calls by the wall time of all calls, mean of a call",
    }
}

choice! {
    /// The numbers that a tokenizer computes with.
    pub enum ElementType = "element-type" {
        /// Single precision.
        F32 = "f32": "IEEE single precision; no TF32",
        /// Half precision.
        F16 = "f16": "IEEE half precision, on devices that have it",
        /// Brain floating point.
        Bf16 = "bf16": "bfloat16, on devices that have it",
    }
}

impl ElementType {
    /// The tensor library's name of it.
    #[must_use]
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}
