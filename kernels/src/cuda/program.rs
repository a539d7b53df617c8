//! The sources of the kernels and what compiles them.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx_with_opts};

use super::{CudaError, unchecked};

/// A source in `kernels/cuda`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Program {
    Bilinear,
    Directions,
    Distances,
    Filters,
    Gram,
    Resize,
    Similarity,
}

/// What each source begins with.
const HEADER: &str = include_str!("../../cuda/device.cuh");

/// PTX that nvcc made when this was built, by the name of its source.
const BUILT: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/built.rs"));

impl Program {
    /// Name of the source, without `.cu`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Directions => "directions",
            Self::Distances => "distances",
            Self::Filters => "filters",
            Self::Gram => "gram",
            Self::Resize => "resize",
            Self::Similarity => "similarity",
        }
    }

    /// The source as it was written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Bilinear => include_str!("../../cuda/bilinear.cu"),
            Self::Directions => include_str!("../../cuda/directions.cu"),
            Self::Distances => include_str!("../../cuda/distances.cu"),
            Self::Filters => include_str!("../../cuda/filters.cu"),
            Self::Gram => include_str!("../../cuda/gram.cu"),
            Self::Resize => include_str!("../../cuda/resize.cu"),
            Self::Similarity => include_str!("../../cuda/similarity.cu"),
        }
    }

    /// The source with its header: NVRTC is given no files. Lines keep their numbers.
    fn whole(self) -> String {
        let name = self.name();
        let text = self.text().replace("#include \"device.cuh\"", "");
        let header = HEADER.replace("#pragma once", "");
        format!("#line 1 \"device.cuh\"\n{header}\n#line 1 \"{name}.cu\"\n{text}")
    }
}

/// A source on a device: the PTX that was built in if the driver takes it, else compiled now.
pub(super) fn load(
    context: &Arc<CudaContext>,
    program: Program,
) -> Result<Arc<CudaModule>, CudaError> {
    let ordinal = context.ordinal();
    let built = BUILT.iter().find(|(name, _)| *name == program.name());
    // A driver older than nvcc, or a GPU older than what nvcc was told, refuses it.
    if let Some(module) = built.and_then(|(_, ptx)| context.load_module(Ptx::from_src(*ptx)).ok()) {
        return Ok(module);
    }
    let failed =
        |error: cudarc::driver::DriverError| CudaError::of(error.0, ordinal, "loading kernels", 0);
    let (major, minor) = context.compute_capability().map_err(failed)?;
    let ptx = compile(program.name(), program.whole(), &format!("{major}{minor}"))?;
    context.load_module(ptx).map_err(failed)
}

/// PTX of a program for GPUs of a compute capability, such as `80`, and newer ones.
#[cfg(test)]
pub(super) fn ptx(program: Program, capability: &str) -> Result<String, CudaError> {
    compile(program.name(), program.whole(), capability).map(|ptx| ptx.to_src())
}

pub(super) fn compile(name: &str, source: String, capability: &str) -> Result<Ptx, CudaError> {
    if !unchecked::has_compiler() {
        return Err(CudaError::NoCompiler);
    }
    let options = CompileOptions {
        // Products and sums are fused where the source says so and nowhere else.
        fmad: Some(false),
        options: vec![format!("--gpu-architecture=compute_{capability}"), "--std=c++17".into()],
        name: Some(format!("{name}.cu")),
        ..CompileOptions::default()
    };
    compile_ptx_with_opts(source, options).map_err(|error| CudaError::Compilation {
        program: name.into(),
        capability: capability.into(),
        log: match error {
            CompileError::CompileError { log, .. } => log.to_string_lossy().trim().into(),
            other => other.to_string(),
        },
    })
}
