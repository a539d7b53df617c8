use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, safetensors};
use prismbench_core::{InceptionResize, RgbImage};
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{
    FeatureNetwork, FeatureRows, Inception, NetworkError, Tap, inception_input,
};
use serde::Deserialize;

use crate::sample::{Picture, Sample, golden};
use crate::weights::generated;

#[derive(Deserialize)]
struct Resize {
    picture: Picture,
    rule: String,
    input: Sample,
}

#[derive(Deserialize)]
struct Case {
    picture: Picture,
    taps: BTreeMap<String, Sample>,
    exact: BTreeMap<String, Sample>,
}

const TAPS: [(Tap, &str); 7] = [
    (Tap::First, "64"),
    (Tap::Second, "192"),
    (Tap::Third, "768"),
    (Tap::Pooled, "2048"),
    (Tap::Spatial, "spatial"),
    (Tap::Logits, "logits"),
    (Tap::LogitsUnbiased, "logits_unbiased"),
];

fn open(arithmetic: Arithmetic) -> Inception {
    let path = generated("inception.safetensors");
    Inception::open(&path, InceptionResize::Tf1, arithmetic, &Device::Cpu).unwrap()
}

fn features(network: &Inception, images: &[RgbImage], taps: &[Tap]) -> Vec<FeatureRows> {
    network.features(&images.iter().collect::<Vec<_>>(), taps).unwrap()
}

#[test]
fn every_resize_gives_what_its_tool_feeds_the_network() {
    for Resize { picture, rule, input } in golden::<Vec<Resize>>("networks/resizes.json") {
        let found = inception_input(&picture.image(), rule.parse().unwrap());
        // Half a ten-thousandth of a level, of 128 levels per unit: the order of additions.
        let error = input.error(&found);
        assert!(error < 1e-6, "{rule} of {picture:?}: {error:e}");
    }
}

#[test]
fn every_tap_agrees_with_torch_fidelity() {
    let cases = golden::<Vec<Case>>("networks/inception.json");
    let images: Vec<RgbImage> = cases.iter().map(|case| case.picture.image()).collect();
    let asked: Vec<Tap> = TAPS.iter().map(|(tap, _)| *tap).collect();
    for arithmetic in [Arithmetic::Strict, Arithmetic::Fast] {
        let found = features(&open(arithmetic), &images, &asked);
        for ((_, name), rows) in TAPS.iter().zip(found) {
            let errors = |of: fn(&Case) -> &BTreeMap<String, Sample>| {
                let each = cases.iter().zip(rows.rows());
                each.map(|(case, row)| of(case)[*name].error(row)).fold(0.0, f64::max)
            };
            let (reference, exact) = (errors(|case| &case.taps), errors(|case| &case.exact));
            println!(
                "{arithmetic:?} {name}: {reference:.2e} of torch-fidelity, {exact:.2e} of f64"
            );
            assert!(reference < 1e-4 && exact < 1e-4, "{arithmetic:?} {name}: {reference} {exact}");
        }
    }
}

#[test]
fn features_differ_between_pictures() {
    let cases = golden::<Vec<Case>>("networks/inception.json");
    let images: Vec<RgbImage> = cases.iter().map(|case| case.picture.image()).collect();
    let rows = features(&open(Arithmetic::Strict), &images[..2], &[Tap::Pooled]).remove(0);
    let [a, b] = [0, 1].map(|image| rows.rows().nth(image).unwrap());
    let distance: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
    let size: f32 = a.iter().map(|value| value.abs()).sum();
    assert!(distance > 0.05 * size, "{distance} of {size}");
}

#[test]
fn neither_the_batch_nor_the_other_taps_move_a_bit() {
    let images = [3, 4, 5].map(|seed| Picture(80, 60, seed, 50).image());
    let network = open(Arithmetic::Strict);
    let together = features(&network, &images, &[Tap::Spatial, Tap::Pooled]);
    for (i, image) in images.iter().enumerate() {
        let alone = features(&network, std::slice::from_ref(image), &[Tap::Pooled]).remove(0);
        let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(together[1].rows().nth(i).unwrap()), bits(alone.values()));
    }
}

#[test]
fn the_number_of_threads_does_not_move_a_bit() {
    let images = [6, 7, 8].map(|seed| Picture(70, 90, seed, 40).image());
    let network = open(Arithmetic::Fast);
    let [one, three] = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| features(&network, &images, &[Tap::Pooled])).remove(0);
        found.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>()
    });
    assert!(one == three);
}

#[test]
fn variances_below_zero_are_an_error_that_names_the_picture() {
    // What batch normalisation makes of them is NaN, though every weight is finite.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inception.safetensors");
    let mut tensors = safetensors::load(generated("inception.safetensors"), &Device::Cpu).unwrap();
    let name = "Mixed_7c.branch_pool.bn.running_var";
    let negative = tensors[name].affine(-1.0, 0.0).unwrap();
    tensors.insert(name.to_owned(), negative);
    safetensors::save(&tensors, &path).unwrap();
    let network =
        Inception::open(&path, InceptionResize::Tf1, Arithmetic::Strict, &Device::Cpu).unwrap();
    let image = Picture(32, 32, 1, 9).image();
    let error = network.features(&[&image], &[Tap::Pooled]).unwrap_err().to_string();
    assert_eq!(error, "`inception-2015-12-05` gave NaN for picture 0 of the batch");
}

#[test]
fn torchvisions_network_is_recognised_and_any_other_file_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let save = |name: &'static str, shape: (usize, usize)| {
        let tensor = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        safetensors::save(&[(name, tensor)].into(), &path).unwrap();
    };
    let error = |path: &Path| {
        let opened = Inception::open(path, InceptionResize::Tf1, Arithmetic::Strict, &Device::Cpu);
        opened.err().unwrap()
    };
    save("fc.weight", (1000, 2048));
    let found = error(&path);
    assert!(matches!(found, NetworkError::OtherInception { classes: 1000, .. }), "{found}");
    save("x", (1, 1));
    let found = error(&path).to_string();
    assert!(found.contains("`Mixed_7c.branch_pool.conv.weight` [192, 2048, 1, 1] is missing"));
    assert!(found.contains("`x` is not part of it"));
    let found = error(Path::new("/no/such")).to_string();
    assert_eq!(found, "no weights at `/no/such`");
}
