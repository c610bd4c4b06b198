//! How many chunks a receiver's pool must have free.

use std::sync::Mutex;

use block_copy::{Error, ReadAt, WriteAt, is_zero};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Format, Header, Totals};
use proptest::prelude::*;
use testkit::pairs;
use transfer::{DetectLevel, Incoming};

use crate::{Layer, apply, chunk};

/// A snapshot in a thin pool that counts the chunks which it takes: one for each that is written and is not mapped, or
/// is shared with the base.
struct Snapshot {
    chunk: ChunkSize,
    unmaps: bool,
    size: Bytes,
    state: Mutex<State>,
}

struct State {
    content: Vec<u8>,
    own: Vec<bool>,
    taken: u64,
    most: u64,
}

impl Snapshot {
    /// Everything that is not zero is shared with the base.
    fn new(content: Vec<u8>, chunk: ChunkSize, unmaps: bool) -> Self {
        let (size, chunks) = (Bytes::from(content.len()), chunk.count(content.len().into()).get());
        let own = vec![false; usize::try_from(chunks).unwrap()];
        Self { chunk, unmaps, size, state: Mutex::new(State { content, own, taken: 0, most: 0 }) }
    }

    /// The chunks of a range that lies inside: the number, the whole chunk, and the part.
    fn chunks(&self, extent: Extent<Bytes>) -> impl Iterator<Item = (usize, Extent<Bytes>, Extent<Bytes>)> {
        let whole = Extent::whole(self.size).unwrap();
        extent.pieces(self.chunk.bytes()).map(move |part| {
            let number = self.chunk.containing(part.start());
            let all = self.chunk.extent(Extent::new(number, extents::Chunks::new(1)).unwrap()).unwrap();
            (usize::try_from(number.get()).unwrap(), all.intersection(whole).unwrap(), part)
        })
    }
}

fn range(extent: Extent<Bytes>) -> std::ops::Range<usize> {
    extent.start().to_usize().unwrap()..extent.end().to_usize().unwrap()
}

impl ReadAt for Snapshot {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        if let Some(extent) = Extent::new(at, buf.len().into()) {
            buf.copy_from_slice(&self.state.lock().unwrap().content[range(extent)]);
        }
        Ok(())
    }
}

impl WriteAt for Snapshot {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let Some(extent) = Extent::new(at, data.len().into()) else { return Ok(()) };
        let mut state = self.state.lock().unwrap();
        for (number, _, _) in self.chunks(extent) {
            state.taken += u64::from(!std::mem::replace(&mut state.own[number], true));
        }
        state.most = state.most.max(state.taken);
        state.content[range(extent)].copy_from_slice(data);
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        for (number, all, part) in self.chunks(extent) {
            let mut state = self.state.lock().unwrap();
            if self.unmaps && part == all && all.len() == self.chunk.bytes() {
                state.content[range(all)].fill(0);
                // The chunk goes back; a later write takes one again.
                state.taken -= u64::from(std::mem::take(&mut state.own[number]));
            } else if !is_zero(&state.content[range(part)]) {
                drop(state);
                self.write_at(part.start(), &vec![0; range(part).len()])?;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn check(layer: &Layer, chunk: ChunkSize, unmaps: bool) {
    let (stream, base) = (layer.stream(), layer.base.clone().unwrap_or_default());
    let needed = Incoming::open(&stream[..]).unwrap().chunks_needed(chunk, base.len().into(), unmaps).unwrap();
    // In a pool that unmaps nothing, what waits past the base's end is more than anybody can count.
    let mut content = if unmaps { layer.prepared(&base) } else { base.clone() };
    content.resize(layer.new.len().max(base.len()), 0);
    let target = Snapshot::new(content, chunk, unmaps);
    apply(&stream[..], &target, chunk, base.len().into()).unwrap();
    let State { content, most: taken, .. } = target.state.into_inner().unwrap();
    assert!(content[..layer.new.len()] == layer.new);
    assert!(taken <= needed.get(), "{taken} chunks of {chunk} were taken, {needed} announced");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn never_more_than_announced(
        mut pair in pairs(),
        sectors in prop::sample::select(vec![1, 2, 3, 8, 24, 64]),
        unmaps: bool,
        one_size: bool,
    ) {
        if one_size {
            pair.old.resize(pair.new.size().to_usize().unwrap());
            check(&Layer::of(&pair, DetectLevel::None).in_format(Format::V1_0), chunk(512 * sectors), unmaps);
        }
        check(&Layer::of(&pair, DetectLevel::None), chunk(512 * sectors), unmaps);
    }
}

/// The bound is of use: on the sender's own chunks it is what is sent, and never more than the volume.
#[test]
fn not_much_more_than_needed() {
    let size = Bytes::new(1 << 30);
    let totals = Totals { data_records: 40, data: Bytes::new(40 << 20), ..Totals::default() };
    let needed = |header: &Header, chunk_bytes, base_size| {
        let text = hyperlayer::Encoder::start(header).unwrap().1;
        let incoming = Incoming::open(&text[..]).unwrap();
        incoming.chunks_needed(chunk(chunk_bytes), base_size, true).map(extents::Chunks::get)
    };
    let header = Header::delta(size, size, chunk(65536), totals);
    assert_eq!(needed(&header, 65536, size), Some(40 * 16 + 2));
    assert_eq!(needed(&header, 1 << 20, size), Some(40 + 80), "each record may lie across");
    assert_eq!(needed(&header, 1 << 28, size), Some(4), "all there are");
    let all = Totals { data_records: 1024, data: size, ..Totals::default() };
    assert_eq!(needed(&Header::full(size, chunk(65536), all), 65536, Bytes::ZERO), Some(16384));
    let blocks = Header::v1_0(size, chunk(65536), totals, 7);
    assert_eq!(needed(&blocks, 65536, size), Some(7 + 2));
}

/// A stream of 1.0 may keep it to itself.
#[test]
fn nobody_may_know() {
    let text = b"HYPERLAYER/1.0\nVolume size: 1024\n\n";
    assert_eq!(Incoming::open(&text[..]).unwrap().chunks_needed(chunk(512), Bytes::new(1024), true), None);
}
