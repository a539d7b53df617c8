use candle_core::Device;
use prismbench_core::{LpipsTrunk, Reconstruction};
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{Lpips, LpipsHead};
use serde::Deserialize;

use crate::sample::{Picture, Sample, golden};
use crate::weights::generated;

#[derive(Deserialize)]
struct Case {
    trunk: String,
    picture: Picture,
    other: Picture,
    distance: f64,
    unlearned: f64,
    exact: f64,
    map: Sample,
}

fn open(trunk: &str, head: LpipsHead<'_>, arithmetic: Arithmetic) -> Lpips {
    let path = generated(&format!("{trunk}.safetensors"));
    Lpips::open(trunk.parse().unwrap(), &path, head, arithmetic, &Device::Cpu).unwrap()
}

#[test]
fn every_trunk_agrees_with_the_package() {
    for arithmetic in [Arithmetic::Strict, Arithmetic::Fast] {
        let mut largest = [0.0_f64; 3];
        for case in golden::<Vec<Case>>("networks/lpips.json") {
            let lpips = open(&case.trunk, LpipsHead::InTrunkFile, arithmetic);
            let unlearned = open(&case.trunk, LpipsHead::Unlearned, arithmetic);
            let [a, b] =
                [case.picture, case.other].map(|each| lpips.features(&each.image()).unwrap());
            let distance = lpips.distance(&a, &b).unwrap();
            let baseline = unlearned.distance(&a, &b).unwrap();
            // Section 14 of the metrics' specification: 1e-5, absolute. The baseline sums up to
            // 512 channels that each weigh 1: as many times the error of the learned distance.
            let found = format!("{} {:?}: {distance}", case.trunk, case.picture);
            assert!((distance - case.distance).abs() < 1e-5, "{found}, not {}", case.distance);
            assert!((baseline - case.unlearned).abs() < 1e-5, "{baseline}, {}", case.unlearned);
            let map = case.map.error(&lpips.map(&a, &b).unwrap());
            assert!(map < 1e-5, "{} {:?}: map {map:e}", case.trunk, case.picture);
            let errors =
                [distance - case.distance, distance - case.exact, baseline - case.unlearned];
            largest = std::array::from_fn(|i| largest[i].max(errors[i].abs()));
        }
        let largest = largest.map(|error| format!("{error:.1e}"));
        println!("{arithmetic:?}: {largest:?} (package, f64, unlearned package)");
    }
}

#[test]
fn a_picture_is_at_no_distance_from_itself_in_either_form() {
    let lpips = open("squeeze", LpipsHead::InTrunkFile, Arithmetic::Strict);
    let picture = Picture(70, 50, 1, 40).image();
    let pixels = picture.pixels().iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let a = lpips.features(&picture).unwrap();
    let b = lpips.features_of(&Reconstruction::F32 { width: 70, height: 50, pixels }).unwrap();
    assert_eq!(lpips.distance(&a, &b).unwrap().to_bits(), 0.0_f64.to_bits());
    let other = lpips.features(&Picture(70, 50, 2, 40).image()).unwrap();
    let there = lpips.distance(&a, &other).unwrap();
    assert!(there > 0.01);
    assert_eq!(there.to_bits(), lpips.distance(&other, &a).unwrap().to_bits());
}

#[test]
fn pictures_of_two_sizes_are_not_compared_and_tiny_ones_are_refused() {
    let lpips = open("alex", LpipsHead::InTrunkFile, Arithmetic::Strict);
    let [a, b] = [64, 65].map(|width| lpips.features(&Picture(width, 64, 1, 9).image()).unwrap());
    let error = lpips.distance(&a, &b).unwrap_err().to_string();
    assert_eq!(
        error,
        "compare features of a 65x64 (alex) picture with those of a 64x64 (alex) one"
    );
    assert!(lpips.features(&Picture(8, 8, 1, 9).image()).is_err());
}

#[test]
fn a_file_without_linear_layers_is_told_from_one_with_them() {
    let path = generated("alex.safetensors");
    let squeeze = generated("squeeze.safetensors");
    let open = |kind, head| {
        let lpips = Lpips::open(kind, &path, head, Arithmetic::Strict, &Device::Cpu);
        lpips.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(open(LpipsTrunk::Alex, LpipsHead::File(&path)), "");
    let other = open(LpipsTrunk::Alex, LpipsHead::File(&squeeze));
    assert!(other.contains("`lin1.model.1.weight` is [1, 128, 1, 1], expected [1, 192, 1, 1]"));
    let other = open(LpipsTrunk::Vgg, LpipsHead::InTrunkFile);
    assert!(other.contains("`features.28.weight` [512, 512, 3, 3] is missing"), "{other}");
}
