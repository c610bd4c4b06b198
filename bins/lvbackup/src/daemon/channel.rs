//! The ways in which people are told: a program, a webhook, a mail.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daemon::{AlertConfig, Message, SENDMAIL};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{notify, webhook};

/// A message that has not been taken by then is tried again later.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How soon the end of a program is noticed.
const TICK: Duration = Duration::from_millis(50);

/// One way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Channel {
    /// A program with its arguments, with the message as JSON on its standard input.
    Exec(Vec<String>),
    /// An address that the message is posted to as JSON.
    Webhook(String),
    /// What takes mails, and to whom they go.
    Sendmail { program: String, to: String },
}

impl Channel {
    /// All that a configuration names.
    pub(super) fn all(config: &AlertConfig) -> Vec<Self> {
        let program = config.sendmail_program.clone().unwrap_or_else(|| SENDMAIL.to_owned());
        let mail = config.sendmail.clone().map(|to| Self::Sendmail { program, to });
        let (exec, hook) = (config.exec.clone().map(Self::Exec), config.webhook.clone().map(Self::Webhook));
        [exec, hook, mail].into_iter().flatten().collect()
    }

    /// As it is called in the configuration.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Exec(_) => "exec",
            Self::Webhook(_) => "webhook",
            Self::Sendmail { .. } => "sendmail",
        }
    }

    /// Sends it, and waits until it was taken: half a minute at most, and a program no longer than until `over`.
    ///
    /// # Errors
    /// Why it was not, without the address: that may be a secret.
    pub(super) fn send(&self, message: &Message, over: &AtomicBool) -> Result<(), String> {
        match self {
            Self::Exec(words) => {
                let (program, arguments) = words.split_first().ok_or("no program")?;
                feed(program, arguments, message.json(), TIMEOUT, over)
            }
            Self::Webhook(address) => webhook::post(address, message.json(), TIMEOUT),
            Self::Sendmail { program, to } => {
                // `-t`: to whom it goes is in the mail. `-oi`: a line with a dot alone does not end it.
                feed(program, &["-t".to_owned(), "-oi".to_owned()], message.mail(to), TIMEOUT, over)
            }
        }
    }
}

/// Runs a program with `text` on its standard input; killed with what it started when it takes too long.
fn feed(program: &str, arguments: &[String], text: String, timeout: Duration, over: &AtomicBool) -> Result<(), String> {
    let name = Path::new(program).file_name().map_or_else(|| program.into(), |name| name.to_string_lossy());
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    notify::silence(&mut command);
    let mut child = command.spawn().map_err(|error| format!("cannot start `{name}`: {error}"))?;
    // A pipe may hold less than the text. Where nobody reads it, this thread ends when the program is killed.
    let stdin = child.stdin.take();
    std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
    match end_of(&mut child, Instant::now() + timeout, over) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("`{name}` failed ({status})")),
        Ok(None) => Err(format!("`{name}` did not end within {} s, and was killed", timeout.as_secs_f32())),
        Err(error) => Err(format!("cannot wait for `{name}`: {error}")),
    }
}

fn end_of(child: &mut Child, until: Instant, over: &AtomicBool) -> std::io::Result<Option<std::process::ExitStatus>> {
    while Instant::now() < until && !over.load(Ordering::Relaxed) {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(TICK);
    }
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let script = |text: &str| ["-c".to_owned(), text.to_owned()];
        let not_over = AtomicBool::new(false);
        let long = "x".repeat(1 << 20);
        let begun = Instant::now();
        let hung = feed("/bin/sh", &script("sleep 30; true"), long.clone(), Duration::from_millis(300), &not_over);
        assert_eq!(hung.unwrap_err(), "`sh` did not end within 0.3 s, and was killed");
        assert!(begun.elapsed() < Duration::from_secs(10));
        feed("/bin/sh", &script("test $(wc -c) = 1048576"), long, TIMEOUT, &not_over).unwrap();
        let failed = feed("/bin/sh", &script("exit 3"), String::new(), TIMEOUT, &not_over);
        assert_eq!(failed.unwrap_err(), "`sh` failed (exit status: 3)");
        assert!(
            feed("/nowhere/x", &[], String::new(), TIMEOUT, &not_over).unwrap_err().starts_with("cannot start `x`: ")
        );
    }
}
