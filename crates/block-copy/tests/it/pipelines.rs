//! Reading ahead and writing behind: order, borders, failures, stopping.

use std::sync::atomic::{AtomicU64, Ordering};

use block_copy::testing::Faulty;
use block_copy::{Error, ErrorKind, Memory, Progress, Queue, Silent, is_zero, read_pieces, write_behind};
use extents::{Bytes, Extent, ExtentSet};
use proptest::prelude::*;

use crate::{chunk_size, extent, stamped};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn queue(piece: u64, depth: usize, readers: usize) -> Queue {
    Queue { piece: Bytes::new(piece), depth, readers }
}

/// Asks to stop once so many bytes are done.
#[derive(Default)]
struct StopAfter {
    done: AtomicU64,
    limit: u64,
}

impl Progress for StopAfter {
    fn advance(&self, done: Bytes) {
        self.done.fetch_add(done.get(), Ordering::Relaxed);
    }

    fn stop_requested(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.limit
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every piece in the order asked for, with its content, no longer than allowed and across no border.
    #[test]
    fn pieces_keep_order_and_borders(
        extents in prop::collection::vec((0..90_000u64, 1..9_000u64), 0..20),
        piece in 0..5_000u64, depth in 0..5usize, readers in 0..5usize,
    ) {
        let content = stamped(100_000);
        let source = Memory::new(content.clone());
        let extents: Vec<_> = extents.into_iter().map(|(at, len)| extent(at, len)).collect();
        let mut got = Vec::new();
        let done = StopAfter { limit: u64::MAX, ..StopAfter::default() };
        read_pieces(&source, extents.clone(), queue(piece, depth, readers), &done, |piece| {
            let range = piece.extent.start().to_usize().unwrap()..piece.extent.end().to_usize().unwrap();
            assert_eq!(piece.buf[..], content[range]);
            got.push(piece.extent);
            Ok::<_, Error>(())
        }).unwrap();
        let wanted: Vec<_> = extents.iter().flat_map(|e| e.pieces(Bytes::new(piece.max(512)))).collect();
        prop_assert_eq!(got, wanted);
        prop_assert_eq!(done.done.into_inner(), extents.iter().map(|e| e.len().get()).sum::<u64>());
    }

    /// A copy through both pipelines is the same, whatever the sizes.
    #[test]
    fn a_copy_is_a_copy(
        holes in prop::collection::vec((0..120_000u64, 1..30_000u64), 0..4), piece in 512..40_000u64,
        depth in 1..4usize, readers in 1..4usize, chunk in 1..40u64,
    ) {
        let mut content = stamped(150_000);
        for (at, len) in holes {
            content[usize::try_from(at).unwrap()..usize::try_from(at + len).unwrap()].fill(0);
        }
        let (source, target) = (Memory::new(content.clone()), Memory::new(vec![0xAA; 150_000]));
        let queue = queue(piece, depth, readers);
        write_behind(&target, chunk_size(chunk * 512), queue, &Silent, |out| {
            read_pieces(&source, [extent(0, 150_000)], queue, &Silent, |piece| {
                if is_zero(&piece.buf) { out.zero(piece.extent) } else { out.write_buf(piece.extent.start(), piece.buf) }
            })
        }).unwrap();
        prop_assert!(target.into_vec() == content);
    }
}

#[test]
fn a_read_error_comes_after_the_pieces_before_it() {
    for readers in 1..=3 {
        let source = Faulty::new(Memory::new(stamped(100_000)), EIO).at(Bytes::new(50_500));
        let mut got = ExtentSet::new();
        let error = read_pieces(&source, [extent(0, 100_000)], queue(1000, 8, readers), &Silent, |piece| {
            got.insert(piece.extent);
            Ok::<_, Error>(())
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "cannot read `faulty` at bytes 50000..51000");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(got.ranges(), [extent(0, 50_000)]);
    }
}

#[test]
fn an_error_of_the_receiver_ends_the_reading() {
    let source = Memory::new(stamped(100_000));
    let mut count = 0;
    let error = read_pieces(&source, Extent::whole(Bytes::new(100_000)), queue(1000, 4, 2), &Silent, |_| {
        count += 1;
        if count == 3 { Err(Error::Stopped) } else { Ok(()) }
    });
    assert!(matches!(error, Err(Error::Stopped)) && count == 3);
}

#[test]
fn reading_stops_when_asked() {
    let source = Memory::new(stamped(100_000));
    let stop = StopAfter { limit: 10_000, ..StopAfter::default() };
    let error =
        read_pieces(&source, [extent(0, 100_000)], queue(1000, 4, 2), &stop, |_| Ok::<_, Error>(())).unwrap_err();
    assert_eq!((error.kind(), stop.done.into_inner()), (ErrorKind::Stopped, 10_000));
}

#[test]
fn writes_are_performed_in_order_and_made_durable_once() {
    let target = Faulty::new(Memory::zeroed(10_000), EIO);
    let value = write_behind(&target, chunk_size(512), queue(512, 1, 1), &Silent, |out| {
        out.write(Bytes::new(100), &stamped(5_000))?;
        out.zero(extent(200, 1_000))?;
        out.write(Bytes::new(300), &[9; 10])?;
        Ok::<_, Error>(42)
    });
    let mut expected = vec![0; 10_000];
    expected[100..5_100].copy_from_slice(&stamped(5_000));
    expected[200..1_200].fill(0);
    expected[300..310].fill(9);
    assert_eq!((value.unwrap(), target.syncs()), (42, 1));
    assert!(target.inner().to_vec() == expected);
}

#[test]
fn the_first_write_error_reaches_the_pushes_and_the_end() {
    for ignore in [false, true] {
        let target = Faulty::new(Memory::zeroed(1 << 20), ENOSPC).after_writes(3);
        let mut pushed = 0;
        let error = write_behind(&target, chunk_size(512), queue(512, 2, 1), &Silent, |out| {
            for at in 0..1000 {
                match out.write(Bytes::new(at * 512), &[1; 512]) {
                    Err(e) if !ignore => return Err(e),
                    Err(e) => assert_eq!(e.kind(), ErrorKind::NoSpace),
                    Ok(()) => pushed += 1,
                }
            }
            Ok::<_, Error>(())
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert_eq!(error.to_string(), "cannot write `faulty` at bytes 1536..2048");
        // Three succeeded, one failed, two were queued, and one could be sent while the writer ended.
        assert!(pushed <= 7, "{pushed} pushes after a failure");
        assert_eq!(target.syncs(), 0);
    }
}

#[test]
fn a_write_where_no_offset_is_fails() {
    for at in [u64::MAX, u64::MAX - 1, 9_999] {
        let target = Memory::zeroed(10_000);
        let error =
            write_behind(&target, chunk_size(512), queue(512, 1, 1), &Silent, |out| out.write(Bytes::new(at), &[1; 2]));
        assert_eq!(error.map_err(|e| e.kind()), Err(ErrorKind::PastEnd), "at {at}");
    }
}

#[test]
fn an_error_of_the_producer_is_returned_and_nothing_made_durable() {
    let target = Faulty::new(Memory::zeroed(10_000), EIO);
    let error = write_behind(&target, chunk_size(512), Queue::default(), &Silent, |out| {
        out.write(Bytes::ZERO, &[1; 512])?;
        Err::<(), _>(
            Error::within(block_copy::Op::Read, "stream".as_ref(), Bytes::new(1), Bytes::new(1), Bytes::ZERO)
                .unwrap_err(),
        )
    })
    .unwrap_err();
    assert_eq!((error.kind(), target.syncs()), (ErrorKind::PastEnd, 0));
}

#[test]
fn writing_stops_when_asked() {
    let target = Faulty::new(Memory::zeroed(100_000), EIO);
    let stop = StopAfter { limit: 5_120, ..StopAfter::default() };
    let error = write_behind(&target, chunk_size(512), queue(512, 2, 1), &stop, |out| {
        (0..190).try_for_each(|at| out.write(Bytes::new(at * 512), &[1; 512]))
    })
    .unwrap_err();
    assert_eq!((error.kind(), stop.done.into_inner(), target.syncs()), (ErrorKind::Stopped, 5_120, 0));
}
