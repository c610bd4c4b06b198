//! The command line. By hand: clap would take a minute to compile before the first task of a fresh checkout says anything.

use crate::vm::Limits;
use anyhow::{Context, Result, bail};
use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use std::{path::PathBuf, time::Duration};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
The project's own tasks

Usage: cargo xtask TASK

  demo                    the main job from end to end: on real LVM where this machine has it, else in a guest
  test [--fast]           all tests; --fast leaves out those on real LVM, which need the guest
  ci [--without-test]     what a change must pass: format, clippy, docs, fuzz targets over their seeds, test
  bench                   how fast the tools are, as ratios against dd, cat and sha1sum in the same run
  setup                   install the Debian packages that are missing (as root), or print the command that does
  soak NAME...            long scenarios of xtask/soak, in a guest
  soak variants [WORD...] each scenario under each variant of the host (xtask/guest/variants) that it can bear, or those
                          of which NAME@VARIANT contains one of the words, such as 10-pipeline or @noise, in a guest
  soak adversaries        the tests named `adversary` with many more cases, on this machine

A guest is a virtual machine with LVM, thin pools, and the release binaries in PATH:

  vm run SCRIPT [ARG...]  run a script of yours in a new one and return its exit status. It finds two empty disks, $DISK1 and
                          $DISK2, and the scenarios' helpers (`. lib.sh`); what it writes under $RESULTS is afterwards in
                          target/vm/results/SCRIPT
  vm shell                a shell in a new one
  vm scenarios [WORD...]  the scenarios of xtask/scenarios whose names contain one of the words, or all
  vm build [--fresh]      make the guest's disk, anew with today's packages, and the binaries for it

Options of `vm` and `soak`, before SCRIPT:

  --timeout SECONDS       stop the guest after that time [2700; soak: 10800]
  --cpus NUMBER           its processors [2]
  --memory MIB            its memory [2048]
  --with PATH             (run, shell) a file or folder to have under /payload/with, first in PATH; repeatable
";

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Bench,
    Demo,
    Test { fast: bool },
    Ci { without_test: bool },
    Setup,
    Soak { names: Vec<String>, limits: Limits },
    Variants { words: Vec<String>, limits: Limits },
    Adversaries,
    Build { fresh: bool },
    Run { script: PathBuf, arguments: Vec<String>, with: Vec<PathBuf>, limits: Limits },
    Shell { with: Vec<PathBuf>, limits: Limits },
    Scenarios { words: Vec<String>, limits: Limits },
}

/// Everything that may follow a task's name; each task takes what it knows and leaves nothing else.
struct Rest {
    words: Vec<String>,
    flags: Vec<&'static str>,
    with: Vec<PathBuf>,
    /// What the task's own limits are.
    limits: Limits,
    /// Where somebody asks for others.
    asked: Option<Limits>,
}

/// A soak's own limit is the script's.
const SOAK_TIME: Duration = Duration::from_secs(10800);

const FLAGS: [&str; 3] = ["fast", "without-test", "fresh"];

/// Reads the command line without the program's name.
///
/// # Errors
/// Any word or option that the task does not know.
pub(crate) fn parse(mut parser: Parser) -> Result<Task> {
    let mut name = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Task::Help),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    if name == "vm" {
        match parser.next()? {
            Some(Value(subtask)) => name = format!("vm {}", subtask.string()?),
            Some(Short('h') | Long("help")) => return Ok(Task::Help),
            _ => bail!("`vm` needs one of run, shell, scenarios, build"),
        }
    }
    let limits = if name == "soak" { Limits { time: SOAK_TIME, ..Limits::default() } } else { Limits::default() };
    let Some(mut rest) = rest(&mut parser, name == "vm run", limits)? else { return Ok(Task::Help) };
    let task = match name.as_str() {
        "bench" => Task::Bench,
        "demo" => Task::Demo,
        "test" => Task::Test { fast: rest.flag("fast") },
        "ci" => Task::Ci { without_test: rest.flag("without-test") },
        "setup" => Task::Setup,
        "soak" if rest.words == ["adversaries"] => {
            rest.words.clear();
            Task::Adversaries
        }
        "soak" if rest.words.first().is_some_and(|word| word == "variants") => {
            Task::Variants { words: rest.words.drain(..).skip(1).collect(), limits: rest.limits() }
        }
        "soak" => Task::Soak { names: rest.words()?, limits: rest.limits() },
        "vm build" => Task::Build { fresh: rest.flag("fresh") },
        "vm run" => {
            let mut words = rest.words().context("`vm run` needs a script")?;
            let script = PathBuf::from(words.remove(0));
            Task::Run { script, arguments: words, with: std::mem::take(&mut rest.with), limits: rest.limits() }
        }
        "vm shell" => Task::Shell { with: std::mem::take(&mut rest.with), limits: rest.limits() },
        "vm scenarios" => Task::Scenarios { words: std::mem::take(&mut rest.words), limits: rest.limits() },
        other => bail!("there is no task `{other}`; `cargo xtask --help` lists them"),
    };
    rest.must_be_empty(&name)?;
    Ok(task)
}

