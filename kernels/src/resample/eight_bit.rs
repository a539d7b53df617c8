use super::Method;
use super::filter::taps;
use crate::Size;

/// Fraction bits of Pillow's 8-bit weights: 32 bits less 8 for the pixel and 2 for the overshoot.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// Half a level, so that the final shift rounds to nearest.
const HALF: i32 = 1 << (FRACTION_BITS - 1);
/// Rows that the horizontal pass takes at once: 8 rows x 3 channels fill three 256-bit registers.
const ROWS: usize = 8;
const LANES: usize = 3 * ROWS;
/// Columns (times channels) that the vertical pass takes at once.
const CHUNK: usize = 64;

/// A rectangle of the resized picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns and rows.
    pub size: Size,
}

/// Pillow's `resize` of an 8-bit RGB picture, equal to the last bit.
///
/// `pixels` holds `from.area() * 3` interleaved bytes, the result `to.area() * 3`. A size with an
/// empty side gives no bytes. Source: `Resample.c` of Pillow 12 and 13.
#[must_use]
pub fn resize_rgb8(pixels: &[u8], from: Size, to: Size, method: impl Into<Method>) -> Vec<u8> {
    resize_rgb8_window(pixels, from, to, method, Window { left: 0, top: 0, size: to })
}

/// Only the rectangle `window` of what [`resize_rgb8`] gives, at the cost of that rectangle.
///
/// The window must lie within `to`; what lies outside is cut off.
#[must_use]
pub fn resize_rgb8_window(
    pixels: &[u8],
    from: Size,
    to: Size,
    method: impl Into<Method>,
    window: Window,
) -> Vec<u8> {
    let Some(plan) = Plan::new(from, to, method.into(), window) else { return Vec::new() };
    let Plan { across, down, vertical_first } = plan;
    let arch = pulp::Arch::new();
    let stride = 3 * from.width;
    if vertical_first {
        let rows = arch.dispatch(Vertical { rows: pixels, stride, first: 0, down: &down });
        return arch.dispatch(Horizontal { rows: &rows, stride, across: &across });
    }
    // The horizontal pass makes only the rows that the vertical one reads.
    let first = down.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end = down.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(0);
    let source = &pixels[first * stride..end * stride];
    let rows = arch.dispatch(Horizontal { rows: source, stride, across: &across });
    arch.dispatch(Vertical { rows: &rows, stride: 3 * across.len(), first, down: &down })
}

/// Which inputs make the outputs of a window, along both sides.
pub(crate) struct Plan {
    pub(crate) across: Vec<Fixed>,
    pub(crate) down: Vec<Fixed>,
    pub(crate) vertical_first: bool,
}

impl Plan {
    /// `None` where nothing goes in or nothing comes out.
    pub(crate) fn new(from: Size, to: Size, method: Method, window: Window) -> Option<Self> {
        let columns = window.left.min(to.width)..(window.left + window.size.width).min(to.width);
        let rows = window.top.min(to.height)..(window.top + window.size.height).min(to.height);
        if from.area() == 0 || columns.is_empty() || rows.is_empty() {
            return None;
        }
        // An unchanged side is copied, not filtered with one tap of weight 1: Pillow skips the pass.
        let across = if from.width == to.width {
            columns.map(Fixed::copy).collect()
        } else {
            fixed(taps(from.width, to.width, method.filter, columns))
        };
        let down = if from.height == to.height {
            rows.map(Fixed::copy).collect()
        } else {
            fixed(taps(from.height, to.height, method.filter, rows))
        };
        Some(Self { across, down, vertical_first: method.passes.vertical_first(from, to) })
    }
}

/// Taps with weights in fixed point.
pub(crate) struct Fixed {
    pub(crate) first: usize,
    pub(crate) weights: Vec<i32>,
}

impl Fixed {
    fn copy(position: usize) -> Self {
        Self { first: position, weights: vec![1 << FRACTION_BITS] }
    }
}

fn fixed(taps: Vec<super::filter::Taps>) -> Vec<Fixed> {
    let round = |weight: f64| {
        let scaled = weight * f64::from(1 << FRACTION_BITS);
        (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
    };
    taps.into_iter()
        .map(|taps| Fixed {
            first: taps.first,
            weights: taps.weights.into_iter().map(round).collect(),
        })
        .collect()
}

#[inline(always)]
fn level(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// Filters every row. Eight rows are taken at once, transposed so that one tap is one run of bytes:
/// `[column][row][channel]`.
// A struct and no closure: only what is inlined into `with_simd` gets the instructions that `pulp`
// found, and a closure of this size is not inlined.
struct Horizontal<'a> {
    rows: &'a [u8],
    stride: usize,
    across: &'a [Fixed],
}

impl pulp::WithSimd for Horizontal<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u8> {
        let Self { rows: source, stride, across } = self;
        let width = stride / 3;
        let rows = source.len() / stride;
        let mut result = vec![0; rows * across.len() * 3];
        let mut block = vec![0_u8; width * LANES];
        for start in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - start);
            for (lane, row) in source[start * stride..].chunks_exact(stride).take(count).enumerate()
            {
                for (column, pixel) in row.chunks_exact(3).enumerate() {
                    block[column * LANES + lane * 3..][..3].copy_from_slice(pixel);
                }
            }
            for (output, taps) in across.iter().enumerate() {
                let mut sums = [HALF; LANES];
                let inputs = block[taps.first * LANES..].chunks_exact(LANES);
                for (&weight, input) in taps.weights.iter().zip(inputs) {
                    for lane in 0..LANES {
                        sums[lane] += i32::from(input[lane]) * weight;
                    }
                }
                for (lane, sums) in sums.chunks_exact(3).take(count).enumerate() {
                    let at = ((start + lane) * across.len() + output) * 3;
                    for (byte, &sum) in result[at..at + 3].iter_mut().zip(sums) {
                        *byte = level(sum);
                    }
                }
            }
        }
        result
    }
}

/// Filters every column; `rows` begins with row `first` of the picture.
struct Vertical<'a> {
    rows: &'a [u8],
    stride: usize,
    first: usize,
    down: &'a [Fixed],
}

impl pulp::WithSimd for Vertical<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u8> {
        let Self { rows, stride, first, down } = self;
        let mut result = vec![0; down.len() * stride];
        for (taps, output) in down.iter().zip(result.chunks_exact_mut(stride)) {
            let source = &rows[(taps.first - first) * stride..];
            for start in (0..stride).step_by(CHUNK) {
                let count = CHUNK.min(stride - start);
                let mut sums = [HALF; CHUNK];
                for (row, &weight) in taps.weights.iter().enumerate() {
                    let input = &source[row * stride + start..][..count];
                    for (sum, &byte) in sums.iter_mut().zip(input) {
                        *sum += i32::from(byte) * weight;
                    }
                }
                for (byte, &sum) in output[start..start + count].iter_mut().zip(&sums) {
                    *byte = level(sum);
                }
            }
        }
        result
    }
}
