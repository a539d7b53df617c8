//! What is fed: each reader by the way that a user's file takes to it.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use prismbench::{Exit, Streams, main_from};
use prismbench_baselines::{OpenOptions, Opened, TokenizerRef, released_sampling};
use prismbench_core::{Encoding, ImageBatch, RgbImage};
use prismbench_data::{DataSpec, LatentFiles, decode, open_with};
use prismbench_reports::{Baseline, read_exported, read_records, read_samples};
use prismbench_suites::MomentsFile;
use prismbench_weights::{Expected, WeightsFile};
use safetensors::tensor::{Dtype, TensorView, serialize};
use zip::CompressionMethod;

use crate::campaign::{MEMORY, PICTURES};
use crate::journals;
use crate::seeds::{bytes, files, floats, npy, npz};

/// A reader of files.
pub(crate) struct Target {
    /// Of the test, too.
    pub(crate) name: &'static str,
    /// What the file is called.
    pub(crate) file: &'static str,
    /// Files that it reads.
    pub(crate) seeds: Seeds,
    /// Reads a file whole; whether that went well.
    pub(crate) feed: fn(&Path) -> bool,
    /// Bytes that it may hold at once.
    pub(crate) memory: usize,
}

type Seeds = fn() -> Vec<Vec<u8>>;

const fn of(
    name: &'static str,
    file: &'static str,
    seeds: Seeds,
    feed: fn(&Path) -> bool,
) -> Target {
    Target { name, file, seeds, feed, memory: MEMORY }
}

const fn holding_pictures(
    name: &'static str,
    file: &'static str,
    seeds: Seeds,
    feed: fn(&Path) -> bool,
) -> Target {
    Target { memory: PICTURES, ..of(name, file, seeds, feed) }
}

