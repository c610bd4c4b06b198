//! What to do now.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{Backoff, JobName, JobState, Now, Place, Schedule, Seed, State};

/// The longest time until the next look, so that a clock that is set is noticed.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// So long is kept what is known of a job that is not planned any more: somebody may only have mistyped its name.
pub const KEPT_UNPLANNED: Duration = Duration::from_secs(30 * 86_400);

/// All that is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The jobs.
    pub jobs: BTreeMap<JobName, Planned>,
    /// How many runs may use a pool at the same time.
    pub parallel: BTreeMap<Place, NonZeroU32>,
    /// The same for a pool that is not in that table.
    pub parallel_else: NonZeroU32,
}

/// What is to be known of a job to plan it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// When it is to run.
    pub schedule: Schedule,
    /// How long it waits after failures.
    pub backoff: Backoff,
    /// What its times are drawn from.
    pub seed: Seed,
    /// After how long without durable progress a run is taken for stuck; `None` for never.
    pub stuck_after: Option<Duration>,
    /// The pools that it reads or writes, on both sides.
    pub pools: BTreeSet<Place>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Start a run; it counts as running from here on, until [`State::ended`].
    Start {
        /// Of this job.
        job: JobName,
        /// When it was to start.
        due: Timestamp,
    },
    /// Ask a run to stop at a durable point. Said once for each run.
    Stop {
        /// Of this job.
        job: JobName,
        /// For so long nothing more of it became durable.
        quiet: Duration,
    },
}

/// What to do, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decisions {
    /// What to do, in this order.
    pub decisions: Vec<Decision>,
    /// So long nothing else is to be done, unless a run ends before; at most [`MAX_WAIT`].
    pub wait: Duration,
}

/// Decides what to do now, and records in `state` what it decides.
///
/// A job that is due starts as soon as all its pools have room. They are given out in the order in which jobs became due,
/// and one that waits keeps later ones from the pools that it waits for: so as long as runs end, none waits for ever.
/// However many times went by unused, one run makes up for all.
#[must_use]
pub fn next(plan: &Plan, state: &mut State, now: Now) -> Decisions {
    state.notice_clock(now.wall);
    forget(plan, state, now.wall);
    for name in plan.jobs.keys() {
        state.jobs.entry(name.clone()).or_insert_with(|| JobState::new(now.wall));
    }
    let mut wait = MAX_WAIT;
    let mut decisions = stops(plan, state, now, &mut wait);

    let mut queue = Vec::new();
    for (name, planned) in &plan.jobs {
        let Some(due) = state.jobs.get(name).and_then(|job| due(planned, job)) else { continue };
        if due <= now.wall {
            queue.push((due, name, planned));
        } else {
            wait = wait.min(due.duration_since(now.wall).unsigned_abs());
        }
    }
    queue.sort_by_key(|(due, name, _)| (*due, *name));

    let mut room = Room::left(plan, state);
    for (due, name, planned) in queue {
        if room.take(&planned.pools)
            && let Some(job) = state.jobs.get_mut(name)
        {
            job.start(now);
            // The run that has just begun can be stuck too.
            wait = wait.min(planned.stuck_after.unwrap_or(MAX_WAIT));
            decisions.push(Decision::Start { job: name.clone(), due });
        }
    }
    Decisions { decisions, wait }
}

/// When the job is to start, be it past or to come; `None` while it runs, and where its schedule has no more times.
///
/// After a failure that is when the wait is over, whatever the schedule says: an interval of minutes would else never wait
/// longer, and a job of every night would wait for a day.
#[must_use]
pub fn due(planned: &Planned, job: &JobState) -> Option<Timestamp> {
    if job.running.is_some() {
        return None;
    }
    let last_end = job.last_end.unwrap_or(job.first_seen);
    if job.owed {
        return Some(last_end);
    }
    match (&job.failing, job.last_start) {
        (Some(failing), _) => {
            let wait = SignedDuration::try_from(planned.backoff.after(failing.in_row.get())).ok()?;
            last_end.checked_add(wait).ok()
        }
        (None, Some(start)) => planned.schedule.first_after(start, &planned.seed),
        (None, None) => planned.schedule.first(job.first_seen, &planned.seed),
    }
}

/// Runs that do not get on.
fn stops(plan: &Plan, state: &mut State, now: Now, wait: &mut Duration) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (name, job) in &mut state.jobs {
        let Some(running) = job.running.as_mut().filter(|running| !running.stopping) else { continue };
        // One that is not planned any more comes to its end by itself.
        let Some(limit) = plan.jobs.get(name).and_then(|planned| planned.stuck_after) else { continue };
        let quiet = now.steady.saturating_sub(running.progress_steady);
        if quiet >= limit {
            running.stopping = true;
            decisions.push(Decision::Stop { job: name.clone(), quiet });
        } else {
            *wait = (*wait).min(limit - quiet);
        }
    }
    decisions
}

fn forget(plan: &Plan, state: &mut State, now: Timestamp) {
    state.jobs.retain(|name, job| {
        let last = job.last_end.unwrap_or(job.first_seen);
        let is_old = now.duration_since(last).unsigned_abs() > KEPT_UNPLANNED;
        plan.jobs.contains_key(name) || job.running.is_some() || !is_old
    });
}

/// How many more runs each pool takes.
struct Room<'a> {
    plan: &'a Plan,
    left: BTreeMap<&'a Place, u32>,
}

impl<'a> Room<'a> {
    fn left(plan: &'a Plan, state: &State) -> Self {
        let mut room = Self { plan, left: BTreeMap::new() };
        let running =
            plan.jobs.iter().filter(|(name, _)| state.jobs.get(name).is_some_and(|job| job.running.is_some()));
        for pool in running.flat_map(|(_, planned)| &planned.pools) {
            let left = room.of(pool);
            *left = left.saturating_sub(1);
        }
        room
    }

    fn of(&mut self, pool: &'a Place) -> &mut u32 {
        let plan = self.plan;
        let most = || plan.parallel.get(pool).unwrap_or(&plan.parallel_else).get();
        self.left.entry(pool).or_insert_with(most)
    }

    /// Whether all of them had room for one more. If not, those that had keep it for this one: nobody overtakes it.
    fn take(&mut self, pools: &'a BTreeSet<Place>) -> bool {
        let mut all = true;
        for pool in pools {
            let left = self.of(pool);
            all &= *left > 0;
            *left = left.saturating_sub(1);
        }
        all
    }
}
