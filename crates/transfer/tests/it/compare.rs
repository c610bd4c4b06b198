//! What differs is found to the sector, and nothing else is.

use std::io::BufReader;

use block_copy::testing::Faulty;
use block_copy::{Memory, Queue, ReadAt, Silent};
use extents::{Bytes, Extent, ExtentSet, SECTOR_BYTES};
use hyperlayer::Kind;
use proptest::prelude::*;
use testkit::{histories, stamped};
use transfer::{Compare, Differences, Error, ErrorKind, LayerReader, compare, compare_stream};

use crate::chain::Chain;

const SECTOR: usize = 512;

fn how(ranges: usize) -> Compare {
    Compare { ranges, queue: Queue { piece: Bytes::new(2048), depth: 3, readers: 2 } }
}

fn whole(size: usize) -> ExtentSet<Bytes> {
    Extent::whole(Bytes::from(size)).into_iter().collect()
}

/// The sectors that differ, found the simple way.
fn sectors(left: &[u8], right: &[u8], ranges: &ExtentSet<Bytes>) -> ExtentSet<Bytes> {
    let len = left.len().min(right.len());
    let all = Extent::whole(Bytes::from(len)).into_iter().flat_map(|all| all.pieces(Bytes::new(SECTOR_BYTES)));
    let differs = |sector: &Extent<Bytes>| {
        let range = sector.start().to_usize().unwrap()..sector.end().to_usize().unwrap();
        left[range.clone()] != right[range]
    };
    let different: ExtentSet<_> = all.filter(differs).collect();
    different.intersection(ranges)
}

/// Changes a byte in each of some sectors.
fn changed(mut content: Vec<u8>, sectors: &[usize]) -> Vec<u8> {
    for sector in sectors {
        if let Some(byte) = content.get_mut(sector * SECTOR + sector % SECTOR) {
            *byte ^= 1;
        }
    }
    content
}

fn of_stream(stream: &[u8], volume: &[u8], mapped: &ExtentSet<Bytes>) -> Result<Differences, Error> {
    let layer = LayerReader::open("it", BufReader::with_capacity(3000, stream))?;
    let mapped = Some(mapped).filter(|_| layer.header().kind == Kind::Full);
    compare_stream(&Memory::new(volume.to_vec()), mapped, layer, how(usize::MAX), &Silent).map(|(found, _)| found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_volumes(
        size in 0..40_000usize,
        longer in 0..3000usize,
        places in prop::collection::vec(0..80usize, 0..30),
        ranges in prop::collection::vec((0..80u64, 1..30u64), 0..6),
    ) {
        let left = stamped(1, 0, size);
        let right = [changed(left.clone(), &places), vec![7; longer]].concat();
        let sectors_of = |(start, len): (u64, u64)| {
            Extent::new(Bytes::new(start * SECTOR_BYTES), Bytes::new(len * SECTOR_BYTES))
        };
        let ranges: ExtentSet<Bytes> = ranges.into_iter().filter_map(sectors_of).collect();
        let expected = sectors(&left, &right, &ranges);
        let found = |limit| compare(&Memory::new(left.clone()), &Memory::new(right.clone()), &ranges, how(limit), &Silent);
        let all = found(usize::MAX).unwrap();
        prop_assert_eq!(&all.first, &expected);
        prop_assert_eq!(all.total, expected.total());
        let both = Extent::whole(Bytes::from(size));
        prop_assert_eq!(all.compared, both.map_or(Bytes::ZERO, |both| ranges.clip(both).total()));

        let two = found(2).unwrap();
        prop_assert_eq!(two.first.ranges(), &expected.ranges()[..expected.ranges().len().min(2)]);
        prop_assert_eq!(two.total, expected.total());
    }

    /// The state that a layer gives is what it says, and every other one is told from it: of a full layer everywhere,
    /// of a delta where it has records.
    #[test]
    fn a_volume_and_a_layer(history in histories(2), places in prop::collection::vec(0..120usize, 0..20)) {
        for (chain, number) in [(Chain::full(&history), 0), (Chain::full(&history), 1)] {
            let (state, stream) = (&chain.states[number], &chain.streams[number]);
            let found = of_stream(stream, state, &whole(state.len())).unwrap();
            prop_assert_eq!(found.total, Bytes::ZERO);

            let other = changed(state.clone(), &places);
            let records: ExtentSet<Bytes> = if number == 0 { whole(state.len()) } else { covered(stream) };
            let found = of_stream(stream, &other, &whole(state.len())).unwrap();
            prop_assert_eq!(&found.first, &sectors(state, &other, &records));
            prop_assert_eq!(found.compared, records.total());
        }
    }
}

/// What the records of a layer cover.
fn covered(stream: &[u8]) -> ExtentSet<Bytes> {
    let mut reader = hyperlayer::Reader::new(stream);
    let mut covered = ExtentSet::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            hyperlayer::Event::DataStart(extent) | hyperlayer::Event::Zero(extent) => covered.insert(extent),
            _ => {}
        }
    }
    covered
}

/// Of a full layer's zeros only those are read that the volume has mapped.
#[test]
fn what_is_not_mapped_is_not_read() {
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 64 * 1024);
    now.write(8192, &stamped(1, 16, 4096));
    let chain = Chain::full(&[now]);
    let mapped: ExtentSet<_> = Extent::new(Bytes::new(4096), Bytes::new(8192)).into_iter().collect();
    let found = of_stream(&chain.streams[0], &chain.states[0], &mapped).unwrap();
    assert_eq!((found.compared, found.total), (Bytes::new(8192), Bytes::ZERO));
    let other = changed(chain.states[0].clone(), &[0, 9, 100]);
    let found = of_stream(&chain.streams[0], &other, &mapped).unwrap();
    assert_eq!(found.total, Bytes::new(SECTOR_BYTES), "only what is mapped");
}

#[test]
fn a_layer_that_is_cut_is_refused_though_nothing_differs() {
    let chain = Chain::full(&[{
        let mut now = testkit::ThinVolume::new(crate::chunk(4096), 64 * 1024);
        now.write(0, &stamped(1, 0, 64 * 1024));
        now
    }]);
    let (stream, state) = (&chain.streams[0], &chain.states[0]);
    for cut in [stream.len() - 1, stream.len() / 2] {
        let error = of_stream(&stream[..cut], state, &whole(state.len())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
    let error = of_stream(&stream.repeat(2), state, &whole(state.len())).unwrap_err();
    assert!(matches!(&error, Error::In { source, .. } if matches!(**source, Error::SecondLayer)), "{error}");
}

/// Whichever side fails, its reason is told.
#[test]
fn a_side_that_cannot_be_read() {
    let content = stamped(1, 0, 40_000);
    let good = Memory::new(content.clone());
    let bad = || Faulty::new(Memory::new(content.clone()), 5).at(Bytes::new(20_000));
    let sides: [(&dyn ReadAt, &dyn ReadAt); 2] = [(&good, &bad()), (&bad(), &good)];
    for (left, right) in sides {
        let error = compare(left, right, &whole(40_000), how(1), &Silent).unwrap_err();
        assert!(matches!(&error, Error::Copy(cause) if !matches!(cause, block_copy::Error::Stopped)), "{error:?}");
    }
}
