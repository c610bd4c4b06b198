//! One half-open range.

use std::fmt;

use crate::{Bytes, Sectors, Unit};

/// A range `[start, end)` in one unit. Never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent<U> {
    start: U,
    end: U,
}

impl<U: Unit> Extent<U> {
    /// The range of `len` from `start`; `None` where it is empty or ends past `u64::MAX`.
    #[must_use]
    pub fn new(start: U, len: U) -> Option<Self> {
        Self::between(start, U::from_count(start.count().checked_add(len.count())?))
    }

    /// The range from `start` up to, not including, `end`; `None` where it is empty or backwards.
    #[must_use]
    pub fn between(start: U, end: U) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The whole of a volume of `size`; `None` for an empty one.
    #[must_use]
    pub fn whole(size: U) -> Option<Self> {
        Self::between(U::default(), size)
    }

    /// From the first to the last member, both included. The last must be below `u64::MAX` and not before the first.
    pub(crate) fn spanning(first: U, last: U) -> Self {
        Self { start: first, end: U::from_count(last.count() + 1) }
    }

    /// The first member.
    #[must_use]
    pub fn start(self) -> U {
        self.start
    }

    /// The first after the last member.
    #[must_use]
    pub fn end(self) -> U {
        self.end
    }

    /// How many members; at least one.
    #[must_use]
    pub fn len(self) -> U {
        U::from_count(self.end.count() - self.start.count())
    }

    /// Whether `at` lies in the range.
    #[must_use]
    pub fn contains(self, at: U) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether all of `other` lies in this range.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::between(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether both share a member.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.intersection(other).is_some()
    }

    /// The part before `at` and the part from `at` on.
    #[must_use]
    pub fn split_at(self, at: U) -> (Option<Self>, Option<Self>) {
        let at = at.clamp(self.start, self.end);
        (Self::between(self.start, at), Self::between(at, self.end))
    }

    /// Both as one range, where they overlap or touch.
    #[must_use]
    pub fn join(self, other: Self) -> Option<Self> {
        let apart = self.end < other.start || other.end < self.start;
        (!apart).then(|| Self { start: self.start.min(other.start), end: self.end.max(other.end) })
    }

    /// Cuts the range into pieces that end on multiples of `step`, so that none is longer than `step`. A `step` of
    /// zero does not cut.
    pub fn pieces(self, step: U) -> impl Iterator<Item = Self> + Clone {
        let step = step.count();
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let now = rest?;
            let border = now.start.count().checked_div(step).and_then(|n| n.checked_add(1)?.checked_mul(step));
            let (piece, after) = now.split_at(border.map_or(now.end, U::from_count));
            rest = after;
            piece
        })
    }
}

impl Extent<Sectors> {
    /// The same in bytes, or `None` above `u64::MAX`.
    #[must_use]
    pub fn to_bytes(self) -> Option<Extent<Bytes>> {
        Extent::between(self.start.to_bytes()?, self.end.to_bytes()?)
    }
}

impl Extent<Bytes> {
    /// The same in sectors, or `None` where an end lies within a sector.
    #[must_use]
    pub fn to_sectors(self) -> Option<Extent<Sectors>> {
        Extent::between(self.start.to_sectors()?, self.end.to_sectors()?)
    }
}

impl<U: Unit> fmt::Debug for Extent<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..{}", self.start, self.end)
    }
}

/// `start..end`, plain numbers.
impl<U: Unit> fmt::Display for Extent<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
