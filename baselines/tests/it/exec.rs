//! Programs that stand for tokenizers: those that do their part and every way not to.

use std::fs;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use prismbench_baselines::{OpenError, OpenOptions, Opened, open};
use prismbench_core::{
    BandMask, Encoding, FeatureTap, ImageBatch, LatentNoise, LatentShape, Latents, PosteriorRule,
    SampleKey, Tokenizer, TokenizerError,
};

use crate::{chain, encode, pictures, planes, round_trip};

mod processes;

const CHILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/exec_child.py");

/// The reference of the test's program in a mode; a machine without `python3` fails the test.
pub(crate) fn command(mode: &str) -> String {
    format!("exec:python3 -B '{CHILD}' {mode}")
}

fn try_open(mode: &str, seconds: f64) -> Result<Box<dyn Tokenizer>, OpenError> {
    let exec_timeout = Duration::from_secs_f64(seconds);
    let options = OpenOptions { exec_timeout, ..OpenOptions::on(&Device::Cpu) };
    match open(&command(mode).parse().unwrap(), &options)? {
        Opened::Ready(tokenizer) => Ok(tokenizer),
        Opened::Unfitted(_) => panic!("a program needs no fit"),
    }
}

/// Seconds that a slow machine needs to start Python, and that the tests of silence wait.
const BRIEF: f64 = 4.5;

/// A program that has a minute for each answer: longer than the slowest machine needs.
fn ready(mode: &str) -> Box<dyn Tokenizer> {
    try_open(mode, 60.0).unwrap()
}

fn refusal(mode: &str, seconds: f64) -> String {
    chain(&try_open(mode, seconds).err().unwrap())
}

/// What a program that fails in `encode` is said to have done, the second time, too.
fn failure(mode: &str, seconds: f64) -> String {
    let tokenizer = try_open(mode, seconds).unwrap();
    let images = pictures::batch(32, 16, 0, 2);
    let fail = || {
        let error = tokenizer.encode(&images, &Encoding::deterministic()).unwrap_err();
        assert!(matches!(error, TokenizerError::Program { .. }), "{error}");
        chain(&error)
    };
    let first = fail();
    assert!(fail().contains("it was ended after an earlier error: "), "{mode}");
    first
}

#[test]
fn pictures_go_there_and_back_bit_by_bit() {
    let tokenizer = ready("good");
    assert_eq!(tokenizer.spec().id, command("good"));
    assert_eq!(tokenizer.spec().source, "cells: a test");
    // Over 64 KiB in either direction, so that neither pipe holds a whole frame.
    let images = pictures::batch(64, 96, 0, 4);
    let latents = encode(tokenizer.as_ref(), &images);
    let Latents::Tensor(cells) = &latents else { panic!("expected numbers") };
    assert_eq!(cells.dims(), [4, 12, 48, 32]);
    // The second of the four pixels of a square lies to the right of the first.
    let at = |tensor: &Tensor, place: [usize; 4]| {
        let [n, c, y, x] = place;
        tensor.get(n).unwrap().get(c).unwrap().get(y).unwrap().get(x).unwrap().to_scalar::<f32>()
    };
    assert_eq!(
        at(cells, [3, 9, 5, 7]).unwrap().to_bits(),
        at(images.tensor(), [3, 2, 10, 15]).unwrap().to_bits()
    );
    assert_eq!(planes(&tokenizer.decode(&latents).unwrap()), planes(&images));
    // Tensors that are not in C order are sent in C order.
    let turned = images.tensor().transpose(2, 3).unwrap();
    let turned = ImageBatch::new(turned).unwrap();
    assert_eq!(planes(&round_trip(tokenizer.as_ref(), &turned)), planes(&turned));
}

#[test]
fn bit_streams_are_counted_as_they_are() {
    let tokenizer = ready("bits");
    assert_eq!(tokenizer.latent_shape(16, 8), LatentShape::BitStream);
    let images = pictures::batch(8, 16, 0, 2);
    let latents = encode(tokenizer.as_ref(), &images);
    let streams = latents.bit_streams("bits").unwrap();
    assert_eq!(streams.iter().map(Vec::len).collect::<Vec<_>>(), [4 + 8 * 16 * 3; 2]);
    assert_eq!(planes(&tokenizer.decode(&latents).unwrap()), planes(&images));
}

