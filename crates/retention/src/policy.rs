//! What is decided about, and by what.

use std::num::NonZeroUsize;

use crate::{Per, Period, UnixSeconds, Zone};

/// One backup, as far as a policy has to know it. Any value is valid, but see [`Error`](crate::Error) for what a list
/// of them must not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item<Id> {
    /// What tells it from the others in the list.
    pub id: Id,
    /// The moment whose state it holds.
    pub taken: UnixSeconds,
    /// What somebody marked it with.
    pub tags: Vec<String>,
    /// Whether somebody asked that it stays, whatever the policy says.
    pub held: bool,
    /// The item that it cannot be restored without. One that is not in the list is not waited for: this item then
    /// counts as one that needs no other.
    pub parent: Option<Id>,
}

impl<Id> Item<Id> {
    /// One without tags, not held, that needs no other.
    pub fn new(id: Id, taken: UnixSeconds) -> Self {
        Self { id, taken, tags: Vec::new(), held: false, parent: None }
    }
}

/// Which items stay. Any value is valid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Each keeps what it names, and what one of them keeps stays. Without any, everything stays.
    pub rules: Vec<Rule>,
    /// Whose hours, days and Sundays the rules mean.
    pub zone: Zone,
    /// What becomes of an item that no rule keeps, but a staying one needs.
    pub merging: Merging,
}

impl Policy {
    /// One without rules, hence without anything to merge.
    #[must_use]
    pub const fn keep_all(zone: Zone) -> Self {
        Self { rules: Vec::new(), zone, merging: Merging::Forbidden }
    }
}

/// A reason to keep items. None removes anything.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// The newest so many items.
    Last(NonZeroUsize),
    /// The newest item of each of the most recent so many hours, days, weeks, months or years that have an item. As
    /// with restic, a day without a backup does not count; unlike with restic, the oldest item of all does not stand
    /// in for those that are missing.
    Calendar(Per, NonZeroUsize),
    /// Every item less than this much older than the newest item, hence not than the present time: where backups
    /// stop, what there is stays. Restic counts from there too. At the end of a month and in a repeated hour its limit
    /// differs: see [`Period`].
    Within(Period),
    /// Every item with this tag.
    Tag(String),
    /// The rule that this project began with: an item taken on a Sunday is a weekly one, on any other day a daily
    /// one; of each class the newest so many stay. Two of the same day count as two. With a maximum of 0 none of that
    /// class stays, but if it is the newest of all.
    Original {
        /// How many daily items stay.
        daily_max: usize,
        /// How many weekly items stay.
        weekly_max: usize,
    },
    /// The same, where the class was settled when the item was taken, and stands in its name: one with the tag `weekly`
    /// is a weekly one, one with the tag `daily` a daily one, whatever day it was taken on. Without either of them, or
    /// with both, the day says it.
    OriginalByTag {
        /// How many daily items stay.
        daily_max: usize,
        /// How many weekly items stay.
        weekly_max: usize,
    },
}

/// Whether an item that a staying one needs may go, after its content has been merged into those that need it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Merging {
    /// It stays.
    #[default]
    Forbidden,
    /// It goes, after merging ([`Verdict::Merge`](crate::Verdict::Merge)).
    Allowed,
}
