//! What the daemon keeps, and where.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::{Exit, Failure, OrFail, Outcome};
use daemon::{Config, MAX_CONFIG_BYTES, MAX_STATE_BYTES, State};
use jiff::Timestamp;
use lvm_cmd::{Patience, ProcessLock, StateDir};

use super::keep::{self, For};
use super::log::Log;
use super::tell::{Kept, Teller};

/// Where it lies that two daemons on one state do not see each other's work.
const LOCK: &str = "daemon.lock";

/// What must survive a restart, and a power cut.
#[derive(Debug)]
pub(super) struct Files {
    state: PathBuf,
    told: PathBuf,
    _lock: ProcessLock,
}

impl Files {
    /// In that folder, which nobody else works with.
    ///
    /// # Errors
    /// Another daemon does, or it cannot be used.
    pub(super) fn open(folder: &Path) -> Outcome<Self> {
        let state = StateDir::new(folder).or_fail(Exit::Surroundings)?;
        let lock = ProcessLock::acquire(&state, LOCK, Patience::new(Duration::ZERO));
        let lock = lock.map_err(|error| match error {
            lvm_cmd::LockError::Held { holder, .. } => {
                let who = holder.map_or_else(String::new, |pid| format!(", process {pid}"));
                let text = format!("another daemon works with `{}`{who}", folder.display());
                Failure::msg(Exit::Surroundings, text)
                    .hint("a second one needs a `--state-dir` and a `--runtime-dir` of its own")
            }
            error => Failure::new(Exit::Surroundings, error),
        })?;
        Ok(Self { state: folder.join("state.json"), told: folder.join("told.json"), _lock: lock })
    }

    /// What was kept. What is not usable is put aside: without it jobs run once too often and something is told again,
    /// without a daemon nothing would run.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub(super) fn read(&self, log: &Log) -> Outcome<(State, Teller)> {
        let state = read(&self.state, log, |text| {
            State::after_restart(text, Timestamp::now()).map_err(|error| error.to_string())
        })?;
        let told: Option<Kept> =
            read(&self.told, log, |text| serde_json::from_str(text).map_err(|error| error.to_string()))?;
        Ok((state.unwrap_or_default(), Teller::new(told.unwrap_or_default())))
    }

    pub(super) fn keep_state(&self, state: &State) -> std::io::Result<()> {
        keep::replace(&self.state, &state.to_json(), For::Us)
    }

    pub(super) fn keep_told(&self, teller: &Teller) -> std::io::Result<()> {
        keep::replace(&self.told, &serde_json::to_string_pretty(teller.kept())?, For::Us)
    }
}

fn read<T>(path: &Path, log: &Log, parse: impl FnOnce(&str) -> Result<T, String>) -> Outcome<Option<T>> {
    let unusable = |why: &str| {
        let aside = path.with_extension("unusable");
        log.error(&[], &format!("`{}` is not usable, and is now `{}`: {why}", path.display(), aside.display()));
        std::fs::rename(path, aside).or_fail(Exit::Surroundings).map(|()| None)
    };
    match keep::read(path, MAX_STATE_BYTES) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => parse(&text).map_or_else(|why| unusable(&why), |value| Ok(Some(value))),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => unusable("it is no text"),
        Err(error) => Err(Failure::new(Exit::Surroundings, error).context(format!("cannot read `{}`", path.display()))),
    }
}

/// The configuration.
///
/// # Errors
/// All that is wrong with it, as lines; or that it cannot be read.
pub(super) fn configuration(path: &Path) -> Result<Config, String> {
    let name = path.display().to_string();
    match keep::read(path, MAX_CONFIG_BYTES) {
        Ok(Some(text)) => Config::parse(&name, &text).map_err(|problems| problems.to_string()),
        Ok(None) => Err(format!("{name}: there is no such file")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
