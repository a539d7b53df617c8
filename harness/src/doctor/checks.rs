use std::fs;
use std::path::Path;

use prismbench_baselines::Hub;
use prismbench_kernels::InstructionSet;
use prismbench_metrics::EIGENVALUES_BY;

use super::Check;
use crate::device::Gpu;
use crate::feature_cache::{self, CacheLimit, VARIABLE};
use crate::provenance;

/// In the order in which they are shown.
pub(super) fn all(threads: usize, cache: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![processor(), instructions(), thread_count(threads), memory()];
    checks.push(Check::good("eigenvalues", format!("by {EIGENVALUES_BY}")));
    let found = Gpu::look(Path::new("/"));
    checks.push(gpu(&found));
    checks.extend(gpu_libraries(&found));
    checks.push(match cache {
        Some(folder) => folder_of("cache", folder),
        None => Check::note(
            "cache",
            "there is no place for one".to_owned(),
            "set HOME or PRISMBENCH_CACHE; without, features and weights are not kept",
        ),
    });
    if let Some(folder) = cache {
        checks.push(features(&folder.join("features"), CacheLimit::of(None)));
    }
    checks.push(folder_of("hub cache", Hub::from_environment().cache()));
    if let Some(folder) = std::env::var_os("PRISMBENCH_WEIGHTS").filter(|text| !text.is_empty()) {
        let folder = Path::new(&folder);
        checks.push(match folder.is_dir() {
            true => Check::good("weights", folder.display().to_string()),
            false => Check::bad(
                "weights",
                format!("PRISMBENCH_WEIGHTS names `{}`, which is no folder", folder.display()),
                "name the folder that holds the networks' weights, or unset it",
            ),
        });
    }
    checks
}

fn processor() -> Check {
    let model = provenance::cpu();
    let model = if model.is_empty() { "of unknown model".to_owned() } else { model };
    Check::good("processor", format!("{model}, {}", std::env::consts::ARCH))
}

fn instructions() -> Check {
    let best = InstructionSet::best_of_this_machine();
    if InstructionSet::Avx2.is_available() || cfg!(target_arch = "aarch64") {
        return Check::good("instructions", best.to_owned());
    }
    Check::note(
        "instructions",
        best.to_owned(),
        "networks take ten times as long and more: use a processor with AVX2 and FMA, or pass its \
         features through to this virtual machine",
    )
}

fn thread_count(threads: usize) -> Check {
    let cores = std::thread::available_parallelism().map_or(threads, usize::from);
    let found = format!("{threads} of {cores} cores");
    // `MICROSECONDS PERIOD`, or `max PERIOD`.
    let quota = fs::read_to_string("/sys/fs/cgroup/cpu.max").ok().and_then(|text| {
        let (quota, period) = text.trim().split_once(' ')?;
        Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
    });
    match quota {
        Some(quota) if quota + 0.5 < threads as f64 => Check::note(
            "threads",
            format!("{found}, of which the container may use {quota:.1}"),
            "`--threads N` with as many as it may use",
        ),
        _ if threads > cores => Check::note(
            "threads",
            found,
            "more threads than cores disturb each other: `--threads N` with as many as cores",
        ),
        _ => Check::good("threads", found),
    }
}

fn memory() -> Check {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gib = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word))?;
        Some(line.split_whitespace().next()?.parse::<f64>().ok()? / f64::from(1 << 20))
    };
    match (gib("MemAvailable:"), gib("MemTotal:")) {
        (Some(available), Some(total)) => {
            let found = format!("{available:.1} of {total:.1} GiB available");
            // RAE with its decoder and its maps.
            if available < 6.0 {
                let remedy = "the largest tokenizers need 6 GiB: end other programs";
                return Check::note("memory", found, remedy);
            }
            Check::good("memory", found)
        }
        _ => Check::good("memory", "the system does not tell".to_owned()),
    }
}

fn gpu(gpu: &Gpu) -> Check {
    let mut found = match (&gpu.driver, gpu.models.as_slice()) {
        (Some(driver), [_, ..]) => format!("{}, driver {driver}", gpu.models.join(", ")),
        _ => "none".to_owned(),
    };
    if let Some((reason, remedy)) = gpu.problem() {
        if found != reason {
            found = format!("{found}: {reason}");
        }
        return Check::note("GPU", found, &format!("everything runs on the CPU; {remedy}"));
    }
    let library = gpu.library.as_deref().unwrap_or_default();
    if cfg!(feature = "cuda") {
        return Check::good("GPU", format!("{found}, {library}"));
    }
    Check::note(
        "GPU",
        format!("{found}, {library}"),
        "this build computes on the CPU alone: build with `--features cuda` to use it",
    )
}

