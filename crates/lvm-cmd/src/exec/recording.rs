//! Writing down what another executor answers.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::transcript::{self, Step};
use super::{Command, ExecError, Executor, Exit, Output, Program, Running};

/// Passes every command to another executor and keeps what was asked and answered, for [`Scripted`](super::Scripted)
/// to replay.
///
/// Output that is no UTF-8 is written with replacement characters. A streamed output is kept as far as it was read.
#[derive(Debug)]
pub struct Recording<E> {
    inner: E,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl<E: Executor> Recording<E> {
    /// Records what `inner` answers.
    pub fn new(inner: E) -> Self {
        Self { inner, steps: Arc::default() }
    }

    /// What was recorded so far, in the format that [`Scripted`](super::Scripted) documents.
    #[must_use]
    pub fn transcript(&self) -> String {
        transcript::print(&locked(&self.steps))
    }
}

impl<E: Executor> Executor for Recording<E> {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        let result = self.inner.run(command);
        let (stdout, stderr) =
            result.as_ref().map_or_else(|_| Default::default(), |out| (out.stdout.clone(), out.stderr.clone()));
        let mut step = Step { command: command.to_string(), stdout, stderr, exit: Some(Exit::Code(0)) };
        if let Err(error) = &result {
            failed(&mut step, error);
        }
        locked(&self.steps).push(step);
        result
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        let mut step =
            Step { command: command.to_string(), stdout: Vec::new(), stderr: String::new(), exit: Some(Exit::Code(0)) };
        let result = self.inner.spawn(command);
        if let Err(error) = &result {
            failed(&mut step, error);
        }
        let index = {
            let mut steps = locked(&self.steps);
            steps.push(step);
            steps.len() - 1
        };
        let steps = Arc::clone(&self.steps);
        result.map(|inner| Box::new(RecordingChild { inner, steps, index }) as Box<dyn Running>)
    }

    fn location(&self, program: Program) -> Option<PathBuf> {
        self.inner.location(program)
    }

    fn forget(&self) {
        self.inner.forget();
    }
}

fn locked(steps: &Mutex<Vec<Step>>) -> MutexGuard<'_, Vec<Step>> {
    steps.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(step: &mut Step, error: &ExecError) {
    step.exit = match error {
        ExecError::Missing { .. } => None,
        ExecError::Failed { exit, .. } => Some(*exit),
        _ => Some(Exit::Code(-1)),
    };
    step.stderr = error.stderr().to_owned();
}

#[derive(Debug)]
struct RecordingChild {
    inner: Box<dyn Running>,
    steps: Arc<Mutex<Vec<Step>>>,
    index: usize,
}

impl Running for RecordingChild {
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        let inner = self.inner.stdout()?;
        Some(Box::new(Tee { inner, steps: Arc::clone(&self.steps), index: self.index }))
    }

    fn wait(self: Box<Self>) -> Result<(), ExecError> {
        let result = self.inner.wait();
        if let Err(error) = &result {
            failed(&mut locked(&self.steps)[self.index], error);
        }
        result
    }
}

struct Tee {
    inner: Box<dyn Read + Send>,
    steps: Arc<Mutex<Vec<Step>>>,
    index: usize,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        locked(&self.steps)[self.index].stdout.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}
