//! Reports that are asked for again before anything can have changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Command, ExecError, Executor, Output, Program, Running};

/// Asks another executor, but for what `lvs` said of a group and what must still be so: until any program is run through
/// this very executor that could change a volume, or somebody asks to [`forget`](Executor::forget).
///
/// What other processes change it does not see. So whoever decides on a report what is to be removed, renamed or overwritten
/// forgets first, where time has passed since.
#[derive(Debug)]
pub struct Remembering<E> {
    inner: E,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    reports: BTreeMap<String, Output>,
    /// How often anything may have changed: counted before and after each command, so that what was asked meanwhile is
    /// of no use to anybody later.
    changes: u64,
}

impl<E: Executor> Remembering<E> {
    /// Remembers what `inner` reports.
    pub fn new(inner: E) -> Self {
        Self { inner, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, command: &Command) -> Result<Output, ExecError> {
        let asked = command.to_string();
        let before = {
            let memory = self.memory();
            if let Some(known) = memory.reports.get(&asked) {
                return Ok(known.clone());
            }
            memory.changes
        };
        let output = self.inner.run(command)?;
        let mut memory = self.memory();
        // While a change is going on, `changes` is counted once more when it ends.
        if memory.changes == before {
            memory.reports.insert(asked, output.clone());
        }
        Ok(output)
    }
}

impl<E: Executor> Executor for Remembering<E> {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        match effect(command.program()) {
            Effect::Report => self.report(command),
            Effect::Nothing => self.inner.run(command),
            Effect::Change => {
                self.forget();
                let result = self.inner.run(command);
                self.forget();
                result
            }
        }
    }

    /// What is changed by a program that is still running, nobody knows: only those that read are started so.
    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        if effect(command.program()) == Effect::Change {
            self.forget();
        }
        self.inner.spawn(command)
    }

    fn location(&self, program: Program) -> Option<PathBuf> {
        self.inner.location(program)
    }

    fn forget(&self) {
        let mut memory = self.memory();
        memory.changes += 1;
        memory.reports.clear();
        drop(memory);
        self.inner.forget();
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    /// It says what volumes there are.
    Report,
    /// What `lvs` says is the same afterwards.
    Nothing,
    /// Anything that is not known to change nothing.
    Change,
}

/// `dmsetup` is asked for states and tables, and told to freeze a pool's metadata: no volume is another one after that.
const fn effect(program: Program) -> Effect {
    match program {
        Program::Lvs => Effect::Report,
        Program::Vgs | Program::Dmsetup | Program::ThinDelta | Program::ThinDump | Program::Udevadm => Effect::Nothing,
        _ => Effect::Change,
    }
}
