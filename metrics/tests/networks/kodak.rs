//! LPIPS with real weights on real pictures.

use std::io::Write;
use std::path::PathBuf;

use candle_core::Device;
use prismbench_core::RgbImage;
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{Lpips, LpipsHead};
use serde::Deserialize;

use crate::hashed::splitmix::splitmix;
use crate::sample::golden;

#[derive(Deserialize)]
struct Case {
    trunk: String,
    picture: String,
    distortion: String,
    distance: f64,
}

const LEFT: u32 = 200;
const TOP: u32 = 100;
const SIDE: usize = 256;

fn folder(variable: &str, within: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(|folder| PathBuf::from(folder).join(within));
    if folder.is_none() {
        // Past libtest's capture.
        let line = format!("left out: LPIPS on Kodak ({variable} is not set)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    folder
}

fn noisy(pixels: &[u8], seed: u64, amplitude: u64) -> Vec<u8> {
    let noise = |(index, &level): (usize, &u8)| {
        let noise = splitmix(index as u64, seed) % (2 * amplitude + 1);
        (i64::from(level) + noise as i64 - amplitude as i64).clamp(0, 255) as u8
    };
    pixels.iter().enumerate().map(noise).collect()
}

fn blurred(pixels: &[u8]) -> Vec<u8> {
    let near = |at: usize, step: usize| (at + step).saturating_sub(1).min(SIDE - 1);
    let mut blurred = Vec::with_capacity(pixels.len());
    for row in 0..SIDE {
        for column in 0..SIDE {
            for channel in 0..3 {
                let sum: u32 = (0..9)
                    .map(|i| {
                        let place = near(row, i / 3) * SIDE + near(column, i % 3);
                        u32::from(pixels[3 * place + channel])
                    })
                    .sum();
                blurred.push((sum / 9) as u8);
            }
        }
    }
    blurred
}

#[test]
fn real_weights_give_the_numbers_of_the_package() {
    let folders =
        (folder("PRISMBENCH_LPIPS_WEIGHTS", ""), folder("PRISMBENCH_SHARED", "data/kodak"));
    let (Some(weights), Some(kodak)) = folders else { return };
    let cases = golden::<Vec<Case>>("lpips/kodak.json");
    let mut largest = 0.0_f64;
    for trunk in ["alex", "vgg"] {
        let path = weights.join(format!("{trunk}.safetensors"));
        let kind = trunk.parse().unwrap();
        let head = LpipsHead::InTrunkFile;
        let lpips = Lpips::open(kind, &path, head, Arithmetic::Strict, &Device::Cpu).unwrap();
        for case in cases.iter().filter(|case| case.trunk == trunk) {
            let picture = image::open(kodak.join(&case.picture)).unwrap().to_rgb8();
            let side = SIDE as u32;
            let cut = image::imageops::crop_imm(&picture, LEFT, TOP, side, side).to_image();
            let pixels = cut.into_raw();
            let seed = case.picture[..2].parse().unwrap();
            let other = match &*case.distortion {
                "noise" => noisy(&pixels, seed, 25),
                _ => blurred(&pixels),
            };
            let [a, b] = [pixels, other]
                .map(|pixels| lpips.features(&RgbImage::new(SIDE, SIDE, pixels).unwrap()).unwrap());
            let error = (lpips.distance(&a, &b).unwrap() - case.distance).abs();
            assert!(error < 1e-5, "{trunk} {} {}: {error:e}", case.picture, case.distortion);
            largest = largest.max(error);
        }
    }
    println!("{} pairs, largest difference {largest:.1e}", cases.len());
}
