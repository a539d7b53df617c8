//! What only a process has: its exit status, signals, closed pipes, full disks.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests use other sizes")]
#[path = "../../baselines/tests/it/generator_weights.rs"]
mod generator_weights;
#[path = "../../baselines/tests/it/gone.rs"]
mod gone;
#[path = "../../baselines/tests/it/planned.rs"]
mod planned;
#[path = "../../tests/oracle/recipe.rs"]
mod recipe;
#[path = "weights/inception.rs"]
mod weights;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weights::inception;

const PROGRAM: &str = env!("CARGO_BIN_EXE_prismbench");

fn run(folder: &Path, data: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--data", data, "-t", "dct:8", "--progress", "lines", "--batch", "2"]);
    command.arg("--out").arg(folder.join("run"));
    command
}

#[test]
fn exit_codes_leave_the_process() {
    let code = |arguments: &[&str]| {
        Command::new(PROGRAM).args(arguments).output().unwrap().status.code().unwrap()
    };
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["list"]), 0);
    assert_eq!(code(&["list", "nothing"]), 2);
    assert_eq!(code(&["run", "no-such-plan.toml"]), 5);
}

#[test]
fn control_c_ends_the_run_with_130_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = run(folder.path(), "synthetic:1:60").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first line of progress: the handler is in place and the pass is under way.
    assert!(lines.next().unwrap().unwrap().contains("/60"));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted after")), "{rest:?}");
    let go_on = rest.last().unwrap();
    assert!(
        go_on.starts_with("to go on: ") && go_on.contains(" run --data synthetic:1:60 -t dct:8")
    );
    assert!(folder.path().join("run/plan.toml").is_file());
    assert!(run(folder.path(), "synthetic:1:60").output().unwrap().status.success());
}

/// The tokenizer is asleep in a child of what was started, and the first signal waits for it.
#[test]
#[cfg(target_os = "linux")]
fn a_second_control_c_ends_the_run_at_once_and_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let noted = folder.path().join("processes");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines/tests/it/exec_child.py");
    let (note, out) = (noted.display(), folder.path().join("run"));
    let tokenizer =
        format!("exec:sh -c \"echo $$ >'{note}'; python3 -B '{program}' slow '{note}'; exit\"");
    let mut child = Command::new(PROGRAM)
        .args(["run", "--data", "synthetic:1:6", "-t", &tokenizer, "--progress", "none", "--out"])
        .arg(out)
        .spawn()
        .unwrap();
    // The shell's, Python's, and Python's again when it has the first block.
    let processes = loop {
        let noted = fs::read_to_string(&noted).unwrap_or_default();
        if noted.ends_with('\n') && noted.lines().count() == 3 {
            break noted;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(5));
    };
    let id = child.id().to_string();
    let interrupt =
        || assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    interrupt();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the block at hand is not done");
    assert!(processes.lines().all(gone::is_running), "{processes}");
    let start = Instant::now();
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Far less than the hour that the tokenizer would take.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(processes.lines().all(gone::is_gone), "{processes}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let script = format!("'{PROGRAM}' list; '{PROGRAM}' explain default | head -n 1");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
    // By then nobody reads any more.
    for words in ["--help", "--version", "run --help", "list"] {
        let script = format!("{{ sleep 0.2; '{PROGRAM}' {words}; echo $? >&2; }} | true");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "0\n", "{words}");
    }
}

/// A limit on the size of files stands in for a full disk: the same call fails the same way.
#[test]
fn a_full_disk_is_named_with_the_remedy_and_leaves_no_half_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // 8 blocks of 512 or 1024 bytes: the plan fits, 3 saved reconstructions (590 KB) do not.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec '{PROGRAM}' run --data synthetic:1:3 -t dct:8 \
         --progress none --save reconstructions --out '{}'",
        out.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("hint: free some space"), "{error}");
    assert!(!out.join("records.jsonl").exists());
    let arrays: Vec<_> = std::fs::read_dir(out.join("arrays"))
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
        .collect();
    assert!(arrays.is_empty(), "{arrays:?}");
}

#[test]
fn a_table_for_a_full_device_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        // Linux only; elsewhere there is no such device to write to.
        return;
    };
    let output = Command::new(PROGRAM).arg("list").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot write the result") && error.contains("free some"), "{error}");
}

/// The only entry of a folder.
fn only(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    entries.next().unwrap().unwrap().path()
}

