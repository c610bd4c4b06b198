//! The exit codes of every binary.

use std::fmt;

/// How a command ended, as its caller sees it. The numbers are part of the interface: scripts test them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: the whole job is done, checked and durable.
    Done,
    /// 1: the operation failed; nothing visible changed.
    Failed,
    /// 2: the command line cannot mean anything.
    Usage,
    /// 3: the data was refused: cut, altered, made for another base, a broken chain.
    Refused,
    /// 4: the surroundings were refused: not root, a tool missing or faulty, a pool unhealthy or too full, a store
    /// unreachable, locked or full.
    Surroundings,
    /// 5: something was left that another command must finish or remove; the message names both.
    Unfinished,
    /// 128 + N: ended by signal N, after cleaning up.
    Signal(u8),
}

impl Exit {
    /// The number the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Surroundings => 4,
            Self::Unfinished => 5,
            Self::Signal(number) => 128 | number,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The number, for messages.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.code(), f)
    }
}
