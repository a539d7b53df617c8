//! What the API server accepts of the objects that are written here, and nothing else: the fields of
//! `io.k8s.api.batch.v1.Job` and `io.k8s.api.core.v1.ConfigMap` that a manifest may hold, from the OpenAPI of
//! Kubernetes 1.33 (`api/openapi-spec/swagger.json`), and the rules of its validation that bear on them
//! (`pkg/apis/batch/validation`). A field by another name or of another type does not parse.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

type Map<V> = BTreeMap<String, V>;

macro_rules! object {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        struct $name { $($field: $type,)* }
    };
}

object!(List { api_version: String, kind: String, items: Vec<Value>, });
object!(Metadata { name: String, namespace: Option<String>, labels: Option<Map<String>>, });
object!(PodMetadata { labels: Option<Map<String>>, });
object!(ConfigMap { api_version: String, kind: String, metadata: Metadata, data: Map<String>, });
object!(Job { api_version: String, kind: String, metadata: Metadata, spec: JobSpec });
object!(JobSpec {
    completions: Option<i32>,
    parallelism: Option<i32>,
    completion_mode: Option<String>,
    backoff_limit: Option<i32>,
    backoff_limit_per_index: Option<i32>,
    pod_failure_policy: Option<PodFailurePolicy>,
    suspend: Option<bool>,
    template: PodTemplate,
});
object!(PodFailurePolicy { rules: Vec<Rule>, });
object!(Rule {
    action: String,
    on_exit_codes: Option<OnExitCodes>,
    on_pod_conditions: Option<Vec<OnPodCondition>>,
});
object!(OnExitCodes { operator: String, values: Vec<i32>, });
object!(OnPodCondition { r#type: String, status: String });
object!(PodTemplate { metadata: Option<PodMetadata>, spec: PodSpec, });
object!(PodSpec {
    restart_policy: String,
    termination_grace_period_seconds: Option<i64>,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
});
object!(Container {
    name: String,
    image: String,
    command: Vec<String>,
    working_dir: Option<String>,
    env: Option<Vec<EnvVar>>,
    resources: Resources,
    volume_mounts: Vec<VolumeMount>,
});
object!(EnvVar { name: String, value: String });
object!(Resources { requests: Map<String>, limits: Map<String>, });
object!(VolumeMount { name: String, mount_path: String, read_only: Option<bool>, });
object!(Volume {
    name: String,
    persistent_volume_claim: Option<Claim>,
    config_map: Option<ConfigMapVolume>,
});
object!(Claim { claim_name: String });
object!(ConfigMapVolume { name: String });

/// What is wrong with a manifest.
pub(super) fn check(manifest: &Value) -> Result<(), String> {
    let list: List = parse(manifest)?;
    expect(&list.api_version, "v1")?;
    expect(&list.kind, "List")?;
    list.items.iter().try_for_each(|item| match item["kind"].as_str() {
        Some("ConfigMap") => config_map(&parse(item)?),
        Some("Job") => job(&parse(item)?),
        kind => Err(format!("kind {kind:?}")),
    })
}

fn parse<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn expect(found: &str, expected: &str) -> Result<(), String> {
    ensure(found == expected, &format!("`{found}` in place of `{expected}`"))
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn metadata(metadata: &Metadata) -> Result<(), String> {
    let label = |text: &str| {
        let bytes = text.as_bytes();
        let end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        bytes.len() <= 63
            && end(bytes.first())
            && end(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let dns = |text: &str| label(text) && !text.contains(['_', '.']) && text == text.to_lowercase();
    ensure(dns(&metadata.name), "name")?;
    ensure(metadata.namespace.as_deref().is_none_or(dns), "namespace")?;
    ensure(metadata.labels.iter().flat_map(|l| l.values()).all(|value| label(value)), "labels")
}

fn config_map(map: &ConfigMap) -> Result<(), String> {
    expect(&map.api_version, "v1")?;
    expect(&map.kind, "ConfigMap")?;
    let key = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ensure(map.data.keys().all(|name| name.chars().all(key)), "key")?;
    ensure(map.data.values().map(String::len).sum::<usize>() <= 1 << 20, "larger than 1 MiB")?;
    metadata(&map.metadata)
}

fn job(job: &Job) -> Result<(), String> {
    expect(&job.api_version, "batch/v1")?;
    expect(&job.kind, "Job")?;
    metadata(&job.metadata)?;
    let (spec, never) = (&job.spec, job.spec.template.spec.restart_policy == "Never");
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    ensure(
        matches!(spec.completion_mode.as_deref(), None | Some("Indexed" | "NonIndexed")),
        "mode",
    )?;
    ensure(never || spec.template.spec.restart_policy == "OnFailure", "restartPolicy")?;
    ensure(spec.backoff_limit_per_index.is_none() || (indexed && never), "backoffLimitPerIndex")?;
    ensure(spec.pod_failure_policy.is_none() || never, "podFailurePolicy without Never")?;
    ensure(spec.backoff_limit.is_none_or(|limit| limit >= 0), "backoffLimit")?;
    ensure(spec.parallelism.is_none_or(|pods| pods >= 0), "parallelism")?;
    let _either = spec.suspend;
    match (indexed, spec.completions) {
        // The host's name ends in the index.
        (true, Some(completions @ 1..)) => {
            let host = format!("{}-{}", job.metadata.name, completions - 1);
            ensure(host.len() <= 63, "name leaves no room for the index")?;
        }
        (true, _) => return Err("completions".to_owned()),
        (false, completions) => ensure(completions.is_none_or(|c| c >= 0), "completions")?,
    }
    let rules = spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules);
    for found in rules {
        rule(found, spec.backoff_limit_per_index.is_some())?;
    }
    pod(&spec.template)
}

fn rule(rule: &Rule, per_index: bool) -> Result<(), String> {
    let actions = ["FailJob", "Ignore", "Count"];
    let known =
        actions.contains(&rule.action.as_str()) || (per_index && rule.action == "FailIndex");
    ensure(known, "action")?;
    match (&rule.on_exit_codes, &rule.on_pod_conditions) {
        (Some(codes), None) => {
            ensure(["In", "NotIn"].contains(&codes.operator.as_str()), "operator")?;
            let ordered = codes.values.windows(2).all(|pair| pair[0] < pair[1]);
            let no_0 = codes.operator == "NotIn" || !codes.values.contains(&0);
            ensure((1..=255).contains(&codes.values.len()) && ordered && no_0, "exit codes")
        }
        (None, Some(conditions)) => ensure(
            conditions.iter().all(|condition| {
                let statuses = ["True", "False", "Unknown"];
                !condition.r#type.is_empty() && statuses.contains(&condition.status.as_str())
            }),
            "conditions",
        ),
        _ => Err("one of exit codes and conditions".to_owned()),
    }
}

fn pod(template: &PodTemplate) -> Result<(), String> {
    let spec = &template.spec;
    let _labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    ensure(spec.termination_grace_period_seconds.is_none_or(|seconds| seconds >= 0), "grace")?;
    ensure(!spec.containers.is_empty(), "no container")?;
    for volume in &spec.volumes {
        let claim = volume.persistent_volume_claim.as_ref().map(|claim| &claim.claim_name);
        let map = volume.config_map.as_ref().map(|map| &map.name);
        ensure(claim.is_some() != map.is_some(), "a volume is one thing")?;
        ensure(claim.or(map).is_some_and(|name| !name.is_empty()), "volume name")?;
    }
    for container in &spec.containers {
        ensure(!container.name.is_empty() && !container.image.is_empty(), "container")?;
        ensure(!container.command.is_empty(), "command")?;
        ensure(container.working_dir.as_ref().is_none_or(|dir| dir.starts_with('/')), "folder")?;
        for variable in container.env.iter().flatten() {
            ensure(!variable.name.is_empty() && !variable.value.is_empty(), "env")?;
        }
        for mount in &container.volume_mounts {
            let known = spec.volumes.iter().any(|volume| volume.name == mount.name);
            ensure(known, "mount of no volume")?;
            ensure(!mount.mount_path.contains(':'), "mountPath")?;
            let _read_only = mount.read_only;
        }
        let (requests, limits) = (&container.resources.requests, &container.resources.limits);
        // GPUs and their like cannot be requested below their limit.
        let extended = |name: &&String| name.contains('/');
        let equal =
            limits.keys().filter(extended).all(|name| requests.get(name) == limits.get(name));
        ensure(equal, "extended resource")?;
        ensure(requests.values().chain(limits.values()).all(|text| !text.is_empty()), "quantity")?;
    }
    Ok(())
}
