//! What a picture shows: its figures, where they are, and what they lie on.

use prismbench_core::Stream;

use super::canvas::{Canvas, Shadow, Surface};
use super::colour::{Material, Paint};
use super::figure::{Figure, Kind};
use super::leaf::{self, Leaf};
use super::outline::Point;
use super::texture::{Grain, Texture};

/// Sizes of pictures with this shorter side, columns by rows: 4:3, 3:2, 3:4 and square.
fn sizes(shorter: usize) -> [(usize, usize); 4] {
    let long = shorter * 4 / 3;
    [(long, shorter), (shorter * 3 / 2, shorter), (shorter, long), (shorter, shorter)]
}

/// Leaves below this radius, in pixels, cast no shadow that anyone would see.
const SHADOW_RADIUS: f64 = 8.0;

/// Leaves that are drawn at most: a bound for certainty, some tens of times what a picture takes.
const LEAVES_MAX: u32 = 4_000_000;

/// Everything that captions can tell.
#[derive(Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) width: usize,
    pub(super) height: usize,
    /// The shorter of them.
    shorter: usize,
    pub(super) material: &'static Material,
    /// The figure that gives the class.
    pub(super) main: Item,
    /// A small figure on the other side of a large main one, of another kind and colour.
    pub(super) companion: Option<Item>,
}

/// One figure of a scene.
#[derive(Debug, PartialEq)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) paint: Paint,
    pub(super) size: Size,
    pub(super) place: Place,
    pub(super) centre: Point,
    /// In pixels.
    pub(super) radius: f64,
    upright: Point,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Left,
    Right,
    Top,
    Bottom,
    Centre,
}

impl Place {
    const ALL: [Self; 5] = [Self::Left, Self::Right, Self::Top, Self::Bottom, Self::Centre];

    /// The other side; the centre has none.
    fn opposite(self) -> Option<Self> {
        match self {
            Self::Left => Some(Self::Right),
            Self::Right => Some(Self::Left),
            Self::Top => Some(Self::Bottom),
            Self::Bottom => Some(Self::Top),
            Self::Centre => None,
        }
    }

    /// A point of the unit square.
    fn draw(self, stream: &mut Stream) -> Point {
        let (near, far) = (stream.between(0.24, 0.3), stream.between(0.42, 0.58));
        match self {
            Self::Left => Point::new(near, far),
            Self::Right => Point::new(1.0 - near, far),
            Self::Top => Point::new(far, near),
            Self::Bottom => Point::new(far, 1.0 - near),
            Self::Centre => Point::new(stream.between(0.46, 0.54), far),
        }
    }
}

impl Scene {
    /// The scene of sample `index` with a shorter side of so many pixels; its class is given.
    pub(super) fn draw(seed: u64, index: u64, kind: Kind, shorter: usize) -> Self {
        let mut stream = Stream::new("synthetic scene", seed, index);
        let sizes = sizes(shorter);
        let (width, height) = sizes[stream.below(sizes.len() as u64) as usize];
        let material = Material::draw(&mut stream);
        let place = Place::ALL[stream.below(Place::ALL.len() as u64) as usize];
        let size = if stream.below(5) < 3 { Size::Large } else { Size::Small };
        let paint = material.contrasting_paint(&mut stream);
        let corner = Point::new((width - shorter) as f64 / 2.0, (height - shorter) as f64 / 2.0);
        let middle = (corner, shorter as f64);
        let main = Item::draw(kind, paint, (size, place), middle, &mut stream);
        let companion =
            place.opposite().filter(|_| size == Size::Large && stream.below(3) < 2).map(|place| {
                let kind = other_than(kind, || Kind::ALL[stream.below(10) as usize]);
                let mut stream = Stream::new("synthetic companion", seed, index);
                let paint = other_than(paint, || material.contrasting_paint(&mut stream));
                Item::draw(kind, paint, (Size::Small, place), middle, &mut stream)
            });
        Self { width, height, shorter, material, main, companion }
    }

    /// Paints the scene, RGB bytes in rows from the top.
    pub(super) fn render(&self, seed: u64, index: u64, texture: &Texture) -> Vec<u8> {
        let mut stream = Stream::new("synthetic leaves", seed, index);
        let light = light(&mut stream);
        let falloff = light.scaled(-2.0 * stream.between(0.06, 0.2) / self.shorter as f64);
        let mut canvas = Canvas::new(self.width, self.height, falloff, texture);
        for item in [Some(&self.main), self.companion.as_ref()].into_iter().flatten() {
            canvas.paint(&item.figure(), || Surface {
                colour: item.paint.shade(&mut stream),
                grain: grain(&mut stream),
                lean: light.scaled(-stream.between(0.05, 0.15) / item.radius),
                shadow: Some(Shadow::cast(light, item.radius, &mut stream)),
            });
        }
        self.cover(&mut canvas, light, &mut stream);
        canvas.develop()
    }

