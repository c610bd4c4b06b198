//! Lengths of time, and texts of others, for people.

use std::{fmt, time::Duration};

use jiff::Timestamp;

/// A length of time in its two largest units: `3d 4h`, `15m 20s`, `0s`. What is less is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ago(pub Duration);

impl Ago {
    /// From one moment to a later one; nothing where that is not later.
    #[must_use]
    pub fn between(earlier: Timestamp, later: Timestamp) -> Self {
        Self(Duration::try_from(later.duration_since(earlier)).unwrap_or_default())
    }
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
        let largest = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
        let (unit, letter) = units[largest];
        let mut text = format!("{}{letter}", seconds / unit);
        if let Some((next, letter)) = units.get(largest + 1)
            && seconds % unit / next > 0
        {
            text += &format!(" {}{letter}", seconds % unit / next);
        }
        f.pad(&text)
    }
}

/// What another side said may hold anything: a line break would begin a line that we did not say, an escape sequence
/// would change a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
