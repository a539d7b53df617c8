//! Metrics that need a network, with generated weights: numbers, caches, references, what is missing.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use prismbench::Exit;
use prismbench_core::LpipsTrunk;
use prismbench_metrics::{Inception, Lpips};
use serde_json::Value;

use crate::program::{Ran, png, prismbench, records, run_in};
use crate::{encoder_spaces, recipe, shards};

const FEW: [&str; 4] = ["--data", "synthetic:5:24", "--set", "size=64"];

/// Every metric of Inception and LPIPS; 10 pictures in a subset of KID, of which there are 24.
const ALL: [&str; 20] = [
    "-m",
    "rfid",
    "-m",
    "sfid",
    "-m",
    "is",
    "-m",
    "kid",
    "-m",
    "lpips",
    "-m",
    "precision",
    "-m",
    "recall",
    "-m",
    "density",
    "-m",
    "coverage",
    "--set",
    "kid-subset=10",
];

pub(crate) type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// The recipe's values for what a network expects.
macro_rules! generated {
    ($expected:expr) => {
        $expected
            .iter()
            .map(|tensor| {
                let (name, shape) = (tensor.name(), tensor.shape());
                (name.to_owned(), shape.to_vec(), recipe::tensor(name, shape))
            })
            .collect::<Tensors>()
    };
}

pub(crate) use generated;

/// A folder with generated weights of Inception and of LPIPS on AlexNet, made once for all tests.
pub(crate) fn weights() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = overwritten("networks");
        let at = |name: &str| folder.join(name);
        write(&at("inception.safetensors"), &generated!(Inception::tensors()));
        write(&at("lpips-alex.safetensors"), &generated!(Lpips::tensors(LpipsTrunk::Alex)));
        folder
    })
}

/// A folder for large files that all tests share, which the next run overwrites: nothing drops what is static.
pub(crate) fn overwritten(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn write(path: &Path, tensors: &Tensors) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(.., values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let dtype = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes);
        (name.clone(), view.unwrap())
    });
    fs::write(path, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
}

/// What `--weights` is told of Inception and of LPIPS.
fn given() -> [String; 2] {
    ["inception", "lpips-alex"]
        .map(|name| format!("{name}={}", weights().join(name).display()) + ".safetensors")
}

/// `run` in `folder` with the generated weights.
fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let [inception, lpips] = given();
    // A cache of its own, so that nobody's weights and features are found.
    let cache = folder.join("cache");
    let cache = cache.to_str().unwrap();
    let mut all = vec!["--weights", &inception, "--weights", &lpips, "--cache", cache];
    all.extend(arguments);
    run_in(folder, &all)
}

/// The records of a run in a fresh folder.
fn measured(arguments: &[&[&str]]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &arguments.concat()).expect(Exit::Done);
    records(&folder.path().join("run"))
}

fn of<'r>(records: &'r [Value], tokenizer: &str, metric: &str) -> &'r Value {
    let wanted = |record: &&Value| {
        record["tokenizer"] == tokenizer && record["metric"] == format!("{metric}@1")
    };
    records.iter().find(wanted).unwrap()
}

fn value(record: &Value) -> f64 {
    record["value"].as_f64().unwrap_or_else(|| panic!("no value: {record}"))
}

const METRICS: [&str; 9] =
    ["rfid", "sfid", "is", "kid", "lpips", "precision", "recall", "density", "coverage"];

#[test]
fn network_metrics_are_the_same_bits_for_any_batch_and_threads_and_exact_for_the_identity() {
    let tokenizers = ["-t", "identity", "-t", "dct:4", "--no-cache"];
    let run = |batch, threads| {
        measured(&[&FEW, &ALL, &tokenizers, &["--batch", batch, "--threads", threads]])
    };
    let expected = run("7", "2");
    assert_eq!(run("1", "1"), expected);
    assert_eq!(run("24", "2"), expected);
    assert_eq!(expected.len(), 2 * METRICS.len());
    assert!(value(of(&expected, "identity", "rfid")).abs() < 1e-6, "{expected:?}");
    assert!(value(of(&expected, "identity", "sfid")).abs() < 1e-6);
    assert_eq!(value(of(&expected, "identity", "lpips")).to_bits(), 0);
    for metric in ["precision", "recall", "coverage"] {
        assert_eq!(value(of(&expected, "identity", metric)).to_bits(), 1.0_f64.to_bits());
    }
    for metric in METRICS {
        let [same, other] = ["identity", "dct:4"].map(|name| of(&expected, name, metric));
        assert_eq!((&same["n"], &other["n"]), (&24.into(), &24.into()));
        // So few pictures lie far apart in so many dimensions: each is in its copy's ball.
        let coarse = ["precision", "recall", "coverage"].contains(&metric);
        assert!(coarse || value(same).to_bits() != value(other).to_bits(), "{metric}");
    }
    let coarse = of(&expected, "dct:4", "rfid");
    assert!(coarse["low"].as_f64().unwrap() < value(coarse), "{coarse}");
    assert!(coarse["dialect"].as_str().unwrap().starts_with("tf1-"), "{coarse}");
    let kid = of(&expected, "dct:4", "kid");
    assert_eq!(kid["protocol"], "default+kid-subset=10+size=64");
}

