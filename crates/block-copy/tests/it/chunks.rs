//! Writing to a pool that shows stale data, against plain bytes.

use block_copy::testing::{Faulty, STALE, ThinModel, Volatile};
use block_copy::{ChunkWriter, ReadAt, WriteAt, is_zero};
use extents::{Bytes, Extent};
use proptest::prelude::*;

use crate::{chunk_size, extent, stamped};

#[derive(Clone, Debug)]
enum Op {
    Write(usize, Vec<u8>),
    Zero(usize, usize),
}

/// Offsets and lengths in multiples of `unit`, the last ones cut at the volume's end.
fn ops(size: usize, unit: usize) -> impl Strategy<Value = Vec<Op>> {
    let place = (0..size.div_ceil(unit), 1..=5usize, any::<u8>(), any::<bool>());
    let op = place.prop_map(move |(at, len, byte, write)| {
        let at = at * unit;
        let len = (len * unit).min(size - at);
        // Not only zeros and not only others: contents must not decide what is written.
        let byte = if byte < 40 { 0 } else { byte };
        if write { Op::Write(at, vec![byte; len]) } else { Op::Zero(at, len) }
    });
    prop::collection::vec(op, 1..12)
}

fn play(target: &ThinModel, chunk: u64, ops: &[Op], expected: &mut [u8]) {
    let mut writer = ChunkWriter::new(target, chunk_size(chunk));
    for op in ops {
        match op {
            Op::Write(at, data) => {
                writer.write((*at).into(), data).unwrap();
                expected[*at..*at + data.len()].copy_from_slice(data);
            }
            Op::Zero(at, len) => {
                writer.zero(extent(*at as u64, *len as u64)).unwrap();
                expected[*at..*at + len].fill(0);
            }
        }
    }
    writer.finish().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Chunks smaller than, equal to and larger than the operations' unit, any order, discards or none, a second run
    /// on what the first one left, a volume that is no multiple of the chunk.
    #[test]
    fn nothing_stale_shows_and_nothing_is_lost(
        chunk in prop::sample::select(vec![4096u64, 8192, 12288, 65536, 1 << 20]),
        discards in any::<bool>(),
        (size, first, second) in (40_000..90_000usize, prop::sample::select(vec![1usize, 777, 4096, 8192, 32768]))
            .prop_flat_map(|(size, unit)| (Just(size), ops(size, unit), ops(size, unit))),
    ) {
        let model = ThinModel::new(size, chunk_size(chunk));
        let model = if discards { model } else { model.ignoring_discards() };
        let mut expected = vec![0; size];
        play(&model, chunk, &first, &mut expected);
        prop_assert!(model.to_vec() == expected, "after the first run");
        play(&model, chunk, &second, &mut expected);
        prop_assert!(model.to_vec() == expected, "after the second run");
    }

    /// Zeroing alone maps nothing and touches nothing outside, whatever is mapped.
    #[test]
    fn zeroing_maps_nothing(mapped in prop::collection::vec(0..8u64, 0..6), at in 0..65_536u64, len in 1..65_536u64, discards in any::<bool>()) {
        let model = ThinModel::new(65_536, chunk_size(8192));
        for chunk in mapped {
            model.write_at(Bytes::new(chunk * 8192), &stamped(8192)).unwrap();
        }
        let model = if discards { model } else { model.ignoring_discards() };
        let (before, mut expected) = (model.mapped(), model.to_vec());
        let len = len.min(65_536 - at);
        model.zero(extent(at, len)).unwrap();
        let (from, to) = (usize::try_from(at).unwrap(), usize::try_from(at + len).unwrap());
        expected[from..to].fill(0);
        prop_assert!(model.to_vec() == expected);
        prop_assert!(model.mapped().difference(&before).is_empty());
    }
}

/// The model itself: without the writer, stale data shows.
#[test]
fn a_partial_write_alone_shows_stale_data() {
    let model = ThinModel::new(16384, chunk_size(8192));
    model.write_at(Bytes::new(512), &[1; 512]).unwrap();
    let content = model.to_vec();
    assert!(content[..512].iter().all(|b| *b == STALE) && content[1024..8192].iter().all(|b| *b == STALE));
    assert!(content[8192..].iter().all(|b| *b == 0));
}

#[test]
fn zeroes_that_together_cover_a_chunk_unmap_it() {
    let model = ThinModel::new(4 * 65536, chunk_size(65536));
    model.write_at(Bytes::ZERO, &stamped(4 * 65536)).unwrap();
    let mut writer = ChunkWriter::new(&model, chunk_size(65536));
    for part in extent(65536, 2 * 65536).pieces(Bytes::new(16384)) {
        writer.zero(part).unwrap();
    }
    writer.finish().unwrap();
    let mapped: Vec<_> = model.mapped().iter().map(|e| (e.start().get(), e.end().get())).collect();
    assert_eq!(mapped, [(0, 1), (3, 4)]);
}

