//! A device for tests: the sources in `kernels/cuda`, compiled by g++ behind
//! `tests/cuda_on_host/shim.h`, run thread by thread on the CPU by a program of their own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::CudaError;
use super::buffer::{Memory, Place};
use super::kernel::{Argument, Grid, Kernel};
use super::tests::KERNELS;

/// What a device can do, and in which order it runs the threads of a block.
#[derive(Clone, Debug)]
pub(super) struct Emulator {
    program: PathBuf,
    order: Order,
    /// Bytes of memory; a buffer may have as many.
    pub(super) memory: usize,
    /// Shared memory of a block.
    pub(super) most_shared: usize,
    /// Blocks that keep it busy.
    pub(super) blocks: usize,
    /// Blocks along a side over which a kernel loops: it has more than one turn where they are few.
    pub(super) most_blocks: u32,
}

/// In which order the threads of a block run between barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending = 0,
    Descending = 1,
    Mixed = 2,
}

/// Numbers of kinds of arguments, as in `main.cpp`.
const INPUT: u32 = 0;
const OUTPUT: u32 = 1;
const NUMBER: u32 = 2;

impl Emulator {
    /// With a small device's means; the reason where there is no compiler.
    pub(super) fn new(order: Order) -> Result<Self, String> {
        static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let program = PROGRAM.get_or_init(build).clone()?;
        Ok(Self {
            program,
            order,
            memory: 1 << 30,
            most_shared: 64 << 10,
            blocks: 3,
            most_blocks: 65_535,
        })
    }

    /// Memory that nobody has written yet.
    pub(super) fn allocate(&self, bytes: usize) -> Result<Vec<u8>, CudaError> {
        match bytes <= self.memory {
            true => Ok(vec![0xa5; bytes]),
            false => Err(CudaError::OutOfMemory { ordinal: 0, bytes }),
        }
    }

    pub(super) fn launch(
        &self,
        kernel: &Kernel,
        grid: Grid,
        arguments: &mut [Argument<'_>],
    ) -> Result<(), CudaError> {
        let failed =
            |code: String| CudaError::DeviceLost { ordinal: 0, operation: kernel.name, code };
        let input = self.input(kernel, grid, arguments);
        let run = || -> std::io::Result<std::process::Output> {
            let mut child = Command::new(&self.program)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            // It reads everything before it writes anything, unless it fails before.
            let written = child.stdin.take().map(|mut stdin| stdin.write_all(&input));
            let output = child.wait_with_output()?;
            if output.status.success() {
                written.transpose()?;
            }
            Ok(output)
        };
        let output = run().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let mut rest = output.stdout.as_slice();
        for argument in arguments {
            if let Argument::Output(memory) = argument
                && let Place::Emulated(bytes) = memory.place_mut()
            {
                let (these, others) = rest.split_at(bytes.len());
                bytes.copy_from_slice(these);
                rest = others;
            }
        }
        Ok(())
    }

    /// A launch as `main.cpp` reads it.
    fn input(&self, kernel: &Kernel, grid: Grid, arguments: &[Argument<'_>]) -> Vec<u8> {
        let mut input = Vec::new();
        let mut number = |number: u32| input.extend(number.to_le_bytes());
        number(kernel.name.len() as u32);
        input.extend(kernel.name.bytes());
        let [x, y, z] = grid.blocks;
        let sizes =
            [x, y, z, kernel.threads, grid.shared, self.order as u32, arguments.len() as u32];
        sizes.iter().for_each(|size| input.extend(size.to_le_bytes()));
        let memory = |memory: &Memory| match memory.place() {
            Place::Emulated(bytes) => bytes.clone(),
            Place::Gpu(_) => Vec::new(),
        };
        for argument in arguments {
            let (kind, bytes) = match argument {
                Argument::Input(values) => (INPUT, memory(values)),
                Argument::Output(values) => (OUTPUT, memory(values)),
                Argument::U32(number) => (NUMBER, number.to_le_bytes().to_vec()),
                Argument::U64(number) => (NUMBER, number.to_le_bytes().to_vec()),
                Argument::F32(number) => (NUMBER, number.to_le_bytes().to_vec()),
                Argument::F64(number) => (NUMBER, number.to_le_bytes().to_vec()),
            };
            input.extend(kind.to_le_bytes());
            input.extend((bytes.len() as u64).to_le_bytes());
            input.extend(bytes);
        }
        input
    }
}

/// Compiles the sources with `tests/cuda_on_host/main.cpp`.
fn build() -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("OUT_DIR"));
    let list = out.join("kernels.inc");
    let names: String = KERNELS.iter().map(|kernel| format!("RUNS({})\n", kernel.name)).collect();
    std::fs::write(&list, names).map_err(|error| error.to_string())?;
    // Test runs beside each other must not write over a program that another one runs.
    let unfinished = out.join(format!("emulator-{}", std::process::id()));
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "g++".into());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv"])
        .args(["-U_FORTIFY_SOURCE", "-Wno-unknown-pragmas"])
        .arg(format!("-DKERNELS=\"{}\"", list.display()))
        .arg("-I")
        .arg(package.join("cuda"))
        .arg(package.join("tests/cuda_on_host/main.cpp"))
        .arg("-o")
        .arg(&unfinished)
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", compiler.display()))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = out.join("emulator");
    std::fs::rename(&unfinished, &program).map_err(|error| error.to_string())?;
    Ok(program)
}
