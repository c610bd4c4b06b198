//! Thin volumes as dm-thin keeps them: which chunks are mapped, to which data, shared or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use extents::{Bytes, ChunkSize, Chunks, Extent};
use proptest::prelude::*;

use crate::stamp::{BLOCK_BYTES, stamped};

/// A thin volume. A clone is a snapshot of it: both share every data block until one writes to it.
///
/// Its pool zeroes new chunks. It behaves as dm-thin does: a write maps whole chunks, only a discard of a whole chunk
/// unmaps it, and a size is stored nowhere, so that what lies past the end of a volume that shrank stays mapped, and
/// comes back when it grows again.
#[derive(Clone)]
pub struct ThinVolume {
    chunk: ChunkSize,
    size: usize,
    mapped: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl ThinVolume {
    /// An empty volume.
    #[must_use]
    pub fn new(chunk: ChunkSize, size: usize) -> Self {
        Self { chunk, size, mapped: BTreeMap::new() }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        self.size.into()
    }

    /// The pool's chunk.
    #[must_use]
    pub fn chunk(&self) -> ChunkSize {
        self.chunk
    }

    /// What a reader sees.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let mut content = vec![0; self.size.next_multiple_of(self.chunk_len())];
        for (number, data) in &self.mapped {
            if let Some(there) = content.chunks_mut(self.chunk_len()).nth(index(*number)) {
                there.copy_from_slice(data);
            }
        }
        content.truncate(self.size);
        content
    }

    /// The chunks that are mapped, those past the end included, one by one.
    pub fn mapped(&self) -> impl Iterator<Item = u64> + '_ {
        self.mapped.keys().copied()
    }

    /// Writes from `at` on what lies inside the volume.
    pub fn write(&mut self, at: usize, data: &[u8]) {
        let data = &data[..data.len().min(self.size.saturating_sub(at))];
        let chunk = self.chunk_len();
        let mut done = 0;
        while done < data.len() {
            let (number, into) = ((at + done) / chunk, (at + done) % chunk);
            let len = (chunk - into).min(data.len() - done);
            let block = self.mapped.entry(number as u64).or_insert_with(|| Arc::new(vec![0; chunk]));
            // A block that a snapshot shares is copied first: another block from then on.
            Arc::make_mut(block)[into..into + len].copy_from_slice(&data[done..done + len]);
            done += len;
        }
    }

    /// Discards what of the range lies inside the volume: unmaps its whole chunks.
    pub fn discard(&mut self, at: usize, len: usize) {
        let end = (at + len).min(self.size);
        let chunk = self.chunk_len();
        self.mapped.retain(|number, _| {
            let start = index(*number) * chunk;
            start < at || start + chunk > end
        });
    }

    /// Gives it another size.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
    }

    fn chunk_len(&self) -> usize {
        self.chunk.bytes().to_usize().unwrap()
    }
}

/// Without the content, of which nobody wants to read a failed test's.
impl fmt::Debug for ThinVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mapped = chunk_runs(self.mapped());
        f.debug_struct("ThinVolume")
            .field("chunk", &self.chunk)
            .field("size", &self.size)
            .field("mapped", &mapped)
            .finish()
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Chunks as ranges, each as long as can be.
#[must_use]
pub fn chunk_runs(chunks: impl IntoIterator<Item = u64>) -> Vec<Extent<Chunks>> {
    let one = |number| Extent::new(Chunks::new(number), Chunks::new(1)).unwrap();
    chunks.into_iter().map(one).collect::<extents::ExtentSet<_>>().ranges().to_vec()
}

/// What `thin_delta --snap1 OLD --snap2 NEW` prints of two volumes of one pool.
///
/// # Panics
/// Their chunks differ.
#[must_use]
pub fn delta_xml(old: &ThinVolume, new: &ThinVolume) -> String {
    assert_eq!(old.chunk, new.chunk, "not of one pool");
    let sectors = old.chunk.bytes().to_sectors().unwrap();
    let mut text = format!(
        "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"{sectors}\" nr_data_blocks=\"0\">\n  \
         <diff left=\"1\" right=\"2\">\n"
    );
    let all: BTreeSet<_> = old.mapped().chain(new.mapped()).collect();
    let compared: Vec<_> = all
        .into_iter()
        .map(|number| match (old.mapped.get(&number), new.mapped.get(&number)) {
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => (number, "same"),
            (Some(_), Some(_)) => (number, "different"),
            (Some(_), None) => (number, "left_only"),
            _ => (number, "right_only"),
        })
        .collect();
    for run in compared.chunk_by(|a, b| a.0 + 1 == b.0 && a.1 == b.1) {
        let ((begin, name), length) = (run[0], run.len());
        writeln!(text, "    <{name} begin=\"{begin}\" length=\"{length}\"/>").unwrap();
    }
    text + "  </diff>\n</superblock>\n"
}

/// A volume and an older state of it that may have been changed since itself.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The older one.
    pub old: ThinVolume,
    /// The newer one.
    pub new: ThinVolume,
}

impl Pair {
    /// What `thin_delta` prints of both.
    #[must_use]
    pub fn xml(&self) -> String {
        delta_xml(&self.old, &self.new)
    }
}

/// One thing that happens to a volume. Numbers are sectors.
#[derive(Clone, Debug)]
enum Step {
    Write { at: usize, len: usize, seed: u32 },
    WriteZeros { at: usize, len: usize },
    Discard { at: usize, len: usize },
    Resize { to: usize },
}