/// Latents to be judged, and how: a command for each folder.
fn judging(folder: &Path) -> impl Fn(&str) -> Command {
    let made = folder.join("made");
    let latents = Command::new(PROGRAM)
        .args(["run", "--data", "synthetic:3:60", "-t", "dct:16", "--set", "size=64", "-m", "psnr"])
        .args(["--save", "latents", "--progress", "none", "--out"])
        .arg(&made)
        .status();
    assert!(latents.unwrap().success());
    let latents = only(&made.join("arrays")).join("latents.npz");
    let (folder, weights) = (folder.to_owned(), inception(folder));
    move |name| {
        let at = folder.join(name);
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--set", "size=64", "-t", "dct:16", "--data", "synthetic:4:20"]);
        command.args(["-m", "gfid", "-m", "sfid", "-m", "is", "-m", "precision", "-m", "rfid"]);
        command.args(["--batch", "5", "--save", "samples", "--progress", "none"]);
        command.arg("--latents").arg(format!("raw:{}", latents.display()));
        command.arg("--weights").arg(format!("inception={}", weights.display()));
        command.arg("--cache").arg(at.join("cache")).arg("--out").arg(at.join("run"));
        command.stderr(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// Killed, a process can tidy nothing up. What it had made by then is in the run folder all the same.
#[test]
fn a_run_that_was_killed_goes_on_where_it_was_and_writes_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let judge = judging(folder.path());
    assert!(judge("straight").status().unwrap().success());
    let (out, parts) = (at("killed/run"), at("killed/run/parts"));
    let samples = || match parts.is_dir() {
        true => {
            let journal = only(&parts).join("samples.journal");
            fs::metadata(journal).map_or(0, |file| file.len())
        }
        false => 0,
    };
    // Twice, each time some blocks further on.
    for _ in 0..2 {
        let before = samples();
        let mut child = judge("killed").spawn().unwrap();
        while samples() < before + 10 * 64 * 64 * 3 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.join("records.jsonl").exists(), "killed too late");
    }
    assert!(judge("killed").status().unwrap().success());
    // In two parts, of which the second is killed once, and merged: the same again.
    let shard = |number: usize| {
        let mut command = judge("shards");
        command.args(["--shard", &format!("{number}/2")]);
        command
    };
    assert!(shard(1).status().unwrap().success());
    let mut child = shard(2).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(900));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(shard(2).status().unwrap().success());
    let merge = Command::new(PROGRAM)
        .args(["merge", "--progress", "none", "--no-cache"])
        .arg(at("shards/run"))
        .output()
        .unwrap();
    assert!(merge.status.success(), "{}", String::from_utf8_lossy(&merge.stderr));
    let bytes = |name: &str, file: &str| fs::read(at(name).join("run").join(file)).unwrap();
    let [straight, killed, merged] = ["straight", "killed", "shards"]
        .map(|name| String::from_utf8(bytes(name, "records.jsonl")).unwrap());
    assert_eq!(straight, killed);
    assert_eq!(straight, merged);
    assert!(!parts.exists(), "nothing is left lying about");
    let saved =
        |name: &str| fs::read(only(&at(name).join("run/arrays")).join("samples.npz")).unwrap();
    assert!(saved("straight") == saved("killed"));
    assert!(saved("straight") == saved("shards"));
}

/// A `sbatch` that notes its arguments, one a line and then `--`, and answers as given.
fn sbatch(folder: &Path, answer: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let calls = folder.join("calls");
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; echo --; }} >>'{}'\n{answer}\n",
        calls.display()
    );
    fs::write(bin.join("sbatch"), script).unwrap();
    fs::set_permissions(bin.join("sbatch"), fs::Permissions::from_mode(0o755)).unwrap();
    calls
}

fn submit(folder: &Path, out: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["submit", "slurm", "--shards", "4", "--data", "synthetic:1:8", "-t", "dct:8"]);
    command.arg("--out").arg(folder.join(out)).current_dir(folder);
    command.env("PATH", folder.join("bin"));
    command
}

