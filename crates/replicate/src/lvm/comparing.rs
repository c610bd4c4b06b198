//! Hashes of a layer's blocks.

use block_copy::{Queue, ReadAt, read_pieces};
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::LayerId;
use lvm_cmd::Uuid;
use transfer::Error;
use transfer::lvm::{Selection, Source};

use super::members::End;
use super::{LvmHost, Stopping, lock};
use crate::{Compare, Refusal};

/// A layer that is open to be compared, from the first request to the session's end or that of another layer.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    layer: LayerId,
    uuid: Uuid,
    source: Source<'a>,
    /// Where it may read as anything but zeros.
    mapped: ExtentSet<Bytes>,
}

/// How much is read at once, in bytes; blocks may be longer.
const PIECE: Bytes = Bytes::new(1 << 20);

impl<'a> LvmHost<'a> {
    pub(super) fn hash_blocks(&self, end: &End, ask: &Compare) -> Result<Vec<[u8; 32]>, Refusal> {
        let mut open = lock(&self.compared);
        if open.as_ref().is_none_or(|open| open.layer != ask.layer) {
            open.take().map_or(Ok(()), |before| before.source.close())?;
            *open = Some(self.open_compared(end, &ask.layer)?);
        }
        let Some(open) = open.as_ref() else { return Ok(Vec::new()) };
        Ok(hashes(open.source.new_volume(), &open.mapped, ask, &self.stopping())?)
    }

    fn open_compared(&self, end: &End, layer: &LayerId) -> Result<Compared<'a>, Refusal> {
        let group = self.group(&end.volume)?;
        let volume = self.layer_or_temporary(end, &group, layer)?;
        let selection = Selection::find(&self.lvm, &volume.name, None, None)?;
        selection.check_kept()?;
        let mapped = selection.delta(&self.lvm, &self.stopping())?.data;
        let source = Source::open(&self.lvm, &selection)?;
        Ok(Compared { layer: layer.clone(), uuid: selection.new.uuid, source, mapped })
    }
}

impl Compared<'_> {
    /// Whether it is this volume that is open: one that is removed must be closed before.
    pub(super) fn is_of(&self, uuid: &Uuid) -> bool {
        self.uuid == *uuid
    }
}

/// The hashes of the blocks that are asked for. Where nothing is mapped nothing is read; past the volume's end are zeros.
fn hashes(
    volume: &dyn ReadAt,
    mapped: &ExtentSet<Bytes>,
    ask: &Compare,
    progress: &Stopping<'_>,
) -> Result<Vec<[u8; 32]>, Error> {
    let Some(all) = Extent::new(ask.start, ask.len) else { return Ok(Vec::new()) };
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    let (mut read, mut zeros) = (Vec::new(), Zeros::default());
    for block in all.pieces(ask.block) {
        // Kept where it is hashed below.
        hashes.push(zeros.hash(block.len()));
        if mapped.within(block).next().is_some() {
            read.push(block);
        }
    }
    let runs: ExtentSet<Bytes> =
        read.iter().filter_map(|block| Extent::whole(volume.size())?.intersection(*block)).collect();
    let queue = Queue { piece: PIECE.max(ask.block), ..Queue::default() };
    let index = |at: Bytes| usize::try_from(at.saturating_sub(ask.start).get() / ask.block.get()).unwrap_or(usize::MAX);
    read_pieces(volume, runs.iter(), queue, progress, |piece| {
        let step = ask.block.to_usize().unwrap_or(usize::MAX);
        for (block, bytes) in piece.extent.pieces(ask.block).zip(piece.buf.chunks(step)) {
            let whole = all.pieces(ask.block).nth(index(block.start()));
            let missing = whole.map_or(Bytes::ZERO, |whole| whole.len().saturating_sub(block.len()));
            if let Some(hash) = hashes.get_mut(index(block.start())) {
                let mut hasher = blake3::Hasher::new();
                hasher.update(bytes);
                fill(&mut hasher, missing);
                *hash = *hasher.finalize().as_bytes();
            }
        }
        Ok::<_, Error>(())
    })?;
    Ok(hashes)
}

/// The hashes of zeros, of a few lengths.
#[derive(Default)]
struct Zeros(Vec<(Bytes, [u8; 32])>);

impl Zeros {
    fn hash(&mut self, len: Bytes) -> [u8; 32] {
        if let Some((_, hash)) = self.0.iter().find(|(known, _)| *known == len) {
            return *hash;
        }
        let mut hasher = blake3::Hasher::new();
        fill(&mut hasher, len);
        let hash = *hasher.finalize().as_bytes();
        self.0.push((len, hash));
        hash
    }
}

/// Adds so many zeros.
fn fill(hasher: &mut blake3::Hasher, len: Bytes) {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut rest = len.to_usize().unwrap_or(usize::MAX);
    while rest > 0 {
        let now = rest.min(ZEROS.len());
        hasher.update(&ZEROS[..now]);
        rest -= now;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use block_copy::Memory;
    use proptest::prelude::*;

    use super::*;
    use crate::Role;

    fn index(at: Bytes) -> usize {
        at.to_usize().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Block by block the hash of the content, with zeros where nothing is mapped, whatever the disk has there, and past the
        /// end.
        #[test]
        fn each_block_as_it_reads(
            sectors in 1usize..600,
            first in 0u64..8,
            asked in 1u64..900,
            mapped in prop::collection::vec((0u64..600, 1u64..90), 0..6),
            block in prop::sample::select(vec![4096u64, 16384, 1 << 20]),
        ) {
            let size = Bytes::from(sectors * 512);
            let disk: Vec<u8> = (1..=255).cycle().take(sectors * 512).collect();
            let extents = mapped.iter().filter_map(|(start, len)| Extent::new(Bytes::new(start * 512), Bytes::new(len * 512)));
            let mapped: ExtentSet<Bytes> =
                extents.filter_map(|extent| Extent::whole(size)?.intersection(extent)).collect();
            // What is not mapped reads as zeros.
            let mut content = vec![0; sectors * 512];
            for range in mapped.iter() {
                let range = index(range.start())..index(range.end());
                content[range.clone()].copy_from_slice(&disk[range]);
            }
            let ask = Compare {
                volume: "vg0/data".parse().unwrap(),
                pair: super::super::testing::pair(),
                role: Role::Source,
                layer: LayerId::new("one").unwrap(),
                start: Bytes::new(first * block),
                len: Bytes::new(asked * 512),
                block: Bytes::new(block),
            };
            let stop = AtomicBool::new(false);
            let found = hashes(&Memory::new(content.clone()), &mapped, &ask, &Stopping(&stop)).unwrap();
            let (start, end) = (index(ask.start), index(ask.start) + index(ask.len));
            content.resize(end.max(content.len()), 0);
            let expected: Vec<[u8; 32]> =
                content[start..end].chunks(index(ask.block)).map(|block| *blake3::hash(block).as_bytes()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
