//! What is sent of any two volumes turns the one into the other.

use std::io::BufReader;

use block_copy::testing::ThinModel;
use block_copy::{Memory, Queue, ReadAt, Silent, WriteAt, is_zero};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Completeness, Format, stream_len};
use proptest::prelude::*;
use testkit::{Pair, chunk_runs, pairs};
use transfer::scan::{content, scan};
use transfer::{Delta, DetectLevel, Geometry, Incoming, ToSend, diff_chain};

use crate::{LEVELS, Layer, apply, apply_in_memory, chunk, geometry};

/// Chunks of a receiver's pool. A real one's are multiples of 64 KiB, and 4 KiB is the block that zeros are looked for in.
fn chunks() -> impl Strategy<Value = ChunkSize> {
    prop::sample::select(vec![4096, 8192, 3 * 4096, 32 * 1024, 128 * 1024]).prop_map(chunk)
}

/// Chunks that images are compared by, smaller, larger and odd ones.
fn steps() -> impl Strategy<Value = ChunkSize> {
    prop::sample::select(vec![512, 1024, 1536, 4096, 10 * 512, 32 * 1024, 128 * 1024]).prop_map(chunk)
}

fn levels() -> impl Strategy<Value = DetectLevel> {
    prop::sample::select(LEVELS.to_vec())
}

/// A volume in a pool that does not zero new chunks; where the base ends within a chunk, the rest of that is stale, and
/// so is what waits past its end.
fn thin_target(layer: &Layer, base: &[u8], chunk: ChunkSize, discards: bool) -> ThinModel {
    let prepared = layer.prepared(base);
    let model = ThinModel::new(prepared.len(), chunk);
    let model = if discards { model } else { model.ignoring_discards() };
    for part in Extent::whole(Bytes::from(prepared.len())).into_iter().flat_map(|all| all.pieces(chunk.bytes())) {
        let (start, end) = (part.start().to_usize().unwrap(), part.end().to_usize().unwrap());
        if !is_zero(&prepared[start..end]) {
            model.write_at(part.start(), &prepared[start..end]).unwrap();
        }
    }
    model
}

/// On a file and on a thin volume the result is the new volume.
#[track_caller]
fn check(layer: &Layer, chunk: ChunkSize, discards: bool) {
    let (stream, sent) = layer.send(&Memory::new(layer.new.clone())).unwrap();
    assert_eq!((sent.len, sent.blake3.0), (stream.len().into(), *blake3::hash(&stream).as_bytes()));

    let base = layer.base.clone().unwrap_or_default();
    let incoming = Incoming::open(&stream[..]).unwrap();
    let end = incoming.verify(layer.base.is_some().then_some(&Memory::new(base.clone())), Queue::default(), &Silent);
    let end = end.unwrap();
    match layer.header.format {
        Format::V1_1 | Format::ThinSend1_1 => {
            let (checks, zero) = (layer.plan.checks.iter().copied(), &layer.plan.delta.zero);
            let len = stream_len(&layer.header, checks, layer.plan.reads(), zero).unwrap();
            assert_eq!(len, Some(sent.len), "the length that a dry run says");
            assert_eq!(end.totals, layer.plan.totals());
            let format = layer.header.format;
            let sure = if format == Format::V1_1 { Completeness::Proven } else { Completeness::Counted };
            assert_eq!((end.format, end.completeness), (format, sure));
        }
        // Zeros are data there.
        _ => assert_eq!(end.totals.data, {
            let totals = layer.plan.totals();
            totals.data.saturating_add(totals.zero)
        }),
    }

    assert!(apply_in_memory(&stream, layer, &base).unwrap() == layer.new, "on a file");

    let target = thin_target(layer, &base, chunk, discards);
    apply(BufReader::with_capacity(700, &stream[..]), &target, chunk, base.len().into()).unwrap();
    assert!(target.to_vec()[..layer.new.len()] == layer.new, "on a thin volume with chunks of {chunk}");
}

fn of_one_size(mut pair: Pair) -> Pair {
    pair.old.resize(pair.new.size().to_usize().unwrap());
    pair
}

