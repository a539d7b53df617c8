use prismbench_core::{Choice, Integrator, LabelRule};

use super::*;
use crate::generators::testing::{
    Fill, LIGHTNING, Places, TINY, checksum, golden, latents, network, network_of, tensors, values,
};

/// The tiny network, sampled and guided by half of itself.
fn sampler(sampling: &str) -> Sampler {
    sampler_of(network(&TINY, Fill::ClosedForm), sampling)
}

fn sampler_of(network: Network, sampling: &str) -> Sampler {
    let sampling: Sampling = sampling.parse().unwrap();
    let times = sampling.times(96).unwrap();
    let spec = GeneratorSpec {
        id: "ditdh".to_owned(),
        parameters: 0,
        weights: vec![],
        source: String::new(),
        latent: network.config.latent(),
        classes: network.config.classes as u32,
        sampling: String::new(),
        calls: 0,
        multiply_accumulates: 0,
    };
    let guide = match sampling.guidance {
        Guidance::Auto(_) => Some(half()),
        _ => None,
    };
    Sampler::new(spec, network, guide, (sampling, &times), &Device::Cpu)
}

/// The tiny network with half of its velocity.
fn half() -> Network {
    let mut tensors = tensors(&TINY, Fill::ClosedForm, Places::Grid);
    for (name, tensor) in &mut tensors {
        if name.contains("final_layer.linear") {
            *tensor = (&*tensor * 0.5).unwrap();
        }
    }
    network_of(&TINY, tensors)
}

fn assert_row(name: &str, found: &[f32], expected: [f64; 4]) {
    for (found, expected) in found.iter().zip(expected) {
        // Of samples around 1 that differ by rounding in 4 to 16 calls.
        assert!(
            (f64::from(*found) - expected).abs() < 2e-5,
            "{name}: {found}, expected {expected}"
        );
    }
}

#[test]
fn samples_of_the_tiny_network_are_the_references() {
    let cases = [
        ("euler", [1.481_096_1, 1.466_081_6, 1.444_008_8, 1.467_250_5], 68.202_097),
        ("midpoint", [1.370_153_7, 1.315_225_4, 1.309_446_1, 1.362_109_2], 76.691_942),
        ("heun2", [1.272_495_5, 1.217_928_2, 1.195_180_5, 1.229_956_4], 58.578_095),
        ("rk4", [1.699_054_6, 1.655_087_5, 1.622_416_1, 1.643_440_0], 63.849_297),
    ];
    for (integrator, row, sum) in cases {
        let sampler = sampler(&format!("{integrator}:5,shift:2"));
        let found = values(&sampler.denoise(latents(), &[3, 7]).unwrap());
        assert_row(integrator, &found, row);
        let found: f64 = found.iter().map(|&x| f64::from(x)).sum();
        // Of magnitudes that sum to 200; PyTorch's own sum of `euler` is 1e-4 from that in double.
        assert!((found - sum).abs() < 2e-3, "{integrator}: {found}, expected {sum}");
    }
}

#[test]
fn guided_velocities_of_the_tiny_network_are_the_references() {
    let twice = latents().narrow(0, 0, 1).unwrap();
    let x = Tensor::cat(&[&twice, &twice], 0).unwrap();
    let velocity = |sampling: &str, classes: &[u32]| {
        let sampler = sampler(sampling);
        values(&sampler.velocity(sampler.sampling.guidance, classes).at(&x, 0.5).unwrap())
    };
    let row = [0.921_625_6, 0.881_506_1, 0.798_532_5, 0.765_136_5];
    assert_row("cfg", &velocity("euler:2,cfg:1.5,shift:2", &[3, 3]), row);
    let row = [1.176_370_5, 1.131_138_8, 1.069_834_7, 1.036_517_0];
    let guided = velocity("euler:2,autoguidance:1.42,shift:2", &[3, 10]);
    assert_row("autoguidance", &guided, row);
    // Half of the velocity, and 1.42 times the other half.
    let plain = velocity("euler:2,shift:2", &[3, 10]);
    assert!(guided.iter().zip(&plain).all(|(guided, plain)| (guided - 1.21 * plain).abs() < 1e-5));
}

#[test]
fn every_integrator_with_every_guidance_agrees_with_the_oracle() {
    let golden = golden("tiny");
    let samples = golden["samples"].as_object().unwrap();
    assert_eq!(samples.len(), 4 * Integrator::ALL.len());
    for (sampling, expected) in samples {
        let found = sampler(sampling).denoise(latents(), &[3, 7]).unwrap();
        let difference = checksum(expected).difference(&found);
        // Of samples that the scale of guidance blows up.
        assert!(difference < 2e-5, "{sampling} differs by {difference:e}");
    }
}

#[test]
fn an_interval_without_any_point_of_time_is_no_guidance() {
    let plain = values(&sampler("rk4:5,shift:2").denoise(latents(), &[3, 7]).unwrap());
    for guidance in ["cfg:3", "autoguidance:3"] {
        let sampler = sampler(&format!("rk4:5,{guidance}@0..0.001,shift:2"));
        assert_eq!(values(&sampler.denoise(latents(), &[3, 7]).unwrap()), plain);
        assert_eq!((sampler.spec.calls, sampler.calls().guided), (16, 0));
    }
}