/// Records and saved features of three shards are those of the run in one piece, bit for bit.
fn shards_are_the_whole(weights: &[String], plan: &[&str]) -> Vec<Value> {
    let [straight, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut plan = [plan, &["--set", "size=64", "-t", "dct:4", "--save", "features"]].concat();
    plan.extend(["--no-cache", "--progress", "none"]);
    plan.extend(weights.iter().flat_map(|given| ["--weights", given]));
    let expected = shards::whole(straight.path(), &plan);
    assert!(expected.iter().all(|record| record["outcome"] == "ok"), "{expected:?}");
    for (which, batch) in [("3/3", "5"), ("1/3", "8"), ("2/3", "3")] {
        shards::shard(parts.path(), &plan, which, batch).expect(Exit::Done);
    }
    let run = shards::out(parts.path());
    prismbench(&["merge", &run, "--no-cache", "--progress", "none"]).expect(Exit::Done);
    assert_eq!(records(&parts.path().join("run")), expected);
    let saved = shards::arrays(straight.path());
    assert!(!saved.is_empty() && shards::arrays(parts.path()) == saved);
    expected
}

/// Shards of 16, 16 and one picture, which alone is too few for any distance.
#[test]
fn shards_merge_to_the_numbers_and_features_that_inception_and_lpips_give_in_the_whole_run() {
    let plan = [&ALL[..], &["--data", "synthetic:5:33"]].concat();
    assert_eq!(shards_are_the_whole(&given(), &plan).len(), METRICS.len());
}

/// Shards of no, 16 and one picture.
#[test]
fn shards_merge_to_the_numbers_and_features_that_dinov2_and_clip_give_in_the_whole_run() {
    let plan = ["-m", "fd-dinov2", "-m", "cmmd", "--data", "synthetic:5:17"];
    assert_eq!(shards_are_the_whole(&encoder_spaces::given(), &plan).len(), 2);
}

#[test]
fn strict_arithmetic_is_another_protocol_with_nearly_the_same_numbers() {
    let fast = measured(&[&FEW, &ALL, &["-t", "dct:4"]]);
    let strict = measured(&[&FEW, &ALL, &["-t", "dct:4", "--set", "arithmetic=strict"]]);
    for metric in METRICS {
        let [fast, strict] = [&fast, &strict].map(|records| of(records, "dct:4", metric));
        assert_ne!(fast["protocol_sha256"], strict["protocol_sha256"]);
        let (fast, strict) = (value(fast), value(strict));
        assert!((fast - strict).abs() < 1e-4 * strict.abs(), "{metric}: {fast} {strict}");
    }
    let [fast, strict] = [&fast, &strict].map(|records| value(of(records, "dct:4", "rfid")));
    assert_ne!(fast.to_bits(), strict.to_bits(), "the setting does something");
}

/// The features file of a run with `--save features`.
fn saved(folder: &Path) -> PathBuf {
    let arrays = fs::read_dir(folder.join("run/arrays")).unwrap();
    let files = arrays.map(|entry| entry.unwrap().path().join("features.safetensors"));
    files.into_iter().find(|path| path.is_file()).unwrap()
}

const RFID: [&str; 6] = ["-t", "dct:4", "-m", "rfid", "-m", "sfid"];

#[test]
fn features_are_kept_and_saved_and_serve_as_a_reference_of_the_same_protocol_only() {
    let folder = tempfile::tempdir().unwrap();
    let save = [&FEW[..], &RFID, &["--save", "features", "--force"]].concat();
    run(folder.path(), &save).expect(Exit::Done);
    let plain = records(&folder.path().join("run"));
    let entries = || fs::read_dir(folder.path().join("cache/features")).unwrap().count();
    assert_eq!(entries(), 1);
    let again = run(folder.path(), &save).expect(Exit::Done);
    assert!(!again.err.contains("warning: `"), "{}", again.err);
    assert_eq!(records(&folder.path().join("run")), plain, "from the cache");
    assert_eq!(entries(), 1);

    let reference = folder.path().join("reference.safetensors");
    fs::copy(saved(folder.path()), &reference).unwrap();
    let with = |more: &[&str]| {
        let given = ["--reference", reference.to_str().unwrap(), "--force"];
        run(folder.path(), &[&FEW[..], &RFID, &given, more].concat())
    };
    with(&[]).expect(Exit::Done);
    assert_eq!(records(&folder.path().join("run")), plain, "from the reference");
    // Of other pictures, the records say so.
    with(&["--limit", "23"]).expect(Exit::Done);
    let fewer = records(&folder.path().join("run"));
    assert_eq!(fewer[0]["reference_sha256"], plain[0]["reference_sha256"]);
    assert_eq!(fewer[0]["n"], 23);

    let refused = |more: &[&str]| with(more).expect(Exit::Usage).err_without(folder.path());
    insta::assert_snapshot!("reference-size", refused(&["--set", "size=72"]));
    insta::assert_snapshot!("reference-inception", refused(&["--set", "inception=half-pixel"]));
    let unused = ["-m", "lpips", "--reference", "features.safetensors", "--force"];
    let unused = run(folder.path(), &[&FEW[..], &["-t", "dct:4"], &unused].concat());
    insta::assert_snapshot!(unused.expect(Exit::Usage).err, @"error: plan key `reference`: `features.safetensors` is not of use to the plan's metrics; `--metric rfid` takes one");
    let mut tensors = generated!(Inception::tensors());
    tensors[0].2[0] += 1.0;
    let other = folder.path().join("other.safetensors");
    write(&other, &tensors);
    let other = format!("inception={}", other.display());
    let refused = refused(&["--weights", &other]);
    assert!(refused.contains("was made with weights = "), "{refused}");
}

#[test]
fn kept_features_beyond_their_budget_go_and_those_of_use_stay() {
    let folder = tempfile::tempdir().unwrap();
    let entries = || {
        let cache = fs::read_dir(folder.path().join("cache/features")).unwrap();
        let mut names: Vec<_> = cache.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let of = |data: &str, more: &[&str]| {
        let arguments =
            ["--data", data, "--set", "size=64", "-t", "dct:4", "-m", "rfid", "--force"];
        run(folder.path(), &[&arguments[..], more].concat()).expect(Exit::Done).err
    };
    of("synthetic:5:24", &[]);
    let first = entries();
    of("synthetic:6:24", &[]);
    assert_eq!(entries().len(), 2);
    // The first is of use again, so the second is the older one; one fits.
    let size = fs::metadata(folder.path().join("cache/features").join(&first[0])).unwrap().len();
    let budget = format!("{}B", size + size / 2);
    let said = of("synthetic:5:24", &["--cache-limit", &budget]);
    assert_eq!(entries(), first);
    assert!(said.contains("removed 1 of the kept features"), "{said}");
    let said = of("synthetic:5:24", &["--cache-limit", &budget]);
    assert!(!said.contains("removed"), "{said}");
    let refused = run(folder.path(), &["--cache-limit", "much"]).expect(Exit::Usage).err;
    assert!(refused.contains("expected a size like 20GB"), "{refused}");
    let cache = folder.path().join("cache");
    let doctor = ["doctor", "--quick", "--cache", cache.to_str().unwrap()];
    let told = crate::program::prismbench(&doctor).text();
    assert!(told.contains("features") && told.contains("1 entry"), "{told}");
}

/// What fvcore counts at the inputs' size; LPIPS has the weights of its 1,152 channels beside the trunk.
#[test]
fn a_run_tells_what_its_networks_cost() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/cost/fvcore.json");
    let golden: Vec<Value> = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", "synthetic:5:2", "--set", "size=256", "-t", "dct:4"];
    let metrics = ["-m", "rfid", "-m", "lpips", "-m", "psnr"];
    run(folder.path(), &[&arguments[..], &metrics].concat()).expect(Exit::Done);
    let told: Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/run.json")).unwrap()).unwrap();
    let networks = told["networks"].as_array().unwrap();
    assert_eq!(networks.len(), 2);
    for (network, model, side, channels) in
        [("inception-2015-12-05", "inception", 299, 0), ("lpips-alex", "lpips-alex", 256, 1152)]
    {
        let row = golden.iter().find(|row| row["model"] == model).unwrap();
        assert_eq!(row["side"], side);
        let count = |kind: &str| row["encoder"][kind].as_u64().unwrap();
        let found = networks.iter().find(|found| found["network"] == network).unwrap();
        assert!(told["weights"][network].is_array(), "{told}");
        assert_eq!(found["input_side"], side);
        assert_eq!(found["parameters"], count("parameters") + channels);
        for kind in ["convolution", "linear", "attention"] {
            assert_eq!(found[kind], count(kind), "{network}, {kind}");
        }
        let all = count("convolution") + count("linear") + count("attention");
        assert_eq!(found["multiply_accumulates"], all);
        assert!(found["rest"].as_u64().unwrap() > 0);
    }
    let plain = ["--data", "synthetic:5:2", "--set", "size=64", "-t", "dct:4", "-m", "psnr"];
    run(folder.path(), &[&plain[..], &["--force"]].concat()).expect(Exit::Done);
    let told = fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    assert!(!told.contains("multiply_accumulates"), "{told}");
}

#[test]
fn a_file_that_is_no_reference_is_told_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference");
    let with = |exit| {
        let given = ["--reference", path.to_str().unwrap()];
        let ran = run(folder.path(), &[&FEW[..], &RFID, &given].concat()).expect(exit);
        ran.err_without(folder.path())
    };
    insta::assert_snapshot!("reference-missing", with(Exit::Missing));
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for name in ["mu.npy", "sigma.npy"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    zip.finish().unwrap();
    insta::assert_snapshot!("reference-moments", with(Exit::Usage));
    write(&path, &vec![("x".to_owned(), vec![1], vec![0.5])]);
    insta::assert_snapshot!("reference-other-tensors", with(Exit::Usage));
}

#[test]
fn missing_weights_stop_what_was_named_and_are_told_in_what_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let run = |more: &[&str]| {
        let common = ["--data", "synthetic:5:2", "--set", "size=64", "-t", "dct:4", "--cache"];
        run_in(folder.path(), &[&common[..], &[cache.to_str().unwrap()], more].concat())
    };
    let named = run(&["-m", "rfid"]).expect(Exit::Missing);
    insta::assert_snapshot!("weights-of-rfid", named.err_without(folder.path()));
    let named = run(&["-m", "psnr", "-m", "lpips", "-p", "rae"]).expect(Exit::Missing);
    insta::assert_snapshot!("weights-of-lpips", named.err_without(folder.path()));
    let typo = run(&["--weights", "incepton=x"]).expect(Exit::Usage);
    insta::assert_snapshot!(typo.err, @r"
    error: there is no network called `incepton`
      hint: did you mean `inception`?
    ");
    let path = run(&["-m", "rfid", "--weights", "inception=/no/such"]).expect(Exit::Missing);
    assert!(path.err.contains("no weights at `/no/such`"), "{}", path.err);
    assert!(!folder.path().join("run").exists(), "nothing was made");

    let plan = folder.path().join("plan.toml");
    let text = "format = 1\nname = \"all\"\ntokenizers = [\"dct:4\"]\ndata = [\"synthetic:5:2\"]\n";
    fs::write(&plan, text).unwrap();
    run(&[plan.to_str().unwrap(), "--force"]).expect(Exit::Done);
    let records = records(&folder.path().join("run"));
    for metric in ["rfid", "sfid", "is", "kid", "lpips"] {
        let record = of(&records, "dct:4", metric);
        assert_eq!(record["outcome"], "skipped");
        let reason = record["reason"].as_str().unwrap();
        assert!(reason.starts_with("no weights of the network `"), "{reason}");
        assert!(reason.contains("--weights "), "{reason}");
    }
    assert_eq!(of(&records, "dct:4", "psnr")["outcome"], "ok");
}

#[test]
fn another_inception_is_recognised_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torchvision.safetensors");
    write(&path, &vec![("fc.weight".to_owned(), vec![1000, 2048], vec![0.0; 1000 * 2048])]);
    let given = format!("inception={}", path.display());
    let arguments = ["--data", "synthetic:5:2", "-t", "dct:4", "-m", "rfid", "--weights", &given];
    let ran = run_in(folder.path(), &arguments).expect(Exit::Usage);
    insta::assert_snapshot!(ran.err_without(folder.path()));
}

