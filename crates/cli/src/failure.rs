//! What a command failed with: an exit code, a chain of causes, and what to do next.

use std::fmt::{self, Display, Write};

use crate::Exit;

/// The result of a command or a part of it.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not end with [`Exit::Done`].
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hints: Vec<String>,
}

impl Failure {
    /// A failure for `error`, with the causes that hang on it.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// A failure that a plain sentence explains.
    pub fn msg(exit: Exit, text: impl Display) -> Self {
        Self::new(exit, anyhow::Error::msg(text.to_string()))
    }

    /// Says what to do next: one sentence, with the command in backticks.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Puts what was being done before the cause.
    #[must_use]
    pub fn context(mut self, doing: impl Display) -> Self {
        self.error = self.error.context(doing.to_string());
        self
    }

    /// The same where something is left because of it: what, and then why. The hints stay.
    #[must_use]
    pub fn leaving(self, left: impl Display) -> Self {
        let error = anyhow::Error::msg(format!("{left}, because: {self}"));
        Self { exit: Exit::Unfinished, error, hints: self.hints }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the input was read and is wrong, so that the same input fails again. One that was cut may have been right.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        let is_cut = self.error.downcast_ref::<transfer::Error>().is_some_and(transfer::Error::is_cut);
        self.exit == Exit::Refused && !is_cut
    }

    /// Whether it is nothing but a request to stop that was followed.
    pub(crate) fn is_stop(&self) -> bool {
        #[cfg(feature = "store")]
        if self.exit != Exit::Unfinished && matches!(of_a_store(self.error.as_ref()), Some(store::Error::Stopped)) {
            return true;
        }
        let of_a_copy = |error: &transfer::Error| error.kind() == transfer::ErrorKind::Stopped;
        self.exit != Exit::Unfinished && self.error.downcast_ref::<transfer::Error>().is_some_and(of_a_copy)
    }

    /// Whether the stream could not be written.
    pub(crate) fn is_of_output(&self) -> bool {
        matches!(self.error.downcast_ref(), Some(transfer::Error::Output(_)))
    }

    /// The text for stderr, every line with the program's name before it.
    #[must_use]
    pub fn render(&self, program: &str) -> String {
        let mut text = format!("{program}: {}", printable(&format!("{:#}", self.error)));
        for hint in &self.hints {
            let _ = write!(text, "\n{program}: hint: {}", printable(hint));
        }
        text
    }
}

/// The text without what could move a terminal's cursor: names and messages may come from a stream.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' => out.push_str("\n  "),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
        out
    })
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

/// The outcome of an operation and of undoing what it needed: where both failed, both are told.
///
/// # Errors
/// Either one, or [`Exit::Unfinished`] with both.
pub fn undone<T>(outcome: Outcome<T>, undo: Result<(), transfer::Error>) -> Outcome<T> {
    match (outcome, undo.map_err(Failure::from)) {
        (Ok(value), Ok(())) => Ok(value),
        (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
        (Err(first), Err(left)) => {
            let hints = left.hints.clone();
            let both = Failure::msg(Exit::Unfinished, format!("{left}; it was to be undone because of: {first}"));
            Err(hints.into_iter().fold(both, Failure::hint))
        }
    }
}

/// Turns any error into a failure where it happens, with the exit code it means there.
pub trait OrFail<T> {
    /// The value, or the error as a failure with `exit`.
    ///
    /// # Errors
    /// The error that was there.
    fn or_fail(self, exit: Exit) -> Outcome<T>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, exit: Exit) -> Outcome<T> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// An error of the library means the same in every command.
impl From<transfer::Error> for Failure {
    fn from(error: transfer::Error) -> Self {
        use transfer::ErrorKind;
        let exit = match error.kind() {
            ErrorKind::Refused => Exit::Refused,
            ErrorKind::Surroundings => Exit::Surroundings,
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Unfinished => Exit::Unfinished,
            _ => Exit::Failed,
        };
        // Where reading or writing failed, a store may have been at the other end, and knows more.
        #[cfg(feature = "store")]
        if let (Exit::Failed | Exit::Refused, Some(of_store)) = (exit, of_a_store(&error)) {
            let (exit, hint) = (exit_of_store(of_store.kind()), of_store.hint());
            return hint.into_iter().fold(Self::new(exit, error), Self::hint);
        }
        let hint = error.hint();
        let failure = Self::new(exit, error);
        hint.into_iter().fold(failure, Self::hint)
    }
}

/// The store's error that reading or writing failed with.
#[cfg(feature = "store")]
fn of_a_store<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e store::Error> {
    let of_io = |error: &'e (dyn std::error::Error + 'static)| {
        error.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<store::Error>()
    };
    std::iter::successors(Some(error), |error| error.source()).find_map(of_io)
}

/// Likewise: a store that cannot be used right now is surroundings, one that holds what it must not is data.
#[cfg(feature = "store")]
impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        if matches!(error, store::Error::Stopped) {
            return transfer::Error::from(block_copy::Error::Stopped).into();
        }
        let (exit, hint) = (exit_of_store(error.kind()), error.hint());
        hint.into_iter().fold(Self::new(exit, error), Self::hint)
    }
}

#[cfg(feature = "store")]
fn exit_of_store(kind: store::ErrorKind) -> Exit {
    use store::ErrorKind;
    match kind {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::Refused => Exit::Refused,
        ErrorKind::Unreachable | ErrorKind::Locked | ErrorKind::Full | ErrorKind::Environment => Exit::Surroundings,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "store")]
    #[test]
    fn a_stop_is_a_stop_wherever_it_was_asked_for() {
        assert!(Failure::from(store::Error::Stopped).is_stop());
        assert!(!Failure::from(store::Error::Key("none".into())).is_stop());
    }

    #[test]
    fn looks_like_this() {
        let cause = std::io::Error::other("it broke\u{1b}[2J");
        let failure = Failure::new(Exit::Refused, cause).context("cannot read `vg/a`").hint("try `lvs`");
        assert_eq!(failure.render("lvdiff"), "lvdiff: cannot read `vg/a`: it broke\\u{1b}[2J\nlvdiff: hint: try `lvs`");
        assert_eq!(failure.exit().code(), 3);
    }
}
