//! fsarchiver, which not every machine has.

use cli::{Common, Exit, Failure, OrFail, Outcome, say};
use lvm_cmd::{Command, ExecError, Executor, Program, fsarchiver_is_there};

/// What installs it, without asking.
const MANAGERS: [(Program, &[&[&str]]); 3] = [
    (Program::AptGet, &[&["--yes", "update"], &["--yes", "install", "fsarchiver"]]),
    (Program::Dnf, &[&["--assumeyes", "install", "fsarchiver"]]),
    (Program::Zypper, &[&["--non-interactive", "install", "fsarchiver"]]),
];

/// The package manager of this machine.
pub(crate) fn manager(exec: &dyn Executor) -> Option<Program> {
    MANAGERS.iter().map(|(program, _)| *program).find(|program| exec.location(*program).is_some())
}

/// fsarchiver is there, or is installed where that is asked for.
///
/// # Errors
/// It is not there, [`Exit::Surroundings`].
pub(crate) fn ensure(exec: &dyn Executor, manager: Option<Program>, install_missing: bool, common: Common) -> Outcome {
    let missing = match fsarchiver_is_there(exec) {
        Ok(()) => return Ok(()),
        Err(missing @ ExecError::Missing { .. }) => Failure::new(Exit::Surroundings, missing),
        Err(error) => return Err(Failure::new(Exit::Surroundings, error)),
    };
    let found = MANAGERS.iter().find(|(program, _)| Some(*program) == manager);
    let Some((program, steps)) = found else {
        return Err(missing.hint("install fsarchiver by this machine's package manager"));
    };
    let command = |step: &&[&str]| Command::new(*program).args(step.iter());
    if !install_missing {
        let commands: Vec<_> = steps.iter().map(|step| format!("`{}`", command(step))).collect();
        return Err(missing.hint(format!("{} installs it; so does `--install-missing`", commands.join(", then "))));
    }
    for step in *steps {
        let command = command(step);
        if !common.quiet {
            say(&format!("lvsnap: fsarchiver is missing: running `{command}`"));
        }
        let done = exec.run(&command).or_fail(Exit::Surroundings);
        done.map_err(|failure| failure.context("cannot install fsarchiver"))?;
    }
    fsarchiver_is_there(exec).or_fail(Exit::Surroundings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvm_cmd::Scripted;

    const QUIET: Common = Common { verbose: 0, quiet: true, progress: cli::Shown::Auto };

    fn run(script: &str, manager: Option<Program>, install: bool) -> Outcome {
        ensure(&Scripted::from_transcript(script).unwrap(), manager, install, QUIET)
    }

    #[test]
    fn what_is_there_is_not_installed() {
        run("$ fsarchiver --version\n= 0\n", Some(Program::AptGet), true).unwrap();
    }

    #[test]
    fn what_is_missing_is_said_with_the_way_on() {
        for (manager, hint) in [
            (Some(Program::AptGet), "`apt-get --yes install fsarchiver`"),
            (Some(Program::Dnf), "`dnf --assumeyes install fsarchiver` installs it"),
            (None, "package manager"),
        ] {
            let failure = run("$ fsarchiver --version\n= missing\n", manager, false).unwrap_err();
            assert_eq!(failure.exit(), Exit::Surroundings);
            assert!(failure.render("lvsnap").contains(hint), "{}", failure.render("lvsnap"));
        }
        // Nor without a package manager that is known.
        run("$ fsarchiver --version\n= missing\n", None, true).unwrap_err();
    }

    #[test]
    fn it_is_installed_where_that_is_asked_for() {
        let script = "$ fsarchiver --version\n= missing\n$ apt-get --yes update\n= 0\n\
                      $ apt-get --yes install fsarchiver\n= 0\n$ fsarchiver --version\n= 0\n";
        run(script, Some(Program::AptGet), true).unwrap();
        let failed =
            "$ fsarchiver --version\n= missing\n$ zypper --non-interactive install fsarchiver\n! no network\n= 4\n";
        let failure = run(failed, Some(Program::Zypper), true).unwrap_err();
        assert!(failure.exit() == Exit::Surroundings && failure.to_string().contains("no network"), "{failure}");
    }
}