#[test]
fn features_come_with_their_grid_and_are_checked() {
    let tokenizer = ready("features");
    let images = pictures::batch(16, 8, 0, 2);
    let features = tokenizer.features(&images, FeatureTap::Output).unwrap();
    assert_eq!((features.grid, features.patch_tokens.dims()), ((2, 4), &[2, 8, 2][..]));
    assert_eq!(features.pooled.unwrap().dims(), [2, 5]);
    assert!(features.class_token.is_none());
    let error = tokenizer.features(&images, FeatureTap::Block(9)).unwrap_err();
    assert!(chain(&error).ends_with("it said: ValueError: there are 2 blocks"), "{error}");
    // An error that it reports itself does not end it.
    assert!(tokenizer.features(&images, FeatureTap::Block(1)).is_ok());
    let none = ready("good").features(&images, FeatureTap::Output).unwrap_err();
    assert!(matches!(none, TokenizerError::Unsupported { .. }), "{none}");
}

#[test]
fn a_request_carries_everything_that_decides_a_latent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked");
    let tokenizer = ready(&format!("asked '{}'", path.display()));
    let samples = [
        SampleKey { index: u64::MAX, id: "a \"b\"\n/Ünï 日本.png" },
        SampleKey { index: 0, id: "" },
    ];
    let encoding = Encoding {
        posterior: PosteriorRule::Sample,
        noise: "uniform:0.8".parse().unwrap(),
        band_mask: BandMask::Zigzag(36),
        seed: u64::MAX - 1,
        samples: &samples,
    };
    tokenizer.encode(&pictures::batch(4, 4, 0, 2), &encoding).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "sample uniform:0.8 zigzag:36 18446744073709551614 [18446744073709551615, 0] \
         ['a \"b\"\\n/Ünï 日本.png', '']"
    );
    let alone = Encoding { samples: &samples[..1], ..encoding };
    let error = tokenizer.encode(&pictures::batch(4, 4, 0, 2), &alone).unwrap_err();
    assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
}

#[test]
fn what_is_drawn_for_a_picture_depends_on_its_index_and_the_seed_alone() {
    let tokenizer = ready("draw");
    let samples = [3, 8].map(|index| SampleKey { index, id: "" });
    let drawn = |samples: &[SampleKey<'_>], seed| {
        let encoding = Encoding {
            posterior: PosteriorRule::Sample,
            seed,
            samples,
            ..Encoding::deterministic()
        };
        let images = pictures::batch(4, 4, 0, samples.len() as u64);
        let latents = tokenizer.encode(&images, &encoding).unwrap();
        let latents = latents.grid("draw", 12).unwrap();
        let first = latents.narrow(1, 0, 1).unwrap().narrow(2, 0, 1).unwrap();
        let first = first.narrow(3, 0, 1).unwrap().flatten_all().unwrap();
        first.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let together = drawn(&samples, 1);
    assert_eq!(drawn(&samples[1..], 1), together[1..]);
    assert!(together[0] != together[1] && drawn(&samples, 2) != together);
}

#[test]
fn what_it_cannot_do_is_not_asked_of_it() {
    let tokenizer = ready("good");
    let images = pictures::batch(4, 4, 0, 1);
    let noise: LatentNoise = "uniform:1".parse().unwrap();
    for encoding in [
        Encoding { noise, ..Encoding::deterministic() },
        Encoding { band_mask: BandMask::Rings(1), ..Encoding::deterministic() },
    ] {
        let error = tokenizer.encode(&images, &encoding).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
    }
    let blind = ready("blind");
    let error = blind.decode(&encode(blind.as_ref(), &images)).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { capability: "decoder", .. }), "{error}");
    let error = ready("fixed").encode(&images, &Encoding::deterministic()).unwrap_err();
    assert!(error.to_string().contains("pictures of 16x16"), "{error}");
}