/// The reader of this name.
pub(crate) fn named(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Every reader, in the order of the tests.
pub(crate) const TARGETS: &[Target] = &[
    holding_pictures("npz", "x.npz", archives, is_data_set),
    of("latents", "x.npz", arrays, latents),
    of("idx", "train-images-idx3-ubyte", digits, idx),
    holding_pictures("tar", "x.tar", shards, is_data_set),
    holding_pictures("parquet", "x.parquet", tables, is_data_set),
    holding_pictures("captions", "captions.json", listings, captions),
    holding_pictures("pictures", "x.png", pictures, picture),
    of("safetensors", "x.safetensors", tensors, weights),
    of("pickles", "x.pth", pickles, weights),
    of("plans", "plan.toml", plans, plan),
    of("configurations", "config.yaml", configurations, configuration),
    of("baselines", "baseline.toml", baselines, baseline),
    of("records", "records.jsonl", records, record),
    of("exports", "x.parquet", exports, export),
    of("frames", "frames", frames, program),
    of("journals", "x.journal", journals::seeds, journals::feed),
];

/// Data sets are walked from end to end; a sample that cannot be read leaves the others alone.
fn walk(spec: &str) -> bool {
    let Ok(spec) = spec.parse::<DataSpec>() else { return false };
    let Ok(set) = open_with(&spec, prismbench_parquet::open) else { return false };
    let Ok(samples) = set.samples(0..set.len()) else { return false };
    let mut all = true;
    // A length that a file claims is not one that is walked.
    for pending in samples.take(64) {
        all &= pending.is_ok_and(|pending| pending.load().is_ok());
    }
    all
}

fn is_data_set(path: &Path) -> bool {
    walk(path.to_str().unwrap())
}

fn archives() -> Vec<Vec<u8>> {
    let pixels = npy("|u1", "(2, 5, 4, 3)", &bytes(120));
    let labels = npy("<i8", "(2,)", &[1_i64, 0].map(i64::to_le_bytes).concat());
    let made = [CompressionMethod::Stored, CompressionMethod::Deflated]
        .map(|method| npz(&[("arr_0", pixels.clone()), ("arr_1", labels.clone())], method));
    [made.to_vec(), files("npz", |name| !name.starts_with("bad") && name.ends_with("npz"))].concat()
}

fn arrays() -> Vec<Vec<u8>> {
    let latents = npy("<f4", "(3, 4, 2, 2)", &floats(48));
    let labels = npy("<i4", "(3,)", &[0_i32, 7, 2].map(i32::to_le_bytes).concat());
    vec![
        npz(&[("latents", latents.clone()), ("labels", labels)], CompressionMethod::Stored),
        npz(&[("latents", latents)], CompressionMethod::Deflated),
    ]
}

/// Read as latents, and as the moments that they are not: their length is decided before they are read.
fn latents(path: &Path) -> bool {
    assert!(MomentsFile::open(path).is_err());
    let Ok(latents) = LatentFiles::open(path) else { return false };
    latents.read(0..latents.len().min(64)).is_ok()
}

fn digits() -> Vec<Vec<u8>> {
    let header = [2051_u32, 2, 4, 5].map(u32::to_be_bytes).concat();
    let plain = [header, bytes(40)].concat();
    vec![plain]
}

fn idx(path: &Path) -> bool {
    let folder = path.parent().unwrap();
    let labels = folder.join("train-labels-idx1-ubyte");
    if !labels.exists() {
        let header = [2049_u32, 2].map(u32::to_be_bytes).concat();
        fs::write(labels, [header, vec![3, 9]].concat()).unwrap();
    }
    walk(folder.to_str().unwrap())
}

fn shards() -> Vec<Vec<u8>> {
    let mut seeds = files("data_sets", |name| name == "gnu.tar" || name == "pax.tar");
    // Most of a small archive is the zeros that it is filled up with.
    seeds
        .iter_mut()
        .for_each(|seed| seed.truncate(seed.iter().rposition(|&byte| byte != 0).unwrap() + 1025));
    seeds
}

fn tables() -> Vec<Vec<u8>> {
    files("data_sets", |name| {
        [
            "bytes.parquet",
            "gzip.parquet",
            "none.parquet",
            "other.parquet",
            "snappy.parquet",
            "version2.parquet",
            "zstd.parquet",
        ]
        .contains(&name)
    })
}

fn listings() -> Vec<Vec<u8>> {
    vec![
        br#"{"images": [{"id": 5, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}], "annotations":
            [{"id": 1, "image_id": 5, "caption": "a red disc"}, {"id": 2, "image_id": 9, "caption": "two \u00fcber lines"},
             {"id": 3, "image_id": 5, "caption": "a disc"}]}"#
            .to_vec(),
        br#"{"dataset": "coco", "images": [{"filename": "a.png", "filepath": "", "split": "test", "cocoid": 3, "sentences":
            [{"raw": "a red disc", "sentid": 1}, {"raw": "a disc", "sentid": 2}]},
            {"filename": "b.png", "filepath": "", "split": "test", "sentences": [{"raw": "two lines"}]}]}"#
            .to_vec(),
    ]
}

fn captions(path: &Path) -> bool {
    let folder = path.parent().unwrap().join("images");
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
        for name in ["a.png", "b.png"] {
            let picture = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([x as u8, y as u8, 7]));
            picture.save(folder.join(name)).unwrap();
        }
    }
    let spec = format!("coco:{}:{}", path.display(), folder.display());
    walk(&spec) || walk(&format!("{spec}#test"))
}

fn pictures() -> Vec<Vec<u8>> {
    let seeds = files("decode", |name| {
        let good = !name.starts_with("bad") && !name.starts_with("expected");
        good && decode(&files("decode", |other| other == name)[0]).is_ok()
    });
    assert!(seeds.len() > 50, "{} pictures", seeds.len());
    seeds
}

fn picture(path: &Path) -> bool {
    decode(&fs::read(path).unwrap()).is_ok()
}

