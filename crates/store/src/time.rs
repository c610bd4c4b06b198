//! Times as text: RFC 3339, UTC, whole seconds.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// The text of a time; `None` far outside of recorded history.
pub(crate) fn to_text(time: SystemTime) -> Option<String> {
    Some(Timestamp::from_second(seconds(time)?).ok()?.to_string())
}

/// The time that [`to_text`] wrote; nothing else.
pub(crate) fn from_text(text: &str) -> Option<SystemTime> {
    let time = SystemTime::from(text.parse::<Timestamp>().ok()?);
    (to_text(time).as_deref() == Some(text)).then_some(time)
}

/// The same time without a fraction of a second, as a store keeps it.
pub(crate) fn whole(time: SystemTime) -> Option<SystemTime> {
    Some(Timestamp::from_second(seconds(time)?).ok()?.into())
}

fn seconds(time: SystemTime) -> Option<i64> {
    Some(Timestamp::try_from(time).ok()?.as_second())
}

pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&to_text(*time).ok_or_else(|| serde::ser::Error::custom("a time out of range"))?)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(from)?;
    from_text(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}` is no time such as 2026-11-21T03:00:00Z")))
}