#[test]
fn a_submission_is_a_job_array_and_a_merge_job_that_depends_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let calls = sbatch(folder.path(), "echo '41;cluster'");
    // Quotes, `%`, a dollar and a blank: all of it may be in a folder's name.
    let out = "it's 5% $HOME";
    let dry = submit(folder.path(), out).arg("--dry-run").output().unwrap();
    assert!(dry.status.success() && !folder.path().join(out).exists() && !calls.exists());
    let output = submit(folder.path(), out)
        .args(["--partition", "gpu", "--gres", "gpu:1", "--parallelism", "2", "--mem", "8G"])
        .arg("--sbatch-arg=--exclude=a b;$(c)")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "41 41\n");
    let run = folder.path().join(out);
    let run = run.to_str().unwrap();
    let logs = format!("{}/submit/logs", run.replace('%', "%%"));
    let array = format!(
        "--parsable\n--job-name=prismbench\n--array=1-4%2\n--output={logs}/%A_%a.log\n--gres=gpu:1\n\
         --partition=gpu\n--mem=8G\n--exclude=a b;$(c)\n{run}/submit/run.sbatch\n--\n"
    );
    let merge = format!(
        "--parsable\n--job-name=prismbench-merge\n--dependency=afterok:41\n\
         --kill-on-invalid-dep=yes\n--output={logs}/merge-%j.log\n--partition=gpu\n--mem=8G\n\
         --exclude=a b;$(c)\n{run}/submit/merge.sbatch\n--\n"
    );
    assert_eq!(fs::read_to_string(calls).unwrap(), array + &merge);
    assert!(folder.path().join(out).join("submit/logs").is_dir());
    // The same again is the same run; another plan in its place is refused before anything is submitted.
    assert!(submit(folder.path(), out).status().unwrap().success());
    let other = submit(folder.path(), out).args(["--seed", "1"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8(other.stderr).unwrap().contains("holds another run"));
    fs::create_dir_all(folder.path().join(out).join("shards/2-of-3")).unwrap();
    let other = submit(folder.path(), out).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8(other.stderr).unwrap().contains("holds parts of 3, and not of 4"));
}

#[test]
fn what_sbatch_says_against_it_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let failed = |out: &str, code: i32| {
        let output = submit(folder.path(), out).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        error
    };
    let missing = failed("a", 5);
    assert!(
        missing.contains("cannot start `sbatch`") && missing.contains("login node"),
        "{missing}"
    );
    sbatch(folder.path(), "echo 'sbatch: error: Invalid job array specification' >&2; exit 1");
    let refused = failed("b", 2);
    assert!(refused.contains("sbatch refused the job array: sbatch: error: Invalid"), "{refused}");
    assert!(refused.contains("MaxArraySize"), "{refused}");
    // The array goes in, the merge job does not.
    let once = "case \"$*\" in *afterok*) echo no >&2; exit 1;; *) echo 7;; esac";
    sbatch(folder.path(), once);
    let half = failed("c", 2);
    assert!(half.contains("refused the merge job: no") && half.contains("`scancel 7`"), "{half}");
    sbatch(folder.path(), "echo 'Submitted batch job'");
    assert!(failed("d", 1).contains("which is no job id"));
}

/// The plan that a shard keeps names all metrics and paths from where the run was started.
#[test]
fn shards_are_merged_whose_plan_left_metrics_open_and_names_pictures_beside_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let command = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--progress", "none", "--cache"]).arg(at("cache"));
        let output = command.current_dir(folder.path()).env_remove("PRISMBENCH_WEIGHTS").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let arrays = ["-t", "dct:8", "--save", "reconstructions", "--out", "made"];
    command(&[&["run", "--data", "synthetic:1:20", "-m", "psnr"][..], &arrays].concat());
    // Two folders: the originals, and what the tokenizer made of them.
    let mut folders = fs::read_dir(at("made/arrays")).unwrap().map(|entry| entry.unwrap().path());
    let pictures = folders.find_map(|folder| {
        let file = folder.join("reconstructions.npz");
        file.is_file().then_some(file)
    });
    fs::rename(pictures.unwrap(), at("pictures.npz")).unwrap();
    let run = ["run", "--data", "pictures.npz", "-t", "dct:8", "-s", "reconstruction"];
    for shard in ["1/2", "2/2"] {
        command(&[&run[..], &["--out", "parts", "--shard", shard]].concat());
    }
    command(&["merge", "parts"]);
    command(&[&run[..], &["--out", "whole"]].concat());
    let count = |name: &str| {
        let records = fs::read_to_string(at(name).join("records.jsonl")).unwrap();
        assert!(records.contains("no weights of the network"), "{records}");
        records.lines().count()
    };
    assert_eq!(count("parts"), count("whole"));
}

