//! Hours, days, weeks, months and years by the clock on the wall.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::Offset};

use crate::time::Local;

/// A kind of [`Bucket`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Per {
    /// From one full hour on the wall to the next. An hour that is shown twice, when clocks are set back, is two.
    Hour,
    /// A day of the calendar, 23 to 25 hours where clocks change.
    Day,
    /// A week of ISO 8601: Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

/// As in "keep 7 daily ones".
impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        })
    }
}

/// One hour, day, week, month or year. Of two of a kind, the later one is the greater.
///
/// Its text: `2026-10-25 02:00+02`, `2026-11-20`, `2026-W47`, `2026-11`, `2026`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bucket(Key);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Key {
    Hour { start_unix_seconds: i64, offset: Offset },
    Day(Date),
    Week { year: i16, week: i8 },
    Month { year: i16, month: i8 },
    Year(i16),
}

impl Bucket {
    /// The one of kind `per` that a moment lies in.
    pub(crate) fn of(per: Per, local: &Local) -> Self {
        let date = local.wall.date();
        Self(match per {
            Per::Hour => {
                let into_hour_seconds = i64::from(local.wall.minute()) * 60 + i64::from(local.wall.second());
                Key::Hour { start_unix_seconds: local.moment.get() - into_hour_seconds, offset: local.offset }
            }
            Per::Day => Key::Day(date),
            Per::Week => {
                let week = date.iso_week_date();
                Key::Week { year: week.year(), week: week.week() }
            }
            Per::Month => Key::Month { year: date.year(), month: date.month() },
            Per::Year => Key::Year(date.year()),
        })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Key::Hour { start_unix_seconds, offset } => {
                let start = offset.to_datetime(Timestamp::from_second(start_unix_seconds).unwrap_or(Timestamp::MIN));
                write!(f, "{} {:02}:{:02}{offset}", start.date(), start.hour(), start.minute())
            }
            Key::Day(date) => date.fmt(f),
            Key::Week { year, week } => write!(f, "{year:04}-W{week:02}"),
            Key::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Key::Year(year) => write!(f, "{year:04}"),
        }
    }
}
