//! Tests of the public interface.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alerts;
mod config;
mod found;
mod guardian;
mod places;
mod runs;
mod said;
mod schedules;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use daemon::{Backoff, Interval, JobName, Now, Plan, Planned, Schedule, Seed, When};
use jiff::Timestamp;

/// A moment, written as `2026-02-03T20:15Z`.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn name(text: &str) -> JobName {
    text.parse().unwrap()
}

/// So long after 2026-11-21 07:00 UTC, by a clock that nobody sets.
fn now(since: u64) -> Now {
    Now { wall: at("2026-11-21T07:00Z") + seconds(since), steady: seconds(since) }
}

fn every(interval: u64) -> Schedule {
    Schedule::new(When::Every(Interval::new(seconds(interval)).unwrap()), Duration::ZERO).unwrap()
}

fn planned(job: &str, schedule: Schedule, pools: &[&str]) -> Planned {
    Planned {
        schedule,
        backoff: Backoff::default(),
        seed: Seed::of(&[job]),
        stuck_after: Some(seconds(600)),
        pools: pools.iter().map(|pool| pool.parse().unwrap()).collect::<BTreeSet<_>>(),
    }
}

fn plan(jobs: Vec<(&str, Planned)>) -> Plan {
    let jobs = jobs.into_iter().map(|(job, planned)| (name(job), planned)).collect();
    Plan { jobs, parallel: BTreeMap::new(), parallel_else: count(1) }
}
