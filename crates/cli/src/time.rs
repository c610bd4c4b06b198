//! The clock, which only programs read, and times as the header of a stream has them.

use jiff::Timestamp;

/// Now, as RFC 3339 in UTC, to the second.
#[must_use]
pub fn now_utc() -> String {
    rfc3339(Timestamp::now())
}

/// A time in seconds since 1970, as RFC 3339 in UTC; `None` for one that no calendar has.
#[must_use]
pub fn utc(unix_seconds: i64) -> Option<String> {
    Timestamp::from_second(unix_seconds).ok().map(rfc3339)
}

fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
