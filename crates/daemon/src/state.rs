//! What is known of each job's runs.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{JobName, Report};

/// The longest text of a failure that is kept, in characters.
pub const MAX_FAILURE_CHARS: usize = 500;
/// The longest state that is read, in bytes.
pub const MAX_STATE_BYTES: usize = 16 << 20;
const VERSION: u32 = 1;
const HUNG: &str = "stopped, since nothing more of it became durable for too long";
const NO_REPORT: &str = "interrupted: it has never said how it ended";

/// What clocks show: that on the wall, which somebody may set, and a steady one, which starts anywhere and only goes on
/// (`CLOCK_MONOTONIC`). What must survive a restart is counted by the first, what must survive setting it by the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// The time of day.
    pub wall: Timestamp,
    /// Time since some moment that stays the same as long as the program runs.
    pub steady: Duration,
}

/// What is known of all jobs. It survives a restart as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    pub(crate) jobs: BTreeMap<JobName, JobState>,
}

/// What is known of one job's runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    /// When it was planned for the first time.
    pub first_seen: Timestamp,
    /// When its last run started, however that ended.
    pub last_start: Option<Timestamp>,
    /// When its last run ended, however it did.
    pub last_end: Option<Timestamp>,
    /// When the last run that was a success started: how old the state is that the destination holds.
    pub last_good: Option<Timestamp>,
    /// What went wrong since then.
    pub failing: Option<Failing>,
    /// Whether a run is owed at once: the last one was stopped, or somebody asked for one.
    pub owed: bool,
    /// The run that has not ended yet.
    pub running: Option<Running>,
    /// What the last run that was a success said of itself.
    #[serde(default)]
    pub report: Option<Report>,
}

/// Failures in a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// How many.
    pub in_row: NonZeroU32,
    /// When the first of them was told.
    pub since: Timestamp,
    /// What the last of them said, at most [`MAX_FAILURE_CHARS`] characters.
    pub text: String,
}

/// A run that has not ended yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// When it started.
    pub started: Timestamp,
    /// How much of it is durable, in bytes, as it said last.
    pub durable_bytes: u64,
    /// Whether it was asked to stop, since it was stuck.
    pub stopping: bool,
    /// When it got further, by the steady clock. Without meaning after a restart, and so is the run.
    #[serde(skip)]
    pub(crate) progress_steady: Duration,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The destination holds the state of the run's start, or of later.
    Good,
    /// It did not work, for a reason that is told to people.
    Failed(String),
    /// It was asked to stop for a reason outside itself, at a durable point.
    Stopped,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    jobs: BTreeMap<JobName, JobState>,
}

impl State {
    /// From what [`to_json`](Self::to_json) made, after a restart at `now`. A run that had not ended then is a failure: so
    /// one that takes the whole program down waits longer and longer too.
    ///
    /// # Errors
    /// Longer than [`MAX_STATE_BYTES`], of another version, or not of that form.
    pub fn after_restart(json: &str, now: Timestamp) -> Result<Self, StateError> {
        if json.len() > MAX_STATE_BYTES {
            return Err(StateError::Long { found_bytes: json.len() });
        }
        let saved: Saved = serde_json::from_str(json)?;
        if saved.version != VERSION {
            return Err(StateError::Version { found: saved.version });
        }
        let mut state = Self { jobs: saved.jobs };
        state.notice_clock(now);
        for job in state.jobs.values_mut().filter(|job| job.running.is_some()) {
            job.end(Outcome::Failed(NO_REPORT.to_owned()), now);
        }
        Ok(state)
    }

    /// As JSON, of which the same state has the same.
    #[must_use]
    pub fn to_json(&self) -> String {
        let saved = Saved { version: VERSION, jobs: self.jobs.clone() };
        // Nothing in it can fail to be written: keys are texts, numbers finite.
        serde_json::to_string_pretty(&saved).unwrap_or_default()
    }

    /// What is known of a job; `None` before it was planned.
    #[must_use]
    pub fn job(&self, name: &JobName) -> Option<&JobState> {
        self.jobs.get(name)
    }

