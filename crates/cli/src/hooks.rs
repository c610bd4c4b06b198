//! The user's own commands around a snapshot: to quiet a database before, and let it go on after.

use std::io;
use std::os::fd::AsFd;
use std::process::{Command, ExitStatus, Stdio};

use crate::{Exit, Failure, OrFail, Outcome};

/// Commands to run around a snapshot.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Hooks {
    /// Run COMMAND in a shell before the snapshot is made; if it fails, none is made. It finds the volumes in
    /// `$HYPERLAYER_VOLUMES`
    #[arg(long, value_name = "COMMAND")]
    pub pre: Option<String>,

    /// Run COMMAND in a shell as soon as the snapshot is made, or could not be, also where the command of --pre failed
    /// half-way: it is run whenever that was started. It finds `done` or `failed` in `$HYPERLAYER_SNAPSHOT`
    #[arg(long, value_name = "COMMAND")]
    pub post: Option<String>,
}

impl Hooks {
    /// Whether there is one.
    #[must_use]
    pub fn are_any(&self) -> bool {
        self.pre.is_some() || self.post.is_some()
    }

    /// Does `work` between both, if the first one succeeds. The second one runs whatever came of either, unless the first
    /// could not be started: what that had done so far must be undone.
    ///
    /// # Errors
    /// That of the work, or of a command.
    pub fn around<T>(&self, volumes: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let before = self.pre.as_ref().map(|pre| start("--pre", pre, volumes, "")).transpose()?;
        let done = before.map_or(Ok(()), Started::succeeded).and_then(|()| work());
        let Some(post) = &self.post else { return done };
        let after =
            start("--post", post, volumes, if done.is_ok() { "done" } else { "failed" }).and_then(Started::succeeded);
        match (done, after) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
            (Err(failure), Err(after)) => Err(failure.hint(format!("besides: {after}"))),
        }
    }
}

/// A command that was run, whatever came of it.
struct Started<'h> {
    option: &'static str,
    text: &'h str,
    ended: io::Result<ExitStatus>,
}

/// Standard output may be the stream, so what a command prints goes to standard error.
fn start<'h>(option: &'static str, text: &'h str, volumes: &str, snapshot: &str) -> Outcome<Started<'h>> {
    let stderr: Stdio = io::stderr().as_fd().try_clone_to_owned().or_fail(Exit::Failed)?.into();
    let child = Command::new("sh")
        .args(["-c", text])
        .env("HYPERLAYER_VOLUMES", volumes)
        .env("HYPERLAYER_SNAPSHOT", snapshot)
        .stdin(Stdio::null())
        .stdout(stderr)
        .spawn()
        .or_fail(Exit::Failed)
        .map_err(|failure| failure.context(format!("cannot run the command of `{option}`")));
    Ok(Started { option, text, ended: child?.wait() })
}

impl Started<'_> {
    fn succeeded(self) -> Outcome {
        let Self { option, text, ended } = self;
        match ended.or_fail(Exit::Failed)? {
            status if status.success() => Ok(()),
            status => Err(Failure::msg(Exit::Failed, format!("the command of `{option}` failed ({status}): {text}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(folder: &std::path::Path, pre: &str) -> Hooks {
        let log = folder.join("log");
        let post = format!("echo $HYPERLAYER_SNAPSHOT $HYPERLAYER_VOLUMES >>{}", log.display());
        Hooks { pre: Some(pre.to_owned()), post: Some(post) }
    }

    #[test]
    fn the_second_runs_whatever_came_of_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = hooks(folder.path(), "true");
        hooks.around("vg0/a", || Ok(())).unwrap();
        let failed: Outcome = hooks.around("vg0/a vg0/b", || Err(Failure::msg(Exit::Refused, "no")));
        assert_eq!(failed.unwrap_err().exit(), Exit::Refused);
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log, "done vg0/a\nfailed vg0/a vg0/b\n");
    }

    /// What the first one had done before it failed, such as stopping a database, must be undone.
    #[test]
    fn where_the_first_one_fails_nothing_is_made_and_the_second_runs() {
        let folder = tempfile::tempdir().unwrap();
        let mut done = false;
        let outcome = hooks(folder.path(), "exit 3").around("vg0/a", || {
            done = true;
            Ok(())
        });
        let said = outcome.unwrap_err().to_string();
        assert!(said.contains("`--pre` failed (exit status: 3): exit 3"), "{said}");
        assert!(!done);
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "failed vg0/a\n");
    }
}
