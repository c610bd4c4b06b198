//! Answers from a script.

use std::collections::VecDeque;
use std::io::{Cursor, Read};
use std::sync::{Mutex, PoisonError};

use super::transcript::{self, Step};
use super::{Command, ExecError, Executor, Exit, Output, Running, TranscriptError};

/// Answers from an ordered list of expected commands, for tests on machines without LVM.
///
/// A command that is not the next of the list gets [`ExecError::OffScript`]. The list's `Drop` panics when something
/// was asked off the script or a step was not used, unless the thread panics already.
///
/// # The script
/// Text, by lines: `$ COMMAND LINE` begins a step, `| TEXT` is a line of its standard output (`|~TEXT` a last one
/// without newline), `! TEXT` one of its standard error, and `= STATUS`, `= signal N` or `= missing` ends it. Empty
/// lines and lines that start with `#` are skipped.
#[derive(Debug)]
pub struct Scripted {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    steps: VecDeque<Step>,
    off: Vec<String>,
}

impl Scripted {
    /// From the text that [`Recording`](super::Recording) writes.
    ///
    /// # Errors
    /// The text is no transcript.
    pub fn from_transcript(text: &str) -> Result<Self, TranscriptError> {
        let steps = transcript::parse(text)?.into();
        Ok(Self { state: Mutex::new(State { steps, off: Vec::new() }) })
    }

    fn next(&self, command: &Command) -> Result<Step, ExecError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let command_line = command.to_string();
        let as_expected = state.steps.front().is_some_and(|step| step.command == command_line);
        match if as_expected { state.steps.pop_front() } else { None } {
            Some(Step { exit: None, .. }) => {
                Err(ExecError::Missing { program: command.program(), searched: "the script".to_owned() })
            }
            Some(step) => Ok(step),
            None => {
                let expected = state.steps.front().map_or("its end".to_owned(), |step| format!("`{}`", step.command));
                state.off.push(format!("`{command_line}` instead of {expected}"));
                Err(ExecError::OffScript { command: command_line, expected })
            }
        }
    }
}

impl Executor for Scripted {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        let Step { command, stdout, stderr, exit } = self.next(command)?;
        match exit {
            Some(Exit::Code(0)) | None => Ok(Output { stdout, stderr }),
            Some(exit) => Err(ExecError::Failed { command, exit, stderr }),
        }
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        let mut step = self.next(command)?;
        let stdout = Some(std::mem::take(&mut step.stdout));
        Ok(Box::new(ScriptedChild { step, stdout }))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        assert!(state.off.is_empty(), "asked off the script: {}", state.off.join(", "));
        let left: Vec<_> = state.steps.iter().map(|step| step.command.as_str()).collect();
        assert!(left.is_empty(), "the script has steps that nobody asked for: {}", left.join(", "));
    }
}

#[derive(Debug)]
struct ScriptedChild {
    step: Step,
    stdout: Option<Vec<u8>>,
}

impl Running for ScriptedChild {
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        self.stdout.take().map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>)
    }

    fn wait(self: Box<Self>) -> Result<(), ExecError> {
        let Step { command, stderr, exit, .. } = self.step;
        match exit {
            Some(Exit::Code(0)) | None => Ok(()),
            Some(exit) => Err(ExecError::Failed { command, exit, stderr }),
        }
    }
}
