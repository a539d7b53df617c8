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
        let (x, y) = (0.5 * width as f64, 0.5 * height as f64);
        let light = (0..height).flat_map(|row| {
            let middle = 1.0 + falloff.y * (row as f64 - y);
            (0..width).map(move |column| (middle + falloff.x * (column as f64 - x)) as f32)
        });
        Self {
            width,
            height,
            texture,
            colour: vec![[0.0; 3]; area],
            open: vec![1.0; area],
            light: light.collect(),
            ahead: Ahead::new(width, height),
            unfinished: area,
        }
    }

    /// Whether all but one in 128 pixels hide whatever would be painted now. The last holes would
    /// take as many leaves again as all the rest.
    pub(super) fn is_covered(&self) -> bool {
        self.unfinished <= self.open.len() / 128
    }

    /// Whether a box of half side `reach` around `centre` touches the canvas.
    pub(super) fn is_within(&self, centre: Point, reach: f64) -> bool {
        let within = |value: f64, size: usize| value > -reach && value < size as f64 + reach;
        within(centre.x, self.width) && within(centre.y, self.height)
    }

    /// Paints a shape behind everything painted so far. Its surface is asked for only when some of
    /// its box can still be seen: most leaves are painted late and lie hidden.
    pub(super) fn paint(&mut self, outline: &impl Outline, surface: impl FnOnce() -> Surface) {
        let (centre, extent) = (outline.centre(), outline.extent());
        let (from, to) = (centre.minus(extent), centre.plus(extent));
        let (mut rows, columns) = self.cells(from, to);
        if !rows.any(|row| self.ahead.open_from(row, columns.start) < columns.end) {
            return;
        }
        let surface = surface();
        let (from, to) = surface.shadow.as_ref().map_or((from, to), |shadow| {
            let rim = Point::new(shadow.softness, shadow.softness).scaled(0.5);
            let (left, right) = (from.plus(shadow.offset), to.plus(shadow.offset));
            (from.lower(left.minus(rim)), to.upper(right.plus(rim)))
        });
        // Coverage begins half a pixel outside the curve.
        let half = Point::new(0.5, 0.5);
        let (rows, columns) = self.cells(from.minus(half), to.plus(half));
        for row in rows {
            let mut column = self.ahead.open_from(row, columns.start);
            while column < columns.end {
                self.paint_pixel(row, column, outline, &surface);
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
            if self.open[pixel] > 0.0 {
                let weight = std::mem::take(&mut self.open[pixel]);
                self.add(pixel, weight, colour);
            }
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
        // `as i32` truncates and saturates; only what is negative anyway is truncated upwards.
        let cell = |value: f64, size: usize| (value as i32).clamp(0, size as i32) as usize;
        let span = |from: f64, to: f64, size: usize| cell(from, size)..cell(to + 1.0, size);
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

#[cfg(test)]
mod tests {
    use super::super::figure::{Figure, Kind};
    use super::*;

    fn plain(colour: [f64; 3]) -> Surface {
        let grain = Grain::draw(&mut Stream::new("test", 0, 0), 0.0);
        Surface { colour, grain, lean: Point::new(0.0, 0.0), shadow: None }
    }

    fn circle(x: f64, y: f64) -> Figure {
        Figure::new(Kind::Circle, Point::new(x, y), 20.0, Point::new(1.0, 0.0))
    }

    #[test]
    fn what_is_painted_first_lies_in_front() {
        let texture = Texture::new(1);
        let mut canvas = Canvas::new(64, 48, Point::new(0.0, 0.0), &texture);
        canvas.paint(&circle(24.0, 24.0), || plain([1.0, 0.0, 0.0]));
        canvas.paint(&circle(34.0, 24.0), || plain([0.0, 1.0, 0.0]));
        assert!(!canvas.is_covered());
        canvas.fill([0.0, 0.0, 1.0]);
        assert!(canvas.is_covered());
        canvas.paint(&circle(24.0, 24.0), || plain([1.0, 1.0, 1.0]));
        let pixels = canvas.develop();
        let pixel = |x: usize, y: usize| &pixels[3 * (64 * y + x)..][..3];
        assert_eq!(pixel(24, 24), [255, 0, 0]);
        assert_eq!(pixel(40, 24), [255, 0, 0]);
        assert_eq!(pixel(50, 24), [0, 255, 0]);
        assert_eq!(pixel(60, 44), [0, 0, 255]);
    }

    #[test]
    fn coverage_at_the_edge_adds_up_to_the_area() {
        let texture = Texture::new(1);
        for (x, y) in [(32.0, 24.0), (32.3, 23.8), (31.45, 24.71)] {
            let mut canvas = Canvas::new(64, 48, Point::new(0.0, 0.0), &texture);
            canvas.paint(&circle(x, y), || plain([1.0; 3]));
            let covered: f64 = canvas.open.iter().map(|&open| 1.0 - f64::from(open)).sum();
            // A circle of radius 19. Oblique edges cover a pixel not quite linearly: 0.1 %.
            let area = std::f64::consts::PI * 19.0 * 19.0;
            assert!((covered / area - 1.0).abs() < 1e-3, "{x} {y}: {covered} against {area}");
        }
    }

    #[test]
    fn a_hidden_shape_is_not_even_given_a_surface() {
        let texture = Texture::new(1);
        let mut canvas = Canvas::new(64, 48, Point::new(0.0, 0.0), &texture);
        canvas.fill([0.5; 3]);
        for row in 0..48 {
            for column in 0..64 {
                canvas.ahead.close(row, column);
            }
        }
        canvas.paint(&circle(24.0, 24.0), || panic!("asked for a surface"));
        assert_eq!(canvas.develop()[0], 128);
    }

    #[test]
    fn the_next_open_pixel_is_found_in_any_order_of_closing() {
        let mut ahead = Ahead::new(9, 2);
        for column in [4, 2, 3, 8, 0] {
            ahead.close(1, column);
        }
        let found: Vec<usize> = (0..=9).map(|column| ahead.open_from(1, column)).collect();
        assert_eq!(found, [1, 1, 5, 5, 5, 5, 6, 7, 9, 9]);
        assert_eq!(ahead.open_from(0, 4), 4);
    }
}