/// More gaps than the writer remembers.
#[test]
fn scattered_sectors_in_a_large_chunk_leave_nothing_stale() {
    let model = ThinModel::new(1 << 20, chunk_size(1 << 20));
    let mut writer = ChunkWriter::new(&model, chunk_size(1 << 20));
    let mut expected = vec![0; 1 << 20];
    for at in (0..1 << 20).step_by(1024) {
        writer.write(at.into(), &[5; 512]).unwrap();
        expected[at..at + 512].fill(5);
        if at % 4096 == 0 {
            writer.zero(extent(at as u64 + 100, 100)).unwrap();
            expected[at + 100..at + 200].fill(0);
        }
    }
    writer.finish().unwrap();
    assert!(model.to_vec() == expected);
}

#[test]
fn a_write_past_the_end_is_refused_whole() {
    let model = ThinModel::new(10_000, chunk_size(4096));
    let mut writer = ChunkWriter::new(&model, chunk_size(4096));
    assert_eq!(
        writer.write(Bytes::new(9_999), &[1, 1]).unwrap_err().to_string(),
        "cannot write 2 bytes at byte 9999 of `thin model`: it ends at byte 10000"
    );
    assert!(writer.write(Bytes::new(u64::MAX), &[1, 1]).is_err());
    assert!(writer.zero(extent(9_000, 1_001)).is_err());
    writer.write(Bytes::new(9_999), &[1]).unwrap();
    writer.finish().unwrap();
    let mut last = [0; 1];
    model.read_at(Bytes::new(9_999), &mut last).unwrap();
    assert_eq!((last, model.mapped().total().get()), ([1], 1));
    assert!(Extent::whole(model.size()).is_some());
}

fn perform(writer: &mut ChunkWriter<'_, impl WriteAt + ?Sized>, op: &Op) -> Result<(), block_copy::Error> {
    match op {
        Op::Write(at, data) => writer.write((*at).into(), data),
        Op::Zero(at, len) if *len > 0 => writer.zero(extent(*at as u64, *len as u64)),
        Op::Zero(..) => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Power is cut after any write; what was written since the last flush and sync is written again over what is left.
    #[test]
    fn after_a_power_cut_nothing_stale_shows(
        chunk in prop::sample::select(vec![4096u64, 12288, 65536]),
        (size, parent, mut all) in (40_000..90_000usize, prop::sample::select(vec![512usize, 4096, 8192]))
            .prop_flat_map(|(size, unit)| (Just(size), prop::option::of(ops(size, unit)), ops(size, unit))),
        cut in 0..30u64,
        survives in prop::collection::vec(any::<bool>(), 1..9),
    ) {
        // Ascending, so that each chunk is written in one go.
        let start = |op: &Op| match op { Op::Write(at, _) | Op::Zero(at, _) => *at };
        let end = |op: &Op| match op { Op::Write(at, data) => at + data.len(), Op::Zero(at, len) => at + len };
        all.sort_by_key(start);
        let mut free = 0;
        all.retain(|op| start(op) >= free && { free = end(op); true });
        let origin = ThinModel::new(size, chunk_size(chunk));
        let mut expected = vec![0; size];
        if let Some(ops) = &parent {
            play(&origin, chunk, ops, &mut expected);
        }
        let volume = Faulty::new(Volatile::new(origin.snapshot(size)), 5).after_writes(cut);
        // How many operations lie below the chunk border that is durable.
        let mut durable = 0;
        let mut writer = ChunkWriter::new(&volume, chunk_size(chunk));
        for (n, op) in all.iter().enumerate() {
            let before = n.checked_sub(1).map_or(0, |before| end(&all[before])) as u64;
            if before <= start(op) as u64 / chunk * chunk && writer.flush().is_ok() {
                volume.sync().unwrap();
                durable = n;
            }
            if perform(&mut writer, op).is_err() {
                break;
            }
        }
        let mut survives = survives.into_iter().cycle();
        let left = volume.inner().after_power_cut(|| survives.next().unwrap()).unwrap();
        // What is not durable is first made equal to what it was, in whole chunks.
        let step = usize::try_from(chunk).unwrap();
        let border = all.get(durable).map_or(size, |op| start(op) / step * step);
        for at in (border..size).step_by(step) {
            let whole = Extent::between(Bytes::from(at), Bytes::from(size.min(at + step))).unwrap();
            let mut before = vec![0; whole.len().to_usize().unwrap()];
            origin.read_at(whole.start(), &mut before).unwrap();
            left.zero(whole).unwrap();
            if !is_zero(&before) {
                left.write_at(whole.start(), &before).unwrap();
            }
        }
        let mut writer = ChunkWriter::new(&left, chunk_size(chunk));
        for op in &all[durable..] {
            perform(&mut writer, op).unwrap();
        }
        writer.finish().unwrap();
        for op in &all {
            match op {
                Op::Write(at, data) => expected[*at..at + data.len()].copy_from_slice(data),
                Op::Zero(at, len) => expected[*at..at + len].fill(0),
            }
        }
        prop_assert!(left.to_vec() == expected);
    }
}
