//! Running other programs: the trait, what it is asked and what it answers.

mod command;
mod host;
mod recording;
mod remembering;
mod scripted;
mod settings;
mod transcript;
mod watch;

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

pub use command::{Command, MAX_INPUT, Program};
pub use host::{Host, MAX_OUTPUT, MAX_STDERR};
pub use recording::Recording;
pub use remembering::Remembering;
pub use scripted::Scripted;
pub use transcript::TranscriptError;

use crate::Kind;

/// Runs programs. The only way in which this crate reaches LVM.
pub trait Executor: Sync + fmt::Debug {
    /// Runs a program to its end and collects what it wrote.
    ///
    /// # Errors
    /// The program is missing, could not be started, wrote more than [`MAX_OUTPUT`], or ended otherwise than with
    /// exit status 0.
    fn run(&self, command: &Command) -> Result<Output, ExecError>;

    /// Starts a program whose output is read while it runs.
    ///
    /// # Errors
    /// The program is missing or could not be started.
    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError>;

    /// Where the program lies, for messages; `None` where that is unknown.
    fn location(&self, program: Program) -> Option<PathBuf> {
        let _ = program;
        None
    }

    /// What was reported before is not to be answered again: [`Remembering`] asks anew; any other remembers nothing.
    fn forget(&self) {}
}

impl<E: Executor + ?Sized> Executor for &E {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        (**self).run(command)
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        (**self).spawn(command)
    }

    fn location(&self, program: Program) -> Option<PathBuf> {
        (**self).location(program)
    }

    fn forget(&self) {
        (**self).forget();
    }
}

/// A program that runs. Dropped before [`wait`](Running::wait), it is killed with everything that it started, and
/// reaped; one that must not be killed ([`Program::may_be_killed`]) is waited for.
pub trait Running: Send + fmt::Debug {
    /// What the program writes; `None` from the second call on. Read it to its end before [`wait`](Running::wait).
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>>;

    /// Waits for the end. Standard output that nobody has taken is closed first.
    ///
    /// # Errors
    /// Any end but exit status 0, with what the program wrote on standard error.
    fn wait(self: Box<Self>) -> Result<(), ExecError>;
}

/// What a program wrote that ended with exit status 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Output {
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// Standard error, up to [`MAX_STDERR`]. LVM warns there in good health, so text here is no failure.
    pub stderr: String,
}

impl Output {
    /// Standard output as text, with whatever is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// By itself, with this exit status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// Why a program gave no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It is not installed.
    #[error("program `{program}` not found in {searched}; it is in the Debian package `{}`", program.package())]
    Missing {
        /// The program.
        program: Program,
        /// The folders that were looked at.
        searched: String,
    },
    /// It is there, but the system would not run it.
    #[error("cannot start `{command}`")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ran and ended otherwise than with exit status 0.
    #[error("`{command}` {exit}{}", shown(stderr))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        exit: Exit,
        /// What it wrote on standard error, up to [`MAX_STDERR`].
        stderr: String,
    },
    /// Its output could not be read.
    #[error("cannot read what `{command}` writes")]
    Read {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It wrote more than anybody expects of it.
    #[error("`{command}` wrote more than {MAX_OUTPUT} bytes")]
    TooMuch {
        /// The command line.
        command: String,
    },
    /// [`Scripted`] was asked for something else than the script says.
    #[error("the script has no `{command}` here; its next step is {expected}")]
    OffScript {
        /// The command line.
        command: String,
        /// What the script has next.
        expected: String,
    },
}

fn shown(stderr: &str) -> String {
    let text = stderr.trim().lines().map(str::trim).collect::<Vec<_>>().join("; ");
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl ExecError {
    /// What kind of failure this is. What a program wrote does not count: whoever must know whether a volume is in use, or
    /// gone, looks at a report afterwards.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing { .. } => Kind::Environment,
            _ => Kind::Failed,
        }
    }

    /// Whether the program was started, so that it may have done its work whatever its end says.
    #[must_use]
    pub const fn was_run(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Read { .. } | Self::TooMuch { .. })
    }

    /// What the program wrote on standard error, where it ran.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }

    /// The program's exit status, where it ran and ended by itself.
    #[must_use]
    pub fn exit_status(&self) -> Option<i32> {
        match self {
            Self::Failed { exit: Exit::Code(status), .. } => Some(*status),
            _ => None,
        }
    }
}
