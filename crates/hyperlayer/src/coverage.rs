//! What the data records of a 1.0 stream cover, in any order.

use std::collections::BTreeMap;
use std::ops::Bound;

use extents::{Bytes, ChunkSize, Chunks, Extent};

use crate::RuleError;
use crate::limits::MAX_RANGES_1_0;

/// Finds overlaps and counts the chunks that are touched, in bounded memory.
#[derive(Debug)]
pub(crate) struct Coverage {
    chunk_size: Option<ChunkSize>,
    /// Start to end, neither overlapping nor touching.
    ranges: BTreeMap<Bytes, Bytes>,
    /// The highest end of all.
    end: Bytes,
    /// How many separate ranges there were when they became too many to keep; from then on only ascending records.
    forgotten: Option<usize>,
    chunks: u64,
}

impl Coverage {
    pub(crate) fn new(chunk_size: Option<ChunkSize>) -> Self {
        Self { chunk_size, ranges: BTreeMap::new(), end: Bytes::ZERO, forgotten: None, chunks: 0 }
    }

    /// How many chunks are touched; `None` where their size is not known.
    pub(crate) fn chunks(&self) -> Option<u64> {
        self.chunk_size.map(|_| self.chunks)
    }

    pub(crate) fn insert(&mut self, extent: Extent<Bytes>) -> Result<(), RuleError> {
        let neighbours = self.neighbours(extent)?;
        if neighbours.iter().flatten().any(|range| range.overlaps(extent)) {
            return Err(RuleError::Overlap { extent });
        }
        if let Some(chunk_size) = self.chunk_size {
            let touched = chunk_size.touched(extent);
            let (first, last) = (touched.start(), last_chunk(chunk_size, extent));
            let known = |chunk| neighbours.iter().flatten().any(|range| chunk_size.touched(*range).contains(chunk));
            let again = u64::from(known(first)) + u64::from(first != last && known(last));
            self.chunks += touched.len().get() - again;
        }
        self.end = self.end.max(extent.end());
        if self.forgotten.is_none() {
            self.remember(extent, neighbours);
        }
        Ok(())
    }

    fn remember(&mut self, extent: Extent<Bytes>, neighbours: [Option<Extent<Bytes>>; 2]) {
        let joined = neighbours.into_iter().flatten().fold(extent, |all, range| all.join(range).unwrap_or(all));
        self.ranges.remove(&extent.end());
        self.ranges.insert(joined.start(), joined.end());
        if self.ranges.len() > MAX_RANGES_1_0 {
            self.forgotten = Some(self.ranges.len());
            self.ranges = BTreeMap::new();
        }
    }

    /// The ranges just before and after the start of the extent, as far as they are known.
    fn neighbours(&self, extent: Extent<Bytes>) -> Result<[Option<Extent<Bytes>>; 2], RuleError> {
        match self.forgotten {
            // Something ends here; where it started no longer matters.
            Some(_) if extent.start() >= self.end => {
                Ok([Extent::between(self.end.saturating_sub(Bytes::new(1)), self.end), None])
            }
            Some(ranges) => Err(RuleError::TooScattered { extent, ranges }),
            None => {
                let range = |(start, end): (&Bytes, &Bytes)| Extent::between(*start, *end);
                let before = self.ranges.range(..=extent.start()).next_back().and_then(range);
                let after = self.ranges.range((Bound::Excluded(extent.start()), Bound::Unbounded)).next();
                Ok([before, after.and_then(range)])
            }
        }
    }
}

fn last_chunk(chunk_size: ChunkSize, extent: Extent<Bytes>) -> Chunks {
    chunk_size.containing(extent.end().saturating_sub(Bytes::new(1)))
}

/// How many chunks these ranges touch: the number of a 1.0 header's `Delta blocks`. The ranges ascend and do not
/// overlap, as a writer hands them to an [`Encoder`](crate::Encoder).
pub fn delta_blocks(extents: impl IntoIterator<Item = Extent<Bytes>>, chunk_size: ChunkSize) -> u64 {
    let mut blocks = DeltaBlocks::new(chunk_size);
    extents.into_iter().for_each(|extent| blocks.add(extent));
    blocks.count
}

/// The same, range by range.
#[derive(Debug)]
pub(crate) struct DeltaBlocks {
    chunk_size: ChunkSize,
    last: Option<Chunks>,
    pub(crate) count: u64,
}

impl DeltaBlocks {
    pub(crate) fn new(chunk_size: ChunkSize) -> Self {
        Self { chunk_size, last: None, count: 0 }
    }

    pub(crate) fn add(&mut self, extent: Extent<Bytes>) {
        let touched = self.chunk_size.touched(extent);
        let again = self.last == Some(touched.start());
        self.count = self.count.saturating_add(touched.len().get() - u64::from(again));
        self.last = Some(last_chunk(self.chunk_size, extent));
    }
}

#[cfg(test)]
mod tests {
    use extents::{Bytes, ChunkSize, Extent, ExtentSet};
    use proptest::collection::vec;
    use proptest::proptest;

    use super::{Coverage, delta_blocks};

    proptest! {
        /// Against a set that knows all of it.
        #[test]
        fn as_a_set(ranges in vec((0_u64..200, 1_u64..12), 0..60), chunk in 1_u64..20) {
            let chunk_size = ChunkSize::from_bytes(Bytes::new(chunk * 512)).expect("not zero");
            let (mut coverage, mut set) = (Coverage::new(Some(chunk_size)), ExtentSet::new());
            for (start, len) in ranges {
                let extent = Extent::new(Bytes::new(start * 512), Bytes::new(len * 512)).expect("not empty");
                let free = set.clip(extent).is_empty();
                assert_eq!(coverage.insert(extent).is_ok(), free, "{extent} into {set:?}");
                if free {
                    set.insert(extent);
                }
                let kept: Vec<_> = coverage.ranges.iter().map(|(start, end)| Extent::between(*start, *end)).collect();
                assert_eq!(kept, set.iter().map(Some).collect::<Vec<_>>());
                assert_eq!(coverage.chunks(), Some(delta_blocks(&set, chunk_size)));
            }
        }
    }
}