#[test]
fn prints_of_the_program_and_its_children_stay_out_of_the_stream() {
    let tokenizer = ready("print");
    let images = pictures::batch(8, 8, 0, 1);
    assert_eq!(planes(&round_trip(tokenizer.as_ref(), &images)), planes(&images));
}

#[test]
fn an_error_that_it_reports_is_told_and_the_next_batch_is_tried() {
    let tokenizer = ready("error");
    for _ in 0..2 {
        let images = pictures::batch(8, 8, 0, 1);
        let error = tokenizer.encode(&images, &Encoding::deterministic()).unwrap_err();
        assert!(
            chain(&error).ends_with(
                "in answer to `encode` it said: ValueError: the picture is too beautiful"
            ),
            "{}",
            chain(&error)
        );
    }
}

#[test]
fn a_program_that_cannot_begin_is_an_error_when_it_is_opened() {
    let open = |reference: &str| {
        let error =
            open(&reference.parse().unwrap(), &OpenOptions::on(&Device::Cpu)).err().unwrap();
        chain(&error)
    };
    let error = open("exec:'no such program' x");
    assert!(error.contains("`no such program` cannot be started"), "{error}");
    // No shell looks at the command.
    let error = open("exec:true; touch x");
    assert!(error.contains("`true;` cannot be started"), "{error}");
    let error = open("exec:true");
    assert!(error.contains("it ended during `hello` (exit status: 0)"), "{error}");
    let error = open("exec:echo hello to the user, in over eight bytes");
    assert!(error.contains("begins with \"hello to the user, in"), "{error}");
    let error = refusal("gone", 60.0);
    assert!(error.contains("it ended during `hello` (exit status: 1)"), "{error}");
    let error = refusal("silent", 0.3);
    assert!(error.contains("neither took nor gave a byte for 0.3 s; if it"), "{error}");
}

#[test]
fn every_way_to_answer_wrongly_is_told_apart() {
    let patient = 60.0;
    for (mode, seconds, expected) in [
        ("hang", BRIEF, "during `encode` it neither took nor gave a byte for 4.5 s; if it needs"),
        ("whisper", BRIEF, "for 4.5 s; its answer begins with \"Load\"; if it needs longer"),
        ("exit", patient, "it ended during `encode` (exit status: 3)"),
        ("kill", patient, "it ended during `encode` (signal: 9 (SIGKILL))"),
        ("rubbish", patient, "begins with \"Loading \\xff weights"),
        ("cut", patient, "it ended during `encode` (exit status: 0)"),
        ("giant", patient, "a length of 1152921504606846976 bytes is claimed where at most"),
        ("giant-array", patient, "its arrays take 4398046511104 bytes and 0 are left for them"),
        ("f64", patient, "`latents` is of type F64; expected F32 or U8"),
        ("mute", patient, "it closed its stdout during `encode`"),
        ("message", patient, "expected the message `latents`, found `images`"),
        ("shape", patient, "expected `latents`, F32 [2, 12, 8, 16], found F32 [2, 12, 1, 1]"),
    ] {
        let error = failure(mode, seconds);
        assert!(error.contains(expected), "{mode}: {error}");
    }
}

#[test]
fn a_request_that_nobody_reads_is_an_error() {
    // More than a pipe holds, to a program that does not look at its stdin after `hello`.
    let error = try_open("hello", BRIEF)
        .unwrap()
        .encode(&pictures::batch(400, 400, 0, 1), &Encoding::deterministic())
        .unwrap_err();
    assert!(
        chain(&error).contains("`encode` it neither took nor gave a byte"),
        "{}",
        chain(&error)
    );
    // And to one that closes it after its first answer.
    let deaf = ready("deaf");
    let images = pictures::batch(400, 400, 0, 1);
    assert!(deaf.encode(&images, &Encoding::deterministic()).is_ok());
    let error = deaf.encode(&images, &Encoding::deterministic()).unwrap_err();
    assert!(chain(&error).contains("it closed its stdin during `encode`"), "{}", chain(&error));
}

