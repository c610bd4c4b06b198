//! Standard input and output: the one place where a program takes them.

use std::io::{self, IsTerminal, Stdin, Stdout, Write};

use block_copy::Standard;

use crate::{Exit, Failure, OrFail, Outcome};

/// Standard input.
///
/// # Errors
/// The program was started without one.
pub fn stdin() -> Outcome<Stdin> {
    open(Standard::Input, "standard input").map(|()| io::stdin())
}

/// Standard output.
///
/// # Errors
/// The program was started without one. Writing would succeed, and nothing would be written.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn stdout() -> Outcome<Stdout> {
    open(Standard::Output, "standard output").map(|()| io::stdout())
}

fn open(stream: Standard, name: &str) -> Outcome {
    if !stream.was_closed() {
        return Ok(());
    }
    let hint =
        format!("open it, or connect it to `/dev/null`, and run the command again; {name} was closed (`>&-`, `<&-`)");
    Err(Failure::msg(Exit::Failed, format!("cannot use {name}: it is closed")).hint(hint))
}

/// Writes a text to standard output, to its last byte.
///
/// # Errors
/// Standard output is closed, its disk is full, or its reader is gone.
pub fn print(text: &str) -> Outcome {
    let mut out = stdout()?.lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.or_fail(Exit::Failed).map_err(|failure| failure.context("cannot write to standard output"))
}

/// Writes the report of what was done. `done` is put before an error: what the command did stays.
///
/// # Errors
/// As [`print()`].
pub fn report(text: &str, done: &str) -> Outcome {
    print(text).map_err(|failure| failure.context(format!("{done}, but the report is missing")))
}

/// Whether a person sees standard output. A closed one nobody sees.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    stdout().is_ok_and(|out| out.is_terminal())
}