#[test]
fn one_picture_and_unrounded_pictures_have_reasons_instead_of_numbers() {
    let one = measured(&[&FEW, &ALL, &["-t", "dct:4", "--limit", "1"]]);
    for metric in ["rfid", "sfid", "kid", "precision", "recall", "density", "coverage"] {
        let record = of(&one, "dct:4", metric);
        assert_eq!((&record["outcome"], &record["n"]), (&"skipped".into(), &0.into()), "{record}");
        let reason = record["reason"].as_str().unwrap();
        assert!(reason.contains("of 1 samples: at least"), "{reason}");
    }
    assert_eq!(of(&one, "dct:4", "lpips")["outcome"], "ok");
    let unrounded = ["-t", "dct:4", "--limit", "2", "--set", "quantiser=none"];
    let unrounded = measured(&[&FEW, &["-m", "rfid", "-m", "lpips"], &unrounded]);
    let reason = of(&unrounded, "dct:4", "rfid")["reason"].as_str().unwrap();
    assert!(reason.contains("`quantiser = \"none\"`"), "{reason}");
    assert_eq!(of(&unrounded, "dct:4", "lpips")["outcome"], "ok");
}

#[test]
fn pictures_of_different_sizes_share_networks_and_small_ones_have_no_lpips() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (name, width, height) in [("a", 96, 64), ("b", 64, 96), ("c", 96, 64), ("d", 64, 64)] {
        png(&data.join(format!("{name}.png")), width, height);
    }
    let arguments = ["--data", data.to_str().unwrap(), "-t", "dct:4", "--set", "crop=none"];
    let arguments = [&arguments[..], &["-m", "rfid", "-m", "lpips", "--force"]].concat();
    let measure = |batch| {
        run(folder.path(), &[&arguments[..], &["--batch", batch]].concat()).expect(Exit::Done);
        records(&folder.path().join("run"))
    };
    let together = measure("4");
    assert_eq!(measure("1"), together);
    assert_eq!(of(&together, "dct:4", "rfid")["n"], 4);
    png(&data.join("e.png"), 8, 8);
    let small = measure("4");
    let record = of(&small, "dct:4", "lpips");
    assert_eq!(record["outcome"], "skipped", "{record}");
    assert!(record["reason"].as_str().unwrap().contains("too small"), "{record}");
    assert_eq!(of(&small, "dct:4", "rfid")["n"], 5);
}

