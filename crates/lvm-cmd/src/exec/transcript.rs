//! What was asked and answered, as text: what [`Recording`](super::Recording) writes and
//! [`Scripted`](super::Scripted) reads.
//!
//! ```text
//! # a comment; empty lines are skipped too
//! $ lvs --reportformat json vg0        the command line as `Command` displays it
//! | a line of standard output
//! |~the last line of standard output, that does not end in a newline
//! ! a line of standard error
//! = 5                                  exit status, or `signal N`, or `missing`
//! ```

use std::fmt::Write;

use super::Exit;

/// One command and its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) command: String,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    /// `None`: the program is not installed.
    pub(super) exit: Option<Exit>,
}

/// A transcript that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("transcript line {line}: expected {expected}, found `{found}`")]
pub struct TranscriptError {
    line: usize,
    expected: &'static str,
    found: String,
}

pub(super) fn parse(text: &str) -> Result<Vec<Step>, TranscriptError> {
    let mut steps = Vec::new();
    let mut open: Option<Step> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let refused = |expected| Err(TranscriptError { line: number, expected, found: line.to_owned() });
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            if open.is_some() {
                return refused("`= STATUS` before the next command");
            }
            open = Some(Step { command: command.to_owned(), stdout: Vec::new(), stderr: String::new(), exit: None });
            continue;
        }
        let Some(step) = open.as_mut() else { return refused("`$ COMMAND`") };
        if let Some(out) = line.strip_prefix("|~") {
            step.stdout.extend(out.bytes());
        } else if let Some(out) = line.strip_prefix('|') {
            step.stdout.extend(out.strip_prefix(' ').unwrap_or(out).bytes());
            step.stdout.push(b'\n');
        } else if let Some(err) = line.strip_prefix('!') {
            step.stderr.push_str(err.strip_prefix(' ').unwrap_or(err));
            step.stderr.push('\n');
        } else if let Some(end) = line.strip_prefix("= ") {
            step.exit = match end
                .strip_prefix("signal ")
                .map_or_else(|| end.parse().map(Exit::Code), |n| n.parse().map(Exit::Signal))
            {
                Ok(exit) => Some(exit),
                Err(_) if end == "missing" => None,
                Err(_) => return refused("`= NUMBER`, `= signal NUMBER` or `= missing`"),
            };
            steps.extend(open.take());
        } else {
            return refused("a line that starts with one of `$ | ! = #`");
        }
    }
    match open {
        None => Ok(steps),
        Some(step) => {
            Err(TranscriptError { line: text.lines().count(), expected: "`= STATUS` at the end", found: step.command })
        }
    }
}

pub(super) fn print(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = writeln!(text, "$ {}", step.command);
        for line in String::from_utf8_lossy(&step.stdout).split_inclusive('\n') {
            let _ = match line.strip_suffix('\n') {
                Some("") => writeln!(text, "|"),
                Some(line) => writeln!(text, "| {line}"),
                None => writeln!(text, "|~{line}"),
            };
        }
        for line in step.stderr.lines() {
            let _ = writeln!(text, "! {line}");
        }
        let _ = match step.exit {
            Some(Exit::Code(code)) => writeln!(text, "= {code}\n"),
            Some(Exit::Signal(signal)) => writeln!(text, "= signal {signal}\n"),
            None => writeln!(text, "= missing\n"),
        };
    }
    text
}