/// All options and words; what follows a script is the script's own.
fn rest(parser: &mut Parser, for_a_script: bool, limits: Limits) -> Result<Option<Rest>> {
    let mut rest = Rest { words: Vec::new(), flags: Vec::new(), with: Vec::new(), limits, asked: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("with") => rest.with.push(parser.value()?.into()),
            Long("timeout") => rest.limits_mut().time = Duration::from_secs(parser.value()?.parse()?),
            Long("cpus") => rest.limits_mut().size.cpus = parser.value()?.parse()?,
            Long("memory") => rest.limits_mut().size.memory_mib = parser.value()?.parse()?,
            Long(name) => match FLAGS.iter().find(|flag| **flag == name) {
                Some(flag) => rest.flags.push(flag),
                None => return Err(argument.unexpected().into()),
            },
            Value(word) => {
                rest.words.push(word.string()?);
                if for_a_script {
                    for word in parser.raw_args()? {
                        rest.words.push(word.string()?);
                    }
                }
            }
            Short(_) => return Err(argument.unexpected().into()),
        }
    }
    Ok(Some(rest))
}

impl Rest {
    fn flag(&mut self, name: &str) -> bool {
        let given = self.flags.contains(&name);
        self.flags.retain(|flag| *flag != name);
        given
    }

    fn words(&mut self) -> Result<Vec<String>> {
        if self.words.is_empty() {
            bail!("a name is missing");
        }
        Ok(std::mem::take(&mut self.words))
    }

    fn limits(&mut self) -> Limits {
        self.asked.take().unwrap_or(self.limits)
    }

    fn limits_mut(&mut self) -> &mut Limits {
        self.asked.get_or_insert(self.limits)
    }

    fn must_be_empty(&self, task: &str) -> Result<()> {
        if let Some(word) = self.words.first() {
            bail!("`{task}` does not take the word `{word}`");
        }
        if let Some(flag) = self.flags.first() {
            bail!("`{task}` does not take `--{flag}`");
        }
        if self.asked.is_some() || !self.with.is_empty() {
            bail!("`{task}` does not take these options; `cargo xtask --help` says which do");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, SOAK_TIME, Task, parse};
    use std::time::Duration;

    fn read(line: &str) -> anyhow::Result<Task> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn every_task() {
        let limits = Limits::default;
        for (line, task) in [
            ("", Task::Help),
            ("vm run --help", Task::Help),
            ("bench", Task::Bench),
            ("demo", Task::Demo),
            ("test", Task::Test { fast: false }),
            ("test --fast", Task::Test { fast: true }),
            ("ci --without-test", Task::Ci { without_test: true }),
            ("setup", Task::Setup),
            ("soak long", Task::Soak { names: vec!["long".into()], limits: Limits { time: SOAK_TIME, ..limits() } }),
            ("soak adversaries", Task::Adversaries),
            (
                "soak variants a",
                Task::Variants { words: vec!["a".into()], limits: Limits { time: SOAK_TIME, ..limits() } },
            ),
            ("vm build --fresh", Task::Build { fresh: true }),
            ("vm shell --with a", Task::Shell { with: vec!["a".into()], limits: limits() }),
            ("vm scenarios", Task::Scenarios { words: vec![], limits: limits() }),
        ] {
            assert_eq!(read(line).unwrap(), task, "{line}");
        }
    }

    #[test]
    fn what_follows_a_script_is_its_own() {
        let Task::Run { script, arguments, with, limits } =
            read("vm run --timeout 5 --with x s.sh --with y -- z").unwrap()
        else {
            panic!("another task")
        };
        assert_eq!((script, arguments), ("s.sh".into(), ["--with", "y", "--", "z"].map(String::from).to_vec()));
        assert_eq!((with, limits.time), (vec!["x".into()], Duration::from_secs(5)));
    }

    #[test]
    fn nothing_is_silently_ignored() {
        for line in [
            "nothing",
            "vm",
            "vm nothing",
            "demo --fast",
            "demo now",
            "test --fst",
            "ci --fast",
            "soak",
            "vm run",
            "vm build --with x",
            "setup --cpus 1",
            "vm shell --cpus x",
            "-x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
