//! Streams that are cut, altered, or too many; volumes that fail.

use std::io;

use block_copy::testing::Faulty;
use block_copy::{Memory, Queue, Silent};
use extents::Bytes;
use hyperlayer::Format;
use proptest::prelude::*;
use testkit::{Pair, pairs};
use transfer::{Apply, DetectLevel, Error, ErrorKind, Incoming, diff};

use crate::{Layer, apply, apply_in_memory, chunk, example, send};

/// The largest volume that a test makes because an altered header asks for it.
const SIZE_MAX: Bytes = Bytes::new(1 << 20);

/// Applies as a binary does: the target is made as large as the header says.
fn apply_whatever_it_says(stream: &[u8], base: &[u8]) -> Result<(), Error> {
    let base_size = Bytes::from(base.len());
    let incoming = Incoming::open(stream)?;
    let size = incoming.size(base_size)?.max(base_size);
    if size > SIZE_MAX {
        return Err(Error::TargetTooSmall { size: SIZE_MAX, needed: size });
    }
    let mut content = base.to_vec();
    content.resize(size.to_usize().unwrap(), 0);
    apply(stream, &Memory::new(content), chunk(4096), base_size).map(drop)
}

fn refused(result: Result<(), Error>) {
    match result {
        Err(Error::TargetTooSmall { .. }) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}"),
        Ok(()) => panic!("it was applied"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_stream_is_refused(pair in pairs(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 8)) {
        let layer = Layer::of(&pair, DetectLevel::Sampled);
        let stream = layer.stream();
        for cut in cuts {
            refused(apply_whatever_it_says(&stream[..cut.index(stream.len())], &layer.base.clone().unwrap()));
        }
    }

    #[test]
    fn an_altered_stream_is_refused(
        pair in pairs(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 8),
    ) {
        let layer = Layer::of(&pair, DetectLevel::Sampled);
        let stream = layer.stream();
        for (at, flip) in flips {
            let mut stream = stream.clone();
            let at = at.index(stream.len());
            stream[at] ^= flip;
            refused(apply_whatever_it_says(&stream, &layer.base.clone().unwrap()));
        }
    }

    /// 1.0 counts its blocks: a cut within or before the last record's data is seen.
    #[test]
    fn a_cut_stream_of_1_0_is_refused(mut pair in pairs(), cut: prop::sample::Index) {
        pair.old.resize(pair.new.size().to_usize().unwrap());
        let layer = Layer::of(&pair, DetectLevel::None).in_format(Format::V1_0);
        let stream = layer.stream();
        prop_assume!(layer.header.delta_blocks != Some(0));
        // The last two bytes are newlines that other writers leave out.
        let cut = cut.index(stream.len() - 2);
        prop_assume!(cut != end_of_records(&stream));
        refused(apply_whatever_it_says(&stream[..cut], &layer.base.clone().unwrap()));
    }
}

/// Where the line begins that this project's 1.0 ends with. Up to there it is what others write, who mark no end: all of it.
fn end_of_records(stream: &[u8]) -> usize {
    stream.windows(5).rposition(|window| window == b"\nEND ").unwrap() + 1
}

#[test]
fn every_cut_of_a_small_stream_of_1_0() {
    let mut old = testkit::ThinVolume::new(chunk(1024), 8192);
    old.write(1024, &testkit::stamped(1, 0, 1024));
    old.write(4096, &testkit::stamped(1, 4, 2048));
    let layer = Layer::of(&Pair { new: testkit::ThinVolume::new(chunk(1024), 8192), old }, DetectLevel::None);
    let layer = layer.in_format(Format::V1_0);
    let (stream, base) = (layer.stream(), layer.base.clone().unwrap());
    let whole = end_of_records(&stream);
    for cut in (0..whole).chain(whole + 1..stream.len() - 1) {
        refused(apply_whatever_it_says(&stream[..cut], &base));
    }
    apply_whatever_it_says(&stream[..whole], &base).unwrap();
}

#[test]
fn every_cut_of_a_small_stream() {
    let mut old = testkit::ThinVolume::new(chunk(1024), 4096);
    old.write(0, &testkit::stamped(1, 0, 4096));
    let mut new = old.clone();
    new.write(1024, &testkit::stamped(2, 2, 512));
    new.discard(2048, 1024);
    let layer = Layer::of(&Pair { old, new }, DetectLevel::Every);
    let (stream, base) = (layer.stream(), layer.base.clone().unwrap());
    for cut in 0..stream.len() {
        refused(apply_whatever_it_says(&stream[..cut], &base));
    }
    apply_whatever_it_says(&stream, &base).unwrap();
}

#[test]
fn a_second_layer_is_refused() {
    let layer = example();
    let stream = layer.stream();
    let error = apply_in_memory(&stream.repeat(2), &layer, layer.base.as_ref().unwrap()).unwrap_err();
    assert!(matches!(error, Error::SecondLayer), "{error:?}");
    let incoming = Incoming::open(&[&stream[..], b"x"].concat()[..]).unwrap().verify(None, Queue::default(), &Silent);
    assert!(matches!(incoming.unwrap_err(), Error::Stream { .. }));
}

#[test]
fn no_stream_at_all() {
    let error = Incoming::open(&b""[..]).unwrap_err();
    assert!(matches!(error, Error::NoStream), "{error:?}");
    let error = Incoming::open(&b"PK\x03\x04"[..]).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Refused, "the stream is refused"));
}

