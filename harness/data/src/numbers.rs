//! Numbers as files store them, widened to the floats that are computed with.

/// A type of floating-point numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Float {
    kind: Kind,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Half,
    BrainHalf,
    Single,
    Double,
}

impl Float {
    /// By numpy's type string: `<f4`.
    pub(super) fn of_numpy(descr: &str) -> Option<Self> {
        let kind = match descr.get(1..)? {
            "f2" => Kind::Half,
            "f4" => Kind::Single,
            "f8" => Kind::Double,
            _ => return None,
        };
        match descr.as_bytes()[0] {
            b'<' | b'=' => Some(Self { kind, big_endian: false }),
            b'>' => Some(Self { kind, big_endian: true }),
            _ => None,
        }
    }

    /// By safetensors' name: `BF16`.
    pub(super) fn of_safetensors(dtype: safetensors::Dtype) -> Option<Self> {
        let kind = match dtype {
            safetensors::Dtype::F16 => Kind::Half,
            safetensors::Dtype::BF16 => Kind::BrainHalf,
            safetensors::Dtype::F32 => Kind::Single,
            safetensors::Dtype::F64 => Kind::Double,
            _ => return None,
        };
        Some(Self { kind, big_endian: false })
    }

    /// Bytes of one number.
    pub(super) fn bytes(self) -> usize {
        match self.kind {
            Kind::Half | Kind::BrainHalf => 2,
            Kind::Single => 4,
            Kind::Double => 8,
        }
    }

    /// The numbers that `bytes` hold, exactly.
    pub(super) fn widen(self, bytes: &[u8]) -> Vec<f64> {
        let number = |bytes: &[u8]| {
            let join = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
            let bits = if self.big_endian {
                bytes.iter().fold(0, join)
            } else {
                bytes.iter().rev().fold(0, join)
            };
            match self.kind {
                Kind::Half => half(bits as u16),
                Kind::BrainHalf => f64::from(f32::from_bits((bits as u32) << 16)),
                Kind::Single => f64::from(f32::from_bits(bits as u32)),
                Kind::Double => f64::from_bits(bits),
            }
        };
        bytes.chunks_exact(self.bytes()).map(number).collect()
    }
}

/// IEEE binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * libm::exp2(-24.0),
        31 if bits & 1023 == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * libm::exp2(f64::from(exponent - 25)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_widened_exactly() {
        let cases: [(&str, &[u8], f64); 8] = [
            ("<f4", &[0, 0, 0xC0, 0x3F], 1.5),
            (">f4", &[0x3F, 0xC0, 0, 0], 1.5),
            ("<f8", &[0, 0, 0, 0, 0, 0, 0xF0, 0xBF], -1.0),
            ("<f2", &[0x00, 0x3C], 1.0),
            ("<f2", &[0x01, 0x00], 5.960_464_477_539_063e-8),
            ("<f2", &[0xFF, 0xFB], -65504.0),
            (">f2", &[0x35, 0x55], 0.333_251_953_125),
            ("<f2", &[0x00, 0x7C], f64::INFINITY),
        ];
        for (descr, bytes, expected) in cases {
            let found = Float::of_numpy(descr).unwrap().widen(bytes);
            assert_eq!(found.len(), 1);
            assert!(found[0].to_bits() == expected.to_bits(), "{descr}: {}", found[0]);
        }
        let brain = Float::of_safetensors(safetensors::Dtype::BF16).unwrap();
        assert!((brain.widen(&[0xC0, 0x3F])[0] - 1.5).abs() < f64::EPSILON);
        assert!(Float::of_numpy("<f2").unwrap().widen(&[1, 0x7C])[0].is_nan());
        for other in ["<i4", "|u1", "<c8", "f4", ""] {
            assert_eq!(Float::of_numpy(other), None, "{other}");
        }
    }
}
