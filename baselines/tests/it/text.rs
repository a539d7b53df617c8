//! Towers of texts against `transformers`, with generated weights and small vocabularies.

use std::fs;
use std::path::PathBuf;

use candle_core::Tensor;
use prismbench_core::{Encoding, TextTower, Tokenizer, TokenizerError};
use serde_json::Value;
use tempfile::TempDir;

use crate::planned::{self, Planned};
use crate::vision::{difference, picture, written};
use crate::vision_weights::{self as pictures, Sizes};
use crate::{bits, generated, golden, opened, refusal, text_weights};

/// In standard deviations of all embeddings of a case, against PyTorch in f64. Measured at most 5.3e-6
/// (CLIP-L at full size), where PyTorch in f32 is up to 4.1e-6 away. The subtlest mistake tried, the
/// other GELU in SigLIP2, is off by 3.9e-4; a norm's epsilon shows in the faint cases alone, by 1.
const TOLERANCE: f64 = 2e-5;

fn case(name: &str) -> Value {
    generated::json(&format!("text/{name}.json"))
}

/// The tensors of a whole model: a tower of pictures of one block, and one of texts.
fn tensors(id: &str, case: &Value) -> Vec<Planned> {
    let [depth, vocabulary] =
        ["depth", "vocabulary"].map(|key| case[key].as_u64().unwrap() as usize);
    match id {
        "clip-l" => [
            pictures::clip(Sizes::new(1024, 1, 14), 768),
            text_weights::clip(768, depth, vocabulary),
        ],
        "clip-b32" => [
            pictures::clip(Sizes::new(768, 1, 32), 512),
            text_weights::clip(512, depth, vocabulary),
        ],
        _ => [pictures::siglip2("vision_model.", 1), text_weights::siglip2(depth, vocabulary)],
    }
    .concat()
}

/// Writes weights, and the family's `tokenizer.json` beside them.
fn model(id: &str, tensors: &[Planned]) -> (TempDir, PathBuf) {
    let (folder, path) = written(tensors);
    let family = id.split('-').next().unwrap();
    let tokenizer = golden::path(&format!("text/{family}/tokenizer.json"));
    fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    (folder, path)
}

/// The smallest whole model of a family.
fn small(id: &str) -> (TempDir, PathBuf) {
    model(id, &tensors(id, &case(&format!("{id}-faint"))))
}

fn tower(encoder: &dyn Tokenizer) -> &dyn TextTower {
    encoder.text_tower().unwrap()
}

fn agrees(id: &str, case: &Value, tensors: &[Planned]) {
    let (_folder, path) = model(id, tensors);
    let encoder = opened(id, &path);
    let texts = case["texts"].as_array().unwrap();
    let texts: Vec<&str> = texts.iter().map(|text| text["text"].as_str().unwrap()).collect();
    let found = tower(&*encoder).embed(&texts).unwrap();
    assert_eq!(found.dim(0).unwrap(), texts.len());
    let difference = difference(&case["embeddings"], &found);
    assert!(difference < TOLERANCE, "{id}: texts differ by {difference}");
    let (scale, bias) = tower(&*encoder).logit();
    let expected = [0, 1].map(|index| case["logit"][index].as_f64().unwrap());
    assert!((scale - expected[0]).abs() < 1e-12 && (bias - expected[1]).abs() < 1e-12, "{id}");
}

#[test]
fn the_tower_of_clip_l_agrees_with_transformers_at_full_size() {
    let case = case("clip-l");
    agrees("clip-l", &case, &tensors("clip-l", &case));
}

#[test]
fn the_other_towers_agree_with_transformers() {
    for id in ["clip-b32", "siglip2-b"] {
        let case = case(id);
        agrees(id, &case, &tensors(id, &case));
    }
}

/// Tokens of 1e-3 show the epsilon of the first norm: a tenth or ten times as much is off by 1.
#[test]
fn faint_tokens_of_texts_are_normalised_with_the_epsilon_of_transformers() {
    for id in ["clip-b32", "siglip2-b"] {
        let case = case(&format!("{id}-faint"));
        let mut tensors = tensors(id, &case);
        for tensor in tensors.iter_mut().filter(|tensor| tensor.name.contains("embeddings.")) {
            tensor.recipe = format!("{}{}", planned::FAINT, tensor.recipe);
        }
        agrees(id, &case, &tensors);
    }
}

