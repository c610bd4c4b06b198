//! The user's own commands around a snapshot: to quiet a database before, and let it go on after.

use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use cli::{Exit, Failure, OrFail, Outcome};

/// Commands to run around a snapshot.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Hooks {
    /// Run COMMAND in a shell before the snapshot is made; if it fails, nothing is made. It finds the volumes in
    /// `$HYPERLAYER_VOLUMES`
    #[arg(long, value_name = "COMMAND")]
    pub pre: Option<String>,

    /// Run COMMAND in a shell as soon as the snapshot is made, or could not be; it finds `done` or `failed` in
    /// `$HYPERLAYER_SNAPSHOT`
    #[arg(long, value_name = "COMMAND")]
    pub post: Option<String>,
}

impl Hooks {
    /// Whether there is one.
    pub(crate) fn are_any(&self) -> bool {
        self.pre.is_some() || self.post.is_some()
    }

    /// Does `work` between both. The second one runs whatever came of the work, if the first one was run.
    ///
    /// # Errors
    /// That of the work, or of a command.
    pub(crate) fn around<T>(&self, volumes: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        if let Some(pre) = &self.pre {
            run("--pre", pre, volumes, "")?;
        }
        let done = work();
        let Some(post) = &self.post else { return done };
        let after = run("--post", post, volumes, if done.is_ok() { "done" } else { "failed" });
        match (done, after) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
            (Err(failure), Err(after)) => Err(failure.hint(format!("besides: {after}"))),
        }
    }
}

/// Standard output may be the stream, so what a command prints goes to standard error.
fn run(option: &str, text: &str, volumes: &str, snapshot: &str) -> Outcome {
    let stderr: Stdio = std::io::stderr().as_fd().try_clone_to_owned().or_fail(Exit::Failed)?.into();
    let status = Command::new("sh")
        .args(["-c", text])
        .env("HYPERLAYER_VOLUMES", volumes)
        .env("HYPERLAYER_SNAPSHOT", snapshot)
        .stdin(Stdio::null())
        .stdout(stderr)
        .status()
        .or_fail(Exit::Failed)
        .map_err(|failure| failure.context(format!("cannot run the command of `{option}`")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::msg(Exit::Failed, format!("the command of `{option}` failed ({status}): {text}")))
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

    #[test]
    fn nothing_is_done_where_the_first_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        let mut done = false;
        let outcome = hooks(folder.path(), "exit 3").around("vg0/a", || {
            done = true;
            Ok(())
        });
        let said = outcome.unwrap_err().to_string();
        assert!(said.contains("`--pre` failed (exit status: 3): exit 3"), "{said}");
        assert!(!done && !folder.path().join("log").exists());
    }
}