#[test]
fn a_decoder_that_answers_wrongly_is_told_too() {
    let images = pictures::batch(8, 8, 0, 1);
    for (mode, expected) in [
        ("decode-shape", "expected `images`, F32 [1, 3, 8, 8], found F32 [1, 3, 8, 4]"),
        ("decode-exit", "it ended during `decode` (exit status: 4)"),
    ] {
        let tokenizer = ready(mode);
        let error = tokenizer.decode(&encode(tokenizer.as_ref(), &images)).unwrap_err();
        assert!(chain(&error).contains(expected), "{}", chain(&error));
    }
}

#[test]
fn latents_must_be_finite() {
    let error =
        ready("nan").encode(&pictures::batch(8, 8, 0, 2), &Encoding::deterministic()).unwrap_err();
    assert_eq!(error.to_string(), "the encoder gave NaN for sample 1 of the batch");
}

#[test]
fn foreign_latents_never_reach_the_program() {
    let tokenizer = ready("exit");
    let ones = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    for dims in [&[1, 11, 4, 4][..], &[1, 12, 0, 4], &[0, 12, 4, 4], &[12, 4, 4], &[1, 12, 4]] {
        let error = tokenizer.decode(&Latents::Tensor(ones(dims))).unwrap_err();
        assert!(matches!(error, TokenizerError::Shape { .. }), "{error}");
    }
    assert!(tokenizer.decode(&Latents::Tensor(ones(&[1, 12, 4, 4]))).is_ok());
}

#[test]
fn what_hello_says_is_checked() {
    for (said, expected) in [
        ("prismbench=2", "expected version 1 of the protocol"),
        ("prismbench=", "expected version 1 of the protocol"),
        ("message=latents", "expected the message `hello`, found `latents`"),
        ("name=", "expected a text `name`"),
        ("stride=0", "expected `stride` from 1 to 4096, found `0`"),
        ("stride=8.5", "found `8.5`"),
        ("parameters=-1", "expected `parameters`"),
        ("parameters=5", "5 parameters and 0 sha256"),
        ("latent=", "expected a text `latent`"),
        ("latent=4,h/8,w/8", "found `4,h/8,w/8`"),
        ("latent=4,H/4,W/4", "what divides the stride 2, found a division by 4"),
        ("size=15x16", "multiples of the stride 2, found 15x16"),
        ("size=16", "expected `size` as HEIGHTxWIDTH"),
        ("decodes=1", "expected `decodes` yes or no, found `1`"),
        ("features=7,7", "expected `features` as ROWS,COLUMNS,WIDTH"),
        ("colour=blue", "found `colour`"),
        ("'weights=[{\"name\":\"a\",\"sha256\":\"b\"}]'", "64 hexadecimal digits"),
        ("weights=no", "64 hexadecimal digits"),
        ("decodes=yes latent=32,12", "tells both sides of the picture"),
    ] {
        let error = refusal(&format!("hello {said}"), 60.0);
        assert!(error.contains(expected), "{said}: {error}");
    }
    let digest = "Ab".repeat(32);
    let said = format!(
        "hello parameters=7 decodes=yes latent=32,12 size=256x256 \
         'weights=[{{\"name\":\"a.pt\",\"sha256\":\"{digest}\"}}]'"
    );
    let tokenizer = ready(&said);
    assert_eq!(tokenizer.spec().weights[0].sha256, digest.to_lowercase());
    assert_eq!(tokenizer.latent_shape(256, 256), LatentShape::Tensor(vec![32, 12]));
}

#[test]
fn calls_from_several_threads_take_turns() {
    let tokenizer = ready("good");
    std::thread::scope(|scope| {
        for key in 0..4 {
            let tokenizer = tokenizer.as_ref();
            scope.spawn(move || {
                let images = pictures::batch(8, 8, key, 1);
                assert_eq!(planes(&round_trip(tokenizer, &images)), planes(&images));
            });
        }
    });
}
