//! The resamplers and crops against what Pillow made (`tests/oracle/resample.py`): equal in every bit.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;

use prismbench_kernels::resample::{
    Filter, Method, Passes, Window, resize_plane, resize_rgb8, resize_rgb8_window,
};
use prismbench_kernels::{Size, crop};
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Resize {
    seed: u64,
    source: (usize, usize),
    target: (usize, usize),
    filter: String,
    rgb8: String,
    plane: String,
}

#[derive(Deserialize)]
struct Crop {
    seed: u64,
    source: (usize, usize),
    size: usize,
    crop: String,
    filter: String,
    rgb8: String,
}

fn golden<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/resample/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

fn filter(name: &str) -> Filter {
    match name {
        "box" => Filter::Box,
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        other => panic!("no filter {other}"),
    }
}

fn picture((width, height): (usize, usize), seed: u64) -> Vec<u8> {
    hashed::picture(width, height, seed, 60)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn size((width, height): (usize, usize)) -> Size {
    Size::new(width, height)
}

const RELEASES: [(&str, Passes); 2] = [("12", Passes::Pillow12), ("13", Passes::Pillow13)];

#[test]
fn resizes_are_pillows_in_every_bit() {
    for (major, passes) in RELEASES {
        for case in golden::<Resize>(&format!("resize-pillow-{major}.json")) {
            let name = format!(
                "Pillow {major}: {:?} to {:?} by {}",
                case.source, case.target, case.filter
            );
            let (from, to) = (size(case.source), size(case.target));
            let method = Method { filter: filter(&case.filter), passes };
            let pixels = picture(case.source, case.seed);
            assert_eq!(digest(&resize_rgb8(&pixels, from, to, method)), case.rgb8, "8-bit {name}");
            let plane: Vec<f32> = pixels.iter().step_by(3).map(|&byte| f32::from(byte)).collect();
            let resized = resize_plane(&plane, from, to, method);
            let bytes: Vec<u8> = resized.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(digest(&bytes), case.plane, "float {name}");
        }
    }
}

#[test]
fn crops_are_those_of_the_reference_pipelines_in_every_bit() {
    for (major, passes) in RELEASES {
        for case in golden::<Crop>(&format!("crops-pillow-{major}.json")) {
            let from = size(case.source);
            let pixels = picture(case.source, case.seed);
            let method = Method { filter: filter(&case.filter), passes };
            let square = match case.crop.as_str() {
                "adm-center" => crop::adm_center(&pixels, from, case.size, passes),
                _ => crop::resize_center(&pixels, from, case.size, method),
            };
            let name = format!("Pillow {major}: {} {:?} {}", case.crop, case.source, case.size);
            assert_eq!(digest(&square), case.rgb8, "{name}");
        }
    }
}

fn any_filter() -> impl Strategy<Value = Filter> {
    prop::sample::select(vec![Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos])
}

fn any_size() -> impl Strategy<Value = (usize, usize)> {
    (1..40_usize, 1..40_usize)
}

proptest! {
    /// What a window shows is what the whole picture shows there.
    #[test]
    fn a_window_is_a_cut_of_the_whole(
        from in any_size(), to in any_size(), filter in any_filter(),
        left in 0..20_usize, top in 0..20_usize, seed in 0..100_u64,
    ) {
        prop_assume!(left < to.0 && top < to.1);
        let pixels = picture(from, seed);
        let whole = resize_rgb8(&pixels, size(from), size(to), filter);
        let window = Window { left, top, size: Size::new(to.0 - left, (to.1 - top).min(5)) };
        let part = resize_rgb8_window(&pixels, size(from), size(to), filter, window);
        let cut: Vec<u8> = whole
            .chunks_exact(3 * to.0)
            .skip(top)
            .take(window.size.height)
            .flat_map(|row| row[3 * left..].to_vec())
            .collect();
        prop_assert_eq!(part, cut);
    }

    /// Weights sum to 1: a flat picture stays what it was, at any size, by any filter.
    #[test]
    fn a_flat_picture_stays_flat(
        from in any_size(), to in any_size(), filter in any_filter(), level in 0..=255_u8,
    ) {
        let flat = vec![level; 3 * size(from).area()];
        let resized = resize_rgb8(&flat, size(from), size(to), filter);
        prop_assert_eq!(resized.len(), 3 * size(to).area());
        prop_assert!(resized.iter().all(|&byte| byte == level));
    }

    /// Turning the picture over turns the result over: the passes treat both ends alike. The
    /// fixed-point rounding of mirrored weights is the same, so equality is exact; BOX is left out,
    /// because its support is open on one side by definition.
    #[test]
    fn mirrored_in_mirrored_out(
        from in any_size(), to in any_size(), seed in 0..100_u64,
        filter in prop::sample::select(vec![Filter::Bilinear, Filter::Bicubic, Filter::Lanczos]),
    ) {
        let mirror = |pixels: &[u8], width: usize| -> Vec<u8> {
            pixels
                .chunks_exact(3 * width)
                .flat_map(|row| row.chunks_exact(3).rev().flatten().copied().collect::<Vec<_>>())
                .collect()
        };
        let pixels = picture(from, seed);
        let resized = resize_rgb8(&pixels, size(from), size(to), filter);
        let mirrored = resize_rgb8(&mirror(&pixels, from.0), size(from), size(to), filter);
        // Centres are computed from the left edge, so mirrored weights may differ in the last bit of
        // an f64 and, rarely, by one unit of 2^-22: one level at most.
        let back = mirror(&mirrored, to.0);
        let worst = resized.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        prop_assert!(worst <= 1, "worst {}", worst);
    }
}
