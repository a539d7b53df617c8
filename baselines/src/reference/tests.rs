use super::*;

fn canonical(text: &str) -> String {
    text.parse::<TokenizerRef>().unwrap().to_string()
}

fn message(text: &str) -> String {
    text.parse::<TokenizerRef>().unwrap_err().to_string()
}

#[test]
fn defaults_are_filled_in_and_canonical_references_print_as_they_parse() {
    assert_eq!(canonical("jpeg"), "jpeg:75");
    assert_eq!(canonical("jpeg:075"), "jpeg:75");
    assert_eq!(canonical("dct"), "dct:16");
    assert_eq!(canonical("resample"), "resample:f8");
    assert_eq!(canonical("pca"), "pca:f8:16");
    assert_eq!(canonical("pca:f16"), "pca:f16:16");
    for text in [
        "identity",
        "resample:f16",
        "pca:f16:768",
        "pca:f8:192",
        "taef2",
        "taef2@v1.0",
        "taef2=a/b=c:d",
    ] {
        assert_eq!(canonical(text), text);
    }
}

#[test]
fn the_id_leaves_the_path_out() {
    let reference: TokenizerRef = "taef2=weights/taef2".parse().unwrap();
    assert_eq!(reference.id, "taef2");
    assert_eq!(reference.weights, Some(PathBuf::from("weights/taef2")));
}

#[test]
fn everything_behind_exec_and_recon_is_theirs() {
    for text in [
        "exec:python3 -u 'my model.py' --size=256 a:b me@home",
        "exec:a=b",
        "recon:C:/x=y:z",
        "recon:out/model=7.npz",
    ] {
        let reference: TokenizerRef = text.parse().unwrap();
        assert_eq!((reference.id.as_str(), &reference.weights), (text, &None));
        assert_eq!(reference.revision(), None);
        assert_eq!(canonical(text), text);
    }
    assert_eq!(canonical("exec:  python3 x.py "), "exec:python3 x.py");
    for text in ["exec", "exec:", "exec: ", "exec:'open", "exec:''", "exec=x", "recon", "recon:"] {
        let error = text.parse::<TokenizerRef>().unwrap_err();
        assert!(matches!(error, OpenError::BadOption { .. }), "{text}: {error}");
    }
}

#[test]
fn paths_start_in_a_folder_and_commands_stay() {
    for (text, expected) in [
        ("taef2=weights/taef2", "taef2=plans/weights/taef2"),
        ("taef2=/weights", "taef2=/weights"),
        ("recon:out/a=b.npz", "recon:plans/out/a=b.npz"),
        ("exec:python3 x.py --size=256", "exec:python3 x.py --size=256"),
        ("sd-vae@main", "sd-vae@main"),
        ("jpeg:75", "jpeg:75"),
    ] {
        let reference: TokenizerRef = text.parse().unwrap();
        assert_eq!(reference.beside(Path::new("plans")).to_string(), expected);
    }
}

#[test]
fn a_reference_serialises_as_its_text() {
    let reference: TokenizerRef = serde_json::from_str("\"taef2=a b/c\"").unwrap();
    assert_eq!(serde_json::to_string(&reference).unwrap(), "\"taef2=a b/c\"");
    let error = serde_json::from_str::<TokenizerRef>("\"jpg\"").unwrap_err();
    assert!(error.to_string().contains("did you mean `jpeg`?"), "{error}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    assert_eq!(message("jpg:75"), "unknown tokenizer `jpg`; did you mean `jpeg`?");
    assert_eq!(
        message("vqvae"),
        "unknown tokenizer `vqvae`; `prismbench list tokenizers` shows what there is"
    );
    assert!(message("").starts_with("unknown tokenizer ``"));
}

#[test]
fn an_option_out_of_range_is_answered_with_the_range() {
    assert_eq!(
        message("jpeg:101"),
        "`jpeg:101` does not name a tokenizer; expected `jpeg[:QUALITY]`, QUALITY 1 to 100 \
         (default 75)"
    );
    let bad = [
        "identity:1",
        "identity=x",
        "jpeg:0",
        "jpeg:",
        "jpeg:x",
        "jpeg:-1",
        "jpeg:75:1",
        "dct:65",
        "resample:f4",
        "pca:16",
        "pca:f8:193",
        "pca:f16:769",
        "pca:f8:1:1",
        "taef2=",
        "taef2@",
        "taef2@..",
        "taef2@a/b",
        "taef2@main=x",
        "jpeg@main",
        "taef2:1=x",
        "dct:99999999999999999999999",
    ];
    for text in bad {
        let error = text.parse::<TokenizerRef>().unwrap_err();
        assert!(matches!(error, OpenError::BadOption { .. }), "{text}: {error}");
    }
}

#[test]
fn files_are_what_decides_what_a_tokenizer_makes() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new(folder.path(), "https://example.org");
    let files = |reference: &str| reference.parse::<TokenizerRef>().unwrap().files(&hub);
    assert!(files("jpeg:75").is_empty() && files("pca:f8:7").is_empty());
    assert!(files("taef2").is_empty(), "nothing is in the cache");
    assert_eq!(files("taef2=some/where.safetensors"), [PathBuf::from("some/where.safetensors")]);
    assert_eq!(files("recon:a folder"), [PathBuf::from("a folder")]);
    let reference: TokenizerRef = "taef2".parse().unwrap();
    for part in reference.model().unwrap().parts {
        let place = hub.place(&part.files[0], None);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, "weights").unwrap();
    }
    assert_eq!(files("taef2").len(), reference.model().unwrap().parts.len());
    let script = folder.path().join("it is.py");
    std::fs::write(&script, "").unwrap();
    let command = format!("exec:sh -c '{}' --absent", script.display());
    let found = files(&command);
    assert!(found.len() == 2 && found[0].ends_with("sh") && found[0].is_absolute(), "{found:?}");
    assert_eq!(found[1], script);
}