    /// A run says how much of it is durable by now: what a run after it need not do again. Only more than ever before is
    /// progress, so a phase that writes nothing, such as comparing both sides, must count what it has compared.
    ///
    /// # Errors
    /// No run of that job is known.
    pub fn progress(&mut self, name: &JobName, durable_bytes: u64, now: Now) -> Result<(), NotRunning> {
        let running = self.jobs.get_mut(name).and_then(|job| job.running.as_mut());
        let running = running.ok_or_else(|| NotRunning { job: name.clone() })?;
        if durable_bytes > running.durable_bytes {
            running.durable_bytes = durable_bytes;
            running.progress_steady = now.steady;
        }
        Ok(())
    }

    /// A run has ended.
    ///
    /// # Errors
    /// No run of that job is known.
    pub fn ended(&mut self, name: &JobName, outcome: Outcome, now: Timestamp) -> Result<(), NotRunning> {
        self.notice_clock(now);
        match self.jobs.get_mut(name) {
            Some(job) if job.running.is_some() => {
                job.end(outcome, now);
                Ok(())
            }
            _ => Err(NotRunning { job: name.clone() }),
        }
    }

    /// A run that is a success says what it did.
    ///
    /// # Errors
    /// No run of that job is known.
    pub fn report(&mut self, name: &JobName, report: Report) -> Result<(), NotRunning> {
        match self.jobs.get_mut(name) {
            Some(job) if job.running.is_some() => {
                job.report = Some(report);
                Ok(())
            }
            _ => Err(NotRunning { job: name.clone() }),
        }
    }

    /// Somebody asks for a run at once. Of one that goes on already, nothing changes.
    ///
    /// # Errors
    /// The job was never planned.
    pub fn ask(&mut self, name: &JobName) -> Result<(), NotRunning> {
        let job = self.jobs.get_mut(name).ok_or_else(|| NotRunning { job: name.clone() })?;
        job.owed |= job.running.is_none();
        Ok(())
    }

    /// What is recorded of times after `now` comes from a clock that has been set back since. It counts as now: else a job
    /// would wait until that time comes, which may be years.
    pub(crate) fn notice_clock(&mut self, now: Timestamp) {
        for job in self.jobs.values_mut() {
            let times =
                [job.last_start.as_mut(), job.last_end.as_mut(), job.last_good.as_mut(), Some(&mut job.first_seen)];
            let more = [job.failing.as_mut().map(|failing| &mut failing.since)];
            let running = job.running.as_mut().map(|running| &mut running.started);
            times.into_iter().chain(more).chain([running]).flatten().for_each(|time| *time = now.min(*time));
        }
    }
}

impl JobState {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            first_seen: now,
            last_start: None,
            last_end: None,
            last_good: None,
            failing: None,
            owed: false,
            running: None,
            report: None,
        }
    }

    pub(crate) fn start(&mut self, now: Now) {
        self.last_start = Some(now.wall);
        self.owed = false;
        self.running =
            Some(Running { started: now.wall, durable_bytes: 0, stopping: false, progress_steady: now.steady });
    }

    fn end(&mut self, outcome: Outcome, now: Timestamp) {
        let Some(running) = self.running.take() else { return };
        self.last_end = Some(now);
        // Else a run that hangs each time would be started again without any wait.
        let outcome =
            if running.stopping && outcome == Outcome::Stopped { Outcome::Failed(HUNG.to_owned()) } else { outcome };
        match outcome {
            Outcome::Good => {
                self.last_good = Some(running.started);
                self.failing = None;
            }
            Outcome::Stopped => self.owed = true,
            Outcome::Failed(text) => {
                let text = text.chars().take(MAX_FAILURE_CHARS).collect();
                self.failing = Some(match self.failing.take() {
                    Some(before) => Failing { in_row: before.in_row.saturating_add(1), text, ..before },
                    None => Failing { in_row: NonZeroU32::MIN, since: now, text },
                });
            }
        }
    }
}

/// A message of a run that is not known.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a job that is planned and runs, found `{job}`")]
pub struct NotRunning {
    /// Which job.
    pub job: JobName,
}

/// A saved state that is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Too long to be one.
    #[error("expected a state of at most {MAX_STATE_BYTES} bytes, found {found_bytes}")]
    Long {
        /// How long it is.
        found_bytes: usize,
    },
    /// From another release.
    #[error("expected a state of version {VERSION}, found {found}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Not of that form.
    #[error("not a state of jobs")]
    Form(#[from] serde_json::Error),
}
