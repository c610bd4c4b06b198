//! Why.

use std::fmt;

use crate::{Bucket, Per, Period};

/// Why an item stays, or why a rule does not keep it. Its text fits into a table's cell.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason<Id> {
    /// Stays: the policy has no rules.
    NoRules,
    /// Stays: it is the newest, of those not taken in the future.
    Newest,
    /// Stays: somebody asked for it.
    Held,
    /// Stays: it was taken after the present time, so some clock was wrong. No rule counts it.
    Future,
    /// Stays: an item that stays cannot be restored without it.
    ParentOf(Id),
    /// Stays: one of the newest.
    Last {
        /// Its place among them, the newest being 1.
        nth: usize,
        /// How many the rule keeps.
        of: usize,
    },
    /// Stays: the newest of its hour, day, week, month or year.
    Calendar {
        /// As in "daily".
        per: Per,
        /// Which it is the newest of.
        bucket: Bucket,
        /// That one's place among those that have items, the most recent being 1.
        nth: usize,
        /// How many the rule keeps.
        of: usize,
    },
    /// Stays: taken less than this before the newest.
    Within(Period),
    /// Stays: it has this tag.
    Tag(String),
    /// Stays: one of the newest of its class.
    Original {
        /// Its class.
        class: Class,
        /// Its place in the class, the newest being 1.
        nth: usize,
        /// How many of that class the rule keeps.
        of: usize,
    },
    /// Does not keep it: there are as many newer items as the rule keeps.
    BeyondLast(usize),
    /// Does not keep it: there are as many more recent hours, days, weeks, months or years as the rule keeps.
    BeyondCalendar(Per, usize),
    /// Does not keep it: a newer one is kept for the same hour, day, week, month or year.
    NotNewestOf(Bucket),
    /// Does not keep it: taken this much before the newest, or more.
    NotWithin(Period),
    /// Does not keep it: there are as many newer items of its class as the rule keeps.
    BeyondMaximum(Class, usize),
    /// The policy has rules, all of which ask for a tag that it does not have.
    NoRuleKeeps,
}

impl<Id: fmt::Display> fmt::Display for Reason<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules => f.write_str("the policy has no rules"),
            Self::Newest => f.write_str("newest"),
            Self::Held => f.write_str("held"),
            Self::Future => f.write_str("taken in the future"),
            Self::ParentOf(id) => write!(f, "parent of {id}"),
            Self::Last { nth, of } => write!(f, "last {nth} of {of}"),
            Self::Calendar { per, bucket, nth, of } => write!(f, "{per} {nth} of {of} ({bucket})"),
            Self::Within(period) => write!(f, "within {period} of the newest"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Original { class, nth, of } => write!(f, "{class} {nth} of at most {of}"),
            Self::BeyondLast(of) => write!(f, "beyond last {of}"),
            Self::BeyondCalendar(per, of) => write!(f, "beyond {per} {of}"),
            Self::NotNewestOf(bucket) => write!(f, "not the newest of {bucket}"),
            Self::NotWithin(period) => write!(f, "not within {period} of the newest"),
            Self::BeyondMaximum(class, of) => write!(f, "beyond {class} maximum {of}"),
            Self::NoRuleKeeps => f.write_str("no rule keeps it"),
        }
    }
}

/// What [`Rule::Original`](crate::Rule::Original) takes an item for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Taken on a Sunday.
    Weekly,
    /// Taken on any other day.
    Daily,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weekly => "weekly",
            Self::Daily => "daily",
        })
    }
}
