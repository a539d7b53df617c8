//! Painting from front to back.

use std::ops::Range;

use prismbench_core::Stream;

use super::outline::{Outline, Point};
use super::texture::{Grain, Texture};

/// Below this share of a pixel what lies behind no longer matters: a quarter of a grey level.
const OPAQUE: f32 = 1.0 / 1024.0;

/// A picture in the making. What is painted first lies in front.
pub(super) struct Canvas<'a> {
    width: usize,
    height: usize,
    texture: &'a Texture,
    /// Display values, RGB.
    colour: Vec<[f32; 3]>,
    /// Share of each pixel through which things farther back are seen.
    open: Vec<f32>,
    /// Light that reaches things farther back.
    light: Vec<f32>,
    ahead: Ahead,
    unfinished: usize,
}

/// For every pixel the next one of its row that is still open: a forest of disjoint sets with path
/// halving, so that late leaves pass over what is covered.
struct Ahead {
    /// One entry more than pixels in every row: its end is always open.
    stride: usize,
    next: Vec<u32>,
}

impl Ahead {
    fn new(width: usize, height: usize) -> Self {
        let stride = width + 1;
        Self { stride, next: (0..height).flat_map(|_| 0..stride as u32).collect() }
    }

    /// The first open column at or after `column`; the width when there is none.
    fn open_from(&mut self, row: usize, column: usize) -> usize {
        let next = &mut self.next[row * self.stride..][..self.stride];
        let mut column = column;
        while next[column] as usize != column {
            next[column] = next[next[column] as usize];
            column = next[column] as usize;
        }
        column
    }

    fn close(&mut self, row: usize, column: usize) {
        self.next[row * self.stride + column] = column as u32 + 1;
    }
}

/// How a shape looks.
#[derive(Debug)]
pub(super) struct Surface {
    pub(super) colour: [f64; 3],
    pub(super) grain: Grain,
    /// Change of brightness per pixel: the surface leans towards the light.
    pub(super) lean: Point,
    pub(super) shadow: Option<Shadow>,
}

/// A soft shadow on everything farther back.
#[derive(Debug)]
pub(super) struct Shadow {
    offset: Point,
    /// Width of its edge in pixels, and one over it.
    softness: f64,
    hardness: f64,
    strength: f64,
}

impl Shadow {
    /// The shadow of a shape of some `radius` in pixels, lit along the unit vector `light`.
    pub(super) fn cast(light: Point, radius: f64, stream: &mut Stream) -> Self {
        let height = (stream.between(0.05, 0.2) * radius).min(7.0);
        let softness = 1.0 + 1.5 * height;
        Self {
            offset: light.scaled(height),
            softness,
            hardness: 1.0 / softness,
            strength: stream.between(0.25, 0.55),
        }
    }
}

impl<'a> Canvas<'a> {
    /// An empty canvas. Light changes by `falloff` per pixel around 1 in the middle.
    pub(super) fn new(width: usize, height: usize, falloff: Point, texture: &'a Texture) -> Self {
        let area = width * height;
        let light = |pixel: usize| {
            let column = (pixel % width) as f64 - width as f64 / 2.0;
            let row = (pixel / width) as f64 - height as f64 / 2.0;
            (1.0 + falloff.dot(Point::new(column, row))) as f32
        };
        Self {
            width,
            height,
            texture,
            colour: vec![[0.0; 3]; area],
            open: vec![1.0; area],
            light: (0..area).map(light).collect(),
            ahead: Ahead::new(width, height),
            unfinished: area,
        }
    }

    /// Whether all but one in 256 pixels hide whatever would be painted now. The last holes would
    /// take as many leaves again as all the rest.
    pub(super) fn is_covered(&self) -> bool {
        self.unfinished <= self.open.len() / 256
    }

    /// Whether anything within `reach` of `centre` could still be seen.
    pub(super) fn is_open(&mut self, centre: Point, reach: f64) -> bool {
        let reach = Point::new(reach, reach);
        let (mut rows, columns) = self.cells(centre.minus(reach), centre.plus(reach));
        rows.any(|row| self.ahead.open_from(row, columns.start) < columns.end)
    }

