//! Whose days and hours are meant.

use cli::{Exit, OrFail, Outcome};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of a name such as `Europe/Berlin`, or of an offset such as `+02:00`; names are those that the program brings
/// along. Without one the machine's own, which is UTC where it says none.
///
/// # Errors
/// It is none.
pub(crate) fn zone(text: Option<&str>) -> Outcome<TimeZone> {
    let Some(text) = text else { return Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)) };
    let parsed = DateTimeParser::new().parse_time_zone_with(&TimeZoneDatabase::bundled(), text);
    parsed.or_fail(Exit::Usage).map_err(|failure| {
        failure.context(format!("cannot read `{text}` as a time zone, such as Europe/Berlin or +02:00"))
    })
}

/// What to call it; `None` where it has no name that others know.
pub(crate) fn name(zone: &TimeZone) -> Option<String> {
    let offset = || {
        zone.to_fixed_offset().ok().map(|offset| {
            let (sign, seconds) = (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().unsigned_abs());
            format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
        })
    };
    zone.iana_name().map(str::to_owned).or_else(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names() {
        for (text, expected) in
            [("Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC"), ("+02:00", "+02:00"), ("-03:30", "-03:30")]
        {
            assert_eq!(name(&zone(Some(text)).unwrap()).as_deref(), Some(expected));
        }
        assert_eq!(zone(Some("Middle/Earth")).unwrap_err().exit(), Exit::Usage);
        zone(None).unwrap();
    }
}
