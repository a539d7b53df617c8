mod buffer;
mod device;
mod valueless;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

pub(crate) use buffer::Buffer;
pub(crate) use device::{in_f32, is_half};

use crate::nn::{NnError, Tally};

/// Positions that one task copies.
const POSITIONS: usize = 1024;

/// Feature maps of a batch of images, f32. A sequence of tokens is maps of one row.
///
/// On the host they are `[image][row][column][channel]` for this project's kernels; on a device
/// they are candle's `[image, channel, row, column]`, and may be f16 or bf16: what leaves them is f32
/// again. Layers give maps of the kind they are given. Maps without values, whose way through a network [`count`](crate::nn::count) follows, are a third kind.
#[derive(Clone, Debug)]
pub struct Maps {
    shape: MapShape,
    values: Values,
}

/// Extent of [`Maps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Images in the batch.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Values {
    Host(Buffer),
    Device(Tensor),
    /// There are none: what layers would compute is noted here.
    None(Tally),
}

impl MapShape {
    /// Values in all maps.
    #[must_use]
    pub fn len(self) -> usize {
        self.images * self.image_len()
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Values of one image.
    #[must_use]
    pub fn image_len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Rows times columns times images: vectors of `channels` values.
    #[must_use]
    pub fn positions(self) -> usize {
        self.images * self.height * self.width
    }
}

impl std::fmt::Display for MapShape {
    /// `8 x 35 x 35 x 192` (images, rows, columns, channels).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} x {} x {}", self.images, self.height, self.width, self.channels)
    }
}

impl Maps {
    /// Maps on the host from `[image][row][column][channel]`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the number of values is not that of the shape.
    pub fn from_rows(shape: MapShape, values: Vec<f32>) -> Result<Self, NnError> {
        if values.len() != shape.len() {
            return Err(NnError::Shape {
                layer: "maps",
                expected: format!("{} values for {shape}", shape.len()),
                found: values.len().to_string(),
            });
        }
        Ok(Self { shape, values: Values::Host(Buffer::from(values.as_slice())) })
    }

