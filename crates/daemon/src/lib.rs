//! What an unattended replication decides: which job runs when, what a configuration means, whether a pool has room,
//! what people are told. Everything is a function of its arguments, time included; who calls it does what it says.
//!
//! ```
//! use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};
//! use daemon::{Config, Decision, Now, Outcome, Plan, State, next};
//!
//! let config = Config::parse(
//!     "lvbackup.toml",
//!     r#"
//!         zone = "Europe/Berlin"
//!         [job.home]
//!         source = "vg0/home"
//!         destination = "mirror@box:vg1/home"
//!         every = "15m"
//!     "#,
//! )?;
//! let planned = |(name, job): (&daemon::JobName, &daemon::Job)| {
//!     (name.clone(), job.planned(name, "this machine", BTreeSet::from(["vg0/thin".parse().expect("a pool")])))
//! };
//! let plan = Plan {
//!     jobs: config.jobs.iter().map(planned).collect(),
//!     parallel: config.pools.iter().map(|(pool, said)| (pool.clone(), said.parallel)).collect(),
//!     parallel_else: NonZeroU32::MIN,
//! };
//!
//! // A job that never ran starts at once,
//! let mut state = State::default();
//! let mut now = Now { wall: "2026-11-21T07:00:00Z".parse()?, steady: Duration::ZERO };
//! let home = "home".parse()?;
//! let decided = next(&plan, &mut state, now);
//! assert_eq!(decided.decisions, [Decision::Start { job: "home".parse()?, due: now.wall }]);
//! // is not started again while it runs,
//! assert_eq!(next(&plan, &mut state, now).decisions, []);
//! // and an hour later it makes up for all that it missed with one run.
//! state.ended(&home, Outcome::Good, now.wall)?;
//! now.wall += Duration::from_secs(3600);
//! assert_eq!(next(&plan, &mut state, now).decisions.len(), 1);
//! assert_eq!(next(&plan, &mut state, now).decisions, []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Subjects.** [`Config`] reads the file and tells all its mistakes at once. [`next`] says which runs to start and to
//! stop, from a [`Plan`] and a [`State`]. [`judge`] looks at a thin pool before something is written to it.
//! [`conditions`] and [`Told::news`] say what is new to people, and a [`Message`] how. [`Status`] is all of it at one
//! moment, as a table, JSON, a monitoring plugin's line, and metrics.
//!
//! **Promises.** Two runs of a job never overlap, and a pool never has more than it may. As long as runs end, each job
//! that is due starts. Missed times are made up for by one run. A clock that is set, forth or back, delays a job by
//! no more than one interval, and is not taken for a transfer that is stuck. After a restart nothing is told twice.
//!
//! **Units.** Moments are [`jiff::Timestamp`]s, written as in RFC 3339; lengths of time are [`std::time::Duration`]s. Time
//! zones are compiled in. **Limits.** What is read is bounded ([`MAX_CONFIG_BYTES`], [`MAX_STATE_BYTES`],
//! [`MAX_STATUS_BYTES`]). **Invariant.** This crate starts nothing, sends nothing, and knows neither clock nor
//! environment, neither files nor processes. **Panics.** Nothing here panics.

#![forbid(unsafe_code)]

mod alert;
mod calendar;
mod command_line;
mod config;
mod found;
mod guardian;
mod names;
mod next;
mod said;
mod schedule;
mod seed;
mod state;
mod status;
mod text;

pub use alert::{Condition, Limits, Message, News, Notice, Pace, Subject, Told, conditions};
pub use calendar::{Calendar, WallTime, Weekday};
pub use config::{
    AlertConfig, Config, Hooks, Job, MAX_CONFIG_BYTES, MAX_JOBS, MetricsConfig, PoolConfig, Problem, Problems,
    SENDMAIL, Sync, Verify,
};
pub use guardian::{Action, Levels, Percent, Pool, Purpose, Reason, Space, Thresholds, Verdict, judge};
pub use names::{JobName, MAX_HOST_BYTES, MAX_JOB_NAME_BYTES, Place, PlaceError};
pub use next::{Decision, Decisions, KEPT_UNPLANNED, MAX_WAIT, Plan, Planned, due, next};
pub use said::{Line, MAX_LINE_BYTES, MAX_REPORT_BYTES, Report, Said};
pub use schedule::{Backoff, Interval, Schedule, When};
pub use seed::Seed;
pub use state::{
    Failing, JobState, MAX_FAILURE_CHARS, MAX_STATE_BYTES, NotRunning, Now, Outcome, Running, State, StateError,
};
pub use status::{
    Fill, JobStatus, MAX_STATUS_BYTES, Plugin, PoolLevel, PoolReport, SILENT_AFTER, Service, Status, StatusError,
};
pub use text::Ago;
