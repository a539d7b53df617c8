mod cache;
mod compare;
mod doctor;
mod fetch;
mod gate;
mod list;
mod merge;
mod pace;
mod pictures;
mod reproduce;
mod run;
mod stats;
mod status;
mod submit;
mod table;

use std::ffi::OsString;
use std::io::ErrorKind;

use clap::{Parser, Subcommand};
use prismbench_reports::ReportError;

use crate::error::Failure;
use crate::{Exit, Streams, cmd};
pub(crate) use cache::CacheArgs;
pub(crate) use compare::CompareArgs;
pub(crate) use doctor::{DoctorArgs, DoctorFormat};
pub(crate) use fetch::FetchArgs;
pub(crate) use gate::GateArgs;
pub(crate) use list::{ExplainArgs, ListArgs};
pub(crate) use merge::MergeArgs;
pub(crate) use pace::{PaceArgs, ProgressStyle};
pub(crate) use pictures::PictureArgs;
pub(crate) use reproduce::ReproduceArgs;
pub(crate) use run::RunArgs;
pub(crate) use stats::StatsArgs;
pub(crate) use status::{StatusArgs, StatusFormat};
pub(crate) use submit::{KubernetesArgs, Scheduler, SlurmArgs, SubmitArgs};
pub(crate) use table::TableArgs;

const EXIT_CODES: &str = "Exit codes: 0 done · 1 internal error · 2 usage or bad input, nothing \
    measured · 3 gate: worse or lost, reproduce: a mismatch · 4 some records failed · 5 weights, data, \
    device or disk space missing · 6 gate: inconclusive or nothing compared, reproduce: something not \
    measured · 130 interrupted";

/// Measures visual tokenizers and says, for every number, exactly what was measured.
#[derive(Parser)]
#[command(name = "prismbench", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure tokenizers and write a run folder; the same command again goes on where it stopped
    Run(Box<RunArgs>),
    /// Hand a run over to the scheduler of a cluster, in parts that are merged when all are done
    Submit(SubmitArgs),
    /// Take the moments of real pictures: a reference for the samples of generators
    Stats(StatsArgs),
    /// Make the numbers of a run that was measured in shards: the same as without shards, to the bit
    Merge(Box<MergeArgs>),
    /// Say how far a run and each of its shards are
    Status(StatusArgs),
    /// Download the weights of tokenizers and generators into the hub's cache
    Fetch(FetchArgs),
    /// Print leaderboards or the long table of run folders; measures nothing
    Table(TableArgs),
    /// Say what changed between two runs, metric by metric, and whether it is beyond noise
    Compare(CompareArgs),
    /// Hold a run against a baseline file: exit code 3 where it is worse, 6 where nobody can tell
    Gate(GateArgs),
    /// Measure what published numbers are of and say of each whether it comes out again: exit code 3
    /// where one does not, 6 where one could not be measured
    Reproduce(Box<ReproduceArgs>),
    /// List what this build knows
    List(ListArgs),
    /// Say what a protocol, metric, suite or tokenizer does, with constants and sources
    Explain(ExplainArgs),
    /// Look at this machine: instructions, threads, GPU, caches, speed; and what to do where something is amiss
    Doctor(DoctorArgs),
}

/// The whole program as a function of its arguments and streams.
///
/// Tests call this instead of starting a process; nothing below it touches a global stream, except
/// the progress bar, which is drawn only when [`Streams::bar`] allows it.
pub fn main_from(args: impl IntoIterator<Item = OsString>, mut streams: Streams<'_>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = write!(streams.err, "{error}");
            return Exit::Usage;
        }
        Err(help) => {
            return match write!(streams.out, "{help}") {
                Ok(()) => Exit::Done,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
                Err(_) => Exit::Missing,
            };
        }
    };
    let done = match cli.command {
        Command::Run(args) => cmd::run::run(&args, &mut streams),
        Command::Submit(args) => cmd::submit::run(&args, &mut streams),
        Command::Stats(args) => cmd::stats::run(&args, &mut streams),
        Command::Merge(args) => cmd::merge::run(&args, &mut streams),
        Command::Status(args) => cmd::status::run(&args, &mut streams),
        Command::Fetch(args) => cmd::fetch::run(&args, &mut streams),
        Command::Table(args) => cmd::table::run(&args, &mut streams),
        Command::Compare(args) => cmd::compare::run(&args, &mut streams),
        Command::Gate(args) => cmd::gate::run(&args, &mut streams),
        Command::Reproduce(args) => cmd::reproduce::run(&args, &mut streams),
        Command::List(args) => cmd::list::run(&args, &mut streams),
        Command::Explain(args) => cmd::explain::run(&args, &mut streams),
        Command::Doctor(args) => cmd::doctor::run(&args, &mut streams),
    };
    match done {
        Ok(exit) => exit,
        // `prismbench table ... | head`: the reader has what it wanted.
        Err(failure) if is_closed_pipe(&failure) => Exit::Done,
        Err(failure) => {
            let _ = write!(streams.err, "{}", failure.render());
            if failure.exit() == Exit::Interrupted {
                let words = args.iter().map(|word| word.to_string_lossy());
                let words: Vec<String> = words.map(|word| quoted(&word)).collect();
                streams.say(&format!("to go on: {}", words.join(" ")));
            }
            failure.exit()
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    // Nothing that came as an argument holds the one byte that cannot be quoted.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

fn is_closed_pipe(failure: &Failure) -> bool {
    let (Failure::Output(error) | Failure::Report(ReportError::Output(error))) = failure else {
        return false;
    };
    error.kind() == ErrorKind::BrokenPipe
}