/// What a paper printed of a generator's samples under another evaluator is found only in samples that were kept.
#[test]
fn samples_that_a_reproduction_keeps_are_tried_under_another_evaluator() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let generator = at("tiny.safetensors");
    planned::write(&generator, &generator_weights::generator(generator_weights::TINY));
    let weights = inception(folder.path());
    let always = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--progress", "none"]).arg("--cache").arg(at("cache"));
        command.arg("--weights").arg(format!("inception={}", weights.display()));
        command.output().unwrap()
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let path = |name: &str| at(name).display().to_string();
    let stats = ["stats", "synthetic:4:12", "--set", "size=32", "-o", &path("real.npz")];
    let done = always(&stats);
    assert!(done.status.success(), "{}", said(&done));
    let drawn = format!("ditdh={}", generator.display());
    let draw =
        ["run", "--set", "size=32", "--set", "inception-score=adm", "-t", "dct:2", "-m", "is"];
    let how = ["--sampling", "heun2:4,shift:none", "--labels", "uniform", "-n", "24"];
    let to = ["--generator", &drawn, "--reference", &path("real.npz"), "--out", &path("published")];
    let done = always(&[&draw[..], &how, &to].concat());
    assert!(done.status.success(), "{}", said(&done));
    let records = fs::read_to_string(at("published/records.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    let value = record["value"].as_f64().unwrap();
    let plan = format!(
        "format = 1\nname = 'paper'\n[[part]]\nsuite = 'generation'\ndataset = 'scenes'\nn = 24\n\
         protocol = 'default'\nset = {{ size = 32, inception-score = 'tfid' }}\ndecoder = 'dct:2'\n\
         sampling = 'heun2:4,shift:none'\nlabels = 'uniform'\n[[part.value]]\ntokenizer = 'theirs'\n\
         metric = 'is'\nvalue = '{value:.4}'\n[part.tokenizers]\ntheirs = ['{drawn}']\n"
    );
    fs::write(at("paper.toml"), plan).unwrap();
    let told = |out: &str, more: &[&str]| {
        let (plan, reference, out) = (path("paper.toml"), path("real.npz"), path(out));
        let fixed =
            ["reproduce", &plan, "--reference", &reference, "--format", "json", "--out", &out];
        let output = always(&[&fixed[..], more].concat());
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["rows"][0].clone()
    };
    let kept = told("kept", &["--keep-samples"]);
    assert_eq!(kept["verdict"], "MISMATCH", "{kept}");
    assert_eq!(kept["explanation"]["change"], "inception-score = adm", "{kept}");
    let gone = told("gone", &[]);
    assert!(gone["explanation"].is_null(), "{gone}");
    assert!(gone["suspects"].to_string().contains("--keep-samples keeps them"), "{gone}");
}

/// The tiny DiT^DH draws latents of `dct:2`, 6 x 4 x 4, which decode to pictures of 32 pixels.
#[test]
fn a_generator_that_was_killed_draws_on_and_its_samples_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let generator = at("tiny.safetensors");
    planned::write(&generator, &generator_weights::generator(generator_weights::TINY));
    let weights = inception(folder.path());
    // As a released configuration says it, and written out.
    let config = at("sampling.yaml");
    let released = "sampler:\n  mode: ODE\n  params:\n    sampling_method: heun2\n    num_steps: 4\nguidance:\n  \
                    method: cfg\n  scale: 1.5\n  t-min: 0.0\n  t-max: 1.0\nmisc:\n  latent_size: [6, 4, 4]\n  \
                    time_dist_shift_dim: 4096\n";
    fs::write(&config, released).unwrap();
    let draw = |name: &str, batch: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--set", "size=32", "-t", "dct:2", "--data", "synthetic:4:12"]);
        let sampling = match name {
            "straight" => config.to_str().unwrap(),
            _ => "heun2:4,cfg:1.5,shift:none",
        };
        command.args(["--sampling", sampling, "--labels", "uniform", "-n", "40"]);
        command.args(["-m", "gfid", "-m", "is", "--batch", batch, "--save", "samples"]);
        command.arg("--generator").arg(format!("ditdh={}", generator.display()));
        command.arg("--weights").arg(format!("inception={}", weights.display()));
        command.arg("--cache").arg(at(name).join("cache")).arg("--out").arg(at(name).join("run"));
        command.args(["--progress", "none"]).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let finish = |name: &str, batch: &str| {
        let done = draw(name, batch).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        // What is said beforehand, before any sample is drawn.
        let forecast = said.lines().find(|line| line.contains("left to draw: about")).unwrap();
        assert!(forecast.contains("(drawing") && forecast.contains("decoding"), "{said}");
        forecast.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(finish("straight", "5"), 40);
    let parts = at("killed/run/parts");
    let samples = || {
        let passes = fs::read_dir(&parts).into_iter().flatten().flatten();
        let journals = passes.map(|pass| fs::metadata(pass.path().join("samples.journal")));
        journals.flatten().map(|file| file.len()).sum::<u64>()
    };
    let mut child = draw("killed", "5").spawn().unwrap();
    while samples() < 15 * 32 * 32 * 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!at("killed/run/records.jsonl").exists(), "killed too late");
    // The rest is drawn in other batches.
    let left = finish("killed", "3");
    assert!((1..40).contains(&left), "{left} of 40, of which some were drawn before");
    let read = |name: &str, file: &str| fs::read(at(name).join("run").join(file)).unwrap();
    assert_eq!(read("straight", "records.jsonl"), read("killed", "records.jsonl"));
    let saved =
        |name: &str| fs::read(only(&at(name).join("run/arrays")).join("samples.npz")).unwrap();
    assert!(saved("straight") == saved("killed"));
    assert!(!parts.exists(), "nothing is left lying about");
}
