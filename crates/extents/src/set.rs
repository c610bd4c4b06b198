//! A sorted set of ranges.

use std::fmt;

use crate::{Extent, Unit};

/// A set of members, held as ascending ranges that neither overlap nor touch. Its memory grows with the ranges, not
/// with what they cover.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ExtentSet<U> {
    ranges: Vec<Extent<U>>,
}

impl<U: Unit> ExtentSet<U> {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds a range. At the end, where ascending input lands, this takes constant time.
    pub fn insert(&mut self, extent: Extent<U>) {
        let from = match self.ranges.last() {
            Some(last) if extent.start() > last.end() => self.ranges.len(),
            _ => self.ranges.partition_point(|r| r.end() < extent.start()),
        };
        let to = from + self.ranges[from..].partition_point(|r| r.start() <= extent.end());
        let joined = self.ranges[from..to].iter().fold(extent, |all, r| all.join(*r).unwrap_or(all));
        self.ranges.splice(from..to, [joined]);
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[Extent<U>] {
        &self.ranges
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, Extent<U>>> {
        self.ranges.iter().copied()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many members all ranges have together.
    #[must_use]
    pub fn total(&self) -> U {
        U::from_count(self.iter().map(|r| r.len().count()).sum())
    }

    /// Whether `at` is in it.
    #[must_use]
    pub fn contains(&self, at: U) -> bool {
        let next = self.ranges.partition_point(|r| r.end() <= at);
        self.ranges.get(next).is_some_and(|r| r.contains(at))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        std::iter::from_fn(|| match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if y.start() < x.start() => b.next(),
            (None, _) => b.next(),
            _ => a.next(),
        })
        .collect()
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        let mut both = Self::new();
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            if let Some(shared) = x.intersection(*y) {
                both.ranges.push(shared);
            }
            if x.end() < y.end() {
                a.next()
            } else {
                b.next()
            };
        }
        both
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Self::new();
        let mut holes = other.iter().peekable();
        for range in self.iter() {
            let mut rest = Some(range);
            while let (Some(now), Some(hole)) = (rest, holes.peek()) {
                if hole.start() >= now.end() {
                    break;
                }
                left.ranges.extend(now.split_at(hole.start()).0);
                rest = now.split_at(hole.end()).1;
                if rest.is_some() {
                    holes.next();
                }
            }
            left.ranges.extend(rest);
        }
        left
    }

    /// Only what lies in `window`.
    #[must_use]
    pub fn clip(&self, window: Extent<U>) -> Self {
        Self { ranges: self.within(window).collect() }
    }

    /// What of `window` is in the set, ascending. Found in logarithmic time.
    pub fn within(&self, window: Extent<U>) -> impl Iterator<Item = Extent<U>> + '_ {
        let from = self.ranges.partition_point(|r| r.end() <= window.start());
        self.ranges[from..].iter().map_while(move |r| r.intersection(window))
    }

    /// What of `window` is not in the set, ascending. Found in logarithmic time.
    pub fn gaps(&self, window: Extent<U>) -> impl Iterator<Item = Extent<U>> + '_ {
        let starts = std::iter::once(window.start()).chain(self.within(window).map(Extent::end));
        let ends = self.within(window).map(Extent::start).chain([window.end()]);
        starts.zip(ends).filter_map(|(start, end)| Extent::between(start, end))
    }
}

impl<U: Unit> Extend<Extent<U>> for ExtentSet<U> {
    fn extend<T: IntoIterator<Item = Extent<U>>>(&mut self, extents: T) {
        for extent in extents {
            self.insert(extent);
        }
    }
}

impl<U: Unit> FromIterator<Extent<U>> for ExtentSet<U> {
    fn from_iter<T: IntoIterator<Item = Extent<U>>>(extents: T) -> Self {
        let mut set = Self::new();
        set.extend(extents);
        set
    }
}

impl<'a, U: Unit> IntoIterator for &'a ExtentSet<U> {
    type Item = Extent<U>;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, Extent<U>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<U: Unit> fmt::Debug for ExtentSet<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