fn tensors() -> Vec<Vec<u8>> {
    let data = floats(12);
    let view =
        |dtype, shape: &[usize], len| TensorView::new(dtype, shape.to_vec(), &data[..len]).unwrap();
    let some = [
        ("decoder.weight", view(Dtype::F32, &[3, 4], 48)),
        ("decoder.bias", view(Dtype::F16, &[4], 8)),
        ("step", view(Dtype::I64, &[], 8)),
    ];
    vec![serialize(some, None).unwrap()]
}

fn pickles() -> Vec<Vec<u8>> {
    files("weights", |name| name.ends_with(".pth") && !name.starts_with("bad"))
}

/// Opens a file of weights and loads every tensor that it has.
fn weights(path: &Path) -> bool {
    let Ok(file) = WeightsFile::open(path, "none") else { return false };
    let shaped = |name: &str| Some(Expected::new(name, file.shape(name)?));
    let expected: Vec<Expected> = file.names().filter_map(shaped).collect();
    for tensor in &expected {
        // Those of whole numbers are refused, and are in good files.
        let _ = file.load(std::slice::from_ref(tensor), &Device::Cpu);
    }
    true
}

/// Runs the program, as a user does.
fn prismbench(arguments: &[&str]) -> Exit {
    let interrupted = AtomicBool::new(false);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams =
        Streams { out: &mut out, err: &mut err, width: 100, bar: false, interrupted: &interrupted };
    let arguments = std::iter::once("prismbench").chain(arguments.iter().copied());
    main_from(arguments.map(Into::into), streams)
}

fn plans() -> Vec<Vec<u8>> {
    let all =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/default.toml")).unwrap();
    let small = b"format = 1\nname = \"a\"\nsuites = [\"probing\"]\ntokenizers = [\"dct:16\", \"jpeg:75\"]\n\
        data = [\"nothing.npz\"]\nmetrics = [\"top1\"]\nlimit = 3\nseed = 4\n[set]\nsize = 64\npooling = \"mean\"\n";
    vec![all, small.to_vec()]
}

/// Every plan is stopped at its data, which are not there: what is tested is its reading.
fn plan(path: &Path) -> bool {
    let folder = path.parent().unwrap();
    let missing = folder.join("nothing.npz");
    let out = folder.join("run");
    let [path, missing, out] = [path, &missing, &out].map(|path| path.to_str().unwrap());
    let exit = prismbench(&["run", path, "--data", missing, "--out", out, "--progress", "none"]);
    assert!(exit == Exit::Missing || exit == Exit::Usage, "{exit:?}");
    exit == Exit::Missing
}

/// As RAE and UAE release them, with references and flow style among the rest.
fn configurations() -> Vec<Vec<u8>> {
    let whole = "stage_2:\n  target: stage2.models.DDT.DiTwDDTHead\n  params: &params\n    hidden_size: [1152, 2048]\n\
         transport:\n  params:\n    path_type: Linear\n    prediction: velocity\nsampler:\n  mode: ODE\n  params:\n    \
         sampling_method: euler\n    num_steps: 50\nguidance:\n  method: autoguidance\n  scale: 1.42\n  t-min: 0.0\n  \
         t-max: 1.0\n  guidance_model:\n    params: *params\nmisc:\n  latent_size: [768, 16, 16]\n  \
         num_classes: 1000\n  time_dist_shift_dim: 196608\n  time_dist_shift_base: 4096\n";
    let short = "{sampler: {params: {sampling_method: 'rk4', num_steps: 50}}, misc: {latent_size: [768, 16, 16]}}";
    vec![whole.into(), short.into()]
}

fn configuration(path: &Path) -> bool {
    released_sampling(path).is_ok()
}

