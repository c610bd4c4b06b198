//! Real block devices.

use std::os::unix::fs::MetadataExt;

use block_copy::{Access, AlignedBuf, ErrorKind, Memory, Queue, ReadAt, Silent, Volume, WriteAt, read_pieces};
use extents::{Bytes, Extent};

use crate::loop_device::LoopDevice;
use crate::{extent, stamped};

/// The device, or the reason on stderr and the end of the test.
macro_rules! device_or_skip {
    ($content:expr, $block_size:expr) => {
        match LoopDevice::new($content, $block_size) {
            Ok(device) => device,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                return;
            }
        }
    };
}

const SIZE: usize = 3 << 20;

fn content(volume: &Volume) -> Vec<u8> {
    let mut all = AlignedBuf::zeroed(volume.size().to_usize().unwrap());
    volume.read_at(Bytes::ZERO, &mut all).unwrap();
    all.to_vec()
}

/// Pairs of offset and length about block borders and the bounce buffer's, and some in no relation to either.
fn places(size: usize) -> Vec<(usize, usize)> {
    let starts = [0, 1, 511, 512, 4095, 4096, 4097, 65_536, (1 << 20) - 1, 1 << 20, 1_234_567, size - 4096, size - 1];
    let lens = [0, 1, 512, 513, 4096, 8191, 65_536, 1 << 20, (1 << 20) + 1];
    starts.iter().flat_map(|s| lens.iter().map(move |l| (*s, *l))).filter(|(s, l)| s + l <= size).collect()
}

#[test]
fn loop_any_place_can_be_read_and_written() {
    for block_size in [512, 4096] {
        let mut expected = stamped(SIZE);
        let device = device_or_skip!(&expected, block_size);
        let volume = Volume::open(device.path(), Access::Write).unwrap();
        assert_eq!((volume.size(), volume.block_size()), (SIZE.into(), Bytes::new(block_size.into())));
        assert!(volume.is_device());
        for (n, (at, len)) in places(SIZE).into_iter().enumerate() {
            // One byte off, so that the memory is not aligned either.
            let mut memory = AlignedBuf::zeroed(len + 1);
            volume.read_at(at.into(), &mut memory[1..]).unwrap();
            assert!(memory[1..] == expected[at..at + len], "read {len} at {at}");
            let data = vec![u8::try_from(n % 256).unwrap(); len];
            volume.write_at(at.into(), &data).unwrap();
            expected[at..at + len].copy_from_slice(&data);
        }
        volume.sync().unwrap();
        assert!(content(&volume) == expected);
        assert_eq!(volume.read_at(Bytes::from(SIZE - 1), &mut [0; 2]).unwrap_err().kind(), ErrorKind::PastEnd);
    }
}

#[test]
fn loop_zeroing_holds_at_any_place_and_spares_the_neighbours() {
    for block_size in [512, 4096] {
        let mut expected = stamped(SIZE);
        let device = device_or_skip!(&expected, block_size);
        let volume = Volume::open(device.path(), Access::Write).unwrap();
        for (at, len) in [(1, 1), (4095, 2), (70_000, 100), (100_000, 200_000), (1 << 20, 1 << 20), (SIZE - 10, 10)] {
            volume.zero(extent(at as u64, len as u64)).unwrap();
            expected[at..at + len].fill(0);
            assert!(content(&volume) == expected, "zeroed {len} at {at}");
        }
        volume.sync().unwrap();
        let allocated = std::fs::metadata(device.backing()).unwrap().blocks() * 512;
        assert!(allocated <= 2 << 20, "{allocated} bytes still allocated");
    }
}

#[test]
fn loop_concurrent_writes_to_one_block_do_not_lose_each_other() {
    let device = device_or_skip!(&vec![0; 1 << 20], 4096);
    let volume = Volume::open(device.path(), Access::Write).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let volume = &volume;
            scope.spawn(move || {
                for at in (0..4096).skip(thread.into()).step_by(4 * 16) {
                    volume.write_at(Bytes::new(at), &[thread + 1]).unwrap();
                }
            });
        }
    });
    let expected: Vec<u8> =
        (0..4096u16).map(|at| if at % 64 < 4 { u8::try_from(at % 64).unwrap() + 1 } else { 0 }).collect();
    assert!(content(&volume)[..4096] == expected);
}

#[test]
fn loop_a_device_that_is_held_is_refused() {
    let device = device_or_skip!(&stamped(65_536), 512);
    let open = |access| Volume::open(device.path(), access);
    let held = open(Access::Write).unwrap();
    assert_eq!(open(Access::Write).unwrap_err().kind(), ErrorKind::Busy);
    assert!(open(Access::WriteShared).unwrap().same_device(&open(Access::Read).unwrap()));
    drop(held);
    open(Access::Write).unwrap();
}

#[test]
fn loop_a_device_that_is_written_to_has_changed() {
    let device = device_or_skip!(&stamped(65_536), 512);
    let read = || Volume::open(device.path(), Access::Read).unwrap();
    let volume = read();
    volume.read_at(Bytes::new(4096), &mut [0; 4096]).unwrap();
    volume.check_unchanged().unwrap();
    Volume::open(device.path(), Access::WriteShared).unwrap().write_at(Bytes::ZERO, &[7; 512]).unwrap();
    assert_eq!(volume.check_unchanged().unwrap_err().kind(), ErrorKind::Changed);
    read().check_unchanged().unwrap();
}

/// The kernel has no way to the last bytes of such a device: better told at once than after hours.
#[test]
fn loop_a_device_that_ends_within_a_block_is_refused() {
    let device = device_or_skip!(&stamped(3 * 4096 + 512), 4096);
    let error = Volume::open(device.path(), Access::Read).unwrap_err();
    assert!(error.to_string().ends_with("is a device that ends within a logical block, expected whole logical blocks"));
}

#[test]
fn loop_pieces_of_a_device_are_its_content() {
    let expected = stamped(SIZE);
    let device = device_or_skip!(&expected, 512);
    let volume = Volume::open(device.path(), Access::Read).unwrap();
    let copy = Memory::zeroed(SIZE);
    let queue = Queue { piece: Bytes::new(100_000), ..Queue::default() };
    read_pieces(&volume, Extent::whole(volume.size()), queue, &Silent, |piece| {
        copy.write_at(piece.extent.start(), &piece.buf)
    })
    .unwrap();
    assert!(copy.into_vec() == expected);
    assert!(volume.write_at(Bytes::ZERO, &[0]).is_err());
}
