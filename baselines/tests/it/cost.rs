//! What tokenizers cost, through their public face.

use prismbench_core::{Cost, LatentShape, MacDialect, StageCost, Tokenizer, TokenizerError};
use serde_json::Value;

use crate::vision::written;
use crate::vision_weights::{Decoder, Sizes, dinov2, rae_buffers, rae_decoder};
use crate::{generated, opened, pictures, ready, tiny_autoencoder};

/// Billions, to the digits of the table.
fn giga(count: u64) -> String {
    format!("{:.2}", count as f64 / 1e9)
}

fn parts(cost: &StageCost) -> [u64; 4] {
    [cost.parameters, cost.convolution, cost.linear, cost.attention]
}

/// What fvcore counts of both halves.
fn fvcore(model: &str, side: usize) -> [[u64; 4]; 2] {
    let rows: Vec<Value> = generated::json("cost/fvcore.json");
    let row = rows.iter().find(|row| row["model"] == model && row["side"] == side).unwrap();
    ["encoder", "decoder"].map(|half| {
        ["parameters", "convolution", "linear", "attention"]
            .map(|kind| row[half][kind].as_u64().unwrap())
    })
}

fn halves(cost: &Cost) -> [StageCost; 2] {
    [cost.encoder, cost.decoder.unwrap()]
}

fn costs_what_is_published(id: &'static str, table: [(usize, &str, &str); 2]) {
    let vae = opened(id, &generated::autoencoder_kl(id));
    for (side, encoder, decoder) in table {
        let cost = vae.cost(side, side).unwrap();
        let found = halves(&cost).map(|half| giga(half.macs()));
        assert_eq!(found, [encoder, decoder], "{id} at {side}");
        let parameters: u64 = halves(&cost).map(|half| half.parameters).iter().sum();
        assert_eq!(parameters, vae.spec().parameters);
    }
    for side in [64, 128] {
        let halves = halves(&vae.cost(side, side).unwrap());
        let golden = fvcore(id, side);
        assert_eq!(halves.map(|half| parts(&half)), golden, "{id} at {side}");
        for (half, [_, kinds @ ..]) in halves.iter().zip(golden) {
            assert_eq!(half.products().map(|(_, count)| count), kinds);
            assert_eq!(kinds.iter().sum::<u64>(), MacDialect::Mac.of_encoder(half));
        }
    }
    assert!(matches!(vae.cost(250, 256), Err(TokenizerError::Shape { .. })));
}

#[test]
fn sd_vae_costs_what_is_published_and_what_fvcore_counts() {
    costs_what_is_published("sd-vae", [(256, "136.36", "311.09"), (512, "558.33", "1257.26")]);
    let vae = opened("sd-vae", &generated::autoencoder_kl("sd-vae"));
    // RAE's table has 310.4 for the decoder.
    let decoder = vae.cost(256, 256).unwrap().decoder.unwrap();
    assert_eq!(giga(MacDialect::MacLinear.of_decoder(&decoder)), "310.02");
    assert_eq!(giga(MacDialect::Flop.of_decoder(&decoder)), "622.19");
}

#[test]
fn flux_vae_costs_what_is_published_and_what_fvcore_counts() {
    costs_what_is_published("flux-vae", [(256, "136.47", "311.15"), (512, "558.78", "1257.49")]);
}

/// `rae-dinov2-b` with so many blocks in both halves.
fn rae(depth: usize) -> Cost {
    let decoder = Decoder { width: 1152, hidden: 4096, depth, latent: (768, 16) };
    let mut tensors = dinov2("encoder.", Sizes::new(768, depth, 14), 4);
    tensors.retain(|tensor| !tensor.name.contains("encoder.layernorm."));
    tensors.extend(rae_decoder(decoder));
    tensors.extend(rae_buffers(decoder, ["encoder_mean", "encoder_std"]));
    let (_folder, path) = written(&tensors);
    opened("rae-dinov2-b", &path).cost(256, 256).unwrap()
}

/// UAE's Table 3 has 266.24 for RAE. With the cosine transforms of a mask, of 768 channels there and back
/// along both axes, it has 266.27: without a mask they are not run.
#[test]
fn rae_costs_what_uaes_table_has_in_its_dialect() {
    let (one, two) = (rae(1), rae(2));
    let at = |half: usize, depth: u64, dialect: MacDialect| {
        let count = |cost: &Cost| match half {
            0 => dialect.of_encoder(&cost.encoder),
            _ => dialect.of_decoder(&cost.decoder.unwrap()),
        };
        count(&one) + (depth - 1) * (count(&two) - count(&one))
    };
    let both = |dialect| at(0, 12, dialect) + at(1, 28, dialect);
    assert_eq!(giga(both(MacDialect::Uae)), "266.21");
    assert_eq!(giga(at(0, 12, MacDialect::Mac)), "23.54");
    assert_eq!(giga(at(1, 28, MacDialect::Mac)), "110.82");
    let transforms: u64 = 2 * 768 * 2 * 2 * 16_u64.pow(3);
    assert_eq!(giga(transforms), "0.03", "the 0.03 by which UAE-freq's figure is larger");
}

#[test]
fn tiny_autoencoders_cost_what_fvcore_counts() {
    for (id, channels) in [("taesd", 4), ("taef1", 16)] {
        let folder = tempfile::tempdir().unwrap();
        tiny_autoencoder::write_published(folder.path(), channels);
        let tokenizer = opened(id, folder.path());
        let found = halves(&tokenizer.cost(256, 256).unwrap()).map(|half| parts(&half));
        assert_eq!(found, fvcore(id, 256), "{id}");
    }
}

#[test]
fn fixed_and_fitted_maps_cost_what_their_matrices_do() {
    let pca = ready("pca:f8:5", &[pictures::batch(64, 64, 0, 4)]);
    let cost = pca.cost(64, 40).unwrap();
    let [encoder, decoder] = halves(&cost);
    assert_eq!((encoder.linear, decoder.linear), (8 * 5 * 192 * 5, 8 * 5 * 192 * 5));
    assert_eq!(encoder.parameters + decoder.parameters, pca.spec().parameters);
    assert_eq!(pca.latent_shape(64, 40), LatentShape::Tensor(vec![5, 8, 5]));
    assert!(pca.cost(60, 64).is_err());
    let identity = ready("identity", &[]).cost(9, 7).unwrap();
    assert_eq!(halves(&identity), [StageCost::default(); 2]);
}

#[test]
fn what_nobody_counts_is_said_to_be_uncounted() {
    let jpeg: Box<dyn Tokenizer> = ready("jpeg:75", &[]);
    let error = jpeg.cost(64, 64).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { .. }));
    assert_eq!(error.to_string(), "`jpeg:75` has no count of its operations");
    assert!(ready("dct:16", &[]).cost(64, 64).is_err());
}