impl Step {
    fn apply(&self, volume: &mut ThinVolume) {
        const S: usize = BLOCK_BYTES;
        match *self {
            Self::Write { at, len, seed } => volume.write(at * S, &stamped(seed, at as u64, len * S)),
            Self::WriteZeros { at, len } => volume.write(at * S, &vec![0; len * S]),
            Self::Discard { at, len } => volume.discard(at * S, len * S),
            Self::Resize { to } => volume.resize(to * S),
        }
    }
}

fn steps(sectors: usize, count: usize) -> impl Strategy<Value = Vec<Step>> {
    let place = || (0..sectors, 1..sectors / 2);
    let step = prop_oneof![
        6 => (place(), any::<u32>()).prop_map(|((at, len), seed)| Step::Write { at, len: 1 + len / 8, seed }),
        3 => (place(), any::<u32>()).prop_map(|((at, len), seed)| Step::Write { at, len, seed }),
        2 => place().prop_map(|(at, len)| Step::WriteZeros { at, len }),
        4 => place().prop_map(|(at, len)| Step::Discard { at, len }),
        2 => (1..sectors).prop_map(|to| Step::Resize { to }),
    ];
    prop::collection::vec(step, 0..count)
}

/// Pairs with any history: writes (also of zeros), discards, sizes that grow and shrink and are no multiple of the
/// chunk; then the snapshot; then more on both sides, little on the older one, which often ends up smaller.
pub fn pairs() -> impl Strategy<Value = Pair> {
    let sectors = 160;
    let chunk = prop::sample::select(vec![1, 2, 3, 8, 16, 31, 64]);
    let cut = prop::option::weighted(0.3, 1..sectors);
    (chunk, 1..sectors, steps(sectors, 12), steps(sectors, 12), steps(sectors, 3), cut).prop_map(
        |(chunk, size, before, later, on_old, cut)| {
            let chunk = ChunkSize::from_sectors(extents::Sectors::new(chunk)).unwrap();
            let mut new = ThinVolume::new(chunk, size * BLOCK_BYTES);
            before.iter().for_each(|step| step.apply(&mut new));
            let mut old = new.clone();
            later.iter().for_each(|step| step.apply(&mut new));
            on_old.iter().for_each(|step| step.apply(&mut old));
            cut.into_iter().for_each(|to| Step::Resize { to }.apply(&mut old));
            Pair { old, new }
        },
    )
}

/// A volume's states, oldest first, each a snapshot of the next one's past: writes, discards and other sizes between
/// them. Often a volume grows again to what it was, and what comes back at its end is discarded.
pub fn histories(states: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<ThinVolume>> {
    let sectors = 120;
    let chunk = prop::sample::select(vec![1, 2, 3, 8, 16, 31, 64]);
    let resize = prop::option::weighted(0.5, (prop::sample::select(vec![10, 37, 64, 101, 119]), any::<bool>()));
    let between = prop::collection::vec((resize, steps(sectors, 8)), states);
    (chunk, 1..sectors, between).prop_map(|(chunk, size, between)| {
        let chunk = ChunkSize::from_sectors(extents::Sectors::new(chunk)).unwrap();
        let mut now = ThinVolume::new(chunk, size * BLOCK_BYTES);
        let states = between.into_iter().map(|(resize, steps)| {
            if let Some((to, discard)) = resize {
                let old = now.size;
                now.resize(to * BLOCK_BYTES);
                if discard {
                    now.discard(old, now.size.saturating_sub(old));
                }
            }
            steps.iter().for_each(|step| step.apply(&mut now));
            now.clone()
        });
        states.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(chunk_sectors: u64, sectors: usize) -> ThinVolume {
        let chunk = ChunkSize::from_sectors(extents::Sectors::new(chunk_sectors)).unwrap();
        ThinVolume::new(chunk, sectors * BLOCK_BYTES)
    }

    #[test]
    fn as_thin_delta_says_it() {
        let mut old = volume(2, 16);
        old.write(0, &stamped(1, 0, 10 * BLOCK_BYTES));
        let mut new = old.clone();
        new.write(2 * BLOCK_BYTES, &stamped(2, 2, BLOCK_BYTES));
        new.discard(5 * BLOCK_BYTES, 3 * BLOCK_BYTES);
        new.write(12 * BLOCK_BYTES, &stamped(2, 12, BLOCK_BYTES));
        assert_eq!(
            delta_xml(&old, &new),
            "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"2\" nr_data_blocks=\"0\">
  <diff left=\"1\" right=\"2\">
    <same begin=\"0\" length=\"1\"/>
    <different begin=\"1\" length=\"1\"/>
    <same begin=\"2\" length=\"1\"/>
    <left_only begin=\"3\" length=\"1\"/>
    <same begin=\"4\" length=\"1\"/>
    <right_only begin=\"6\" length=\"1\"/>
  </diff>
</superblock>
"
        );
    }

    #[test]
    fn what_is_past_the_end_stays_and_comes_back() {
        let mut thin = volume(2, 8);
        thin.write(0, &stamped(1, 0, 8 * BLOCK_BYTES));
        let before = thin.content();
        thin.resize(3 * BLOCK_BYTES);
        assert_eq!(thin.content(), before[..3 * BLOCK_BYTES]);
        assert_eq!(chunk_runs(thin.mapped()), [Extent::new(Chunks::new(0), Chunks::new(4)).unwrap()]);
        thin.resize(8 * BLOCK_BYTES);
        assert_eq!(thin.content(), before);
    }

    #[test]
    fn a_chunk_that_is_discarded_in_part_keeps_its_data() {
        let mut thin = volume(4, 6);
        thin.write(0, &stamped(1, 0, 6 * BLOCK_BYTES));
        let before = thin.content();
        thin.discard(BLOCK_BYTES, 5 * BLOCK_BYTES);
        assert_eq!(thin.content(), before, "neither the first chunk nor the short last one is covered whole");
    }
}
