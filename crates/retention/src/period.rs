//! How far back: `2y5m7d3h`.

use std::{fmt, str::FromStr};

use jiff::Span;

use crate::{UnixSeconds, Zone};

/// A length of time, never nothing: years, months and days as the calendar has them, then hours of 3600 seconds.
///
/// Written as restic writes it: `2y5m7d3h`, `90d`; units in the order `y m w d h`, each at most once, with `w` for 7
/// days. `m` is a month. Where going back by months meets no such day (the 31st of a month of 30), the month's last
/// day is taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Period {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

impl Period {
    /// The moment that lies this long before `moment`; `None` where that is before the year -9999.
    pub(crate) fn before(self, moment: UnixSeconds, zone: &Zone) -> Option<UnixSeconds> {
        let span = Span::new().try_years(self.years).ok()?.try_months(self.months).ok()?;
        let span = span.try_days(self.days).ok()?.try_hours(self.hours).ok()?;
        let moment = moment.timestamp().to_zoned(zone.time_zone().clone());
        UnixSeconds::new(moment.checked_sub(span).ok()?.timestamp().as_second())
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |at, expected| ParsePeriodError { text: text.to_owned(), at, expected };
        let mut period = Self { years: 0, months: 0, days: 0, hours: 0 };
        let mut units = b"ymwdh".iter();
        let mut at = 0;
        while at < text.len() {
            let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return Err(refused(at, "a whole number"));
            }
            let number: u32 =
                text[at..at + digits].parse().map_err(|_| refused(at, "a number of at most 4294967295"))?;
            at += digits;
            let unit = text.as_bytes().get(at);
            // The iterator goes on where the last unit was found, which is what keeps them in order.
            if unit.is_none() || !units.any(|known| Some(known) == unit) {
                return Err(refused(at, "one of the units y m w d h, in this order and each once"));
            }
            let too_long = || refused(at, "at most 4294967295 days");
            match unit {
                Some(b'y') => period.years = number,
                Some(b'm') => period.months = number,
                Some(b'w') => period.days = number.checked_mul(7).ok_or_else(too_long)?,
                Some(b'd') => period.days = period.days.checked_add(number).ok_or_else(too_long)?,
                _ => period.hours = number,
            }
            at += 1;
        }
        if [period.years, period.months, period.days, period.hours] == [0; 4] {
            return Err(refused(0, "more than no time at all"));
        }
        Ok(period)
    }
}

/// As it is parsed, with weeks as days.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')]
            .iter()
            .filter(|(number, _)| *number > 0)
            .try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

/// A text that is no [`Period`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("duration `{text}`: expected {expected} at byte {at}")]
pub struct ParsePeriodError {
    text: String,
    at: usize,
    expected: &'static str,
}

impl ParsePeriodError {
    /// Where in the text, in bytes from its start.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}
