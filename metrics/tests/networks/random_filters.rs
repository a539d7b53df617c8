use candle_core::Device;
use prismbench_core::RgbImage;
use prismbench_metrics::{FeatureNetwork, NetworkError, RandomFilters, Tap};
use serde::Deserialize;

use crate::sample::{Picture, golden};

#[derive(Deserialize)]
struct Case {
    picture: Picture,
    features: Vec<f64>,
}

fn rows(images: &[RgbImage]) -> Vec<Vec<f32>> {
    let network = RandomFilters::new(&Device::Cpu).unwrap();
    let images: Vec<&RgbImage> = images.iter().collect();
    let found = network.features(&images, &[Tap::Pooled]).unwrap().remove(0);
    found.rows().map(<[f32]>::to_vec).collect()
}

#[test]
fn the_features_are_those_of_the_description() {
    for Case { picture, features } in golden::<Vec<Case>>("networks/random_filters.json") {
        let found = rows(&[picture.image()]).remove(0);
        assert_eq!(found.len(), features.len());
        for (place, (found, expected)) in found.iter().zip(&features).enumerate() {
            // f32 sums of up to 288 products against f64.
            let error = (f64::from(*found) - expected).abs();
            assert!(error < 2e-6, "{picture:?}, feature {place}: {found}, expected {expected}");
        }
    }
}

/// Every third picture of waves with an edge, so that there is something to blur.
fn scenes() -> Vec<RgbImage> {
    let scene = |seed: usize| {
        let Picture(width, height, ..) = Picture(96, 96, 0, 0);
        let mut pixels = Picture(width, height, seed as u64, 6).image().into_pixels();
        for (place, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (row, column) = (place / width, place % width);
            if (row * (seed + 2) + column * 3) % 64 < 20 {
                pixel.iter_mut().for_each(|level| *level = 255 - *level);
            }
        }
        RgbImage::new(width, height, pixels).unwrap()
    };
    (0..12).map(scene).collect()
}

/// The squared distance of the mean features: the first term of a Fréchet distance.
fn shift(a: &[RgbImage], b: &[RgbImage]) -> f64 {
    let mean = |images| -> Vec<f64> {
        let rows = rows(images);
        (0..rows[0].len())
            .map(|i| rows.iter().map(|row| f64::from(row[i])).sum::<f64>() / rows.len() as f64)
            .collect()
    };
    mean(a).iter().zip(mean(b)).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn changed(image: &RgbImage, level: impl Fn(&[u8], usize) -> u8) -> RgbImage {
    let pixels = image.pixels();
    let pixels = (0..pixels.len()).map(|index| level(pixels, index)).collect();
    RgbImage::new(image.width(), image.height(), pixels).unwrap()
}

#[test]
fn more_distortion_is_further_away() {
    let scenes = scenes();
    let noisy = |amplitude: u64| {
        let noisy = |pixels: &[u8], index: usize| {
            let noise = crate::hashed::splitmix::splitmix(index as u64, 99) % (2 * amplitude + 1);
            (i64::from(pixels[index]) + noise as i64 - amplitude as i64).clamp(0, 255) as u8
        };
        scenes.iter().map(|scene| changed(scene, noisy)).collect::<Vec<_>>()
    };
    let blurred = |reach: usize| {
        let blurred = |pixels: &[u8], index: usize| {
            // Along the row, borders repeated.
            let (row, place) = (index / 288 * 288, index % 288);
            let sum: usize = (0..=2 * reach)
                .map(|step| {
                    let column = (place / 3 + step).saturating_sub(reach).min(95);
                    usize::from(pixels[row + 3 * column + place % 3])
                })
                .sum();
            (sum / (2 * reach + 1)) as u8
        };
        scenes.iter().map(|scene| changed(scene, blurred)).collect::<Vec<_>>()
    };
    let quantised = |step: u8| {
        let quantised = |pixels: &[u8], index: usize| pixels[index] / step * step + step / 2;
        scenes.iter().map(|scene| changed(scene, quantised)).collect::<Vec<_>>()
    };
    let series =
        [[5, 15, 40, 90].map(noisy), [1, 2, 4, 8].map(blurred), [8, 32, 64, 128].map(quantised)];
    for (number, series) in series.iter().enumerate() {
        let shifts = series.each_ref().map(|distorted| shift(&scenes, distorted));
        assert!(shifts.is_sorted() && shifts[0] > 0.0, "series {number}: {shifts:?}");
        assert!(shifts[3] > 4.0 * shifts[0], "series {number}: {shifts:?}");
    }
}

#[test]
fn only_its_own_features_can_be_had_and_tiny_pictures_are_refused() {
    let network = RandomFilters::new(&Device::Cpu).unwrap();
    let image = Picture(40, 40, 1, 9).image();
    let error = network.features(&[&image], &[Tap::Logits]).unwrap_err().to_string();
    assert_eq!(error, "`random-filters-v1` has no features `logits`; it has pooled");
    let tiny = Picture(8, 8, 1, 9).image();
    let error = network.features(&[&tiny], &[Tap::Pooled]).unwrap_err();
    assert!(matches!(error, NetworkError::Layer { .. }), "{error}");
}
