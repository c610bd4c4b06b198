//! A server on another host, started by the ordinary `ssh`, with its user's own configuration.

use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cli::{Exit, Failure, OrFail, Outcome, Stop};

use super::ends::{End, Shared, Stops};

/// How long ssh may take to end after the session.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A running ssh; it is killed where it does not end by itself.
#[derive(Debug)]
pub(super) struct Ssh {
    child: Child,
    host: String,
    command: String,
    remote: String,
    pub(super) shared: Shared,
}

/// Its ends.
pub(super) type Ends = (End<ChildStdout>, End<ChildStdin>);

impl Ssh {
    /// Starts a server on that host. What ssh and the server say on standard error is for the user to see.
    pub(super) fn start(command: &str, host: &str, remote: &str, stop: &Stop) -> Outcome<(Self, Ends)> {
        let words = shell_words::split(command).map_err(|_| {
            Failure::msg(Exit::Usage, format!("cannot split `--ssh {command}` into words: a quote is not closed"))
        })?;
        let mut words = words.into_iter();
        let Some(program) = words.next() else {
            return Err(Failure::msg(Exit::Usage, "`--ssh` names no program"));
        };
        // Not through `Executor`: it is the user's own program with the user's own environment, and talks all the time.
        let mut child = Command::new(&program)
            .args(words)
            .arg(host)
            .arg(format!("{remote} serve --stdio"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .or_fail(Exit::Surroundings)
            .map_err(|failure| failure.context(format!("cannot start `{program}`")))?;
        let shared = Shared::default();
        let (Some(from), Some(to)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(Failure::msg(Exit::Failed, format!("`{program}` has no pipes")));
        };
        let from = End::new(from, &shared, stop, Stops::WhereItWaits).or_fail(Exit::Failed)?;
        let to = End::new(to, &shared, stop, Stops::WhereItWaits).or_fail(Exit::Failed)?;
        let (host, command, remote) = (host.to_owned(), command.to_owned(), remote.to_owned());
        Ok((Self { child, host, command, remote, shared }, (from, to)))
    }

    /// Waits for its end, which comes soon after that of its pipes.
    fn wait(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + LAST_WORDS;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// What its exit status says of a session that broke.
    pub(super) fn explain(&mut self, failure: Failure) -> Failure {
        let Self { host, command, remote, .. } = self;
        let (host, command, remote) = (host.clone(), command.clone(), remote.clone());
        match self.wait().map(|status| status.code()) {
            Some(Some(255)) => failure
                .context(format!("`{command}` could not connect to {host}, or lost the connection"))
                .hint(format!("try `{command} {host} true`; `--ssh` takes another program or options")),
            Some(Some(126 | 127)) => failure
                .context(format!("there is no `{remote}` on {host}"))
                .hint("install it there, or say where it is with `--remote-command`"),
            Some(Some(0)) | None => failure,
            Some(Some(code)) => failure.context(format!("`{remote} serve` on {host} ended with exit status {code}")),
            Some(None) => failure.context(format!("`{command}` to {host} was killed")),
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.wait().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
