//! The project's own tasks: everything that people and CI do with this repository beside plain cargo commands.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "what a person looks at while it runs")]
// This program's whole purpose is to tell a person what happens.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod adversaries;
mod arguments;
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
use arguments::Task;
use scenarios::Tally;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use vm::{Guest, Limits, Payload, build_all};

fn main() -> ExitCode {
    match arguments::parse(lexopt::Parser::from_env()).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Help => print!("{}", arguments::HELP),
        Task::Bench => bench::bench(&Limits::default())?,
        Task::Demo => demo::demo(&Limits::default())?,
        Task::Test { fast } => return test::run(fast, &Limits::default()).map(verdict),
        Task::Ci { without_test } => ci::ci(!without_test, &Limits::default())?,
        Task::Setup => {
            setup::ensure()?;
            eprintln!("setup: nothing is missing");
        }
        Task::Adversaries => adversaries::soak()?,
        Task::Variants { words, limits } => {
            return scenarios::run(&scenarios::under_variants(&words)?, "variants", &limits).map(verdict);
        }
        Task::Soak { names, limits } => {
            // Each with folders of its own: several run at once, and their logs hold the figures.
            let results = format!("soak-{}", names.join("-"));
            return scenarios::run(&scenarios::plain(scenarios::select("soak", &names)?), &results, &limits)
                .map(verdict);
        }
        Task::Scenarios { words, limits } => {
            let scenarios = scenarios::plain(scenarios::select("scenarios", &words)?);
            return scenarios::run(&scenarios, "scenarios", &limits).map(verdict);
        }
        Task::Build { fresh } => {
            Guest::prepare(fresh)?;
            build_all()?;
        }
        Task::Run { script, arguments, with, limits } => return run_script(&script, &arguments, &with, &limits),
        Task::Shell { with, limits } => Guest::prepare(false)?.shell(&mut payload(&with)?, limits.size)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run_script(script: &Path, arguments: &[String], with: &[PathBuf], limits: &Limits) -> Result<ExitCode> {
    let name = script.file_stem().context("the script has no name")?.to_string_lossy().into_owned();
    let guest = Guest::prepare(false)?;
    let mut payload = payload(with)?;
    payload.main(script, arguments)?;
    let outcome = guest.run(&name, &payload, limits, &mut std::io::stdout().lock())?;
    let status = outcome.status?;
    eprintln!("vm: exit status {status}; results in {}", outcome.results.display());
    Ok(ExitCode::from(status))
}

fn payload(with: &[PathBuf]) -> Result<Payload> {
    let mut payload = Payload::new(&build_all()?);
    for path in with {
        let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
        payload.copy(path, Path::new("with").join(name));
    }
    Ok(payload)
}

fn verdict(tally: Tally) -> ExitCode {
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
