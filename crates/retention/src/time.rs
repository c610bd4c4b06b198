//! When, and by whose clock on the wall.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::temporal::DateTimeParser,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

/// A moment: whole seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
///
/// Its text is that of RFC 3339, in UTC: `2026-11-21T07:00:00Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixSeconds(i64);

impl UnixSeconds {
    /// 1970-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self(0);

    /// `seconds` since 1970; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn new(seconds: i64) -> Option<Self> {
        Timestamp::from_second(seconds).ok().map(|_| Self(seconds))
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        // Never the default: `new` has tried it.
        Timestamp::from_second(self.0).unwrap_or_default()
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

/// A time zone: whose hours, days and Sundays a policy means.
///
/// Parsed from an IANA name (`Europe/Berlin`, in any case), `UTC`, or a fixed offset (`+02:00`). Names are looked up
/// in the database that is compiled in, never in the machine's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    pub(crate) fn local(&self, moment: UnixSeconds) -> Local {
        let offset = self.0.to_offset(moment.timestamp());
        Local { moment, offset, wall: offset.to_datetime(moment.timestamp()) }
    }

    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

/// A moment as its zone has it.
#[derive(Clone, Copy)]
pub(crate) struct Local {
    pub(crate) moment: UnixSeconds,
    /// How far the zone is ahead of UTC then.
    pub(crate) offset: Offset,
    /// What a clock on the wall shows then.
    pub(crate) wall: DateTime,
}

impl FromStr for Zone {
    type Err = ParseZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        static PARSER: DateTimeParser = DateTimeParser::new();
        match PARSER.parse_time_zone_with(&TimeZoneDatabase::bundled(), text) {
            // `Etc/Unknown` is a name, but not of a zone that somebody means.
            Ok(zone) if zone.is_unknown() => Err(ParseZoneError { text: text.to_owned(), source: None }),
            Ok(zone) => Ok(Self(zone)),
            Err(source) => Err(ParseZoneError { text: text.to_owned(), source: Some(source) }),
        }
    }
}

/// A text that names no time zone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("expected a time zone such as `Europe/Berlin`, `UTC` or `+02:00`, found `{text}`")]
pub struct ParseZoneError {
    text: String,
    source: Option<jiff::Error>,
}
