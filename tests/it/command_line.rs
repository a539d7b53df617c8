//! Help, listings, explanations and mistakes on the command line.

use prismbench::Exit;

use crate::program::{prismbench, run_in};

#[test]
fn help_names_every_verb_and_exit_code() {
    let help = prismbench(&["--help"]).expect(Exit::Done);
    assert_eq!(help.err, "");
    insta::assert_snapshot!(help.text());
    insta::assert_snapshot!(prismbench(&["run", "--help"]).expect(Exit::Done).text());
}

#[test]
fn listings_tell_what_there_is() {
    let all = prismbench(&["list"]).expect(Exit::Done).text();
    // What is in the hub's cache differs from machine to machine.
    let state = [(r"; (not here, about|cached,) [0-9.]+ [MG]B", "; STATE")];
    insta::with_settings!({filters => state}, { insta::assert_snapshot!(all) });
    for what in ["tokenizers", "suites", "metrics", "protocols", "data"] {
        let section = prismbench(&["list", what]).expect(Exit::Done).text();
        assert!(all.contains(&section), "{what}");
    }
}

#[test]
fn whatever_is_listed_can_be_explained() {
    for name in ["default", "rae", "llamagen", "titok", "psnr", "ssim", "ms-ssim@1", "bpp"] {
        let text = prismbench(&["explain", name]).expect(Exit::Done).text();
        assert!(text.lines().count() > 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100 || line.contains("  of {")));
    }
    for (name, parts) in [
        ("psnr", &["bootstrap over images", "rae"][..]),
        ("chosen", &["There is no interval"]),
        ("band-energy", &["There is no interval"]),
        ("low-pass-collapse", &["There is no interval"]),
        ("fid-infinity", &["There is no interval", "tf1"]),
        ("t2i-r5", &["Wilson's at 95 %", "cluster"]),
        ("gfid", &["block jackknife", "tenth of the samples"]),
        ("cmmd", &["block jackknife", "with its reconstructions"]),
        ("lpips", &["bootstrap over images", "alex", "vgg", "squeeze"]),
        ("rfid", &["block jackknife", "tf1", "half-pixel", "pil-bicubic"]),
        ("fd-random", &["block jackknife", "comparable with no published"]),
        ("is", &["block jackknife", "tfid", "adm", "half-pixel"]),
        ("kid", &["block jackknife", "kid-subset", "tf1"]),
        ("precision", &["block jackknife", "the balls stay", "exact", "adm-fp16", "tf1"]),
        ("recall", &["block jackknife", "tenth of the references", "exact"]),
        ("coverage", &["block jackknife", "radii stay", "tf1"]),
        ("encoder-macs-split", &["There is no interval", "`attention`", "the dialect `mac`"]),
        ("decoder-intensity", &["There is no interval", "for each byte", "`element-type`"]),
    ] {
        let text = prismbench(&["explain", name]).expect(Exit::Done).text();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(parts.iter().all(|part| words.contains(part)), "{text}");
        assert_eq!(text.matches("interval").count(), 1, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
    // Their definitions speak of the interval, too.
    for name in ["top1", "top5", "mean-per-class", "filtered-r5", "i2t-r10"] {
        let text = prismbench(&["explain", name]).expect(Exit::Done).text();
        assert!(text.contains("Wilson's at 95 %") && !text.contains("bootstrap"), "{text}");
    }
    let generator = prismbench(&["explain", "ditdh-xl"]).expect(Exit::Done).text();
    for part in ["generator ditdh-xl", "sampled by euler", "latents of", "M parameters"] {
        assert!(generator.contains(part), "{part}: {generator}");
    }
    let list = prismbench(&["list", "generators"]).expect(Exit::Done).text();
    for line in list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let id = line.trim_start().split(['[', '=', ' ']).next().unwrap();
        let text = prismbench(&["explain", id]).expect(Exit::Done).text();
        assert!(text.starts_with(&format!("generator {id}")), "{text}");
    }
    for name in ["latent-floats", "reconstruction", "jpeg", "pca:f8:16", "taef2", "identity"] {
        prismbench(&["explain", name]).expect(Exit::Done);
    }
    insta::assert_snapshot!(prismbench(&["explain", "rae"]).text());
    insta::assert_snapshot!(prismbench(&["explain", "ssim"]).text());
}

