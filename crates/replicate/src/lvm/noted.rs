//! What a client found to differ between a layer here and one that is elsewhere.

use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::LayerId;

use crate::{Differ, Refusal, RefusalKind};

/// The most ranges that are remembered, 16 bytes each.
const MAX_RANGES: usize = 1 << 20;

/// Where a layer differs from another one, as far as it was said.
#[derive(Clone, Debug)]
pub(super) struct Differences {
    layer: LayerId,
    parent: LayerId,
    /// The places that differ; more where gaps were filled.
    pub(super) ranges: ExtentSet<Bytes>,
    /// Where the next blocks begin.
    next: Bytes,
    /// A gap that is not longer is filled.
    gap: Bytes,
    /// The most ranges.
    max: usize,
}

impl Differences {
    /// Nothing yet.
    pub(super) fn new(layer: &LayerId, parent: &LayerId) -> Self {
        let (layer, parent) = (layer.clone(), parent.clone());
        Self { layer, parent, ranges: ExtentSet::new(), next: Bytes::ZERO, gap: Bytes::ZERO, max: MAX_RANGES }
    }

    /// Whether this is about these two.
    pub(super) fn is_of(&self, layer: &LayerId, parent: &LayerId) -> bool {
        (&self.layer, &self.parent) == (layer, parent)
    }

    /// Adds what comes next, as far as it lies within the volume.
    ///
    /// # Errors
    /// It is not what comes next.
    pub(super) fn add(&mut self, said: &Differ, size: Bytes) -> Result<(), Refusal> {
        if said.start != self.next {
            let text = format!("what differs was said up to byte {}, and goes on at byte {}", self.next, said.start);
            return Err(Refusal::new(RefusalKind::Protocol, &text, 1));
        }
        let within = |extent: Extent<Bytes>| Extent::whole(size)?.intersection(extent);
        self.ranges.extend(said.extents().filter_map(within));
        let len = said.block.get().saturating_mul(said.bits.as_slice().len() as u64);
        self.next = self.next.saturating_add(Bytes::new(len));
        while self.ranges.ranges().len() > self.max {
            self.gap = Bytes::new((self.gap.get() * 2).max(said.block.get()));
            self.ranges = filled(&self.ranges, self.gap);
        }
        Ok(())
    }

    /// Whether all of the volume was compared.
    pub(super) fn is_whole(&self, size: Bytes) -> bool {
        self.next >= size
    }
}

/// The same without gaps of up to `gap`.
fn filled(ranges: &ExtentSet<Bytes>, gap: Bytes) -> ExtentSet<Bytes> {
    let mut joined: Vec<Extent<Bytes>> = Vec::new();
    for range in ranges.iter() {
        match joined.last_mut().filter(|last| range.start().saturating_sub(last.end()) <= gap) {
            Some(last) => *last = Extent::between(last.start(), range.end()).unwrap_or(*last),
            None => joined.push(range),
        }
    }
    joined.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Bits;

    const BLOCK: u64 = 4096;

    fn differ(first_block: u64, bits: &[bool]) -> Differ {
        Differ {
            volume: "vg0/data".parse().unwrap(),
            pair: super::super::testing::pair(),
            layer: LayerId::new("new").unwrap(),
            parent: LayerId::new("old").unwrap(),
            start: Bytes::new(first_block * BLOCK),
            block: Bytes::new(BLOCK),
            bits: Bits::new(bits.to_vec()).unwrap(),
        }
    }

    fn empty(max: usize) -> Differences {
        Differences { max, ..Differences::new(&LayerId::new("new").unwrap(), &LayerId::new("old").unwrap()) }
    }

    #[test]
    fn only_what_follows_is_taken() {
        let mut found = empty(8);
        found.add(&differ(0, &[true; 4]), Bytes::new(7 * BLOCK)).unwrap();
        assert!(!found.is_whole(Bytes::new(7 * BLOCK)));
        for first in [0, 3, 5] {
            assert_eq!(
                found.add(&differ(first, &[true]), Bytes::new(7 * BLOCK)).unwrap_err().kind,
                RefusalKind::Protocol
            );
        }
        found.add(&differ(4, &[false, false, true, true]), Bytes::new(7 * BLOCK - 512)).unwrap();
        assert!(found.is_whole(Bytes::new(7 * BLOCK)));
        assert_eq!(found.ranges.total(), Bytes::new(5 * BLOCK - 512), "nothing past the volume's end");
    }

    proptest! {
        /// Whatever is forgotten to save memory, what differs stays in, and what was said exactly stays exact where there is
        /// room.
        #[test]
        fn what_differs_is_in(bits in prop::collection::vec(any::<bool>(), 1..200), max in 1usize..40, cut in 1usize..50) {
            let size = Bytes::new(bits.len() as u64 * BLOCK);
            let mut found = empty(max);
            let mut first = 0;
            for part in bits.chunks(cut) {
                found.add(&differ(first, part), size).unwrap();
                first += part.len() as u64;
            }
            prop_assert!(found.is_whole(size));
            prop_assert!(found.ranges.ranges().len() <= max);
            let mut exact = empty(usize::MAX);
            exact.add(&differ(0, &bits), size).unwrap();
            prop_assert!(exact.ranges.difference(&found.ranges).is_empty());
            if exact.ranges.ranges().len() <= max {
                prop_assert_eq!(exact.ranges, found.ranges);
            }
        }
    }
}
