//! When a job is to run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Calendar, Seed};

/// A number of whole seconds from 1 to [`MAX`](Self::MAX), one more than a leap year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Interval(u32);

impl Interval {
    /// 367 days.
    pub const MAX: Duration = Duration::from_secs(367 * 86_400);

    /// `None` for nothing, for more than [`MAX`](Self::MAX), and for what is no whole number of seconds.
    #[must_use]
    pub fn new(length: Duration) -> Option<Self> {
        let whole = !length.is_zero() && length <= Self::MAX && length.subsec_nanos() == 0;
        u32::try_from(length.as_secs()).ok().filter(|_| whole).map(Self)
    }

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// The rule that times follow from.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum When {
    /// On a fixed grid of this width, which has its own place for each job, so that jobs with the same interval do not
    /// all begin at the full hour. A grid, and not so long after a run's end: what lies between two states of the
    /// destination then does not grow by the time that a run takes.
    Every(Interval),
    /// By the clock on a wall.
    At(Calendar),
}

/// When a job is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    when: When,
    jitter_seconds: u32,
}

impl Schedule {
    /// The most that a time is moved by.
    pub const MAX_JITTER: Duration = Duration::from_secs(86_400);

    /// Each time comes up to `jitter` (whole seconds) later, by an amount that is drawn anew for each. `None` for more
    /// than [`MAX_JITTER`](Self::MAX_JITTER), and where it is not less than the interval.
    #[must_use]
    pub fn new(when: When, jitter: Duration) -> Option<Self> {
        let fits = match &when {
            When::Every(interval) => jitter < interval.length(),
            When::At(_) => true,
        };
        let jitter_seconds = u32::try_from(jitter.as_secs()).ok()?;
        (fits && jitter <= Self::MAX_JITTER).then_some(Self { when, jitter_seconds })
    }

    /// The rule.
    #[must_use]
    pub const fn when(&self) -> &When {
        &self.when
    }

    /// The first time of a job that has never run: an interval begins with a run at once, but who chose the night did not
    /// ask for a first run, the longest of all, in the day.
    #[must_use]
    pub fn first(&self, seen: Timestamp, seed: &Seed) -> Option<Timestamp> {
        match &self.when {
            When::Every(_) => Some(seen),
            When::At(_) => self.first_after(seen, seed),
        }
    }

    /// The first time after `moment`, which may be the last run's start; later moments never have earlier times. `None`
    /// where there is none in ten years, or before the year 9999.
    #[must_use]
    pub fn first_after(&self, moment: Timestamp, seed: &Seed) -> Option<Timestamp> {
        match &self.when {
            When::Every(interval) => {
                let width = i64::from(interval.0);
                let phase = i64::from(seed.pick(i64::MIN, interval.0 - 1));
                let point = |nth: i64| {
                    let jitter = i64::from(seed.pick(nth, self.jitter_seconds));
                    Timestamp::from_second(nth.checked_mul(width)?.checked_add(phase + jitter)?).ok()
                };
                let nth = (moment.as_second() - phase).div_euclid(width);
                // The jitter is less than the width: times ascend, and the one two before is past.
                (nth - 1..nth + 3).filter_map(point).find(|time| *time > moment)
            }
            When::At(calendar) => {
                let moved = |time: Timestamp| {
                    let jitter = i64::from(seed.pick(time.as_second(), self.jitter_seconds));
                    time.saturating_add(SignedDuration::from_secs(jitter)).unwrap_or(time)
                };
                calendar.first_after(moment, moved)
            }
        }
    }
}

/// How long to wait after failures: twice as long after each, up to a cap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// `first` after one failure, never more than `cap`. `None` where `first` is nothing or more than `cap`, or `cap` more
    /// than [`Interval::MAX`].
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Option<Self> {
        (!first.is_zero() && first <= cap && cap <= Interval::MAX).then_some(Self { first, cap })
    }

    /// How long to wait after so many failures in a row; nothing after none.
    #[must_use]
    pub fn after(&self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            _ => self.first.saturating_mul(1 << (failures - 1).min(31)).min(self.cap),
        }
    }
}

/// A minute, and at most an hour.
impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(60), cap: Duration::from_secs(3600) }
    }
}
