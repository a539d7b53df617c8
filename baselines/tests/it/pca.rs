use candle_core::Device;
use prismbench_baselines::{Fit, OpenOptions, Opened, open};
use prismbench_core::{Encoding, ImageBatch, Latents, Tokenizer, TokenizerError};

use crate::golden::Golden;
use crate::{largest_difference, mean_squared, pictures, ready, round_trip};

fn fit(reference: &str) -> Box<dyn Fit> {
    match open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).unwrap() {
        Opened::Unfitted(fit) => fit,
        Opened::Ready(_) => panic!("expected a fit"),
    }
}

fn fitted_on(batches: &[ImageBatch]) -> Box<dyn Tokenizer> {
    ready("pca:f8:16", batches)
}

#[test]
fn a_held_out_picture_is_reconstructed_as_by_numpy() {
    let golden = Golden::read("baselines/pca.safetensors");
    let tokenizer = fitted_on(&[golden.images("training")]);
    let back = round_trip(tokenizer.as_ref(), &golden.images("held_out"));
    let expected: Vec<f32> = golden.f64("reconstruction").iter().map(|&v| v as f32).collect();
    let difference = largest_difference(&back.to_planes().unwrap().concat(), &expected);
    // The basis, the coordinates and the result are rounded to f32.
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn the_training_error_is_the_sum_of_the_discarded_eigenvalues() {
    let golden = Golden::read("baselines/pca.safetensors");
    let training = golden.images("training");
    let pixels = training.to_planes().unwrap().concat();
    let eigenvalues = golden.f64("eigenvalues");
    let patches = pixels.len() as f64 / 192.0;
    for kept in [1, 16, 100] {
        let tokenizer = ready(&format!("pca:f8:{kept}"), std::slice::from_ref(&training));
        let back = round_trip(tokenizer.as_ref(), &training).to_planes().unwrap().concat();
        // Per patch, and by n - 1 as the covariance has it.
        let error = mean_squared(&pixels, &back) * 192.0 * patches / (patches - 1.0);
        let discarded: f64 = eigenvalues[kept..].iter().sum();
        assert!((error / discarded - 1.0).abs() < 1e-6, "{kept}: {error} {discarded}");
    }
    let all = ready("pca:f8:192", std::slice::from_ref(&training));
    let back = round_trip(all.as_ref(), &training).to_planes().unwrap().concat();
    let difference = largest_difference(&pixels, &back);
    assert!(difference < 2e-6, "all components keep the picture, but for {difference}");
}

#[test]
fn the_fit_does_not_depend_on_batches_or_threads() {
    let whole = pictures::batch(64, 64, 0, 5);
    let pieces: Vec<ImageBatch> =
        [(0, 1), (1, 3), (4, 1)].map(|(first, count)| pictures::batch(64, 64, first, count)).into();
    let digest = |batches: &[ImageBatch], threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fitted_on(batches)).spec().weights[0].sha256.clone()
    };
    let whole = [whole];
    let expected = digest(&whole, 1);
    assert_eq!(digest(&whole, 4), expected);
    assert_eq!(digest(&pieces, 2), expected);
    assert_ne!(digest(&[pictures::batch(64, 64, 1, 5)], 1), expected);
}

#[test]
fn the_spec_counts_the_fitted_numbers() {
    let tokenizer = fitted_on(&[pictures::batch(64, 64, 0, 4)]);
    assert_eq!(tokenizer.spec().parameters, 192 * 17);
    assert_eq!(tokenizer.spec().weights[0].name, "fitted on 256 patches");
}

#[test]
fn too_few_training_patches_are_an_error_with_the_remedy() {
    let mut fit = fit("pca:f8:16");
    fit.observe(&pictures::batch(64, 64, 0, 3)).unwrap();
    let Err(error) = fit.finish() else { panic!("fitted") };
    assert_eq!(
        error.to_string(),
        "expected at least 193 training patches of 8x8 pixels to fit `pca:f8:16` (more or larger \
         training pictures give more), found 192"
    );
    let mut unfit = self::fit("pca:f16");
    let error = unfit.observe(&pictures::batch(24, 16, 0, 1)).unwrap_err();
    assert!(matches!(error, TokenizerError::Shape { .. }));
    assert!(unfit.finish().is_err());
}

#[test]
fn what_a_fit_has_learnt_is_the_tokenizer_and_nothing_else_is() {
    let mut seen = fit("pca:f8:16");
    seen.observe(&pictures::batch(64, 64, 0, 4)).unwrap();
    let learnt = seen.learnt().unwrap();
    let (unseen, expected) = (fit("pca:f8:16"), seen.finish().unwrap());
    let again = unseen.of_learnt(&learnt).unwrap();
    assert_eq!(again.spec(), expected.spec());
    let picture = pictures::batch(64, 64, 1, 1);
    let latent = |tokenizer: &dyn Tokenizer| match tokenizer
        .encode(&picture, &Encoding::deterministic())
        .unwrap()
    {
        Latents::Tensor(latent) => latent.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(latent(again.as_ref()), latent(expected.as_ref()));
    let infinite = [&learnt[..8], &f32::INFINITY.to_le_bytes(), &learnt[12..]].concat();
    for bytes in [&learnt[1..], &learnt[..8], &[], &infinite] {
        let Err(error) = unseen.of_learnt(bytes) else { panic!("{} bytes", bytes.len()) };
        assert!(error.to_string().contains("3264 finite numbers"), "{error}");
    }
    assert!(fit("pca:f8:17").of_learnt(&learnt).is_err());
}