    /// Paints leaves until hardly anything farther back can be seen, and the ground in what is left.
    fn cover(&self, canvas: &mut Canvas<'_>, light: Point, stream: &mut Stream) {
        // Centres are uniform over a rectangle that no leaf which touches the picture lies outside
        // of: otherwise leaves would be scarcer near the border.
        let radius_max = leaf::radius_max(self.shorter);
        let margin = radius_max * Leaf::STRETCH;
        let (right, bottom) = (self.width as f64 + margin, self.height as f64 + margin);
        for _ in 0..LEAVES_MAX {
            if canvas.is_covered() {
                break;
            }
            let radius = leaf::radius(radius_max, stream);
            let centre =
                Point::new(stream.between(-margin, right), stream.between(-margin, bottom));
            if !canvas.is_within(centre, radius * Leaf::STRETCH) {
                continue;
            }
            let leaf = Leaf::draw(centre, radius, stream);
            canvas.paint(&leaf, || Surface {
                colour: self.material.leaf_colour(stream),
                grain: grain(stream),
                lean: light.scaled(-stream.between(0.0, 0.25) / radius),
                shadow: (radius > SHADOW_RADIUS).then(|| Shadow::cast(light, radius, stream)),
            });
        }
        canvas.fill(self.material.mean_colour());
    }
}

impl Item {
    fn draw(
        kind: Kind,
        paint: Paint,
        (size, place): (Size, Place),
        (corner, shorter): (Point, f64),
        stream: &mut Stream,
    ) -> Self {
        let radius = shorter
            * match size {
                Size::Large => stream.between(0.18, 0.22),
                Size::Small => stream.between(0.09, 0.12),
            };
        let middle = place.draw(stream).scaled(shorter);
        // The centre crop keeps the middle square: every figure lies inside it.
        let reach = Figure::REACH * radius;
        let inside = |value: f64| value.clamp(reach, shorter - reach);
        let tilt = Point::new(1.0, stream.between(-0.3, 0.3));
        Self {
            kind,
            paint,
            size,
            place,
            centre: Point::new(corner.x + inside(middle.x), corner.y + inside(middle.y)),
            radius,
            upright: tilt.scaled(1.0 / tilt.length()),
        }
    }

    pub(super) fn figure(&self) -> Figure {
        Figure::new(self.kind, self.centre, self.radius, self.upright)
    }
}

/// Where light goes: down, more or less, because lamps and the sun hang above.
fn light(stream: &mut Stream) -> Point {
    let direction = Point::new(stream.between(-1.0, 1.0), 1.0);
    direction.scaled(1.0 / direction.length())
}

fn grain(stream: &mut Stream) -> Grain {
    let contrast = stream.between(0.04, 0.15);
    Grain::draw(stream, contrast)
}

/// Draws until the value is not `taken`.
fn other_than<T: PartialEq>(taken: T, mut draw: impl FnMut() -> T) -> T {
    loop {
        let value = draw();
        if value != taken {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::Outline;
    use super::*;

    const SHORTER: usize = 288;

    fn scenes() -> impl Iterator<Item = Scene> {
        (0..600).map(|i| Scene::draw(11, i, Kind::ALL[(i % 10) as usize], SHORTER))
    }

    fn items(scene: &Scene) -> impl Iterator<Item = &Item> {
        [Some(&scene.main), scene.companion.as_ref()].into_iter().flatten()
    }

    #[test]
    fn figures_lie_inside_the_middle_square_and_apart() {
        for scene in scenes() {
            let (x, y) = (scene.width as f64 / 2.0, scene.height as f64 / 2.0);
            for item in items(&scene) {
                let reach = item.figure().extent().x - 1e-9;
                let half = SHORTER as f64 / 2.0;
                assert!((item.centre.x - x).abs() + reach <= half, "{scene:?}");
                assert!((item.centre.y - y).abs() + reach <= half, "{scene:?}");
            }
            if let Some(other) = &scene.companion {
                let gap = scene.main.centre.minus(other.centre).length();
                assert!(gap > Figure::REACH * (scene.main.radius + other.radius), "{scene:?}");
            }
        }
    }

    #[test]
    fn places_are_where_their_names_say() {
        for scene in scenes() {
            for item in items(&scene) {
                let x = item.centre.x - scene.width as f64 / 2.0;
                let y = item.centre.y - scene.height as f64 / 2.0;
                // Off the middle by a tenth of the square at least, and farther than sideways.
                let beyond = |along: f64, across: f64| along > 28.8 && along > across.abs();
                let right = match item.place {
                    Place::Left => beyond(-x, y),
                    Place::Right => beyond(x, y),
                    Place::Top => beyond(-y, x),
                    Place::Bottom => beyond(y, x),
                    Place::Centre => x.abs().max(y.abs()) < 28.8,
                };
                assert!(right, "{item:?} in {}x{}", scene.width, scene.height);
            }
        }
    }

    #[test]
    fn a_companion_is_small_and_differs_from_a_large_main_figure() {
        let mut companions = 0;
        for scene in scenes() {
            let Some(other) = &scene.companion else { continue };
            companions += 1;
            assert_eq!((scene.main.size, other.size), (Size::Large, Size::Small));
            assert!(other.kind != scene.main.kind && other.paint != scene.main.paint);
            assert_eq!(scene.main.place.opposite(), Some(other.place));
        }
        // Expected 600 * 3/5 * 4/5 * 2/3 = 192 with a standard deviation of 11.4.
        assert!((135..250).contains(&companions), "{companions}");
    }
}
