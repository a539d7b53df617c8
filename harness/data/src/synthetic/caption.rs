//! What a scene is in English.

use super::scene::{Item, Place, Scene, Size};

/// Two captions of equal meaning in different words. The first noun phrase of the first one is the
/// main figure.
pub(super) fn captions(scene: &Scene) -> Vec<String> {
    let (main, material) = (&scene.main, scene.material.name);
    match &scene.companion {
        None => vec![
            format!("a {} {} a cluttered background of {material}", noun(main), side(main.place)),
            format!(
                "amid a clutter of {material}, a {} {}",
                loose_noun(main),
                loose_side(main.place)
            ),
        ],
        Some(companion) => vec![
            format!(
                "a {} {} a {} on a cluttered background of {material}",
                noun(main),
                relation(main.place),
                noun(companion)
            ),
            format!(
                "amid a clutter of {material}, a {} {} a {}",
                loose_noun(companion),
                loose_relation(companion.place),
                loose_noun(main)
            ),
        ],
    }
}

fn noun(item: &Item) -> String {
    sized(item, "small", "large")
}

fn loose_noun(item: &Item) -> String {
    sized(item, "little", "big")
}

fn sized(item: &Item, small: &str, large: &str) -> String {
    let size = match item.size {
        Size::Small => small,
        Size::Large => large,
    };
    format!("{size} {} {}", item.paint.name(), item.kind.name())
}

fn side(place: Place) -> &'static str {
    match place {
        Place::Left => "on the left of",
        Place::Right => "on the right of",
        Place::Top => "at the top of",
        Place::Bottom => "at the bottom of",
        Place::Centre => "in the centre of",
    }
}

fn loose_side(place: Place) -> &'static str {
    match place {
        Place::Left => "towards the left",
        Place::Right => "towards the right",
        Place::Top => "near the top",
        Place::Bottom => "near the bottom",
        Place::Centre => "in the middle",
    }
}

/// How an item at `place` lies to one on the other side. An item in the centre has no other side,
/// and so no companion.
fn relation(place: Place) -> &'static str {
    match place {
        Place::Left => "left of",
        Place::Right => "right of",
        Place::Top => "above",
        Place::Bottom => "below",
        Place::Centre => "beside",
    }
}

fn loose_relation(place: Place) -> &'static str {
    match place {
        Place::Left => "to the left of",
        Place::Right => "to the right of",
        Place::Top => "higher than",
        Place::Bottom => "lower than",
        Place::Centre => "next to",
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Kind;
    use super::*;

    /// The first scene of some seed that a test wants.
    fn scene(wanted: impl Fn(&Scene) -> bool) -> Scene {
        (0..1_000).map(|i| Scene::draw(3, i, Kind::Star, 288)).find(wanted).unwrap()
    }

    #[test]
    fn one_figure_is_told_by_size_colour_kind_and_place() {
        let scene = scene(|s| {
            s.companion.is_none() && s.main.place == Place::Top && s.main.size == Size::Small
        });
        let (paint, material) = (scene.main.paint.name(), scene.material.name);
        assert_eq!(
            captions(&scene),
            [
                format!("a small {paint} star at the top of a cluttered background of {material}"),
                format!("amid a clutter of {material}, a little {paint} star near the top"),
            ]
        );
    }

    #[test]
    fn two_figures_are_told_from_either_side() {
        let scene = scene(|s| s.companion.is_some() && s.main.place == Place::Left);
        let (main, material) = (scene.main.paint.name(), scene.material.name);
        let other = scene.companion.as_ref().unwrap();
        let (paint, kind) = (other.paint.name(), other.kind.name());
        assert_eq!(
            captions(&scene),
            [
                format!(
                    "a large {main} star left of a small {paint} {kind} on a cluttered background of {material}"
                ),
                format!(
                    "amid a clutter of {material}, a little {paint} {kind} to the right of a big {main} star"
                ),
            ]
        );
    }
}
