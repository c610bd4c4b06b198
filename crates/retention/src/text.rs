//! Rules as one writes them on a command line: `last=3`, `daily=7`, `within=90d`.

use std::num::NonZeroUsize;
use std::{fmt, str::FromStr};

use crate::{Per, Rule};

/// `last=3`, `hourly=24`, `daily=7`, `weekly=5`, `monthly=12`, `yearly=3`, `within=90d`, `tag=NAME`, `original=6:4` and
/// `original-by-tag=6:4` (daily and weekly items).
///
/// ```
/// use retention::Rule;
///
/// let rule: Rule = "daily=7".parse()?;
/// assert_eq!(rule.to_string(), "daily=7");
/// assert!("daily=0".parse::<Rule>().is_err());
/// # Ok::<(), retention::ParseRuleError>(())
/// ```
impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let refused = |expected| ParseRuleError { text: text.chars().take(MOST_SHOWN).collect(), expected };
        let (name, value) = text.split_once('=').ok_or_else(|| refused("NAME=VALUE"))?;
        let count = || value.parse::<NonZeroUsize>().map_err(|_| refused("a whole number from 1 after `=`"));
        let both = || {
            let (daily, weekly) = value.split_once(':')?;
            Some((daily.parse().ok()?, weekly.parse().ok()?))
        };
        let maxima = || both().ok_or_else(|| refused("two whole numbers as in `6:4` after `=`"));
        let calendar = |per| Ok(Self::Calendar(per, count()?));
        match name {
            "last" => Ok(Self::Last(count()?)),
            "hourly" => calendar(Per::Hour),
            "daily" => calendar(Per::Day),
            "weekly" => calendar(Per::Week),
            "monthly" => calendar(Per::Month),
            "yearly" => calendar(Per::Year),
            "within" => {
                value.parse().map(Self::Within).map_err(|_| refused("a period such as `90d` or `2y6m` after `=`"))
            }
            "tag" if value.is_empty() => Err(refused("a tag after `=`")),
            "tag" => Ok(Self::Tag(value.to_owned())),
            "original" => maxima().map(|(daily_max, weekly_max)| Self::Original { daily_max, weekly_max }),
            "original-by-tag" => maxima().map(|(daily_max, weekly_max)| Self::OriginalByTag { daily_max, weekly_max }),
            _ => Err(refused(
                "one of last, hourly, daily, weekly, monthly, yearly, within, tag, original, original-by-tag before `=`",
            )),
        }
    }
}

/// As it is parsed.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(count) => write!(f, "last={count}"),
            Self::Calendar(per, count) => write!(f, "{per}={count}"),
            Self::Within(period) => write!(f, "within={period}"),
            Self::Tag(tag) => write!(f, "tag={tag}"),
            Self::Original { daily_max, weekly_max } => write!(f, "original={daily_max}:{weekly_max}"),
            Self::OriginalByTag { daily_max, weekly_max } => write!(f, "original-by-tag={daily_max}:{weekly_max}"),
        }
    }
}

/// As much of a wrong text as its error shows, in characters.
const MOST_SHOWN: usize = 64;

/// A text that is no [`Rule`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rule `{}`: expected {expected}", text.escape_debug())]
pub struct ParseRuleError {
    text: String,
    expected: &'static str,
}