fn scanned(pair: &Pair, by: ChunkSize, level: DetectLevel) -> Layer {
    let (new, old) = (pair.new.content(), pair.old.content());
    let queue = Queue { piece: Bytes::new(8 * 1024), ..Queue::default() };
    let found = scan(&Memory::new(new.clone()), Some(&Memory::new(old.clone())), by, queue, &Silent).unwrap();
    assert_eq!((found.content, found.base_content), (blake3::hash(&new), Some(blake3::hash(&old))));
    Layer::new(found.delta, Geometry { chunk: by, ..geometry(pair) }, new, Some(old), level)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn from_thin_delta(pair in pairs(), level in levels(), chunk in chunks(), discards: bool) {
        check(&Layer::of(&pair, level), chunk, discards);
    }

    #[test]
    fn from_thin_delta_in_1_0(pair in pairs(), level in levels(), chunk in chunks(), discards: bool) {
        check(&Layer::of(&of_one_size(pair), level).in_format(Format::V1_0), chunk, discards);
    }

    #[test]
    fn from_thin_delta_to_thin_recv(pair in pairs(), chunk in chunks(), discards: bool) {
        let layer = Layer::of(&of_one_size(pair), DetectLevel::None).in_format(Format::ThinSend1_1);
        check(&layer, chunk, discards);
    }

    #[test]
    fn from_a_scan(pair in pairs(), by in steps(), level in levels(), chunk in chunks(), discards: bool) {
        check(&scanned(&pair, by, level), chunk, discards);
    }

    #[test]
    fn from_a_scan_in_1_0(pair in pairs(), by in steps(), chunk in chunks()) {
        let layer = scanned(&of_one_size(pair), by, DetectLevel::Every);
        check(&layer.in_format(Format::V1_0), chunk, true);
    }

    #[test]
    fn full(pair in pairs(), chunk in chunks(), by in steps()) {
        let geometry = Geometry { base_size: Bytes::ZERO, ..geometry(&pair) };
        let mapped = chunk_runs(pair.new.mapped()).into_iter().map(Ok::<_, thin_delta::Error>);
        let delta = Delta::full(mapped, geometry).unwrap();
        check(&Layer::new(delta, geometry, pair.new.content(), None, DetectLevel::Every), chunk, true);

        let new = pair.new.content();
        let found = scan(&Memory::new(new.clone()), None, by, Queue::default(), &Silent).unwrap();
        let geometry = Geometry { chunk: by, ..geometry };
        check(&Layer::new(found.delta, geometry, new, None, DetectLevel::Every), chunk, true);
    }

    /// A scan sends no chunk that is equal, and none that reads as zeros.
    #[test]
    fn a_scan_sends_only_what_differs(pair in pairs(), by in steps()) {
        let layer = scanned(&pair, by, DetectLevel::None);
        let (new, old) = (layer.new.clone(), layer.base.clone().unwrap());
        for part in layer.plan.delta.data.iter().flat_map(|range| range.pieces(by.bytes())) {
            let range = part.start().to_usize().unwrap()..part.end().to_usize().unwrap();
            prop_assert!(old.get(range.clone()) != Some(&new[range.clone()]), "{part} is equal");
            prop_assert!(range.end > old.len() || !is_zero(&new[range]), "{part} is zero");
        }
    }
}

/// The content's digest is that of the bytes up to the size asked for, wherever pieces end.
#[test]
fn digests_are_of_the_content() {
    let bytes = testkit::stamped(5, 0, 10_000);
    let image = Memory::new(bytes.clone());
    for size in [0, 1, 4096, 9_999, 10_000] {
        let queue = Queue { piece: Bytes::new(1000), ..Queue::default() };
        let found = content(&image, Bytes::from(size), queue, &Silent).unwrap();
        assert_eq!(found, blake3::hash(&bytes[..size]));
    }
    assert_eq!(image.size(), Bytes::new(10_000));
}

/// Several layers are the streams of each, one after the other, and counted and hashed as one.
#[test]
fn a_chain_is_its_layers() {
    let mut states = vec![testkit::ThinVolume::new(chunk(4096), 40 * 1024)];
    for n in 0..3 {
        let mut next = states[n].clone();
        next.write(n * 8192, &testkit::stamped(1, 0, 12 * 1024));
        states.push(next);
    }
    let pairs = states.windows(2).map(|two| Pair { old: two[0].clone(), new: two[1].clone() });
    let layers: Vec<_> = pairs.map(|pair| Layer::of(&pair, DetectLevel::Sampled)).collect();
    let volumes: Vec<_> = layers.iter().map(|layer| (Memory::new(layer.new.clone()), layer.base.clone())).collect();
    let volumes: Vec<_> = volumes.into_iter().map(|(new, base)| (new, base.map(Memory::new))).collect();
    for many in 0..=layers.len() {
        let to_send = layers.iter().zip(&volumes).take(many).map(|(layer, (new, base))| ToSend {
            header: &layer.header,
            plan: &layer.plan,
            new,
            base: base.as_ref().map(|base| base as &dyn ReadAt),
        });
        let mut stream = Vec::new();
        let sent = diff_chain(&to_send.collect::<Vec<_>>(), Queue::default(), &Silent, &mut |part| {
            stream.extend_from_slice((*part).as_ref());
            Ok(())
        });
        let sent = sent.unwrap();
        assert_eq!(stream, layers[..many].iter().flat_map(Layer::stream).collect::<Vec<_>>());
        assert_eq!((sent.len, sent.blake3.0), (stream.len().into(), *blake3::hash(&stream).as_bytes()));
    }
}

/// A volume without a difference is a stream that says so.
#[test]
fn nothing_changed() {
    let mut old = testkit::ThinVolume::new(chunk(4096), 20 * 1024);
    old.write(0, &testkit::stamped(1, 0, 20 * 1024));
    let layer = Layer::of(&Pair { new: old.clone(), old }, DetectLevel::Every);
    assert_eq!(layer.plan.records().count(), 0);
    check(&layer, chunk(4096), true);
}

/// The base was made smaller after the snapshot: what both still share past its end, a receiver does not have.
#[test]
fn what_is_shared_past_the_end_of_the_base() {
    let mut old = testkit::ThinVolume::new(chunk(4096), 40 * 1024);
    old.write(0, &testkit::stamped(1, 0, 40 * 1024));
    let new = old.clone();
    old.resize(18 * 1024);
    let pair = Pair { old, new };
    assert!(pair.xml().contains("<same begin=\"0\" length=\"10\"/>"));
    for by in [4096, 12288, 128 * 1024] {
        check(&Layer::of(&pair, DetectLevel::Every), chunk(by), true);
    }
}
