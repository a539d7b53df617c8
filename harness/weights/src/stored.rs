use std::ops::Range;

use candle_core::{DType, Device, Tensor};

/// Where a tensor lies in the bytes of its file. Whoever makes one has checked that it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The element type, as the file calls it where it is none of ours.
    pub(crate) element: Element,
    pub(crate) shape: Vec<usize>,
    /// Steps between neighbours along each dimension, in elements; `None` when there is no gap.
    pub(crate) strides: Option<Vec<usize>>,
    /// From the first element to the end of the last.
    pub(crate) bytes: Range<usize>,
}

/// Element types that weights come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    BF16,
    /// Not of weights: counters, say. With the bytes of one element.
    Other(&'static str, usize),
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Other(_, size) => size,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Other(name, _) => name,
        }
    }

    pub(crate) fn dtype(self) -> Option<DType> {
        match self {
            Self::F64 => Some(DType::F64),
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::BF16 => Some(DType::BF16),
            Self::Other(..) => None,
        }
    }
}

/// Elements from the first to the last, both included, of a tensor with these steps; `None` when
/// that is more than any memory holds.
pub(crate) fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().zip(strides).try_fold(1_usize, |span, (&length, &stride)| {
        span.checked_add((length - 1).checked_mul(stride)?)
    })
}

impl Stored {
    /// The tensor in f32.
    ///
    /// # Errors
    /// For an element type that is not of weights.
    pub(crate) fn load(&self, file: &[u8], device: &Device) -> Result<Tensor, candle_core::Error> {
        let bytes = &file[self.bytes.clone()];
        match &self.strides {
            None => self.decode(bytes, &self.shape, device),
            Some(strides) => {
                let dense = gather(bytes, self.element.size(), &self.shape, strides);
                self.decode(&dense, &self.shape, device)
            }
        }
    }

    /// Some of what lies along the first dimension, in f32; `None` when there is less of it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn load_rows(
        &self,
        file: &[u8],
        rows: &[usize],
        device: &Device,
    ) -> Result<Option<Tensor>, candle_core::Error> {
        let Some((&count, columns)) = self.shape.split_first() else { return Ok(None) };
        if rows.iter().any(|&row| row >= count) {
            return Ok(None);
        }
        let (bytes, size) = (&file[self.bytes.clone()], self.element.size());
        let mut dense = Vec::new();
        // A tensor without numbers has no bytes to begin a row in.
        let rows_with_bytes = if columns.contains(&0) { &[] } else { rows };
        for &row in rows_with_bytes {
            match self.strides.as_deref().and_then(<[usize]>::split_first) {
                None => {
                    let length = columns.iter().product::<usize>() * size;
                    dense.extend_from_slice(&bytes[row * length..][..length]);
                }
                Some((step, steps)) => {
                    dense.extend(gather(&bytes[row * step * size..], size, columns, steps));
                }
            }
        }
        let shape = [&[rows.len()], columns].concat();
        self.decode(&dense, &shape, device).map(Some)
    }

    fn decode(
        &self,
        dense: &[u8],
        shape: &[usize],
        device: &Device,
    ) -> Result<Tensor, candle_core::Error> {
        let Some(dtype) = self.element.dtype() else {
            return Err(candle_core::Error::Msg(format!("{} in weights", self.element.name())));
        };
        Tensor::from_raw_buffer(dense, dtype, shape, device)?.to_dtype(DType::F32)
    }
}

/// The elements in the order of their indices, the last dimension fastest.
fn gather(bytes: &[u8], size: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let mut dense = Vec::new();
    let mut index = vec![0; shape.len()];
    let count: usize = shape.iter().product();
    for _ in 0..count {
        let at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
        dense.extend_from_slice(&bytes[at * size..][..size]);
        for (i, &length) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < length {
                break;
            }
            *i = 0;
        }
    }
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_numbers_are_rows_all_the_same() {
        for strides in [None, Some(vec![4, 1])] {
            let stored = Stored { element: Element::F32, shape: vec![3, 0], strides, bytes: 0..0 };
            let rows = |rows: &[usize]| stored.load_rows(&[], rows, &Device::Cpu).unwrap();
            assert_eq!(rows(&[2, 1]).unwrap().dims(), [2, 0]);
            assert!(rows(&[3]).is_none());
        }
    }
}
