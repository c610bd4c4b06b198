//! The clock, which only programs read.

use jiff::Timestamp;

/// Now, as RFC 3339 in UTC, to the second.
#[must_use]
pub fn now_utc() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