/// Bytes of the pictures that a run saved of one tokenizer.
fn saved_pictures(folder: &Path, tokenizer: &str) -> Vec<u8> {
    const BYTES: usize = 200 * 64 * 64 * 3;
    let arrays = fs::read_dir(folder.join("run/arrays")).unwrap();
    let of_it = |path: &PathBuf| path.extension().is_some_and(|name| name == tokenizer);
    let folder = arrays.map(|entry| entry.unwrap().path()).find(of_it).unwrap();
    let file = fs::File::open(folder.join("reconstructions.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut bytes = Vec::new();
    archive.by_name("arr_0.npy").unwrap().read_to_end(&mut bytes).unwrap();
    bytes.split_off(bytes.len() - BYTES)
}

/// Against torch-fidelity's own command on the same 200 pictures with the same weights. FID within
/// 1e-4 (with n < d its route is off by as much as 3e-5), the score 1e-4, KID 1e-6, precision and
/// recall one sample of 200, whose distance to a ball's surface is below f32's rounding.
#[test]
fn torch_fidelitys_command_says_the_same_of_200_pictures() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/networks/end_to_end.json");
    let golden: Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--data",
        "synthetic:77:200",
        "-t",
        "identity",
        "-t",
        "dct:4",
        "--set",
        "size=64",
        "--set",
        "kid-subset=100",
        "-m",
        "rfid",
        "-m",
        "is",
        "-m",
        "kid",
        "-m",
        "precision",
        "-m",
        "recall",
        "--save",
        "reconstructions",
    ];
    run(folder.path(), &arguments).expect(Exit::Done);
    let pictures =
        [saved_pictures(folder.path(), "identity"), saved_pictures(folder.path(), "dct-4")];
    let digest = prismbench_weights::sha256(&pictures.concat());
    assert_eq!(digest, golden["pictures"], "the pictures are others than the oracle's");
    let records = records(&folder.path().join("run"));
    for (metric, name, tolerance) in [
        ("rfid", "frechet_inception_distance", 1e-4),
        ("is", "inception_score_mean", 1e-4),
        ("kid", "kernel_inception_distance_mean", 1e-6),
        ("precision", "precision", 1.0 / 200.0 + 1e-7),
        ("recall", "recall", 1.0 / 200.0 + 1e-7),
    ] {
        let found = value(of(&records, "dct:4", metric));
        let expected = golden[name].as_f64().unwrap();
        assert!((found - expected).abs() <= tolerance, "{metric}: {found}, {expected} expected");
    }
}