#[test]
fn a_target_that_is_too_small_is_not_written() {
    let layer = example();
    let base = layer.base.clone().unwrap();
    let target = Memory::new(base[..base.len() - 512].to_vec());
    let error = apply(&layer.stream()[..], &target, chunk(4096), base.len().into()).unwrap_err();
    assert!(matches!(error, Error::TargetTooSmall { .. }), "{error:?}");
    assert!(target.into_vec() == base[..base.len() - 512]);
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[test]
fn a_read_error_of_the_new_volume_ends_the_stream_without_an_end() {
    testkit::within_limit(|| {
        let layer = example();
        let bad = layer.plan.reads().last().unwrap().start();
        let error = layer.send(&Faulty::new(Memory::new(layer.new.clone()), EIO).at(bad)).unwrap_err();
        assert!(matches!(error, Error::Copy(block_copy::Error::System { .. })), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Failed);
    });
}

#[test]
fn a_read_error_of_the_base_ends_the_stream() {
    testkit::within_limit(|| {
        let layer = example();
        let (new, base) = (Memory::new(layer.new.clone()), Memory::new(layer.base.clone().unwrap()));
        let base = Faulty::new(base, EIO).at(Bytes::new(5000));
        let error = send(&layer.header, &layer.plan, &new, Some(&base), &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
    });
}

#[test]
fn an_output_that_fails_ends_the_reading() {
    testkit::within_limit(|| {
        let layer = example();
        let (new, base) = (Memory::new(layer.new.clone()), Memory::new(layer.base.clone().unwrap()));
        for parts in 0..6 {
            let mut left = parts;
            let mut put = |_| {
                left -= 1;
                if left < 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
            };
            let error = diff(&layer.header, &layer.plan, &new, Some(&base), Queue::default(), &Silent, &mut put);
            let error = error.unwrap_err();
            assert!(matches!(&error, Error::Output(e) if e.kind() == io::ErrorKind::BrokenPipe), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Failed);
        }
    });
}

#[test]
fn a_write_error_and_a_full_target() {
    testkit::within_limit(|| {
        let layer = example();
        for (errno, kind) in [(EIO, ErrorKind::Failed), (ENOSPC, ErrorKind::Surroundings)] {
            for writes in 0..4 {
                let target = Memory::new(layer.prepared(layer.base.as_ref().unwrap()));
                let target = Faulty::new(target, errno).after_writes(writes);
                let error = apply(&layer.stream()[..], &target, chunk(4096), layer.base_size()).unwrap_err();
                assert_eq!(error.kind(), kind, "{error:?}");
                assert_eq!(target.syncs(), 0, "what is not whole is not made durable");
            }
        }
    });
}

#[test]
fn what_was_applied_is_durable() {
    let layer = example();
    let target = Faulty::new(Memory::new(layer.prepared(layer.base.as_ref().unwrap())), EIO);
    apply(&layer.stream()[..], &target, chunk(4096), layer.base_size()).unwrap();
    assert_eq!(target.syncs(), 1);
}

/// Who does not want the checks does not get them.
#[test]
fn checks_can_be_left_out() {
    let layer = example();
    let mut base = layer.base.clone().unwrap();
    base[0] ^= 1;
    let target = Memory::new(layer.prepared(&base));
    let queue = Queue::default();
    let how = Apply { chunk: chunk(512), base_size: layer.base_size(), check_base: false, queue };
    Incoming::open(&layer.stream()[..]).unwrap().apply(&target, how, &Silent).unwrap();
    let mut expected = layer.new.clone();
    expected[0] ^= 1;
    assert!(target.to_vec()[..expected.len()] == expected);
}