    /// Maps from a tensor `[image, channel, row, column]`: on the host if the tensor is on the CPU.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor has not four dimensions.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self, NnError> {
        if !tensor.device().is_cpu() {
            return Self::on_device(tensor);
        }
        let (images, channels, height, width) = tensor.dims4()?;
        let shape = MapShape { images, height, width, channels };
        let rows = tensor.to_dtype(DType::F32)?.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?;
        Self::from_rows(shape, rows)
    }

    /// The maps as a tensor `[image, channel, row, column]` of f32.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn to_tensor(&self) -> Result<Tensor, NnError> {
        match &self.values {
            Values::Host(rows) => {
                let MapShape { images, height, width, channels } = self.shape;
                let dims = (images, height, width, channels);
                let rows = Tensor::from_slice(rows, dims, &Device::Cpu)?;
                Ok(rows.permute((0, 3, 1, 2))?.contiguous()?)
            }
            Values::Device(tensor) => Ok(tensor.to_dtype(DType::F32)?),
            Values::None(_) => Err(NnError::Valueless),
        }
    }

    /// Images, rows, columns and channels.
    #[must_use]
    pub fn shape(&self) -> MapShape {
        self.shape
    }

    /// The values `[image][row][column][channel]`, copied from the device if they are there.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn to_rows(&self) -> Result<Vec<f32>, NnError> {
        match &self.values {
            Values::Host(rows) => Ok(rows.to_vec()),
            Values::Device(tensor) => {
                let rows = tensor.to_dtype(DType::F32)?.permute((0, 2, 3, 1))?;
                Ok(rows.flatten_all()?.to_vec1()?)
            }
            Values::None(_) => Err(NnError::Valueless),
        }
    }

    /// The values of maps on the host, as they lie.
    #[must_use]
    pub fn host_rows(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Host(rows) => Some(rows),
            Values::Device(_) | Values::None(_) => None,
        }
    }

    /// The same values on the host.
    ///
    /// # Errors
    /// [`NnError::Tensor`] when the tensor library fails.
    pub fn into_host(self) -> Result<Self, NnError> {
        match &self.values {
            Values::Host(_) => Ok(self),
            Values::Device(_) | Values::None(_) => Self::from_rows(self.shape, self.to_rows()?),
        }
    }

    /// The values of maps on the host, to be changed where they lie.
    #[must_use]
    pub fn host_rows_mut(&mut self) -> Option<&mut [f32]> {
        match &mut self.values {
            Values::Host(rows) => Some(rows),
            Values::Device(_) | Values::None(_) => None,
        }
    }

    /// The same values seen as another shape of as many values: a grid of patches as tokens, say.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the channels or the number of values differ.
    pub fn reshape(self, shape: MapShape) -> Result<Self, NnError> {
        if shape.len() != self.shape.len() || shape.channels != self.shape.channels {
            return Err(NnError::Shape {
                layer: "reshape",
                expected: format!("as many values and channels as {}", self.shape),
                found: shape.to_string(),
            });
        }
        let values = match self.values {
            Values::Host(rows) => Values::Host(rows),
            Values::Device(tensor) => {
                let MapShape { images, height, width, channels } = shape;
                Values::Device(tensor.reshape((images, channels, height, width))?)
            }
            none @ Values::None(_) => none,
        };
        Ok(Self { shape, values })
    }

    /// The channels of all maps side by side, in their order.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the maps differ in more than their channels, [`NnError::Devices`]
    /// when they are of both kinds.
    pub fn concat(maps: &[&Self]) -> Result<Self, NnError> {
        let Some(first) = maps.first() else {
            return Self::from_rows(
                MapShape { images: 0, height: 0, width: 0, channels: 0 },
                vec![],
            );
        };
        let channels: usize = maps.iter().map(|maps| maps.shape.channels).sum();
        let shape = MapShape { channels, ..first.shape };
        for part in maps {
            let found = part.shape;
            if (MapShape { channels, ..found }) != shape {
                let expected = format!("maps of {}", first.shape);
                return Err(NnError::Shape { layer: "concat", expected, found: found.to_string() });
            }
        }
        if let Some(seen) = Self::seen(maps, shape) {
            return Ok(seen);
        }
        if let Some(like) = Self::first_on_device(maps) {
            let tensors = maps.iter().map(|maps| maps.device_like("concat", like));
            let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
            return Self::on_device(&Tensor::cat(&tensors, 1)?);
        }
        let parts = maps.iter().map(|maps| maps.host("concat"));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let mut rows = Buffer::new(shape.len());
        let tasks = rows.par_chunks_mut((POSITIONS * channels).max(1)).enumerate();
        tasks.for_each(|(task, rows)| {
            let mut start = 0;
            for part in &parts {
                let width = part.len() / shape.positions().max(1);
                let from = part[task * POSITIONS * width..].chunks_exact(width.max(1));
                for (out, values) in rows.chunks_exact_mut(channels).zip(from) {
                    out[start..start + width].copy_from_slice(values);
                }
                start += width;
            }
        });
        Ok(Self { shape, values: Values::Host(rows) })
    }

    /// Runs a network on each image by itself, all cores busy with whole images; on a device it
    /// runs on the batch at once.
    ///
    /// # Errors
    /// What the network fails with, or [`NnError::Shape`] when images give different shapes.
    pub fn map_images(
        &self,
        network: impl Fn(&Self) -> Result<Self, NnError> + Sync,
    ) -> Result<Self, NnError> {
        let Values::Host(rows) = &self.values else { return network(self) };
        if self.shape.images <= 1 {
            return network(self);
        }
        let one = MapShape { images: 1, ..self.shape };
        let outputs: Vec<Self> = rows
            .par_chunks_exact(self.shape.image_len().max(1))
            .map(|image| {
                let copy = Buffer::from(image);
                network(&Self { shape: one, values: Values::Host(copy) })
            })
            .collect::<Result<_, _>>()?;
        Self::stack(&outputs)
    }

    /// The images of all maps, one after the other.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the maps differ in more than the number of images,
    /// [`NnError::Devices`] when they are not all on the host.
    pub fn stack(maps: &[Self]) -> Result<Self, NnError> {
        let images = maps.iter().map(|maps| maps.shape.images).sum();
        let first = maps
            .first()
            .map_or(MapShape { images: 0, height: 0, width: 0, channels: 0 }, |maps| maps.shape);
        let shape = MapShape { images, ..first };
        let mut rows = Buffer::new(shape.len());
        let mut start = 0;
        for part in maps {
            if (MapShape { images, ..part.shape }) != shape {
                let (expected, found) = (format!("maps of {first}"), part.shape.to_string());
                return Err(NnError::Shape { layer: "stack", expected, found });
            }
            let values = part.host("stack")?;
            rows[start..start + values.len()].copy_from_slice(values);
            start += values.len();
        }
        Ok(Self { shape, values: Values::Host(rows) })
    }

    pub(crate) fn from_buffer(shape: MapShape, rows: Buffer) -> Self {
        debug_assert_eq!(shape.len(), rows.len());
        Self { shape, values: Values::Host(rows) }
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    pub(crate) fn host(&self, layer: &'static str) -> Result<&[f32], NnError> {
        match &self.values {
            Values::Host(rows) => Ok(rows),
            Values::Device(_) => Err(NnError::Devices { layer }),
            Values::None(_) => Err(NnError::Valueless),
        }
    }
}