/// Libraries of a GPU that can be used.
fn gpu_libraries(gpu: &Gpu) -> Option<Check> {
    if gpu.problem().is_some() {
        return None;
    }
    let name = "GPU libraries";
    if gpu.missing.is_empty() {
        return Some(Check::good(name, "cuBLAS, cuRAND, NVRTC and NVML are there".to_owned()));
    }
    Some(Check::note(
        name,
        format!("nowhere to be found: {}", gpu.missing.join(", ")),
        "install CUDA 13's libraries and the driver's, or put their folders on LD_LIBRARY_PATH: a build with \
         `--features cuda` does not start without cuBLAS, cuRAND and NVRTC, and reads no clocks without NVML",
    ))
}

/// Features that are kept from run to run, and what they may hold.
fn features(folder: &Path, limit: Result<Option<CacheLimit>, String>) -> Check {
    let held = feature_cache::held(folder);
    let entries = if held.entries == 1 { "entry" } else { "entries" };
    let found = format!("{} {entries}, {:.1} MB", held.entries, held.bytes as f64 / 1e6);
    match limit {
        Err(problem) => Check::bad("features", problem, "write a size like 20GB, or unset it"),
        Ok(None) => {
            Check::good("features", format!("{found}, without a limit (--cache-limit, {VARIABLE})"))
        }
        Ok(Some(limit)) => {
            let of = format!("{found} of {:.1} MB", limit.bytes() as f64 / 1e6);
            match held.bytes > limit.bytes() {
                false => Check::good("features", of),
                true => Check::note(
                    "features",
                    of,
                    "the next run removes what was not used for longest",
                ),
            }
        }
    }
}

/// Files below a folder and their bytes, and whether more can be written.
fn folder_of(name: &'static str, folder: &Path) -> Check {
    if !folder.exists() {
        // Made when it is needed: the nearest folder that is there decides whether it can be.
        let parent = folder.ancestors().find(|parent| parent.is_dir());
        return match parent.filter(|parent| is_writable(parent)) {
            Some(_) => Check::good(name, format!("{}: not there yet", folder.display())),
            None => cannot_write(name, folder),
        };
    }
    let (files, bytes) = size(folder, 0);
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    match is_writable(folder) {
        true => Check::good(
            name,
            format!("{}: {files}, {:.1} MB", folder.display(), bytes as f64 / 1e6),
        ),
        false => cannot_write(name, folder),
    }
}

fn cannot_write(name: &'static str, folder: &Path) -> Check {
    let found = format!("{}: nothing can be written there", folder.display());
    let remedy = match name {
        "cache" => "name another with PRISMBENCH_CACHE or `--cache`, or work with `--no-cache`",
        _ => "name another with HF_HUB_CACHE; weights that are there are read all the same",
    };
    Check::bad(name, found, remedy)
}

fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

/// Links are not followed: the hub's cache has each file once behind several.
fn size(folder: &Path, depth: usize) -> (u64, u64) {
    let Ok(entries) = fs::read_dir(folder) else { return (0, 0) };
    entries.flatten().fold((0, 0), |(files, bytes), entry| match entry.metadata() {
        Ok(data) if data.is_dir() && depth < 16 => {
            let (more, size_of_more) = size(&entry.path(), depth + 1);
            (files + more, bytes + size_of_more)
        }
        Ok(data) if data.is_file() => (files + 1, bytes + data.len()),
        _ => (files, bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_looked_for_where_a_gpu_can_be_used() {
        let gpu = |driver: &str, missing: &[&'static str]| Gpu {
            driver: Some(driver.to_owned()),
            models: vec!["NVIDIA H100".to_owned()],
            library: Some("/usr/lib64/libcuda.so.1".to_owned()),
            missing: missing.to_vec(),
        };
        assert_eq!(gpu_libraries(&gpu("570.86.15", &["libnvrtc.so.13"])), None);
        let check = gpu_libraries(&gpu("580.65.06", &["libcublas.so.13", "libnvrtc.so.13"]));
        let Check { found, remedy, .. } = check.unwrap();
        assert_eq!(found, "nowhere to be found: libcublas.so.13, libnvrtc.so.13");
        assert!(remedy.contains("LD_LIBRARY_PATH"), "{remedy}");
        let check = gpu_libraries(&gpu("580.65.06", &[])).unwrap();
        assert_eq!(check.remedy, "");
    }
}
