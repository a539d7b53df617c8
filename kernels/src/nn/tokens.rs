//! Sequences of tokens: maps of one row.

use std::ops::Range;

use candle_core::{DType, Tensor};

use crate::nn::maps::{Buffer, Values};
use crate::nn::{MapShape, Maps, NnError, Work};

impl Maps {
    /// One row of the positions of each image, in their order: a grid of patches as tokens.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn into_tokens(self) -> Result<Self, NnError> {
        let MapShape { images, height, width, channels } = self.shape();
        self.reshape(MapShape { images, height: 1, width: height * width, channels })
    }

    /// `table` added to each image, as embeddings of positions are.
    ///
    /// # Errors
    /// [`NnError::Shape`] unless `table` is one image of the same size, [`NnError::Devices`] when
    /// one of the two is on the host.
    pub fn add_to_each(&self, table: &Self) -> Result<Self, NnError> {
        const LAYER: &str = "sum with a table";
        let shape = self.shape();
        let one = MapShape { images: 1, ..shape };
        if table.shape() != one {
            let (expected, found) = (format!("a table of {one}"), table.shape().to_string());
            return Err(NnError::Shape { layer: LAYER, expected, found });
        }
        let work = || Work::each(shape.len());
        if let Some(counted) = Self::counted(&[self, table], shape, work) {
            return Ok(counted);
        }
        let values = match self.values() {
            Values::Host(values) => values,
            Values::None(_) => return Err(NnError::Valueless),
            Values::Device(tensor) => {
                return Self::on_device(&tensor.broadcast_add(&table.device_like(LAYER, tensor)?)?);
            }
        };
        let mut out = Buffer::from(&**values);
        let table = table.host(LAYER)?;
        for image in out.chunks_exact_mut(table.len().max(1)) {
            image.iter_mut().zip(table).for_each(|(value, add)| *value += add);
        }
        Ok(Self::from_buffer(shape, out))
    }

    /// The tokens of `prefix`, one image, before those of each image.
    ///
    /// # Errors
    /// [`NnError::Shape`] unless both are of one row and of as many channels, [`NnError::Devices`]
    /// when one of the two is on the host.
    pub fn with_prefix(&self, prefix: &Self) -> Result<Self, NnError> {
        const LAYER: &str = "tokens";
        let (shape, first) = (self.shape(), prefix.shape());
        let one = MapShape { images: 1, width: first.width, ..shape };
        if first != one || shape.height != 1 {
            let expected = format!("one row of tokens and a prefix of {one}");
            let found = format!("{shape} and {first}");
            return Err(NnError::Shape { layer: LAYER, expected, found });
        }
        let out_shape = MapShape { width: first.width + shape.width, ..shape };
        if let Some(seen) = Self::seen(&[self, prefix], out_shape) {
            return Ok(seen);
        }
        let values = match self.values() {
            Values::Host(values) => values,
            Values::None(_) => return Err(NnError::Valueless),
            Values::Device(tensor) => {
                let prefix = prefix.device_like(LAYER, tensor)?;
                let (_, channels, height, width) = prefix.dims4()?;
                let each = prefix.expand((shape.images, channels, height, width))?;
                return Self::on_device(&Tensor::cat(&[&each.contiguous()?, tensor], 3)?);
            }
        };
        let prefix = prefix.host(LAYER)?;
        let mut out = Buffer::new(out_shape.len());
        let images = out.chunks_exact_mut(out_shape.image_len().max(1)).enumerate();
        for (image, out) in images {
            let (start, rest) = out.split_at_mut(prefix.len());
            start.copy_from_slice(prefix);
            rest.copy_from_slice(&values[image * rest.len()..][..rest.len()]);
        }
        Ok(Self::from_buffer(out_shape, out))
    }

    /// Some tokens of each image.
    ///
    /// # Errors
    /// [`NnError::Shape`] unless the maps are of one row that has these tokens.
    pub fn tokens(&self, range: Range<usize>) -> Result<Self, NnError> {
        let shape = self.shape();
        if shape.height != 1 || range.start > range.end || range.end > shape.width {
            let expected = format!("one row with tokens {range:?}");
            return Err(NnError::Shape { layer: "tokens", expected, found: shape.to_string() });
        }
        let out_shape = MapShape { width: range.len(), ..shape };
        if let Some(seen) = Self::seen(&[self], out_shape) {
            return Ok(seen);
        }
        let values = match self.values() {
            Values::Host(values) => values,
            Values::None(_) => return Err(NnError::Valueless),
            Values::Device(tensor) => {
                return Self::on_device(&tensor.narrow(3, range.start, range.len())?);
            }
        };
        let mut out = Buffer::new(out_shape.len());
        let images = out.chunks_exact_mut(out_shape.image_len().max(1));
        for (out, image) in images.zip(values.chunks_exact(shape.image_len().max(1))) {
            out.copy_from_slice(&image[range.start * shape.channels..][..out.len()]);
        }
        Ok(Self::from_buffer(out_shape, out))
    }

    /// All tokens as a tensor `[image, token, channel]` of f32, token by token and row by row.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn to_token_tensor(&self) -> Result<Tensor, NnError> {
        let MapShape { images, height, width, channels } = self.shape();
        let positions = height * width;
        match self.values() {
            Values::Host(rows) => {
                let dims = (images, positions, channels);
                Ok(Tensor::from_slice(rows, dims, &candle_core::Device::Cpu)?)
            }
            Values::Device(tensor) => {
                let flat = tensor.to_dtype(DType::F32)?.reshape((images, channels, positions))?;
                Ok(flat.transpose(1, 2)?.contiguous()?)
            }
            Values::None(_) => Err(NnError::Valueless),
        }
    }

    /// Tokens `[image, token, channel]` as maps of one row, on the host if the tensor is on the CPU.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor has not three dimensions.
    pub fn from_token_tensor(tensor: &Tensor) -> Result<Self, NnError> {
        let (images, width, channels) = tensor.dims3()?;
        if !tensor.device().is_cpu() {
            let maps = tensor.transpose(1, 2)?.reshape((images, channels, 1, width))?;
            return Self::on_device(&maps);
        }
        let shape = MapShape { images, height: 1, width, channels };
        Self::from_rows(shape, tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nn::testing;

    proptest! {
        #[test]
        fn host_and_device_agree_with_indices(
            shape in testing::any_shape(6, 9),
            prefix in 1..=3_usize,
            seed: u64,
        ) {
            let shape = MapShape { height: 1, ..shape };
            let maps = Maps::from_rows(shape, testing::values(shape.len(), seed)).unwrap();
            let first = MapShape { images: 1, width: prefix, ..shape };
            let first = Maps::from_rows(first, testing::values(first.len(), seed ^ 1)).unwrap();
            let table = MapShape { images: 1, width: prefix + shape.width, ..shape };
            let table = Maps::from_rows(table, testing::values(table.len(), seed ^ 2)).unwrap();
            let run = |convert: fn(&Maps) -> Maps| {
                let [maps, first, table] = [&maps, &first, &table].map(convert);
                let sum = maps.with_prefix(&first).unwrap().add_to_each(&table).unwrap();
                let back = Maps::from_token_tensor(&sum.to_token_tensor().unwrap()).unwrap();
                assert_eq!(back.to_rows().unwrap(), sum.to_rows().unwrap());
                (sum.to_rows().unwrap(), sum.tokens(1..prefix + 1).unwrap().to_rows().unwrap())
            };
            let host = run(Maps::clone);
            let device = run(|maps| Maps::on_device(&maps.to_tensor().unwrap()).unwrap());
            prop_assert_eq!(&host, &device);
            let (values, first, table) =
                (maps.to_rows().unwrap(), first.to_rows().unwrap(), table.to_rows().unwrap());
            let length = (prefix + shape.width) * shape.channels;
            let at = |index: usize| {
                let (image, place) = (index / length, index % length);
                let start = first.len();
                let value = if place < start {
                    first[place]
                } else {
                    values[image * (length - start) + place - start]
                };
                value + table[place]
            };
            let expected: Vec<f32> = (0..shape.images * length).map(at).collect();
            prop_assert_eq!(host.0, expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let maps = |height, width| {
            let shape = MapShape { images: 2, height, width, channels: 3 };
            Maps::from_rows(shape, vec![0.0; shape.len()]).unwrap()
        };
        assert!(maps(1, 4).with_prefix(&maps(1, 1)).is_err());
        assert!(maps(1, 4).add_to_each(&maps(1, 4)).is_err());
        assert!(maps(2, 4).tokens(0..1).is_err());
        assert!(maps(1, 4).tokens(3..5).is_err());
        assert_eq!(maps(2, 4).into_tokens().unwrap().shape().width, 8);
    }
}
