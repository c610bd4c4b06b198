//! What stays of a pair's layers, as it is said.

use std::fmt;
use std::str::FromStr;

use retention::{Merging, ParseRuleError, Policy, Rule as Kept, Zone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{MAX_RULES, MAX_WORD_BYTES};

/// Which of a pair's layers stay on one side: rules as `last=3,daily=7,within=90d`, and the zone whose days they mean.
/// Without a rule, all stay. As with [`retention::Policy`], what one rule keeps stays, and the newest always does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keep {
    rules: Vec<Kept>,
    zone: String,
    parsed: Zone,
}

/// A text that is no [`Keep`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// A rule that is none.
    #[error(transparent)]
    Rule(#[from] ParseRuleError),
    /// A zone that is none.
    #[error(transparent)]
    Zone(#[from] retention::ParseZoneError),
    /// Too many rules, or a name of a zone that is too long.
    #[error("{found} {what} are too many, at most {max} are possible")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
}

impl Keep {
    /// These rules, by the clock of that zone: an IANA name such as `Europe/Berlin`, `UTC`, or an offset as `+02:00`.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn new(rules: Vec<Kept>, zone: &str) -> Result<Self, KeepError> {
        let most = |what, found, max| if found > max { Err(KeepError::TooMany { what, found, max }) } else { Ok(()) };
        most("rules", rules.len(), MAX_RULES)?;
        most("bytes of a time zone's name", zone.len(), 2 * MAX_WORD_BYTES)?;
        rules.iter().try_for_each(|rule| most("bytes of a rule", rule.to_string().len(), MAX_RULE_BYTES))?;
        Ok(Self { rules, zone: zone.to_owned(), parsed: zone.parse()? })
    }

    /// The same rules by the clock of another zone.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn in_zone(self, zone: &str) -> Result<Self, KeepError> {
        Self::new(self.rules, zone)
    }

    /// What decides.
    #[must_use]
    pub fn policy(&self) -> Policy {
        // Snapshots of thin volumes do not need each other: nothing is ever merged.
        Policy { rules: self.rules.clone(), zone: self.parsed.clone(), merging: Merging::Forbidden }
    }
}

/// Longer than any rule but one with a long tag.
const MAX_RULE_BYTES: usize = 256;

/// Rules after each other, with commas between; in UTC. None: everything stays.
impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let rules = text.split(',').filter(|rule| !rule.is_empty()).map(Kept::from_str);
        Self::new(rules.collect::<Result<_, _>>()?, "UTC")
    }
}

/// The rules, as they are parsed; the zone is not shown.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(ToString::to_string).collect();
        f.write_str(&rules.join(","))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(deserialize_with = "crate::wire::text::bounded::<_, _, MAX_RULES>")]
    rules: Vec<String>,
    zone: String,
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let rules = self.rules.iter().map(ToString::to_string).collect();
        Said { rules, zone: self.zone.clone() }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let Said { rules, zone } = Said::deserialize(from)?;
        let rules = rules.iter().map(|rule| Kept::from_str(rule)).collect::<Result<_, _>>();
        Self::new(rules.map_err(D::Error::custom)?, &zone).map_err(D::Error::custom)
    }
}
