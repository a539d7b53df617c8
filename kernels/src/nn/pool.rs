//! Pooling as PyTorch defines it.

mod rows;
mod taps;

use candle_core::{D, Tensor};
use rayon::prelude::*;

use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{MapShape, Maps, NnError, Window, Work};
use rows::Rows;
use taps::Taps;

/// The largest value or the mean of each window, channel by channel.
///
/// `torch.nn.MaxPool2d` and `AvgPool2d`. Sums are taken in f32, row by row of the window. A NaN in
/// a window comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    window: Window,
    kind: Kind,
    ceil: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Max,
    /// Over all taps on the map and its padding.
    Average,
    /// Over the taps on the map alone.
    AverageOfMap,
}

impl Pool {
    /// Largest values; padding is never among them.
    #[must_use]
    pub const fn max(window: Window) -> Self {
        Self { window, kind: Kind::Max, ceil: false }
    }

    /// Means; the zeros of the padding count.
    #[must_use]
    pub const fn average(window: Window) -> Self {
        Self { window, kind: Kind::Average, ceil: false }
    }

    /// Means over the taps on the map alone; no change for [`Pool::max`].
    #[must_use]
    pub const fn excluding_padding(self) -> Self {
        let kind = match self.kind {
            Kind::Max => Kind::Max,
            Kind::Average | Kind::AverageOfMap => Kind::AverageOfMap,
        };
        Self { kind, ..self }
    }

    /// Also windows that reach beyond the padding, as long as they start on the map or on the
    /// padding above or to the left of it. What lies beyond the padding never counts.
    #[must_use]
    pub const fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    /// Maps `[images, out rows, out columns, channels]`.
    ///
    /// # Errors
    /// [`NnError::TooSmall`] when there is no window, or one that lies wholly in the padding.
    pub fn forward(&self, maps: &Maps) -> Result<Maps, NnError> {
        let shape = maps.shape();
        let Window { kernel, stride, dilation, padding } = self.window;
        let (above, below) = (padding.top, padding.bottom);
        let down = taps::Side { kernel: kernel.0, stride: stride.0, dilation: dilation.0 };
        let across = taps::Side { kernel: kernel.1, stride: stride.1, dilation: dilation.1 };
        let rows = down.taps(shape.height, (above, below), self.ceil);
        let columns = across.taps(shape.width, (padding.left, padding.right), self.ceil);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            return Err(NnError::TooSmall { layer: "pooling", maps: shape });
        };
        let out = MapShape { height: rows.len(), width: columns.len(), ..shape };
        let work = || Work::each(out.len() * kernel.0 * kernel.1);
        if let Some(counted) = Maps::counted(&[maps], out, work) {
            return Ok(counted);
        }
        match maps.values() {
            Values::None(_) => Err(NnError::Valueless),
            Values::Host(values) => Ok(self.on_host(shape, values, &rows, &columns)),
            Values::Device(tensor) => {
                Maps::on_device(&in_f32(tensor, |maps| self.on_device(maps, &rows, &columns))?)
            }
        }
    }

    fn on_host(&self, shape: MapShape, values: &[f32], rows: &[Taps], columns: &[Taps]) -> Maps {
        let out_shape = MapShape { height: rows.len(), width: columns.len(), ..shape };
        let mut out = Buffer::new(out_shape.len());
        let lines = out.par_chunks_exact_mut((out_shape.width * shape.channels).max(1));
        lines.enumerate().for_each(|(line, out)| {
            let image = &values[line / rows.len() * shape.image_len()..][..shape.image_len()];
            let rows = &rows[line % rows.len()];
            pulp::Arch::new().dispatch(Rows { pool: self, shape, image, rows, columns, out });
        });
        Maps::from_buffer(out_shape, out)
    }

    /// Along the rows, then along the columns: as many selections as both have taps.
    fn on_device(&self, maps: &Tensor, rows: &[Taps], columns: &[Taps]) -> Result<Tensor, NnError> {
        let Window { kernel, dilation, .. } = self.window;
        let tall = self.along(maps, 2, rows, (kernel.0, dilation.0))?;
        let out = self.along(&tall, 3, columns, (kernel.1, dilation.1))?;
        if self.kind == Kind::Max {
            return Ok(out);
        }
        let count = |row: &Taps, column: &Taps| match self.kind {
            Kind::Average => row.padded * column.padded,
            Kind::Max | Kind::AverageOfMap => row.count * column.count,
        };
        let counts = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        let counts: Vec<f32> = counts.map(|(row, column)| count(row, column) as f32).collect();
        let counts = Tensor::from_vec(counts, (rows.len(), columns.len()), maps.device())?;
        Ok(out.broadcast_div(&counts)?)
    }

    fn along(
        &self,
        maps: &Tensor,
        axis: usize,
        taps: &[Taps],
        (kernel, dilation): (usize, usize),
    ) -> Result<Tensor, NnError> {
        let extent = maps.dim(axis)?;
        // A line of zeros to point at where a tap is not on the map.
        let average = self.kind != Kind::Max;
        let maps = if average { maps.pad_with_zeros(axis, 0, 1)? } else { maps.clone() };
        let mut out: Option<Tensor> = None;
        for tap in 0..kernel {
            let at = |window: &Taps| match (tap < window.count, average) {
                (true, _) => window.first + tap * dilation,
                (false, true) => extent,
                // The maximum is the same if a tap is seen twice.
                (false, false) => window.first,
            };
            let at: Vec<u32> = taps.iter().map(|window| at(window) as u32).collect();
            let at = Tensor::from_vec(at, taps.len(), maps.device())?;
            let seen = maps.index_select(&at, axis)?;
            out = Some(match out {
                None => seen,
                Some(out) if average => (out + seen)?,
                Some(out) => out.maximum(&seen)?,
            });
        }
        Ok(out.unwrap_or(maps))
    }
}

