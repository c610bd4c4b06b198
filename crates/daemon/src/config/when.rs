//! `every`, `at`, `weekdays`, `month_days`, `jitter`.

use std::{collections::BTreeSet, time::Duration};

use retention::Zone;

use super::{MAX_LIST, reader::Table};
use crate::{Ago, Calendar, Interval, Schedule, WallTime, Weekday, When};

/// What is said of when. One key alone need not be valid without the others, which may be among the defaults.
#[derive(Clone, Default)]
pub(super) struct Keys {
    when: Option<When>,
    /// Whether `every` or `at` is there, be it right or not.
    is_given: bool,
    jitter: Option<Duration>,
}

impl Keys {
    pub(super) fn read(table: &mut Table<'_>, zone: &Zone) -> Self {
        let every = table.get("every");
        let at = table.get("at");
        let interval = every.as_ref().and_then(|field| {
            let length = field.duration()?;
            Interval::new(length).or_else(|| field.fault("a duration from `1s` to `367d`"))
        });
        let times = at.as_ref().and_then(|field| {
            field.list("times such as `[\"03:00\", \"15:30\"]`", MAX_LIST, |item| {
                item.text("a time such as `\"03:00\"`", WallTime::parse)
            })
        });
        let weekdays = table.get("weekdays");
        let month_days = table.get("month_days");
        let days: BTreeSet<Weekday> = weekdays
            .as_ref()
            .and_then(|field| {
                field.list("days such as `[\"Mon\", \"Thu\"]`", 7, |item| {
                    item.text("one of `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat`, `Sun`", Weekday::named)
                })
            })
            .map(BTreeSet::from_iter)
            .unwrap_or_default();
        let dates: BTreeSet<u8> = month_days
            .as_ref()
            .and_then(|field| {
                field.list("days such as `[1, 15]`", 31, |item| {
                    item.number("a day from 1 to 31", 1..32).and_then(|day| u8::try_from(day).ok())
                })
            })
            .map(BTreeSet::from_iter)
            .unwrap_or_default();
        if let (Some(_), Some(at)) = (&every, &at) {
            at.wrong::<()>("either `every` or `at` may be given, not both");
        }
        if at.is_none() {
            for field in [&weekdays, &month_days].into_iter().flatten() {
                field.wrong::<()>("days are for times of day: `at` is missing beside it");
            }
        }
        let calendar =
            times.and_then(|times| Calendar::new(zone.clone(), times.into_iter().collect(), days, dates).map(When::At));
        let jitter = table.read("jitter", |field| {
            let jitter = field.duration()?;
            let fits = jitter <= Schedule::MAX_JITTER;
            if fits { Some(jitter) } else { field.fault("at most `1d`") }
        });
        Self { when: interval.map(When::Every).or(calendar), is_given: every.is_some() || at.is_some(), jitter }
    }

    /// With what the defaults say where this says nothing; tells of what does not fit together.
    pub(super) fn schedule(self, defaults: &Self, table: &Table<'_>) -> Option<Schedule> {
        let when = self.when.or_else(|| defaults.when.clone().filter(|_| !self.is_given));
        let Some(when) = when else {
            if !self.is_given && !defaults.is_given {
                table.fault(format!("`{}`: `every` or `at` is missing: expected one of them", table.path));
            }
            return None;
        };
        let jitter = self.jitter.or(defaults.jitter).unwrap_or_default();
        let schedule = Schedule::new(when.clone(), jitter);
        if let (None, When::Every(interval)) = (&schedule, when) {
            let (interval, jitter) = (Ago(interval.length()), Ago(jitter));
            let text = format!("expected a jitter below the interval, which is {interval}, found {jitter}");
            table.fault(format!("`{}`: {text}", table.path));
        }
        schedule
    }
}
