//! How everything is, for people and for programs.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Ago, Failing, JobName, JobState, Limits, Place, Planned, Report, Running, due};

mod metrics;
mod plugin;
mod table;

pub use plugin::{Plugin, Service};

/// The longest status that is read, in bytes.
pub const MAX_STATUS_BYTES: usize = 16 << 20;
/// A daemon writes its status at least every minute; after this time it is not there any more, or hangs.
pub const SILENT_AFTER: Duration = Duration::from_secs(300);
const VERSION: u32 = 1;

/// How everything is. As JSON it is what a daemon leaves for `status` and `alarm` to read, and what these show to programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    version: u32,
    /// When that was so.
    pub at: Timestamp,
    /// All jobs, by name.
    pub jobs: Vec<JobStatus>,
    /// All pools that were looked at.
    pub pools: Vec<PoolReport>,
}

/// How a job is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: JobName,
    /// From where.
    pub source: Place,
    /// To where.
    pub destination: Place,
    /// When the state was taken that the destination holds.
    pub last_good: Option<Timestamp>,
    /// When it was planned for the first time.
    pub first_seen: Timestamp,
    /// How old the destination may be, in seconds.
    pub max_age_seconds: Option<u64>,
    /// What went wrong.
    pub failing: Option<Failing>,
    /// From so many failures in a row on it is told.
    pub told_after_failures: u32,
    /// The run that has not ended.
    pub running: Option<Running>,
    /// When the next one starts, or should have if there had been room.
    pub due: Option<Timestamp>,
    /// What the last run that was a success said of itself.
    pub report: Option<Report>,
}

/// How a pool is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PoolReport {
    /// Which one.
    pub pool: Place,
    /// What the guardian says.
    pub level: PoolLevel,
    /// Why.
    pub reasons: Vec<String>,
    /// How full it is.
    pub data: Fill,
    /// How full its metadata is.
    pub metadata: Fill,
}

/// How full something is, in a unit of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fill {
    /// In use.
    pub used: u64,
    /// In all.
    pub total: u64,
    /// Where people are told, in hundredths.
    pub warn_percent: u8,
    /// Where nothing begins any more, in hundredths.
    pub refuse_percent: u8,
}

/// What the guardian says of a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolLevel {
    /// All is well.
    Good,
    /// Something is told.
    Warned,
    /// Nothing begins.
    Refused,
}

impl JobStatus {
    /// From what is planned and known.
    #[must_use]
    pub fn new(
        name: &JobName,
        [source, destination]: [&Place; 2],
        planned: &Planned,
        limits: &Limits,
        state: &JobState,
    ) -> Self {
        Self {
            name: name.clone(),
            source: source.clone(),
            destination: destination.clone(),
            last_good: state.last_good,
            first_seen: state.first_seen,
            max_age_seconds: limits.max_age.map(|age| age.as_secs()),
            failing: state.failing.clone(),
            told_after_failures: limits.after_failures.get(),
            running: state.running.clone(),
            due: due(planned, state),
            report: state.report.clone(),
        }
    }

    /// How old the destination's state is, or, where it holds none, how long one has been waited for.
    pub(crate) fn age(&self, now: Timestamp) -> Ago {
        Ago::between(self.last_good.unwrap_or(self.first_seen), now)
    }

    pub(crate) fn is_too_old(&self, now: Timestamp) -> bool {
        self.max_age_seconds.is_some_and(|most| self.age(now).0.as_secs() > most)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.as_ref().is_some_and(|failing| failing.in_row.get() >= self.told_after_failures)
    }
}

impl Fill {
    /// In hundredths, rounded up; a whole of nothing is full.
    #[must_use]
    pub fn percent(&self) -> u64 {
        let hundredths = (u128::from(self.used) * 100).checked_div(u128::from(self.total));
        let rest = u128::from(self.used) * 100 % u128::from(self.total.max(1));
        u64::try_from(hundredths.unwrap_or(100) + u128::from(rest > 0)).unwrap_or(u64::MAX)
    }
}

impl Status {
    /// How these were at that time.
    #[must_use]
    pub const fn new(at: Timestamp, jobs: Vec<JobStatus>, pools: Vec<PoolReport>) -> Self {
        Self { version: VERSION, at, jobs, pools }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// From what [`to_json`](Self::to_json) made.
    ///
    /// # Errors
    /// Longer than [`MAX_STATUS_BYTES`], of another version, or not of that form.
    pub fn from_json(json: &str) -> Result<Self, StatusError> {
        if json.len() > MAX_STATUS_BYTES {
            return Err(StatusError::Long { found_bytes: json.len() });
        }
        let status: Self = serde_json::from_str(json)?;
        if status.version != VERSION {
            return Err(StatusError::Version { found: status.version });
        }
        Ok(status)
    }
}

/// A status that is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// Too long to be one.
    #[error("expected a status of at most {MAX_STATUS_BYTES} bytes, found {found_bytes}")]
    Long {
        /// How long it is.
        found_bytes: usize,
    },
    /// From another release.
    #[error("expected a status of version {VERSION}, found {found}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Not of that form.
    #[error("not a status of jobs and pools")]
    Form(#[from] serde_json::Error),
}
