//! Attention that never makes the matrix of all scores.

mod block;
mod packed;
mod tile;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::InstructionSet;
use crate::nn::maps::{Buffer, Values, in_f32};
use crate::nn::{MapShape, Maps, NnError, Work};
use block::Block;
use packed::Packed;

/// Scaled dot-product attention over the positions of maps, head by head.
///
/// `softmax(scale q k^T) v` (Vaswani et al. 2017), as `torch.nn.functional.
/// scaled_dot_product_attention`; the scale is `1 / sqrt(channels of a head)` unless set. The
/// channels of head `h` are the `h`-th of as many equal parts. Keys are taken in blocks of
/// 128 with a running maximum and sum (Milakov and Gimelshein 2018, Dao et al. 2022); a query that
/// sees no key gives zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    heads: usize,
    scale: Option<f32>,
    mask: Mask,
    set: InstructionSet,
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// All.
    #[default]
    None,
    /// Those up to its own position, as text towers have it.
    Causal,
}

/// Queries, keys or values of one image: one row per position.
#[derive(Clone, Copy)]
struct Tokens<'a> {
    rows: &'a [f32],
    stride: usize,
    /// First channel of the first head, and channels of each.
    channel: usize,
    width: usize,
}

impl<'a> Tokens<'a> {
    fn len(self) -> usize {
        self.rows.len().checked_div(self.stride).unwrap_or(0)
    }

    #[inline(always)]
    fn of(self, head: usize, position: usize) -> &'a [f32] {
        &self.from(head, position)[..self.width]
    }

    /// All rows, from the head's first channel at a position on.
    #[inline(always)]
    fn from(self, head: usize, position: usize) -> &'a [f32] {
        &self.rows[position * self.stride + self.channel + head * self.width..]
    }
}

/// Where the tokens of a kind are found.
#[derive(Clone, Copy)]
struct Source<'a> {
    values: &'a [f32],
    shape: MapShape,
    channel: usize,
    width: usize,
}

impl<'a> Source<'a> {
    fn image(self, image: usize) -> Tokens<'a> {
        let len = self.shape.image_len();
        let rows = &self.values[image * len..][..len];
        Tokens { rows, stride: self.shape.channels, channel: self.channel, width: self.width }
    }
}

impl Attention {
    /// So many heads, the usual scale, no mask.
    #[must_use]
    pub const fn new(heads: usize) -> Self {
        Self { heads, scale: None, mask: Mask::None, set: InstructionSet::Best }
    }

    /// The same with another factor of the scores.
    #[must_use]
    pub const fn scale(self, scale: f32) -> Self {
        Self { scale: Some(scale), ..self }
    }

    /// The same with another mask.
    #[must_use]
    pub const fn mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// The same, compiled for an instruction set of one's choice: what tests compare.
    #[must_use]
    pub const fn for_set(self, set: InstructionSet) -> Self {
        Self { set, ..self }
    }

    /// Maps of the positions of `q` and the channels of `v`.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the channels are no multiple of the heads, `q` and `k` differ in
    /// channels or images, or `k` and `v` in images or positions; [`NnError::Devices`] when some
    /// are on the host and some are not.
    pub fn forward(&self, q: &Maps, k: &Maps, v: &Maps) -> Result<Maps, NnError> {
        let [queries, keys, values] = [q, k, v].map(Maps::shape);
        let tokens = |shape: MapShape| (shape.images, shape.height * shape.width);
        let multiple = |shape: MapShape| shape.channels.is_multiple_of(self.heads);
        let agree = queries.channels == keys.channels && queries.images == keys.images;
        let agree = agree && keys.channels > 0;
        if !(agree && tokens(keys) == tokens(values) && multiple(keys) && multiple(values)) {
            return Err(NnError::Shape {
                layer: "attention",
                expected: format!("queries, keys and values of {} heads that fit", self.heads),
                found: format!("{queries}, {keys} and {values}"),
            });
        }
        let shape = MapShape { channels: values.channels, ..queries };
        let work = || self.work(queries, keys, values.channels);
        if let Some(counted) = Maps::counted(&[q, k, v], shape, work) {
            return Ok(counted);
        }
        if let Some(like) = Maps::first_on_device(&[q, k, v]) {
            let [q, k, v] = [q, k, v].map(|maps| maps.device_like("attention", like));
            return Maps::on_device(&self.on_device(&q?, &k?, &v?)?);
        }
        Ok(self.on_host(shape, [self.all(q)?, self.all(k)?, self.all(v)?]))
    }

