use block_copy::{Memory, Queue, Silent};
use extents::Bytes;
use hyperlayer::{Completeness, Format, Header, Kind, stream_len};
use proptest::prelude::*;
use testkit::histories;
use transfer::{Error, ErrorKind, Incoming, LayerInput, Merge, Part};

use super::{Chain, example, inputs, seekable};
use crate::apply;
use crate::chain::id;

/// Whether the data is stepped over at first or not, the result is the same.
fn merge(streams: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let merged = merge_inputs(inputs(streams), None)?;
    assert!(merge_inputs(seekable(streams), None)? == merged);
    Ok(merged)
}

pub(super) fn merge_inputs(inputs: Vec<LayerInput<'_>>, size: Option<Bytes>) -> Result<Vec<u8>, Error> {
    let merge = Merge::plan(inputs, size, &Silent)?;
    let header = merge.header(Format::V1_1)?;
    let plan = merge.records().clone();
    let mut merged = Vec::new();
    let mut put = |part: Part| {
        merged.extend_from_slice((*part).as_ref());
        Ok(())
    };
    let sent = merge.write(&header, &Silent, &mut put)?;
    assert_eq!((sent.len, sent.blake3.0), (merged.len().into(), *blake3::hash(&merged).as_bytes()));
    let (checks, zero) = (plan.checks.iter().copied(), &plan.delta.zero);
    assert_eq!(stream_len(&header, checks, plan.reads(), zero).unwrap(), Some(sent.len), "what a dry run says");
    Ok(merged)
}

/// Applies on a base in a volume behind whose end something stale waits.
pub(super) fn applied(stream: &[u8], base: &[u8]) -> Vec<u8> {
    let incoming = Incoming::open(stream).unwrap();
    let size = incoming.header().volume_size.unwrap().to_usize().unwrap();
    let mut prepared = base.to_vec();
    let stale = if base.is_empty() { vec![0; size] } else { testkit::stamped(99, 0, size) };
    prepared.extend_from_slice(stale.get(base.len()..).unwrap_or_default());
    let target = Memory::new(prepared);
    apply(stream, &target, extents::ChunkSize::SECTOR, base.len().into()).unwrap();
    let mut result = target.into_vec();
    result.truncate(size);
    result
}

/// Every contiguous part of the chain.
fn check_all_parts(chain: &Chain) -> Result<(), TestCaseError> {
    let len = chain.streams.len();
    for from in 0..len {
        let base = from.checked_sub(1).map_or(&chain.base, |before| &chain.states[before]);
        for to in from + 1..=len {
            let merged = merge(&chain.streams[from..to]).unwrap();
            prop_assert!(applied(&merged, base) == chain.states[to - 1], "{from}..{to}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_deltas_together_do_what_they_do_one_by_one(history in histories(2..6)) {
        check_all_parts(&Chain::deltas(&history))?;
    }

    #[test]
    fn a_full_layer_with_deltas_is_a_full_layer(history in histories(1..6)) {
        let chain = Chain::full(&history);
        check_all_parts(&chain)?;
        let merged = merge(&chain.streams).unwrap();
        let header = Incoming::open(&merged[..]).unwrap().header().clone();
        prop_assert_eq!((header.kind, header.totals.unwrap().zero_records), (Kind::Full, 0));
    }

    /// Of any grouping of the parts the same comes to be, to the byte.
    #[test]
    fn merging_merged_layers(history in histories(4..6), cut in 1..3usize) {
        for chain in [Chain::deltas(&history), Chain::full(&history)] {
            let (first, second) = chain.streams.split_at(cut);
            let in_two = [merge(first).unwrap(), merge(second).unwrap()];
            prop_assert!(merge(&in_two).unwrap() == merge(&chain.streams).unwrap());
        }
    }

    /// One layer stays what it is, to the byte, but for records that were cut without need and zeros that say nothing.
    #[test]
    fn of_one_layer(history in histories(2)) {
        let chain = Chain::deltas(&history);
        let merged = merge(&chain.streams).unwrap();
        prop_assert_eq!(merge(std::slice::from_ref(&merged)).unwrap(), merged);
    }
}

#[test]
fn who_it_says_it_is() {
    let history = example();
    let chain = Chain::deltas(&history);
    let merged = merge(&chain.streams).unwrap();
    let incoming = Incoming::open(&merged[..]).unwrap();
    let Header { name, layer, parent, volume_size, parent_size, totals, .. } = incoming.header().clone();
    assert_eq!((layer, parent, name.as_deref()), (Some(id(3)), Some(id(0)), Some("n3")));
    assert_eq!((parent_size, volume_size), (Some(history[0].size()), Some(history[3].size())));
    assert_eq!(totals.unwrap().checks, 1, "those of the first layer: of all its base");
    let base = Memory::new(chain.base.clone());
    let end = incoming.verify(Some(&base), Queue::default(), &Silent).unwrap();
    assert_eq!(end.completeness, Completeness::Proven);
}

/// What lay past the end of a volume that was small for a while is zeros and not the base's.
#[test]
fn what_shrank_and_grew_again() {
    let chain = Chain::deltas(&example());
    let merged = merge(&chain.streams).unwrap();
    assert!(applied(&merged, &chain.base) == chain.states[2]);
    assert_eq!(chain.states[2][40 * 1024..41 * 1024], [0; 1024]);
}

#[test]
fn more_than_one_record_holds() {
    // A record of the result is made of pieces of several inputs.
    let size = 5 << 20;
    let mut now = testkit::ThinVolume::new(crate::chunk(65536), size);
    now.write(0, &testkit::stamped(1, 0, size));
    let mut history = vec![now.clone()];
    for (seed, at) in [(2, 3 << 16), (3, 40 << 16), (4, 17 << 16)] {
        now.write(at, &testkit::stamped(seed, (at / 512) as u64, 100_000));
        history.push(now.clone());
    }
    let chain = Chain::full(&history);
    assert!(applied(&merge(&chain.streams).unwrap(), &[]) == chain.states[3]);
}

/// What was stepped over at first is checked before the result gets its end.
#[test]
fn data_that_was_altered() {
    let chain = Chain::deltas(&example());
    for number in 0..3 {
        let mut streams = chain.streams.clone();
        let Some(at) = streams[number].windows(2).rposition(|two| two == b"\nW").map(|at| at + 40) else { continue };
        streams[number][at] ^= 1;
        for inputs in [inputs(&streams), seekable(&streams)] {
            let error = merge_inputs(inputs, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(matches!(&error, Error::In { input, .. } if *input == format!("{number}.hl")), "{error}");
        }
    }
}

#[test]
fn what_skimming_refuses_too() {
    let chain = Chain::deltas(&example());
    for (stream, says) in [
        (chain.streams[0][..chain.streams[0].len() - 1].to_vec(), "the stream is refused"),
        (chain.streams[0].repeat(2), "more than one layer"),
        (b"HYPERLAYER/1.0\nVolume size: 4096\n\n".to_vec(), "nobody can tell whether it was cut"),
    ] {
        for inputs in [inputs(std::slice::from_ref(&stream)), seekable(std::slice::from_ref(&stream))] {
            let error = Merge::plan(inputs, None, &Silent).unwrap_err();
            assert!(
                format!("{:?} {error}", std::error::Error::source(&error).map(ToString::to_string)).contains(says),
                "{error:?}"
            );
        }
    }
}