#[test]
fn calls_and_their_cost_are_counted() {
    let own = TINY.multiply_accumulates();
    // Times 1, 0.857, 0.667, 0.401 and 0.002: three of them, and their stages, are in the interval.
    for (sampling, calls) in [
        ("euler:50,shift:2", 49),
        ("rk4:50,shift:2", 196),
        ("heun3:5,shift:2", 12),
        ("euler:50,cfg:2,shift:2", 98),
        ("euler:5,cfg:2@0.5..0.9,shift:2", 6),
        ("midpoint:5,autoguidance:2@0.8..1,shift:2", 8 + 3),
    ] {
        let sampler = sampler(sampling);
        assert_eq!(sampler.spec.calls, calls, "{sampling}");
        assert_eq!(sampler.spec.multiply_accumulates, calls * own, "{sampling}");
        assert_eq!(sampler.spec.sampling, sampling);
    }
    let mut calls = sampler("euler:50,autoguidance:2,shift:2");
    calls.guide = Some(network(&LIGHTNING, Fill::ClosedForm));
    let spec = calls.spec.clone();
    let sampling = (calls.sampling, &calls.sampling.times(96).unwrap()[..]);
    let network = network(&TINY, Fill::ClosedForm);
    let smaller = Sampler::new(spec, network, calls.guide, sampling, &Device::Cpu);
    let both = own + LIGHTNING.multiply_accumulates();
    assert_eq!(smaller.spec.multiply_accumulates, 49 * both);
}

fn draws(range: std::ops::Range<u64>) -> Vec<Draw> {
    let labels = LabelRule::Uniform.labels(range.end, 10, 0).unwrap();
    range.map(|index| Draw { index, class: labels[index as usize] }).collect()
}

fn tensor(latents: Latents) -> Tensor {
    match latents {
        Latents::Tensor(tensor) => tensor,
        other => panic!("{} are no latents of a generator", other.kind()),
    }
}

#[test]
fn a_sample_is_the_same_in_any_batch_and_differs_by_index_seed_and_class() {
    for sampling in ["euler:4,shift:2", "rk4:3,cfg:2,shift:2", "heun2:3,autoguidance:2,shift:2"] {
        let sampler = sampler(sampling);
        let sample = |draws: &[Draw], seed| {
            let found = tensor(sampler.sample(draws, seed).unwrap());
            assert_eq!(found.dims(), [draws.len(), 6, 4, 4]);
            values(&found).into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let (all, together) = (draws(0..7), sample(&draws(0..7), 3));
        for size in [1, 2, 5] {
            let apart: Vec<u32> = all.chunks(size).flat_map(|few| sample(few, 3)).collect();
            assert_eq!(apart, together, "{sampling} in batches of {size}");
        }
        let one = |index, class, seed| sample(&[Draw { index, class }], seed);
        assert_eq!(one(2, 4, 3), one(2, 4, 3));
        for other in [one(3, 4, 3), one(2, 5, 3), one(2, 4, 4)] {
            assert_ne!(other, one(2, 4, 3));
        }
        assert_eq!(tensor(sampler.sample(&[], 3).unwrap()).dims(), [0, 6, 4, 4]);
    }
}

#[test]
fn noise_is_standard_normal() {
    let noise = values(&sampler("euler:2,shift:2").noise(&draws(0..400), 1).unwrap());
    let moment =
        |power| noise.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / noise.len() as f64;
    // 38,400 draws: within five standard errors.
    assert!(moment(1).abs() < 0.026, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.037, "{}", moment(2));
}

#[test]
fn classes_that_there_are_not_are_refused_by_the_sample() {
    let sampler = sampler("euler:2,shift:2");
    let mut draws = draws(5..8);
    draws[1].class = 10;
    let error = sampler.sample(&draws, 0).unwrap_err();
    assert!(matches!(error, TokenizerError::Shape { .. }));
    assert_eq!(
        error.to_string(),
        "expected classes of `ditdh`, 0 to 9, found class 10 for sample 6"
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_the_draw() {
    let mut tensors = tensors(&TINY, Fill::ClosedForm, Places::Grid);
    // Class 7 overflows the scores of attention.
    let table = tensors.get_mut("y_embedder.embedding_table.weight").unwrap();
    let mut rows = table.to_vec2::<f32>().unwrap();
    rows[7].fill(1e37);
    *table = Tensor::new(rows, &Device::Cpu).unwrap();
    let sampler = sampler_of(network_of(&TINY, tensors), "euler:3,shift:2");
    let draw = |index, class| Draw { index, class };
    let error = sampler.sample(&[draw(0, 1), draw(1, 2), draw(2, 7)], 0).unwrap_err();
    let TokenizerError::NotFinite { stage, sample, .. } = error else { panic!("{error}") };
    assert_eq!((stage, sample), ("generator", 2));
    assert!(sampler.sample(&[draw(0, 1), draw(1, 2)], 0).is_ok());
}

#[test]
fn an_estimate_is_made_of_calls() {
    for sampling in
        ["euler:50,shift:2", "rk4:50,cfg:2@0.1..0.5,shift:2", "euler:5,autoguidance:2,shift:2"]
    {
        let sampler = sampler(sampling);
        assert!(sampler.estimate(2).unwrap() > Duration::ZERO);
        assert!(sampler.estimate(0).unwrap() > Duration::ZERO);
    }
}