    /// Self-attention of maps whose channels are all queries, then all keys, then all values.
    ///
    /// # Errors
    /// [`NnError::Shape`] when the channels are no multiple of three times the heads.
    pub fn forward_joint(&self, qkv: &Maps) -> Result<Maps, NnError> {
        let shape = qkv.shape();
        let channels = shape.channels / 3;
        if !shape.channels.is_multiple_of(3 * self.heads) {
            return Err(NnError::Shape {
                layer: "attention",
                expected: format!("queries, keys and values of {} heads", self.heads),
                found: format!("{} channels", shape.channels),
            });
        }
        let out = MapShape { channels, ..shape };
        if let Some(counted) = Maps::counted(&[qkv], out, || self.work(out, out, channels)) {
            return Ok(counted);
        }
        let values = match qkv.values() {
            Values::Host(values) => values,
            Values::Device(qkv) => {
                let part = |i| qkv.narrow(1, i * channels, channels)?.contiguous();
                return Maps::on_device(&self.on_device(&part(0)?, &part(1)?, &part(2)?)?);
            }
            Values::None(_) => return Err(NnError::Valueless),
        };
        let width = channels / self.heads.max(1);
        let source = |i| Source { values, shape, channel: i * channels, width };
        Ok(self.on_host(out, [source(0), source(1), source(2)]))
    }

    /// Of queries and keys of these shapes, and values of so many channels.
    fn work(&self, queries: MapShape, keys: MapShape, channels: usize) -> Work {
        let pairs = queries.positions() * keys.height * keys.width;
        let attention = (pairs * (queries.channels + channels)) as u64;
        Work { attention, ..Work::each(self.heads * pairs) }
    }

    fn all<'a>(&self, maps: &'a Maps) -> Result<Source<'a>, NnError> {
        let shape = maps.shape();
        let width = shape.channels / self.heads.max(1);
        Ok(Source { values: maps.host("attention")?, shape, channel: 0, width })
    }

    fn on_host(&self, shape: MapShape, [q, k, v]: [Source<'_>; 3]) -> Maps {
        let mut out = Buffer::new(shape.len());
        if shape.is_empty() {
            return Maps::from_buffer(shape, out);
        }
        let scale = self.scale.unwrap_or((1.0 / (q.width.max(1) as f64).sqrt()) as f32);
        let packed: Vec<Vec<Packed>> = (0..shape.images)
            .into_par_iter()
            .map(|image| {
                let (k, v) = (k.image(image), v.image(image));
                let heads = (0..self.heads).into_par_iter();
                heads.map(|head| Packed::new(self.set, k, v, head)).collect()
            })
            .collect();
        let queries = tile::queries(self.set);
        let images = out.par_chunks_exact_mut(shape.image_len()).zip(&packed).enumerate();
        images.for_each(|(image, (out, packed))| {
            let (q, mask) = (q.image(image), self.mask);
            let blocks = out.par_chunks_mut(queries * shape.channels).enumerate();
            blocks.for_each(|(block, out)| {
                let first = block * queries;
                let keys = k.image(image).len();
                self.set.run(Block { q, first, keys, packed, scale, mask, out });
            });
        });
        Maps::from_buffer(shape, out)
    }

    /// All scores at once: `[image, head, query, key]`.
    fn on_device(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor, NnError> {
        let (images, channels, height, width) = q.dims4()?;
        let heads = |tensor: &Tensor| -> Result<Tensor, NnError> {
            let (images, channels, height, width) = tensor.dims4()?;
            let part = channels.checked_div(self.heads).unwrap_or(0);
            Ok(tensor.reshape((images, self.heads, part, height * width))?)
        };
        let part = channels.checked_div(self.heads).unwrap_or(1);
        let scale = self.scale.map_or_else(|| 1.0 / (part as f64).sqrt(), f64::from);
        let scores = (heads(q)? * scale)?.transpose(2, 3)?.matmul(&heads(k)?)?;
        let parts = in_f32(&scores, |scores| self.parts(scores))?;
        let out = heads(v)?.matmul(&parts.transpose(2, 3)?)?;
        Ok(out.reshape((images, v.dim(1)?, height, width))?)
    }

    /// What each query takes of each value, by `[image, head, query, key]` of f32.
    fn parts(&self, scores: &Tensor) -> Result<Tensor, NnError> {
        let mut scores = scores.clone();
        if self.mask == Mask::Causal {
            let (_, _, queries, keys) = scores.dims4()?;
            scores = scores.broadcast_add(&causal(queries, keys, scores.device())?)?;
        }
        let parts = scores.broadcast_sub(&scores.max_keepdim(3)?)?.exp()?;
        Ok(parts.broadcast_div(&parts.sum_keepdim(3)?)?)
    }
}

/// 0 where a key is seen, minus infinity elsewhere.
fn causal(queries: usize, keys: usize, device: &Device) -> Result<Tensor, NnError> {
    let seen = (0..queries).flat_map(|query| (0..keys).map(move |key| key <= query));
    let values: Vec<f32> = seen.map(|seen| if seen { 0.0 } else { f32::NEG_INFINITY }).collect();
    Ok(Tensor::from_vec(values, (queries, keys), device)?)
}

#[cfg(test)]
mod tests;
