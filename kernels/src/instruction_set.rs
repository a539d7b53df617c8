use pulp::{Arch, Scalar256b, Simd, WithSimd};

/// Vector instructions that a kernel is compiled for.
///
/// The choice decides speed and never a bit: tests run every kernel on [`InstructionSet::ALL`]
/// that the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// The widest that the machine has: AVX-512, AVX2 with FMA, NEON.
    Best,
    /// AVX2 with FMA, on a machine that has more.
    Avx2,
    /// No instruction beyond the target's base line. Fused products and sums are then calls of a
    /// function where the base line has none: right, and slow.
    Portable,
}

impl InstructionSet {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Best, Self::Avx2, Self::Portable];

    /// What [`Self::Best`] is on this machine.
    #[must_use]
    pub fn best_of_this_machine() -> &'static str {
        #[cfg(target_arch = "x86_64")]
        if pulp::x86::V4::try_new().is_some() {
            return "AVX-512";
        } else if pulp::x86::V3::try_new().is_some() {
            return "AVX2 and FMA";
        }
        match Arch::new() {
            Arch::Scalar => "no vectors beyond the base line",
            #[cfg(not(target_arch = "wasm32"))]
            _ => "the vectors of this processor",
        }
    }

    /// Whether this machine has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Best | Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }

    /// Runs `operation` compiled for the set; for [`Self::Portable`] where the machine lacks it.
    #[inline]
    pub(crate) fn run<O: WithSimd>(self, operation: O) -> O::Output {
        match self {
            Self::Best => match Arch::new() {
                Arch::Scalar => Scalar256b.vectorize(operation),
                arch => arch.dispatch(operation),
            },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => match pulp::x86::V3::try_new() {
                Some(simd) => Simd::vectorize(simd, operation),
                None => Scalar256b.vectorize(operation),
            },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => Scalar256b.vectorize(operation),
            Self::Portable => Scalar256b.vectorize(operation),
        }
    }
}