#[test]
fn texts_do_not_see_their_batch_its_order_or_the_threads() {
    for id in ["clip-b32", "siglip2-b"] {
        let (_folder, path) = small(id);
        let encoder = opened(id, &path);
        // More than are run at once, of four lengths.
        let words = ["", "cat", "the image of a cat", "a b c d e f g h"];
        let texts: Vec<&str> = (0..70).map(|index| words[index * 7 % 4]).collect();
        let run = |texts: &[&str], threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| tower(&*encoder).embed(texts).unwrap())
        };
        let (all, again) = (run(&texts, 1), run(&texts, 3));
        assert!(bits(&all) == bits(&again), "{id}: embeddings depend on the number of threads");
        let row = |index: usize| bits(&all.narrow(0, index, 1).unwrap());
        for index in 0..4 {
            assert!(bits(&run(&texts[index..=index], 2)) == row(index), "{id}: text {index}");
            assert!(row(index) == row(index + 64), "{id}: text {index}");
        }
        assert!(row(0) != row(1) && row(1) != row(2));
    }
}

#[test]
fn texts_have_the_length_of_the_context_at_most() {
    for (id, context, longest, outputs) in [("clip-b32", 77, 75, 512), ("siglip2-b", 64, 63, 768)] {
        let (_folder, path) = small(id);
        let encoder = opened(id, &path);
        let tower = tower(&*encoder);
        assert_eq!(tower.context(), context);
        assert_eq!(tower.embed(&[]).unwrap().dims(), [0, outputs]);
        let longest = "?".repeat(longest);
        let found = tower.embed(&["", "a", &longest]).unwrap();
        assert_eq!(found.dims(), [3, outputs]);
        let error = tower.embed(&["a", &format!("{longest}?")]).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }));
        let expected = format!(
            "expected texts of at most {context} tokens, marks included, found {} of \"{}\"...",
            context + 1,
            "?".repeat(40)
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn letters_are_made_small() {
    for id in ["clip-b32", "siglip2-b"] {
        let (_folder, path) = small(id);
        let encoder = opened(id, &path);
        let embed = |text| bits(&tower(&*encoder).embed(&[text]).unwrap());
        assert!(embed("The IMAGE of a Cat") == embed("the image of a cat"), "{id}");
        assert!(embed("the image of a dog") != embed("the image of a cat"), "{id}");
    }
}

#[test]
fn pictures_need_no_tokenizer_of_texts_and_texts_do() {
    let (folder, path) = small("clip-b32");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let encoder = opened("clip-b32", &path);
    let images = picture(32, 32);
    let latents = encoder.encode(&images, &Encoding::deterministic()).unwrap();
    let error = tower(&*encoder).embed(&["a"]).unwrap_err();
    let TokenizerError::WeightsMissing { path: missing, remedy } = error else {
        panic!("expected a missing file, found {error}");
    };
    assert_eq!(missing, folder.path().join("tokenizer.json"));
    assert!(remedy.contains("tokenizer.json of openai/clip-vit-base-patch32"), "{remedy}");
    // A folder is another way to name both.
    fs::rename(&path, folder.path().join("model.safetensors")).unwrap();
    let by_folder = opened("clip-b32", folder.path());
    let again = by_folder.encode(&images, &Encoding::deterministic()).unwrap();
    let [latents, again] = [latents, again].map(crate::tensor);
    assert!(bits(&latents) == bits(&again));
    let (_folder, with_texts) = small("clip-b32");
    fs::copy(with_texts.with_file_name("tokenizer.json"), folder.path().join("tokenizer.json"))
        .unwrap();
    assert!(tower(&*by_folder).embed(&["a"]).is_ok());
}

#[test]
fn a_tokenizer_of_texts_that_does_not_fit_is_refused() {
    let (folder, path) = small("clip-b32");
    let file = folder.path().join("tokenizer.json");
    let text = fs::read_to_string(&file).unwrap();
    let refused = |text: &str| {
        fs::write(&file, text).unwrap();
        tower(&*opened("clip-b32", &path)).embed(&["a cat"]).unwrap_err()
    };
    for bad in ["", "{}", &text[..text.len() / 2]] {
        assert!(matches!(refused(bad), TokenizerError::WeightsUnreadable { .. }), "{bad}");
    }
    let siglip = golden::path("text/siglip2/tokenizer.json");
    let TokenizerError::WeightsMismatch { problems, .. } =
        refused(&fs::read_to_string(siglip).unwrap())
    else {
        panic!("expected a mismatch");
    };
    let missing = ["<|startoftext|>", "<|endoftext|>"];
    assert_eq!(problems, missing.map(|token| format!("the token `{token}` is missing")));
    // Marks beyond the table.
    let mut vocabulary: Value = serde_json::from_str(&text).unwrap();
    vocabulary["model"]["vocab"]["<|endoftext|>"] = 5000.into();
    for token in vocabulary["added_tokens"].as_array_mut().unwrap() {
        if token["content"] == "<|endoftext|>" {
            token["id"] = 5000.into();
        }
    }
    let error = refused(&vocabulary.to_string()).to_string();
    assert!(error.contains("token 5000, `<|endoftext|>`, is none of the "), "{error}");
}

#[test]
fn every_tensor_of_both_towers_is_accounted_for() {
    let mut tensors = tensors("siglip2-b", &case("siglip2-b-faint"));
    tensors.retain(|tensor| {
        !["vision_model.head.probe", "text_model.head.bias", "logit_bias"]
            .contains(&tensor.name.as_str())
    });
    for tensor in &mut tensors {
        if tensor.name == "text_model.embeddings.position_embedding.weight" {
            tensor.shape = vec![77, 768];
        }
    }
    tensors.push(planned::planned("text_model.extra", [2]));
    let (_folder, path) = written(&tensors);
    let TokenizerError::WeightsMismatch { problems, .. } = refusal("siglip2-b", &path) else {
        panic!("expected a mismatch");
    };
    let expected = [
        "`vision_model.head.probe` [1, 1, 768] is missing",
        "`text_model.embeddings.position_embedding.weight` is [77, 768], expected [64, 768]",
        "`text_model.head.bias` [768] is missing",
        "`logit_bias` [] is missing",
        "`text_model.extra` is not part of it",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_file_of_the_tower_of_pictures_alone_has_none_of_texts() {
    let (_folder, path) = written(&pictures::clip(Sizes::new(768, 1, 32), 512));
    let alone = opened("clip-b32", &path);
    assert!(alone.text_tower().is_none());
    let (_folder, path) = small("clip-b32");
    let both = opened("clip-b32", &path);
    // What pictures go through is counted.
    assert_eq!(alone.spec().parameters, both.spec().parameters);
    let features = |encoder: &dyn Tokenizer| -> Tensor {
        encoder
            .features(&picture(32, 32), prismbench_core::FeatureTap::Output)
            .unwrap()
            .pooled
            .unwrap()
    };
    assert!(bits(&features(&*alone)) == bits(&features(&*both)));
}

#[test]
fn a_number_that_is_not_finite_is_found_when_its_token_occurs() {
    let case = case("clip-b32-faint");
    let (folder, path) = model("clip-b32", &tensors("clip-b32", &case));
    let all = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let mut all: std::collections::HashMap<String, Tensor> = all.into_iter().collect();
    let name = "text_model.embeddings.token_embedding.weight";
    let table = all[name].to_dtype(candle_core::DType::F32).unwrap();
    let ids: Vec<u64> =
        case["texts"][1]["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    let mut rows: Vec<Vec<f32>> = table.to_vec2().unwrap();
    rows[ids[1] as usize][3] = f32::NAN;
    all.insert(name.to_owned(), Tensor::new(rows, &candle_core::Device::Cpu).unwrap());
    candle_core::safetensors::save(&all, folder.path().join("weights.safetensors")).unwrap();
    let encoder = opened("clip-b32", &path);
    assert!(tower(&*encoder).embed(&["cat"]).is_ok());
    let error = tower(&*encoder).embed(&["cat", "a"]).unwrap_err().to_string();
    assert!(error.ends_with(&format!("`{name}` has values that are not finite")), "{error}");
}