/// The mean of each channel over its map: maps of one row and one column.
///
/// `torch.nn.AdaptiveAvgPool2d(1)`, but summed in f64 and rounded once.
///
/// # Errors
/// [`NnError::TooSmall`] for maps without a value.
pub fn global_average(maps: &Maps) -> Result<Maps, NnError> {
    let shape = maps.shape();
    let area = shape.height * shape.width;
    if area == 0 {
        return Err(NnError::TooSmall { layer: "global average", maps: shape });
    }
    let out_shape = MapShape { height: 1, width: 1, ..shape };
    if let Some(counted) = Maps::counted(&[maps], out_shape, || Work::each(shape.len())) {
        return Ok(counted);
    }
    let values = match maps.values() {
        Values::Host(values) => values,
        Values::None(_) => return Err(NnError::Valueless),
        Values::Device(tensor) => {
            let mean = |maps: &Tensor| Ok(maps.mean_keepdim(D::Minus1)?.mean_keepdim(D::Minus2)?);
            return Maps::on_device(&in_f32(tensor, mean)?);
        }
    };
    let mut out = Buffer::new(out_shape.len());
    let images = values.par_chunks_exact(shape.image_len().max(1));
    images.zip(out.par_chunks_exact_mut(shape.channels.max(1))).for_each(|(image, out)| {
        pulp::Arch::new().dispatch(Mean { image, out });
    });
    Ok(Maps::from_buffer(out_shape, out))
}

struct Mean<'a> {
    image: &'a [f32],
    out: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let channels = self.out.len();
        let area = (self.image.len() / channels.max(1)) as f64;
        let mut sums = vec![0.0; channels];
        for position in self.image.chunks_exact(channels) {
            for (sum, &value) in sums.iter_mut().zip(position) {
                *sum += f64::from(value);
            }
        }
        for (out, sum) in self.out.iter_mut().zip(&sums) {
            *out = (sum / area) as f32;
        }
    }
}

#[cfg(test)]
mod tests;
