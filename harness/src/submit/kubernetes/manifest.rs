//! The manifest: a List of a ConfigMap with the plan and two Jobs, as JSON, which kubectl reads like YAML.

use serde_json::{Map, Value, json};

/// Where pods find the plan.
pub(super) const PLAN_FILE: &str = "/etc/prismbench/plan.toml";
const PLAN_FOLDER: &str = "/etc/prismbench";
/// Times that a shard is tried again, on any node.
const RETRIES: u32 = 3;
/// Seconds that a pod which is to leave its node may take for the block at hand.
const GRACE_SECONDS: u32 = 120;

pub(super) struct List<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) shards: u32,
    pub(super) parallelism: u32,
    pub(super) image: &'a str,
    pub(super) claim: &'a str,
    pub(super) mount: &'a str,
    pub(super) plan: &'a str,
    /// Arguments of `prismbench`.
    pub(super) run: Vec<String>,
    pub(super) merge: Vec<String>,
    /// Whether the merge needs GPUs as well.
    pub(super) merges_on_gpu: bool,
    pub(super) gpus: Option<u16>,
    pub(super) cpu: Option<&'a str>,
    pub(super) memory: Option<&'a str>,
}

pub(super) fn list(of: &List<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata(of, ""),
                "data": { "plan.toml": of.plan },
            },
            shards(of),
            merge(of),
        ],
    })
}

/// `restartPolicy: Never`, since retries are counted per index only with it: a shard that cannot be done does
/// not use up those of the others.
fn shards(of: &List<'_>) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(of, ""),
        "spec": {
            "completions": of.shards,
            "parallelism": of.parallelism,
            "completionMode": "Indexed",
            "backoffLimitPerIndex": RETRIES,
            "podFailurePolicy": { "rules": [
                // A node that is drained or needed for another pod says nothing about the shard.
                { "action": "Ignore", "onPodConditions": [
                    { "type": "DisruptionTarget", "status": "True" },
                ] },
            ] },
            "template": template(of, &of.run, true),
        },
    })
}

fn merge(of: &List<'_>) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(of, "-merge"),
        "spec": {
            "suspend": true,
            "backoffLimit": RETRIES,
            "template": template(of, &of.merge, false),
        },
    })
}

fn metadata(of: &List<'_>, suffix: &str) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), format!("{}{suffix}", of.name).into());
    if let Some(namespace) = of.namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    let labels = json!({
        "app.kubernetes.io/name": "prismbench",
        "app.kubernetes.io/instance": of.name,
    });
    metadata.insert("labels".to_owned(), labels);
    Value::Object(metadata)
}

/// The pods of a Job. Those of shards learn the count of shards, which Kubernetes itself does not tell.
fn template(of: &List<'_>, arguments: &[String], is_shard: bool) -> Value {
    let command = std::iter::once("prismbench").chain(arguments.iter().map(String::as_str));
    let mut container = json!({
        "name": "prismbench",
        "image": of.image,
        "command": command.map(literal).collect::<Vec<_>>(),
        "workingDir": of.mount,
        "resources": resources(of, is_shard),
        "volumeMounts": [
            { "name": "data", "mountPath": of.mount },
            { "name": "plan", "mountPath": PLAN_FOLDER, "readOnly": true },
        ],
    });
    if is_shard {
        let count = crate::shard::KUBERNETES_COUNT;
        container["env"] = json!([{ "name": count, "value": of.shards.to_string() }]);
    }
    json!({
        "metadata": { "labels": {
            "app.kubernetes.io/name": "prismbench",
            "app.kubernetes.io/instance": of.name,
        } },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [container],
            "volumes": [
                { "name": "data", "persistentVolumeClaim": { "claimName": of.claim } },
                { "name": "plan", "configMap": { "name": of.name } },
            ],
        },
    })
}

/// Requests and limits alike, so that no pod is the first to go when its node is full.
fn resources(of: &List<'_>, is_shard: bool) -> Value {
    let gpus = of.gpus.filter(|_| is_shard || of.merges_on_gpu).map(|gpus| gpus.to_string());
    let given = [("cpu", of.cpu), ("memory", of.memory), ("nvidia.com/gpu", gpus.as_deref())];
    let given: Map<String, Value> = given
        .into_iter()
        .filter_map(|(name, quantity)| Some((name.to_owned(), quantity?.into())))
        .collect();
    json!({ "requests": given, "limits": given })
}

/// Kubernetes puts variables into commands, `$(NAME)`; `$$` stands for a `$`.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}
