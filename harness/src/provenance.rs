use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use prismbench_core::Concern;
use prismbench_kernels::nn::Work;
use prismbench_metrics::NetworkCost;
use prismbench_suites::Origin;
use serde::{Deserialize, Serialize};

use crate::device::GpuInUse;

/// `run.json`: what a run was made by and of, beyond what its records say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    pub(crate) run: String,
    pub(crate) status: Status,
    pub(crate) tool_version: String,
    pub(crate) target: String,
    pub(crate) cpu: String,
    pub(crate) threads: usize,
    /// Of the first core when the run began, in MHz, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock_mhz: Option<f64>,
    /// Of a run that does not compute on the CPU alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gpu: Option<GpuInUse>,
    /// The arguments, as typed.
    pub(crate) command: Vec<String>,
    pub(crate) started_unix: u64,
    pub(crate) finished_unix: Option<u64>,
    /// Passes that the plan needs, and those that are finished.
    #[serde(default)]
    pub(crate) passes: u64,
    #[serde(default)]
    pub(crate) passes_done: u64,
    /// Share of the pictures of all passes that earlier processes have measured.
    #[serde(default)]
    pub(crate) done_before: f64,
    /// Per data set and protocol: the pictures that were measured.
    pub(crate) pictures: Vec<PictureSet>,
    /// Per tokenizer: what its numbers were read from or fitted on, with sha256.
    pub(crate) weights: BTreeMap<String, Vec<WeightFile>>,
    /// What the networks of the metrics cost, for each size of their input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<NetworkCount>,
    /// For each finished job what its numbers were made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) made_of: Vec<MadeOf>,
}

/// What the numbers of a job were made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeOf {
    pub(crate) suite: String,
    pub(crate) tokenizer: String,
    /// Of a generator's samples, which rows are told apart by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    pub(crate) dataset: String,
    pub(crate) protocol_sha256: String,
    /// What decides them besides the plan: states of files, sha256 of weights.
    pub(crate) of: Origin,
    /// sha256 over everything that was known of the pictures; empty until they have been measured.
    #[serde(default)]
    pub(crate) contents_sha256: String,
}

impl MadeOf {
    /// Whether both are of one job.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let job = |made: &Self| {
            let Self { suite, tokenizer, variant, dataset, protocol_sha256, .. } = made.clone();
            (suite, tokenizer, variant, dataset, protocol_sha256)
        };
        job(self) == job(other)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Being written, or killed while it was.
    Running,
    /// Stopped by the user; the same command goes on.
    Stopped,
    /// Ended by an error, or with something that failed; the same command tries it again.
    Failed,
    /// Everything in the plan has its records.
    Complete,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PictureSet {
    pub(crate) dataset: String,
    pub(crate) split: String,
    pub(crate) protocol_sha256: String,
    /// Over ids and pixels.
    pub(crate) sha256: String,
    pub(crate) n: u64,
    pub(crate) skipped: Vec<SkippedPicture>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SkippedPicture {
    pub(crate) id: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WeightFile {
    pub(crate) name: String,
    pub(crate) sha256: String,
}

/// What a metric's network does with one picture, counted from the shapes that run; a distance of two pictures
/// needs it twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkCount {
    /// As among the weights.
    pub(crate) network: String,
    /// Height and width of its input.
    pub(crate) input_side: usize,
    pub(crate) parameters: u64,
    /// Those of convolutions, linear layers and attention together.
    pub(crate) multiply_accumulates: u64,
    pub(crate) convolution: u64,
    pub(crate) linear: u64,
    pub(crate) attention: u64,
    /// Other operations: norms, activations, pooling, sums.
    pub(crate) rest: u64,
}

impl NetworkCount {
    pub(crate) fn new(network: String, input_side: usize, cost: NetworkCost) -> Self {
        let NetworkCost { parameters, work } = cost;
        let Work { convolution, linear, attention, rest, .. } = work;
        let multiply_accumulates = convolution + linear + attention;
        Self {
            network,
            input_side,
            parameters,
            multiply_accumulates,
            convolution,
            linear,
            attention,
            rest,
        }
    }
}

impl From<&prismbench_core::Weights> for WeightFile {
    fn from(weights: &prismbench_core::Weights) -> Self {
        Self { name: weights.name.clone(), sha256: weights.sha256.clone() }
    }
}

impl Provenance {
    pub(crate) fn new(run: String, threads: usize) -> Self {
        Self {
            run,
            status: Status::Running,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            cpu: cpu(),
            threads,
            gpu: None,
            clock_mhz: cpu_field("cpu MHz").and_then(|clock| clock.parse().ok()),
            command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            started_unix: now(),
            finished_unix: None,
            passes: 0,
            passes_done: 0,
            done_before: 0.0,
            pictures: Vec::new(),
            weights: BTreeMap::new(),
            networks: Vec::new(),
            made_of: Vec::new(),
        }
    }

    /// How records of a family of numbers name what ran the tokenizer: times are of one machine, and
    /// its threads.
    pub(crate) fn device_for(&self, concern: Concern) -> String {
        let (kind, model, driver) = match &self.gpu {
            Some(gpu) => ("cuda", gpu.model.as_str(), format!(", driver {}", gpu.driver)),
            None => ("cpu", self.cpu.as_str(), String::new()),
        };
        match (concern, model) {
            (Concern::Throughput, "") => format!("{kind}{driver}, {} threads", self.threads),
            (Concern::Throughput, model) => {
                format!("{kind}: {model}{driver}, {} threads", self.threads)
            }
            _ => kind.to_owned(),
        }
    }

    pub(crate) fn end(&mut self, status: Status) {
        self.status = status;
        self.finished_unix = Some(now());
    }
}

/// Model of the processor where the system tells it, else empty.
pub(crate) fn cpu() -> String {
    cpu_field("model name").unwrap_or_default()
}

/// What the system says of its first core.
fn cpu_field(name: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map(|(_, value)| value.trim().to_owned())
}

/// Seconds since 1970; 0 on a clock that is set before it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::GpuClocks;

    #[test]
    fn records_name_the_machine_where_times_depend_on_it() {
        let mut run = Provenance::new("a-run".to_owned(), 4);
        run.cpu = "A CPU".to_owned();
        assert_eq!(run.device_for(Concern::Throughput), "cpu: A CPU, 4 threads");
        assert_eq!(run.device_for(Concern::Reconstruction), "cpu");
        let (model, driver) = ("NVIDIA H100".to_owned(), "580.65.06".to_owned());
        let clocks = GpuClocks { multiprocessors: 1410, most_multiprocessors: 1980, memory: 2619 };
        run.gpu = Some(GpuInUse { model, driver, clocks: Some(clocks) });
        let device = run.device_for(Concern::Throughput);
        assert_eq!(device, "cuda: NVIDIA H100, driver 580.65.06, 4 threads");
        assert_eq!(run.device_for(Concern::Reconstruction), "cuda");
        let again: Provenance =
            serde_json::from_str(&serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!(again, run);
    }
}
