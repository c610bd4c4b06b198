//! Times and time zones as a person gives and reads them.

use std::time::SystemTime;

use cli::{Exit, OrFail, Outcome};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of a name such as `Europe/Berlin`, or of an offset such as `+02:00`. Names are those that the program
/// brings along, so that it means the same on every machine.
///
/// # Errors
/// It is none.
pub(crate) fn zone(text: &str) -> Outcome<TimeZone> {
    let parsed = DateTimeParser::new().parse_time_zone_with(&TimeZoneDatabase::bundled(), text);
    parsed.or_fail(Exit::Usage).map_err(|failure| {
        failure.context(format!("cannot read `{text}` as a time zone, such as Europe/Berlin or +02:00"))
    })
}

/// `2026-11-21 07:30` on the clock of that zone.
pub(crate) fn minute(time: SystemTime, zone: &TimeZone) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| "beyond all time".to_owned(),
        |time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// `2026-11-21T06:30:00Z`: RFC 3339 in UTC, as JSON has it; `None` beyond the year 9999.
pub(crate) fn utc(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn by_the_clock_of_a_zone() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_246_200);
        assert_eq!(utc(time).unwrap(), "2026-11-21T07:30:00Z");
        for (name, shown) in [
            ("UTC", "2026-11-21 07:30"),
            ("Europe/Berlin", "2026-11-21 08:30"),
            ("america/new_york", "2026-11-21 02:30"),
            ("+05:30", "2026-11-21 13:00"),
        ] {
            assert_eq!(minute(time, &zone(name).unwrap()), shown, "{name}");
        }
        for name in ["", "Middle/Earth", "Berlin"] {
            assert_eq!(zone(name).unwrap_err().exit(), Exit::Usage, "{name}");
        }
    }
}
