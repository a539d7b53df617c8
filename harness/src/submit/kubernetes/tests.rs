use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::super::Submission;
use super::*;
use crate::cli::RunArgs;

fn args() -> KubernetesArgs {
    KubernetesArgs {
        shards: 8,
        image: "lab/prismbench:1".parse().unwrap(),
        claim: "pictures".parse().unwrap(),
        mount: "/data".parse().unwrap(),
        namespace: Some("team-a".parse().unwrap()),
        parallelism: None,
        gpus: Some(1),
        cpu: Some("4".parse().unwrap()),
        memory: Some("32Gi".parse().unwrap()),
        manifest: None,
        run: RunArgs {
            data: vec!["imagenet/$(HOME) it's".to_owned()],
            exec_timeout: 600,
            ..RunArgs::default()
        },
    }
}

fn manifest(args: &KubernetesArgs) -> Value {
    let submission: Submission = submission(args).unwrap();
    let name = job_name(&submission.plan.name, &submission.plan.hash());
    written(args, &submission, &name)
}

#[test]
fn the_manifest_is_what_the_api_accepts() {
    schema::check(&manifest(&args())).unwrap();
    let bare = KubernetesArgs { namespace: None, gpus: None, cpu: None, memory: None, ..args() };
    schema::check(&manifest(&bare)).unwrap();
    schema::check(&manifest(&KubernetesArgs { shards: 100_000, ..args() })).unwrap();
}

/// A check that finds nothing wrong proves nothing: each of these is refused by the API server.
#[test]
fn the_check_refuses_what_the_api_refuses() {
    let mut whole = manifest(&args());
    let rule = json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [2] } });
    let rules = whole.pointer_mut("/items/1/spec/podFailurePolicy/rules").unwrap();
    rules.as_array_mut().unwrap().push(rule);
    schema::check(&whole).unwrap();
    let spec = "/items/1/spec";
    let wrong: [(&str, Value); 16] = [
        ("/items/1/apiVersion", json!("batch/v1beta1")),
        ("/items/1/kind", json!("CronJob")),
        ("/items/1/metadata/name", json!("Upper_Case")),
        ("/items/1/metadata/name", json!("x".repeat(62))),
        ("/items/1/metadata/namespace", json!("two.parts")),
        ("/items/1/spec/completions", json!("8")),
        ("/items/1/spec/completions", json!(0)),
        ("/items/1/spec/completionMode", json!("indexed")),
        ("/items/1/spec/template/spec/restartPolicy", json!("OnFailure")),
        ("/items/1/spec/podFailurePolicy/rules/1/onExitCodes/values", json!([0])),
        ("/items/1/spec/podFailurePolicy/rules/1/action", json!("Retry")),
        ("/items/1/spec/template/spec/containers", json!([])),
        ("/items/1/spec/template/spec/containers/0/env/0/value", json!(8)),
        ("/items/1/spec/template/spec/containers/0/volumeMounts/0/name", json!("none")),
        ("/items/1/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu", json!("2")),
        ("/items/0/data/plan.toml", json!("x".repeat((1 << 20) + 1))),
    ];
    for (place, value) in wrong {
        let mut manifest = whole.clone();
        *manifest.pointer_mut(place).unwrap() = value;
        assert!(schema::check(&manifest).is_err(), "{place}");
    }
    for (place, field) in [
        (spec, "template"),
        (spec, "completions"),
        ("/items/1/spec/template/spec", "restartPolicy"),
        ("/items/1/spec/template/spec/containers/0", "image"),
        ("/items/2", "metadata"),
    ] {
        let mut manifest = whole.clone();
        let object = manifest.pointer_mut(place).unwrap().as_object_mut().unwrap();
        assert!(object.remove(field).is_some());
        assert!(schema::check(&manifest).is_err(), "{place} without {field}");
    }
    for place in ["", "/items/0", "/items/1", spec, "/items/1/spec/template/spec/containers/0"] {
        let mut manifest = whole.clone();
        manifest.pointer_mut(place).unwrap()["restartpolicy"] = json!("Never");
        assert!(schema::check(&manifest).is_err(), "{place} with an unknown field");
    }
}

#[test]
fn pods_learn_how_many_shards_there_are_and_the_merge_waits_without_gpus() {
    let manifest = manifest(&args());
    let [shards, merge] = [1, 2].map(|item| &manifest["items"][item]);
    assert_eq!(shards["spec"]["completions"], 8);
    assert_eq!(shards["spec"]["parallelism"], 8);
    let container = |job: &Value| job["spec"]["template"]["spec"]["containers"][0].clone();
    let (pod, last) = (container(shards), container(merge));
    assert_eq!(pod["env"], json!([{ "name": "PRISMBENCH_SHARDS", "value": "8" }]));
    assert_eq!(pod["resources"]["limits"]["nvidia.com/gpu"], "1");
    // With both variables `prismbench run` would be one shard of eight.
    assert_eq!(last["env"], Value::Null);
    assert_eq!(last["resources"]["limits"], json!({ "cpu": "4", "memory": "32Gi" }));
    assert_eq!(merge["spec"]["suspend"], true);
    let words: Vec<&str> =
        pod["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[..3], ["prismbench", "run", "/etc/prismbench/plan.toml"]);
    assert!(!words.contains(&"--shard"), "{words:?}");
    let out = words[words.len() - 1];
    assert!(out.starts_with("/data/runs/default-"), "{out}");
    assert_eq!(last["command"], json!(["prismbench", "merge", out]));
    let plan: toml::Table =
        manifest["items"][0]["data"]["plan.toml"].as_str().unwrap().parse().unwrap();
    assert_eq!(plan["data"][0].as_str(), Some("/data/imagenet/$(HOME) it's"));
}

#[test]
fn kubernetes_puts_no_variable_into_a_path() {
    let run = RunArgs { out: Some("$(PATH)/$x".into()), ..args().run };
    let manifest = manifest(&KubernetesArgs { run, ..args() });
    let command = &manifest["items"][2]["spec"]["template"]["spec"]["containers"][0]["command"];
    assert_eq!(command[2], "/data/$$(PATH)/$$x");
}

#[test]
fn a_run_folder_that_would_vanish_with_its_pod_is_refused() {
    let run = RunArgs { out: Some("/tmp/run".into()), ..args().run };
    let failure = submission(&KubernetesArgs { run, ..args() }).err().unwrap();
    assert_eq!(
        failure.to_string(),
        "`/tmp/run` lies outside of `/data`, where the claim is mounted"
    );
    assert!(failure.render().contains("--mount"), "{}", failure.render());
}

#[test]
fn the_manifest_goes_to_a_file_that_is_not_there_yet_and_the_commands_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let args = KubernetesArgs { manifest: Some(file.clone()), ..args() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let interrupted = AtomicBool::new(false);
    let mut hand_over = || {
        let mut streams = Streams {
            out: &mut out,
            err: &mut err,
            width: 100,
            bar: false,
            interrupted: &interrupted,
        };
        submit(&args, &mut streams)
    };
    assert_eq!(hand_over().unwrap(), Exit::Done);
    assert!(hand_over().unwrap_err().to_string().contains("run.json"));
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    schema::check(&written).unwrap();
    let name = written["items"][1]["metadata"]["name"].as_str().unwrap();
    let said = String::from_utf8(err).unwrap();
    let wait = format!(
        "kubectl --namespace team-a wait --for=condition=complete --timeout=-1s job/{name}\n"
    );
    assert!(said.contains(&wait) && said.contains(&format!("patch job/{name}-merge")), "{said}");
    assert!(out.is_empty());
}