    /// Paints a shape behind everything painted so far.
    pub(super) fn paint(&mut self, outline: &impl Outline, surface: &Surface) {
        let (centre, extent) = (outline.centre(), outline.extent());
        let (mut from, mut to) = (centre.minus(extent), centre.plus(extent));
        if let Some(shadow) = &surface.shadow {
            let rim = Point::new(shadow.softness, shadow.softness).scaled(0.5);
            from = from.lower(from.plus(shadow.offset).minus(rim));
            to = to.upper(to.plus(shadow.offset).plus(rim));
        }
        // Coverage begins half a pixel outside the curve.
        let half = Point::new(0.5, 0.5);
        let (rows, columns) = self.cells(from.minus(half), to.plus(half));
        for row in rows {
            let mut column = self.ahead.open_from(row, columns.start);
            while column < columns.end {
                self.paint_pixel(row, column, outline, surface);
                column = self.ahead.open_from(row, column + 1);
            }
        }
    }

    fn paint_pixel(
        &mut self,
        row: usize,
        column: usize,
        outline: &impl Outline,
        surface: &Surface,
    ) {
        let pixel = row * self.width + column;
        let at = Point::new(column as f64 + 0.5, row as f64 + 0.5);
        // A straight edge at distance d from the pixel's centre covers about 1/2 - d of the pixel.
        let coverage = (0.5 - outline.distance(at)).clamp(0.0, 1.0) as f32;
        if coverage > 0.0 {
            let weight = coverage * self.open[pixel];
            self.add(pixel, weight, surface.seen_at(at.minus(outline.centre()), self.texture));
            self.open[pixel] -= weight;
            if self.open[pixel] < OPAQUE {
                self.open[pixel] = 0.0;
                self.ahead.close(row, column);
                self.unfinished -= 1;
                return;
            }
        }
        if let Some(shadow) = &surface.shadow {
            let distance = outline.distance(at.minus(shadow.offset));
            let depth = (0.5 - distance * shadow.hardness).min(1.0);
            if depth > 0.0 {
                self.light[pixel] *= (1.0 - shadow.strength * depth) as f32;
            }
        }
    }

    /// Fills what is still open with one colour.
    pub(super) fn fill(&mut self, colour: [f64; 3]) {
        for pixel in 0..self.open.len() {
            let weight = std::mem::take(&mut self.open[pixel]);
            self.add(pixel, weight, colour);
        }
        self.unfinished = 0;
    }

    /// The picture as 8-bit RGB.
    pub(super) fn develop(self) -> Vec<u8> {
        // `as u8` truncates and saturates.
        self.colour.iter().flatten().map(|value| (value * 255.0 + 0.5) as u8).collect()
    }

    fn add(&mut self, pixel: usize, weight: f32, colour: [f64; 3]) {
        let light = self.light[pixel];
        for (sum, value) in self.colour[pixel].iter_mut().zip(colour) {
            // Clipped before it is mixed: a highlight must not shine through an edge.
            *sum += weight * (light * value as f32).clamp(0.0, 1.0);
        }
    }

    /// Rows and columns whose pixels touch a box.
    fn cells(&self, from: Point, to: Point) -> (Range<usize>, Range<usize>) {
        let span = |from: f64, to: f64, size: usize| {
            // `as usize` truncates and takes what is negative to 0.
            let end = if to > 0.0 { (to as usize + 1).min(size) } else { 0 };
            (from as usize).min(end)..end
        };
        (span(from.y, to.y, self.height), span(from.x, to.x, self.width))
    }
}

impl Surface {
    fn seen_at(&self, offset: Point, texture: &Texture) -> [f64; 3] {
        let relief = offset.dot(self.lean).clamp(-0.4, 0.4) + self.grain.relief(texture, offset);
        // A dull part in proportion to the colour and a gloss that is alike in all channels.
        self.colour.map(|value| value + relief * (0.85 * value + 0.05))
    }
}
