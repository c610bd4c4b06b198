//! From the process's start to its exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::{Exit, Failure, OrFail, Outcome, Shown, Stop, stdout};

/// The crates of this workspace that log.
const OURS: [&str; 9] = ["cli", "daemon", "lvbackup", "lvdiff", "lvm_cmd", "lvsnap", "replicate", "snapshot", "store"];

/// What every command takes beside its own options.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Common {
    /// Say more on standard error: each command that is run; twice for all details
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// No progress and no remarks; only errors and what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", global = true, value_name = "HOW")]
    pub progress: Shown,
}

impl Common {
    fn level(self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }
}

/// Reads the command line. Where it asks for a help text or the version, or is wrong, that text is written.
///
/// # Errors
/// The exit code to end with, since there is nothing more to do: 0 where standard output has the text, 1 where it cannot be
/// written, 2 for a wrong command line.
pub fn parse<A: Parser>(
    program: &str,
    line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, ExitCode> {
    parse_as(program, A::command(), line)
}

/// As [`parse`], with a command line that was changed after it was derived.
///
/// # Errors
/// As there.
pub fn parse_as<A: Parser>(
    program: &str,
    mut command: clap::Command,
    line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, ExitCode> {
    let matches = command.try_get_matches_from_mut(line);
    let parsed = matches.and_then(|found| A::from_arg_matches(&found).map_err(|error| error.format(&mut command)));
    parsed.map_err(|answer| {
        if answer.use_stderr() {
            let _ = answer.print();
            return Exit::Usage.into();
        }
        let written = stdout().and_then(|mut out| {
            let written = answer.print().and_then(|()| out.flush()).or_fail(Exit::Failed);
            written.map_err(|failure| failure.context("cannot write to standard output"))
        });
        written.map_or_else(
            |failure| {
                say(&failure.render(program));
                failure.exit().into()
            },
            |()| Exit::Done.into(),
        )
    })
}

/// The body of a binary's `main` after its command line is parsed: takes over the signals, runs, and turns the outcome into
/// the exit code, with the failure's text on standard error.
pub fn main<A>(
    program: &'static str,
    args: A,
    common: impl FnOnce(&A) -> Common,
    run: impl FnOnce(A, &Stop) -> Outcome,
) -> ExitCode {
    let level = common(&args).level();
    // What libraries log of requests may be secret: of theirs, only what is wrong.
    let ours = OURS.map(|name| (name, level));
    let shown = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours);
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
    tracing_subscriber::registry().with(format.with_filter(shown)).init();
    let stop = match Stop::install() {
        Ok(stop) => stop,
        Err(error) => {
            say(&format!("{program}: cannot take over the signals: {error}"));
            return Exit::Failed.into();
        }
    };
    let outcome = run(args, &stop);
    match (outcome, stop.signal()) {
        (Ok(()), _) => Exit::Done.into(),
        (Err(failure), Some(number)) => {
            // That it was stopped is no news; what went wrong besides is.
            let exit = if failure.exit() == Exit::Unfinished { Exit::Unfinished } else { Exit::Signal(number) };
            if !failure.is_stop() {
                say(&failure.render(program));
            }
            say(&format!("{program}: stopped by signal {number}"));
            exit.into()
        }
        (Err(failure), None) => {
            say(&failure.render(program));
            failure.exit().into()
        }
    }
}

/// Says that something went wrong which is no obstacle.
pub fn warn(program: &str, failure: &Failure) {
    say(&failure.render(&format!("{program}: warning")));
}

/// Says what runs that were killed had left: what is removed now, and what could not be.
pub fn say_leftovers(program: &str, leftovers: transfer::lvm::Leftovers) {
    for name in leftovers.removed {
        say(&format!("{program}: removed `{name}`, which an interrupted run had left"));
    }
    leftovers.kept.into_iter().for_each(|error| warn(program, &error.into()));
    for name in leftovers.unknown {
        say(&format!(
            "{program}: warning: `{name}` belongs to a run that cannot be seen from here, such as one in a container\n\
             {program}: hint: if that run has ended, remove it: `lvremove {name}`"
        ));
    }
}

/// One text on standard error. Where that is gone there is nobody left to tell.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
