//! Both ends of a transfer on volumes in memory, and the LVM side on scripts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod compare;
mod damage;
mod detect;
mod foreign;
mod identity;
mod lvm;
mod origin;
mod receive;
mod roundtrip;
mod space;
mod stop;

use std::io::BufRead;

use block_copy::{Memory, Progress, Queue, ReadAt, Silent, WriteAt};
use extents::{Bytes, ChunkSize};
use hyperlayer::{End, Format, Header, delta_blocks};
use testkit::Pair;
use thin_delta::DeltaReader;
use transfer::{Apply, Delta, DetectLevel, Error, Geometry, Incoming, Part, Plan, Record, Sent, checks, diff};

const LEVELS: [DetectLevel; 4] = [DetectLevel::None, DetectLevel::Head, DetectLevel::Sampled, DetectLevel::Every];

/// A layer, ready to be sent.
#[derive(Clone, Debug)]
struct Layer {
    header: Header,
    plan: Plan,
    new: Vec<u8>,
    base: Option<Vec<u8>>,
}

impl Layer {
    fn new(delta: Delta, geometry: Geometry, new: Vec<u8>, base: Option<Vec<u8>>, level: DetectLevel) -> Self {
        let plan = Plan { checks: checks(level, &delta, geometry, "a seed"), delta, step: Bytes::new(8192) };
        let Geometry { size, base_size, chunk } = geometry;
        let header = match base {
            Some(_) => Header::delta(size, base_size, chunk, plan.totals()),
            None => Header::full(size, chunk, plan.totals()),
        };
        Self { header, plan, new, base }
    }

    /// As `lvdiff` on LVM finds it.
    fn of(pair: &Pair, level: DetectLevel) -> Self {
        let runs = DeltaReader::new(pair.xml().into_bytes().leak() as &[u8]).unwrap();
        let geometry = geometry(pair);
        let delta = Delta::between(runs, geometry).unwrap();
        Self::new(delta, geometry, pair.new.content(), Some(pair.old.content()), level)
    }

    /// The same as a stream for the original lvpatch, or for `thin_recv`. Both volumes must have one size.
    fn in_format(self, format: Format) -> Self {
        if format == Format::V1_1 {
            return self;
        }
        if format == Format::ThinSend1_1 {
            let plan = Plan { checks: Vec::new(), ..self.plan };
            let header = Header { totals: Some(plan.totals()), ..Header::thin_send(self.header.volume_size.unwrap()) };
            return Self { header, plan, ..self };
        }
        let Header { volume_size, chunk_size, .. } = self.header;
        let (size, chunk, totals) = (volume_size.unwrap(), chunk_size.unwrap(), self.plan.totals());
        let blocks = delta_blocks(self.plan.records().map(Record::extent), chunk);
        let detect_level = Some(i32::from(totals.checks > 0));
        Self { header: Header { detect_level, ..Header::v1_0(size, chunk, totals, blocks) }, ..self }
    }

    fn base_size(&self) -> Bytes {
        self.base.as_ref().map_or(Bytes::ZERO, |base| base.len().into())
    }

    /// The whole stream.
    fn stream(&self) -> Vec<u8> {
        self.send(&Memory::new(self.new.clone())).unwrap().0
    }

    /// The stream, its data read from `new`.
    fn send(&self, new: &dyn ReadAt) -> Result<(Vec<u8>, Sent), Error> {
        let base = self.base.clone().map(Memory::new);
        send(&self.header, &self.plan, new, base.as_ref().map(|base| base as &dyn ReadAt), &Silent)
    }

    /// What a receiver's volume holds before: the base, and whatever waited past its end.
    fn prepared(&self, base: &[u8]) -> Vec<u8> {
        let size = self.new.len().max(base.len());
        let stale = if base.is_empty() { vec![0; size] } else { testkit::stamped(99, 0, size) };
        [base, &stale[base.len()..]].concat()
    }
}

fn geometry(pair: &Pair) -> Geometry {
    Geometry { size: pair.new.size(), base_size: pair.old.size(), chunk: pair.new.chunk() }
}

fn send(
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    progress: &dyn Progress,
) -> Result<(Vec<u8>, Sent), Error> {
    let mut stream = Vec::new();
    let mut put = |part: Part| {
        stream.extend_from_slice((*part).as_ref());
        Ok(())
    };
    let sent = diff(header, plan, new, base, Queue::default(), progress, &mut put)?;
    Ok((stream, sent))
}

/// Applies with every check.
fn apply(stream: impl BufRead, target: &dyn WriteAt, chunk: ChunkSize, base_size: Bytes) -> Result<End, Error> {
    let queue = Queue { piece: Bytes::new(4096), depth: 3, readers: 2 };
    Incoming::open(stream)?.apply(target, Apply { chunk, base_size, check_base: true, queue }, &Silent)
}

/// Applies on a copy of `base` in memory; gives the result's bytes.
fn apply_in_memory(stream: &[u8], layer: &Layer, base: &[u8]) -> Result<Vec<u8>, Error> {
    let target = Memory::new(layer.prepared(base));
    apply(stream, &target, ChunkSize::SECTOR, base.len().into())?;
    let mut result = target.into_vec();
    result.truncate(layer.new.len());
    Ok(result)
}

fn chunk(len_bytes: u64) -> ChunkSize {
    ChunkSize::from_bytes(Bytes::new(len_bytes)).unwrap()
}

/// One layer of everything: data, zeros, what is shared, and checks; of a base of some size.
fn example() -> Layer {
    let mut old = testkit::ThinVolume::new(chunk(4096), 60 * 1024);
    old.write(0, &testkit::stamped(1, 0, 30 * 1024));
    let mut new = old.clone();
    new.write(9 * 1024, &testkit::stamped(2, 18, 10 * 1024));
    new.discard(4096, 4096);
    new.write(50 * 1024, &testkit::stamped(3, 100, 2048));
    Layer::of(&Pair { old, new }, DetectLevel::Every)
}