/// The folder of a small run, and a baseline of it.
fn run() -> (tempfile::TempDir, [Vec<u8>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let [run, baseline] = ["run", "baseline.toml"].map(|name| folder.path().join(name));
    let [out, written] = [&run, &baseline].map(|path| path.to_str().unwrap());
    let small = [
        "--data",
        "synthetic:5:6",
        "-t",
        "dct:4",
        "-t",
        "jpeg:50",
        "--set",
        "size=32",
        "--progress",
        "none",
    ];
    assert_eq!(prismbench(&[&["run", "--out", out][..], &small].concat()), Exit::Done);
    assert_eq!(prismbench(&["gate", out, "--baseline", written, "--update"]), Exit::Done);
    let read = [run.join("records.jsonl"), baseline].map(|path| fs::read(path).unwrap());
    (folder, read)
}

fn baselines() -> Vec<Vec<u8>> {
    vec![run().1[1].clone()]
}

fn baseline(path: &Path) -> bool {
    Baseline::read(path).is_ok()
}

fn records() -> Vec<Vec<u8>> {
    vec![run().1[0].clone()]
}

fn record(path: &Path) -> bool {
    read_records(path).is_ok_and(|file| file.cut_short.is_none())
}

/// Tables of a run in Parquet: values of single images, a baseline with lists, and an export.
fn exports() -> Vec<Vec<u8>> {
    let (folder, _) = run();
    let [run, baseline, export] =
        ["run", "baseline.parquet", "export.parquet"].map(|name| folder.path().join(name));
    let [from, to, out] = [&run, &baseline, &export].map(|path| path.to_str().unwrap());
    assert_eq!(prismbench(&["gate", from, "--baseline", to, "--update"]), Exit::Done);
    assert_eq!(prismbench(&["table", from, "--format", "parquet", "--out", out]), Exit::Done);
    [run.join("samples.parquet"), baseline, export].map(|path| fs::read(path).unwrap()).to_vec()
}

/// Read as each of the three, one of which it is.
fn export(path: &Path) -> bool {
    let [samples, baseline, records] = [
        read_samples(path).is_ok(),
        Baseline::read(path).is_ok(),
        read_exported(path, "*").is_ok(),
    ];
    samples || baseline || records
}

/// What a program answers to `hello`, `encode` and `decode`.
fn frames() -> Vec<Vec<u8>> {
    let frame = |texts: &[(&str, &str)], arrays: &[(&str, &[usize])]| {
        let data = floats(4 * 4 * 3);
        let views = arrays.iter().map(|(name, shape)| {
            let len = 4 * shape.iter().product::<usize>();
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), &data[..len]).unwrap())
        });
        let texts = texts.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let file = serialize(views, Some(texts.collect())).unwrap();
        [(file.len() as u64).to_le_bytes().to_vec(), file].concat()
    };
    let hello = [
        ("message", "hello"),
        ("prismbench", "1"),
        ("name", "x"),
        ("source", "a test"),
        ("stride", "2"),
        ("latent", "12,H/2,W/2"),
        ("parameters", "0"),
        ("decodes", "yes"),
    ];
    vec![
        [
            frame(&hello, &[]),
            frame(&[("message", "latents")], &[("latents", &[1, 12, 2, 2])]),
            frame(&[("message", "images")], &[("images", &[1, 3, 4, 4])]),
        ]
        .concat(),
    ]
}

/// A program that answers whatever is asked with what lies in the file.
fn program(path: &Path) -> bool {
    // It takes whatever it is told beside that, and ends with the file.
    let shell = format!("exec 3<&0; cat <&3 >/dev/null & cat {}", path.display());
    let reference = format!("exec:sh -c '{shell}'");
    let Ok(reference) = reference.parse::<TokenizerRef>() else { return false };
    let opened = prismbench_baselines::open(&reference, &OpenOptions::on(&Device::Cpu));
    let Ok(Opened::Ready(tokenizer)) = opened else { return false };
    let picture = RgbImage::new(4, 4, bytes(48)).unwrap();
    let images = ImageBatch::from_images(&[&picture], &Device::Cpu).unwrap();
    let Ok(latents) = tokenizer.encode(&images, &Encoding::deterministic()) else { return false };
    tokenizer.decode(&latents).is_ok()
}
