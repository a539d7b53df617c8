//! The grain of surfaces.

use prismbench_core::Stream;

use super::outline::Point;

/// Side of the tile.
const SIDE: usize = 256;

/// Farther than any place that is looked up: 256 tiles.
const FAR: f64 = 65_536.0;

/// A seamless tile of `1/f` noise with mean 0 and variance 1, shared by all pictures of a set.
///
/// A sum of value noise on lattices of 4, 8, ..., 256 points a side, all of equal variance: equal
/// energy in every octave of a plane is a power spectrum of `1/f^2`.
pub(super) struct Texture(Vec<f32>);

impl Texture {
    pub(super) fn new(seed: u64) -> Self {
        let mut tile = vec![0.0_f64; SIDE * SIDE];
        for octave in 2..=8 {
            let mut stream = Stream::new("synthetic texture", seed, octave);
            let points = 1_usize << octave;
            let lattice: Vec<f64> =
                (0..points * points).map(|_| stream.between(-1.0, 1.0)).collect();
            add_octave(&mut tile, &lattice, points);
        }
        let n = (SIDE * SIDE) as f64;
        let mean = tile.iter().sum::<f64>() / n;
        let variance = tile.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        let scale = 1.0 / variance.sqrt();
        Self(tile.iter().map(|v| ((v - mean) * scale) as f32).collect())
    }

    /// The value at a place of the tile, which repeats for ever, by bilinear interpolation.
    pub(super) fn at(&self, place: Point) -> f64 {
        // A whole number of tiles away nothing is negative, and truncation is the floor.
        let (u, v) = (place.x + FAR, place.y + FAR);
        let (column, row) = (u as i32, v as i32);
        let (fu, fv) = (u - f64::from(column), v - f64::from(row));
        let (column, row) = (column as usize % SIDE, row as usize % SIDE);
        let (right, below) = ((column + 1) % SIDE, (row + 1) % SIDE);
        let value = |row: usize, column: usize| f64::from(self.0[row * SIDE + column]);
        let top = value(row, column) * (1.0 - fu) + value(row, right) * fu;
        let bottom = value(below, column) * (1.0 - fu) + value(below, right) * fu;
        top * (1.0 - fv) + bottom * fv
    }
}

fn add_octave(tile: &mut [f64], lattice: &[f64], points: usize) {
    let cell = SIDE / points;
    let value = |row: usize, column: usize| lattice[row % points * points + column % points];
    for (i, sum) in tile.iter_mut().enumerate() {
        let (row, column) = (i / SIDE, i % SIDE);
        let (fv, fu) = (ease(row % cell, cell), ease(column % cell, cell));
        let (row, column) = (row / cell, column / cell);
        let top = value(row, column) * (1.0 - fu) + value(row, column + 1) * fu;
        let bottom = value(row + 1, column) * (1.0 - fu) + value(row + 1, column + 1) * fu;
        *sum += top * (1.0 - fv) + bottom * fv;
    }
}

/// Position within a cell, eased so that the lattice does not show: `3t^2 - 2t^3`.
fn ease(step: usize, cell: usize) -> f64 {
    let t = step as f64 / cell as f64;
    t * t * (3.0 - 2.0 * t)
}

/// How one surface cuts its texture out of the tile.
#[derive(Debug)]
pub(super) struct Grain {
    origin: Point,
    axis: Point,
    /// Tile points a pixel along and across the axis; never above 1, so that nothing aliases.
    scale: Point,
    /// Standard deviation of the relief.
    contrast: f64,
}

impl Grain {
    pub(super) fn draw(stream: &mut Stream, contrast: f64) -> Self {
        let side = SIDE as f64;
        let across = stream.between(0.4, 1.0);
        Self {
            origin: Point::new(stream.between(0.0, side), stream.between(0.0, side)),
            axis: Point::direction(stream),
            // Stretched along the axis, by up to seven: wood, slate, grass.
            scale: Point::new(across * stream.between(0.15, 1.0), across),
            contrast,
        }
    }

    /// Relief at an offset from the surface's centre.
    pub(super) fn relief(&self, texture: &Texture, offset: Point) -> f64 {
        let local = offset.in_frame(self.axis);
        let place = Point::new(
            self.origin.x + local.x * self.scale.x,
            self.origin.y + local.y * self.scale.y,
        );
        self.contrast * texture.at(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tile_has_no_seam_and_unit_variance() {
        let texture = Texture::new(5);
        let n = texture.0.len() as f64;
        let mean = texture.0.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let square = texture.0.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{mean} {square}");
        let step = |a: f64, b: f64| {
            let row = |y: usize| {
                texture.at(Point::new(a, y as f64)) - texture.at(Point::new(b, y as f64))
            };
            (0..SIDE).map(|y| row(y) * row(y)).sum::<f64>()
        };
        // Across the seam the tile changes no more than between columns inside.
        assert!(step(255.0, 256.0) < 2.0 * step(100.0, 101.0));
        let (inside, outside) = (Point::new(3.25, 9.5), Point::new(3.25 - 512.0, 9.5 + 256.0));
        assert!((texture.at(inside) - texture.at(outside)).abs() < 1e-12);
    }
}
