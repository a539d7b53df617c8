//! Every dialect against the library that defines it, and the published reference values.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../tests/oracle/hashed.rs"]
mod hashed;

use std::collections::BTreeMap;

use prismbench_core::{MsSsimDialect, PsnrDialect, Reconstruction, RgbImage, SsimDialect};
use prismbench_kernels::Size;
use prismbench_kernels::resample::{Filter, bilinear_half_pixel, bilinear_tf1, resize_plane};
use prismbench_metrics::{ImageMetric, mean_squared_error};
use serde::Deserialize;

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

fn picture(width: usize, height: usize, seed: u64, amplitude: i64) -> RgbImage {
    RgbImage::new(width, height, hashed::picture(width, height, seed, amplitude)).unwrap()
}

fn metric(name: &str) -> ImageMetric {
    let (metric, dialect) = name.split_once('/').unwrap();
    match metric {
        "psnr" => ImageMetric::Psnr(dialect.parse::<PsnrDialect>().unwrap()),
        "ssim" => ImageMetric::Ssim(dialect.parse::<SsimDialect>().unwrap()),
        "ms-ssim" => ImageMetric::MsSsim(dialect.parse::<MsSsimDialect>().unwrap()),
        other => panic!("no metric {other}"),
    }
}

#[derive(Deserialize)]
struct Case {
    width: usize,
    height: usize,
    seeds: (u64, u64),
    amplitude: i64,
    values: BTreeMap<String, f64>,
}

#[test]
fn every_dialect_gives_what_its_library_gives() {
    let cases: Vec<Case> = read("images/metrics.json");
    let mut compared = 0;
    for Case { width, height, seeds, amplitude, values } in cases {
        let reference = picture(width, height, seeds.0, 4);
        let reconstruction = Reconstruction::U8(picture(width, height, seeds.1, amplitude));
        for (name, expected) in values {
            let found = metric(&name).score(&reference, &reconstruction).unwrap();
            // PSNR: 1e-9 dB. SSIM is f64 on both sides, in another order of sums on [0, 1]: 1e-10
            // leaves two digits above what was seen. torchmetrics keeps the exponents of MS-SSIM
            // as f32, 1e-8 off in relative terms.
            let tolerance = if name.starts_with("ssim") { 1e-10 } else { 1e-9 };
            let gap = (found - expected).abs();
            assert!(gap < tolerance, "{name} at {width}x{height}: {found}, expected {expected}");
            compared += 1;
        }
    }
    assert!(compared > 150, "only {compared} values were compared");
}

/// Half of a level in every pixel, unrounded: an exact mean squared error of 0.25.
#[test]
fn an_unquantised_reconstruction_is_compared_as_it_is() {
    let reference = RgbImage::new(16, 16, vec![100; 768]).unwrap();
    let pixels = vec![100.5_f32 / 255.0; 768];
    let reconstruction = Reconstruction::F32 { width: 16, height: 16, pixels };
    let mse = mean_squared_error(&reference, &reconstruction).unwrap();
    // 100.5/255 as f32 is off by up to 2^-26, which is 4e-6 of a level.
    assert!((mse - 0.25).abs() < 1e-5, "{mse}");
}

/// The values that came with the specification of the metrics, made by its own script.
#[test]
fn the_reference_values_of_the_specification_are_reproduced() {
    let golden: serde_json::Value = read("reference.json");
    let (a, b) = (picture(256, 256, 1, 4), Reconstruction::U8(picture(256, 256, 2, 20)));
    let first: Vec<u8> = serde_json::from_value(golden["img_first8"]["a"].clone()).unwrap();
    assert_eq!(a.pixels()[..8], first);
    let near = |name: &str, found: f64, tolerance: f64| {
        let expected = golden["image"][name].as_f64().unwrap();
        assert!((found - expected).abs() < tolerance, "{name}: {found}, expected {expected}");
    };
    near("mse255", mean_squared_error(&a, &b).unwrap(), 1e-9);
    for (name, id, tolerance) in [
        ("psnr_rgb", "psnr/per-image", 1e-9),
        ("psnr_piq_eps1e8", "psnr/piq", 1e-9),
        ("ssim_skimage_default_u7_samplecov", "ssim/skimage7", 1e-9),
        ("ssim_skimage_gauss_popcov", "ssim/wang", 1e-9),
        ("ssim_piq_valid", "ssim/wang", 1e-9),
        ("ssim_torchmetrics", "ssim/torchmetrics", 1e-9),
        ("ssim_pyiqa_Y_rounded", "ssim/pyiqa-y", 1e-9),
        ("msssim_torchmetrics", "ms-ssim/torchmetrics", 1e-9),
        ("msssim_piq", "ms-ssim/piq", 1e-9),
        // The script fed f32 pictures, filtered in f32.
        ("ssim_llamagen_u7_dr2", "ssim/llamagen", 1e-6),
    ] {
        near(name, metric(id).score(&a, &b).unwrap(), tolerance);
    }
}

#[test]
fn the_reference_resizes_of_the_specification_are_reproduced() {
    let golden: serde_json::Value = read("reference.json");
    let plane: Vec<f32> =
        picture(256, 256, 1, 4).pixels().iter().step_by(3).map(|&byte| f32::from(byte)).collect();
    let (from, to) = (Size::new(256, 256), Size::new(299, 299));
    let near = |name: &str, resized: &[f32], tolerance: f64| {
        for (i, (y, x)) in [(0, 0), (1, 1), (10, 200), (150, 37), (298, 298)].iter().enumerate() {
            let expected = golden["resize256to299_ch0"][name][i].as_f64().unwrap();
            let found = f64::from(resized[y * 299 + x]);
            assert!((found - expected).abs() <= tolerance, "{name} at {x},{y}: {found} {expected}");
        }
    };
    // The script scaled to [0, 1] and back in f32, which costs up to 2^-16 of 255; torch and the
    // plain formula then differ by one rounding of an f32 around 144.
    near("tf1", &bilinear_tf1(&plane, from, to), 3e-5);
    near("halfpixel", &bilinear_half_pixel(&plane, from, to), 3e-5);
    let mut bicubic = resize_plane(&plane, from, to, Filter::Bicubic);
    bicubic.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
    near("pil_bicubic_f32", &bicubic, 0.0);
}
