//! Launches against what they launch: the parameters in the sources and in the PTX that NVRTC makes of
//! them, without a device.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::CudaError;
use super::super::kernel::{Argument, Kernel, Parameter, Scalar};
use super::super::program::{Program, compile, ptx};
use super::KERNELS;

const PROGRAMS: [Program; 7] = [
    Program::Bilinear,
    Program::Directions,
    Program::Distances,
    Program::Filters,
    Program::Gram,
    Program::Resize,
    Program::Similarity,
];

/// Set where NVRTC must be there.
const NEEDED: &str = "PRISMBENCH_TEST_NVRTC";

/// Threads and parameters of each entry of a source, as it declares them.
fn declared(text: &str) -> BTreeMap<String, (u32, Vec<Parameter>)> {
    let entry = |rest: &str| {
        let (threads, rest) = rest.split_once(')').unwrap();
        let (name, rest) = rest.split_once('(').unwrap();
        let (parameters, _) = rest.split_once(')').unwrap();
        let parameters = parameters.split(',').map(parameter).collect();
        (name.trim().to_owned(), (threads.parse().unwrap(), parameters))
    };
    text.split("\nKERNEL(").skip(1).map(entry).collect()
}

fn parameter(declaration: &str) -> Parameter {
    let words: Vec<&str> = declaration.split_whitespace().collect();
    let scalar = |word: &str| match word {
        "u8" => Scalar::U8,
        "u32" => Scalar::U32,
        "u64" => Scalar::U64,
        "int" => Scalar::I32,
        "float" => Scalar::F32,
        "double" => Scalar::F64,
        other => panic!("no type {other} in `{declaration}`"),
    };
    match words.as_slice() {
        ["const", of, name] if name.starts_with('*') => Parameter::Input(scalar(of)),
        [of, name] if name.starts_with('*') => Parameter::Output(scalar(of)),
        [of, _] => Parameter::Number(scalar(of)),
        _ => panic!("no parameter: `{declaration}`"),
    }
}

fn kernels_of(program: Program) -> BTreeMap<&'static str, &'static Kernel> {
    let all = KERNELS.into_iter().filter(|kernel| kernel.program == program);
    all.map(|kernel| (kernel.name, kernel)).collect()
}

/// What is not among [`PROGRAMS`] would be compiled and checked nowhere here.
#[test]
fn every_source_of_the_folder_is_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|kind| kind == "cu"));
    let sources: BTreeSet<_> =
        sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let programs: BTreeSet<_> = PROGRAMS.map(|program| program.name().to_owned()).into();
    assert_eq!(programs.len(), PROGRAMS.len(), "one is there twice");
    assert_eq!(programs, sources, "`Program` and `PROGRAMS` have a line for each source");
}

#[test]
fn every_entry_of_the_sources_is_launched_with_what_it_declares() {
    let mut entries = 0;
    for program in PROGRAMS {
        let (declared, launched) = (declared(program.text()), kernels_of(program));
        assert!(declared.keys().eq(launched.keys().copied()), "{program:?}: {declared:?}");
        for (name, (threads, parameters)) in &declared {
            let kernel = launched[name.as_str()];
            assert_eq!(*threads, kernel.threads, "{name}");
            assert_eq!(parameters, kernel.parameters, "{name}");
            entries += 1;
        }
    }
    assert_eq!(entries, KERNELS.len());
}

/// Threads and the PTX types of the parameters of each entry.
fn compiled(ptx: &str) -> BTreeMap<String, (u32, Vec<String>)> {
    let entry = |rest: &str| {
        let (name, rest) = rest.split_once('(').unwrap();
        let (parameters, rest) = rest.split_once(')').unwrap();
        let types = parameters.split(',').map(|parameter| {
            let mut words = parameter.split_whitespace().skip_while(|word| *word != ".param");
            words.nth(1).unwrap().to_owned()
        });
        let threads = rest.split_once(".maxntid").unwrap().1.trim_start();
        let digits = threads.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        (name.trim().to_owned(), (digits.parse().unwrap(), types.collect()))
    };
    ptx.split(".visible .entry ").skip(1).map(entry).collect()
}

fn ptx_type(parameter: &Parameter) -> &'static str {
    match parameter {
        Parameter::Input(_) | Parameter::Output(_) => ".u64",
        Parameter::Number(Scalar::U64) => ".u64",
        Parameter::Number(Scalar::U32) => ".u32",
        Parameter::Number(Scalar::F32) => ".f32",
        Parameter::Number(Scalar::F64) => ".f64",
        Parameter::Number(other) => panic!("no kernel takes a number {other:?}"),
    }
}

/// `None`, and a line that says so, where there is no NVRTC.
fn ptx_or_left_out(program: Program, capability: &str) -> Option<String> {
    match ptx(program, capability) {
        Ok(ptx) => Some(ptx),
        Err(error @ CudaError::NoCompiler) if std::env::var_os(NEEDED).is_none() => {
            println!("left out: PTX of {}.cu: {error}", program.name());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_source_compiles_to_ptx_that_takes_what_is_launched() {
    for capability in ["80", "90"] {
        for program in PROGRAMS {
            let Some(ptx) = ptx_or_left_out(program, capability) else { return };
            let (compiled, launched) = (compiled(&ptx), kernels_of(program));
            assert!(compiled.keys().eq(launched.keys().copied()), "{program:?}: {compiled:?}");
            for (name, (threads, types)) in &compiled {
                let kernel = launched[name.as_str()];
                let expected: Vec<&str> = kernel.parameters.iter().map(ptx_type).collect();
                assert_eq!(*threads, kernel.threads, "{name}");
                assert_eq!(*types, expected, "{name}");
            }
        }
    }
}

#[test]
fn ptx_has_no_atomics_and_fuses_only_where_the_source_does() {
    for program in PROGRAMS {
        let Some(ptx) = ptx_or_left_out(program, "90") else { return };
        let is_atomic = |word: &str| word.starts_with("atom.") || word.starts_with("red.");
        let is_rough = |word: &str| word.contains(".ftz") || word.contains(".approx");
        let found = ptx.split_whitespace().find(|word| is_atomic(word) || is_rough(word));
        assert_eq!(found, None, "{program:?}");
        let fuses = program.text().contains("fma(") || program.text().contains("fmaf(");
        assert_eq!(ptx.contains("fma.rn"), fuses, "{program:?}");
    }
}

#[test]
fn a_source_that_does_not_compile_gives_what_the_compiler_says() {
    match compile("broken", "KERNEL(32) nothing".into(), "80") {
        Err(error @ CudaError::NoCompiler) => println!("left out: the log of a compiler: {error}"),
        Err(CudaError::Compilation { program, log, .. }) => {
            assert_eq!(program, "broken");
            assert!(log.contains("broken.cu") && log.contains("error"), "{log}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_launch_with_other_arguments_is_refused() {
    let kernel = super::super::gram::SUMS;
    let found = kernel.check(&[Argument::U32(1), Argument::F32(2.0)]);
    let Err(CudaError::Arguments { kernel, expected, found }) = found else { panic!("{found:?}") };
    assert_eq!(kernel, "gram_sums");
    assert!(expected.contains("Output(F64)") && found.contains("Number(F32)"));
}
