//! The project's own tasks: everything that people and CI do with this repository beside plain cargo commands.

#![forbid(unsafe_code)]
// This program's whole purpose is to tell a person what happens.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod command;
mod demo;
mod scenarios;
mod setup;
mod test;
mod vm;
mod workspace;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use scenarios::Tally;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use vm::{Guest, Limits, Payload, build_binaries, machine::Size};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the Debian packages that are missing (as root), or print the command that does
    Setup,
    /// The project's main job from end to end: on real LVM where this machine has it, else in a guest
    Demo,
    /// All tests, those on real LVM in a guest included
    Test {
        /// Leave out what needs the guest
        #[arg(long)]
        fast: bool,
    },
    /// How fast the tools are, as ratios against dd, cat and sha1sum in the same run
    Bench,
    /// What a change must pass: format, clippy, docs, fuzz targets over their seeds, test
    Ci {
        /// All but `test`
        #[arg(long)]
        without_test: bool,
    },
    /// Run long scenarios of xtask/soak in a guest
    Soak {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// A guest with a real kernel, LVM and thin pools
    #[command(subcommand)]
    Vm(Vm),
}

#[derive(Subcommand)]
enum Vm {
    /// Make the guest's disk and the binaries for it
    Build {
        /// Make the disk anew, with today's packages
        #[arg(long)]
        fresh: bool,
    },
    /// Run a script of yours in a new guest and return its exit status
    ///
    /// In it: the release binaries in PATH, two empty disks $DISK1 and $DISK2 of 8 GiB, and `. lib.sh` with the helpers of
    /// the scenarios. What it writes under $RESULTS is afterwards in target/vm/results/SCRIPT.
    Run {
        script: PathBuf,
        arguments: Vec<String>,
        /// A file or folder to have under /payload/with, first in PATH (repeatable; before SCRIPT)
        #[arg(long, value_name = "PATH")]
        with: Vec<PathBuf>,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// Run the scenarios of xtask/scenarios whose names contain one of the words, or all
    Scenarios {
        filters: Vec<String>,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// A shell in a new guest
    Shell {
        /// A file or folder to have under /payload/with, first in PATH (repeatable)
        #[arg(long, value_name = "PATH")]
        with: Vec<PathBuf>,
        #[command(flatten)]
        limits: LimitArguments,
    },
}

#[derive(clap::Args)]
struct LimitArguments {
    /// Stop the guest after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().time.as_secs())]
    timeout: u64,
    /// Its processors
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().size.cpus)]
    cpus: u32,
    /// Its memory
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().size.memory_mib)]
    memory: u32,
}

impl LimitArguments {
    fn limits(&self) -> Limits {
        let size = Size { cpus: self.cpus, memory_mib: self.memory };
        Limits { time: Duration::from_secs(self.timeout), size }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup => {
            setup::ensure()?;
            eprintln!("setup: nothing is missing");
        }
        Task::Bench => bench::bench()?,
        Task::Demo => demo::demo(&Limits::default())?,
        Task::Test { fast } => return Ok(verdict(test::run(fast, &Limits::default())?)),
        Task::Ci { without_test } => ci::ci(!without_test, &Limits::default())?,
        Task::Soak { names, limits } => {
            return Ok(verdict(scenarios::run(&scenarios::select("soak", &names)?, &limits.limits())?));
        }
        Task::Vm(vm) => return run_vm(vm),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_vm(vm: Vm) -> Result<ExitCode> {
    match vm {
        Vm::Build { fresh } => {
            Guest::prepare(fresh)?;
            build_binaries(true)?;
        }
        Vm::Run { script, arguments, with, limits } => {
            let guest = Guest::prepare(false)?;
            let mut payload = payload(&with)?;
            payload.main(&script, &arguments)?;
            let name = script.file_stem().context("the script has no name")?.to_string_lossy().into_owned();
            let outcome = guest.run(&name, &payload, &limits.limits(), &mut std::io::stdout().lock())?;
            let status = outcome.status?;
            eprintln!("vm: exit status {status}; results in {}", outcome.results.display());
            return Ok(ExitCode::from(status));
        }
        Vm::Scenarios { filters, limits } => {
            return Ok(verdict(scenarios::run(&scenarios::select("scenarios", &filters)?, &limits.limits())?));
        }
        Vm::Shell { with, limits } => Guest::prepare(false)?.shell(&mut payload(&with)?, limits.limits().size)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn verdict(tally: Tally) -> ExitCode {
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn payload(with: &[PathBuf]) -> Result<Payload> {
    let mut payload = Payload::new(&build_binaries(true)?);
    for path in with {
        let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
        payload.copy(path, Path::new("with").join(name));
    }
    Ok(payload)
}
