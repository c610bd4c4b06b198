//! Times of day by a clock on the wall.

use std::{collections::BTreeSet, fmt};

use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use retention::Zone;

/// So far ahead a day is looked for: the 31st that is a Monday is at most a few years off.
const MAX_DAYS_AHEAD: u16 = 10 * 366;

/// A day of the week.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "they are the days of the week")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All, from Monday on.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// `Mon` to `Sun`, as [`Display`](fmt::Display) writes them; `None` for every other text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.to_string() == text)
    }

    fn of(date: Date) -> Self {
        let monday_is_0 = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        Self::ALL[monday_is_0 % 7]
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A time of day, whole minutes: `03:30`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WallTime {
    hour: i8,
    minute: i8,
}

impl WallTime {
    /// From `HH:MM`, 00:00 to 23:59; `None` for every other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str, below: i8| {
            let plain = text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit());
            text.parse().ok().filter(|number| plain && *number < below)
        };
        Some(Self { hour: number(hour, 24)?, minute: number(minute, 60)? })
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// Times of day, on all days or on some, by the clock of a zone.
///
/// A time that the clock leaps over comes as much later as it leaps (02:30 is then 03:30); one that it shows twice comes
/// the first time only. So each time comes once on each day that there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    zone: Zone,
    times: BTreeSet<WallTime>,
    weekdays: BTreeSet<Weekday>,
    month_days: BTreeSet<u8>,
}

impl Calendar {
    /// At `times`, on days that are among the `weekdays` and, in their month, among the `month_days` (1 to 31), where an
    /// empty set means all. `None` without a time, and for a day of the month that no month has.
    #[must_use]
    pub fn new(
        zone: Zone,
        times: BTreeSet<WallTime>,
        weekdays: BTreeSet<Weekday>,
        month_days: BTreeSet<u8>,
    ) -> Option<Self> {
        let is_day = |day: &u8| (1..=31).contains(day);
        (!times.is_empty() && month_days.iter().all(is_day)).then_some(Self { zone, times, weekdays, month_days })
    }

    /// The smallest of what `moved` makes of its times that is after `moment`. What it makes must lie at most a day after
    /// what it is given. `None` where there is none in ten years.
    pub(crate) fn first_after(&self, moment: Timestamp, moved: impl Fn(Timestamp) -> Timestamp) -> Option<Timestamp> {
        // A time that is moved, or leapt over (in Samoa by a whole day), comes later than its date.
        let mut date = self.zone.time_zone().to_datetime(moment).date();
        (0..3).for_each(|_| date = date.yesterday().unwrap_or(date));
        let mut best: Option<Timestamp> = None;
        let mut days_since_found = 0;
        for _ in 0..MAX_DAYS_AHEAD {
            let found = self.on(date).map(&moved).filter(|time| *time > moment).min();
            best = best.into_iter().chain(found).min();
            // For the same reason the next days may still have an earlier one.
            days_since_found += i32::from(best.is_some());
            if days_since_found > 3 {
                break;
            }
            date = date.tomorrow().ok()?;
        }
        best
    }

    fn on(&self, date: Date) -> impl Iterator<Item = Timestamp> {
        let weekday = self.weekdays.is_empty() || self.weekdays.contains(&Weekday::of(date));
        let month_day = self.month_days.is_empty() || self.month_days.contains(&date.day().unsigned_abs());
        let times = (weekday && month_day).then_some(&self.times).into_iter().flatten();
        times.filter_map(move |time| {
            let time = Time::new(time.hour, time.minute, 0, 0).ok()?;
            self.zone
                .time_zone()
                .to_ambiguous_zoned(date.to_datetime(time))
                .compatible()
                .ok()
                .map(|zoned| zoned.timestamp())
        })
    }

    /// As `OnCalendar=` of a systemd timer (systemd.time(7), "CALENDAR EVENTS"), one expression for each time. systemd has
    /// no fixed offsets; with one of these there is none. It leaves out a time that the clock leaps over.
    #[must_use]
    pub fn on_calendar(&self) -> Vec<String> {
        fn listed<T: fmt::Display>(items: &BTreeSet<T>) -> String {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        if self.zone.time_zone().iana_name().is_none() {
            return Vec::new();
        }
        let weekdays = if self.weekdays.is_empty() { String::new() } else { listed(&self.weekdays) + " " };
        let month_days = if self.month_days.is_empty() { "*".to_owned() } else { listed(&self.month_days) };
        let zone = &self.zone;
        self.times.iter().map(|time| format!("{weekdays}*-*-{month_days} {time}:00 {zone}")).collect()
    }
}