#[test]
fn unknown_names_are_exit_2_with_the_nearest_known() {
    insta::assert_snapshot!(prismbench(&["lst"]).expect(Exit::Usage).err, @r"
    error: unrecognized subcommand 'lst'

      tip: a similar subcommand exists: 'list'

    Usage: prismbench <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(prismbench(&["list", "tokenisers"]).expect(Exit::Usage).err, @r"
    error: there is no list called `tokenisers`
      hint: did you mean `tokenizers`?
    ");
    insta::assert_snapshot!(prismbench(&["explain", "sim"]).expect(Exit::Usage).err, @r"
    error: there is no protocol, metric, suite, tokenizer or generator called `sim`
      hint: did you mean `ssim`?
    ");
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let ran = run_in(folder.path(), arguments).expect(Exit::Usage);
        assert!(!folder.path().join("run").exists(), "nothing may be made");
        ran.err
    };
    insta::assert_snapshot!(refused(&["-t", "jpg:75"]), @"error: unknown tokenizer `jpg`; did you mean `jpeg`?");
    insta::assert_snapshot!(refused(&["-t", "jpeg:101"]), @"error: `jpeg:101` does not name a tokenizer; expected `jpeg[:QUALITY]`, QUALITY 1 to 100 (default 75)");
    insta::assert_snapshot!(refused(&["-s", "reconstructions"]), @r"
    error: there is no suite called `reconstructions`
      hint: did you mean `reconstruction`?
    ");
    insta::assert_snapshot!(refused(&["-m", "pnsr"]), @r"
    error: there is no metric called `pnsr`
      hint: did you mean `psnr`?
    ");
    insta::assert_snapshot!(refused(&["-p", "defualt"]), @r"
    error: unknown protocol `defualt`
      hint: did you mean `default`?
    ");
    insta::assert_snapshot!(refused(&["--set", "quantizer=round"]), @r"
    error: a protocol has no field `quantizer`
      hint: did you mean `quantiser`?
    ");
    insta::assert_snapshot!(refused(&["--set", "quantiser=floor"]), @"error: protocol field `quantiser`: `floor` is no quantiser; it is one of truncate, round, round-half-up, none");
    insta::assert_snapshot!(refused(&["--set", "quantiser"]), @"error: `--set quantiser` is not FIELD=VALUE");
    insta::assert_snapshot!(refused(&["--save", "pictures"]), @"error: plan key `save`: `pictures` is not `reconstructions`, `latents`, `features` or `samples`");
    let unrounded = ["--save", "reconstructions", "--set", "quantiser=none"];
    insta::assert_snapshot!(refused(&unrounded), @r#"error: plan key `save`: `reconstructions` is not possible under `quantiser = "none"`, which leaves nothing 8-bit to save"#);
    insta::assert_snapshot!(refused(&["-t", "dct:4", "-t", "dct:4"]), @"error: `dct:4` is twice among the tokenizers of the plan");
}

#[test]
fn a_plan_file_is_checked_key_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    let head =
        "format = 1\nname = \"mine\"\ntokenizers = [\"dct:4\"]\ndata = [\"synthetic:1:2\"]\n";
    let with = |text: &str| {
        std::fs::write(&path, text).unwrap();
        prismbench(&["run", path.to_str().unwrap(), "--dry-run"])
    };
    let resolved = with(head).expect(Exit::Done);
    insta::assert_snapshot!(resolved.text());
    let refused = |text: &str| with(text).expect(Exit::Usage).err_without(folder.path());
    insta::assert_snapshot!(refused(&format!("{head}protocol = [\"rae\"]\n")), @r"
    error: plan `DIR/plan.toml` has an unknown key `protocol`
      hint: did you mean `protocols`?
    ");
    insta::assert_snapshot!(refused(&head.replace("= 1", "= 2")), @"error: plan `DIR/plan.toml` is of format 2; this build reads format 1");
    insta::assert_snapshot!(refused("format = 1\nname = \"mine\"\ntokenizers = \"dct\"\n"), @r#"
    error: plan `DIR/plan.toml` is not written as it should be
      cause: TOML parse error at line 3, column 14
      |
    3 | tokenizers = "dct"
      |              ^^^^^
    invalid type: string "dct", expected a sequence
    "#);
    let missing = prismbench(&["run", "no/such/plan.toml"]).expect(Exit::Missing);
    insta::assert_snapshot!(missing.err, @r"
    error: no plan file `no/such/plan.toml`
      cause: No such file or directory (os error 2)
    ");
}

#[test]
fn a_plan_names_its_files_from_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    crate::program::png(&folder.path().join("pictures/a.png"), 64, 64);
    let text = "format = 1\nname = \"mine\"\ntokenizers = [\"dct:4\"]\ndata = [\"pictures\"]\n";
    let plan = folder.path().join("plan.toml");
    std::fs::write(&plan, text).unwrap();
    let out = folder.path().join("run");
    let (path, out) = (plan.to_str().unwrap(), out.to_str().unwrap());
    prismbench(&["run", path, "--out", out, "--progress", "none"]).expect(Exit::Done);
    let command = "exec:python3 x.py --size=256";
    let tokenizers = format!("\"{command}\", \"recon:made\", \"taef2=weights\"");
    std::fs::write(&plan, text.replace("\"dct:4\"", &tokenizers)).unwrap();
    let resolved = prismbench(&["run", path, "--dry-run"]).expect(Exit::Done).text();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (made, weights) = (at("made"), at("weights"));
    for expected in [command.to_owned(), format!("recon:{made}"), format!("taef2={weights}")] {
        assert!(resolved.contains(&format!("\"{expected}\"")), "{expected}: {resolved}");
    }
}
