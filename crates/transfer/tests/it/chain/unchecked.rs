//! A record whose check is wrong: nothing of it is written.

use block_copy::{Memory, Queue, Silent};
use extents::{Bytes, ChunkSize};
use transfer::{Restore, restore};

use super::{Chain, example, inputs};

/// Alters the first byte of the data of the last record, which comes in several pieces.
fn damage(stream: &mut [u8]) {
    let line = stream.windows(3).rposition(|three| three == b"\nW ").unwrap() + 1;
    let data = line + stream[line..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    stream[data] ^= 1;
}

/// The example's chain with its full layer damaged.
fn damaged() -> (Chain, Vec<Vec<u8>>) {
    let chain = Chain::full(&example());
    let mut streams = chain.streams.clone();
    damage(&mut streams[0]);
    (chain, streams)
}

#[test]
fn a_restore_writes_nothing_of_it() {
    let (chain, streams) = damaged();
    let last = &chain.states[0];
    let target = Memory::zeroed(last.len());
    let queue = Queue { piece: Bytes::new(1024), depth: 2, readers: 1 };
    let how = Restore { size: None, chunk: ChunkSize::SECTOR, fresh: true, queue };
    restore(inputs(&streams[..1]), &target, how, &Silent).unwrap_err();
    for (number, (sector, right)) in target.to_vec().chunks(512).zip(last.chunks(512)).enumerate() {
        assert!(sector == right || sector.iter().all(|byte| *byte == 0), "sector {number}");
    }
}
