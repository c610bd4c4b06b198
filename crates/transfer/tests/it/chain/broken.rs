//! What does not follow is refused, and it is said where.

use std::io::{self, Cursor};
use std::sync::atomic::{AtomicUsize, Ordering};

use block_copy::{Memory, Queue, Silent};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Digest, Header, Resumes, Totals, Writer};
use transfer::{
    Compare, Error, ErrorKind, Identity, LayerInput, LayerReader, Merge, Opened, Part, Restore, compare_stream,
    restore, verify_chain,
};

use super::{Chain, input, inputs};

fn chain() -> Chain {
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 40 * 1024);
    let mut states = Vec::new();
    for seed in 1..5 {
        now.write(1024 * seed as usize, &testkit::stamped(seed, u64::from(2 * seed), 8192));
        if seed == 3 {
            now.resize(48 * 1024);
        }
        states.push(now.clone());
    }
    Chain::full(&states)
}

fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// All three ways to read a chain refuse it in the same words.
#[track_caller]
fn refused(streams: &[Vec<u8>], says: &[&str]) {
    let target = Memory::zeroed(1 << 20);
    let how = Restore { size: None, chunk: ChunkSize::SECTOR, fresh: true, queue: Queue::default() };
    let errors = [
        verify_chain(inputs(streams), &Silent).unwrap_err(),
        Merge::plan(inputs(streams), None, &Silent).unwrap_err(),
        restore(inputs(streams).into_iter().rev(), &target, how, &Silent).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Refused);
        for says in says {
            assert!(text(&error).contains(says), "{says:?} is not in: {}", text(&error));
        }
    }
}

#[test]
fn a_whole_chain_is_right() {
    let chain = chain();
    let verified = verify_chain(inputs(&chain.streams), &Silent).unwrap();
    assert_eq!(verified.len(), 4);
    let names: Vec<_> = verified.iter().map(|layer| layer.link.name.as_str()).collect();
    assert_eq!(names, ["0.hl", "1.hl", "2.hl", "3.hl"]);
    assert!(verified[1..].iter().all(|layer| layer.link.identity == Some(Identity::Proven)));
    let ends: Vec<_> = verified.iter().map(|layer| layer.end.blake3.0).collect();
    let hashes: Vec<_> = chain.streams.iter().map(|stream| *blake3::hash(stream).as_bytes()).collect();
    assert_eq!(ends, hashes);

    // The same in one file.
    let all = chain.streams.concat();
    let verified = verify_chain([input("all.hl", &all)], &Silent).unwrap();
    let names: Vec<_> = verified.iter().map(|layer| layer.link.name.as_str()).collect();
    assert_eq!(names, ["all.hl", "all.hl#2", "all.hl#3", "all.hl#4"]);
}

#[test]
fn a_layer_that_is_missing_or_twice_or_in_another_place() {
    let Chain { streams, .. } = chain();
    let of = |numbers: &[usize]| numbers.iter().map(|n| streams[*n].clone()).collect::<Vec<_>>();
    let broken = "the chain is broken: `1.hl` was made against layer state:1, and `0.hl` before it is layer state:0";
    refused(&of(&[0, 2, 3]), &[broken]);
    refused(&of(&[0, 1, 1]), &["`2.hl` was made against layer state:0, and `1.hl` before it is layer state:1"]);
    refused(&of(&[0, 0]), &["`1.hl` is a full layer, which begins a chain, and comes after `0.hl`"]);
    let all = of(&[0, 2]).concat();
    let error = verify_chain([input("all.hl", &all)], &Silent).unwrap_err();
    assert!(error.to_string().contains("`all.hl#2` was made against layer state:1"), "{error}");
}

#[test]
fn a_layer_of_another_size() {
    let mut streams = chain().streams;
    // The same ids, of volumes that did not grow.
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 40 * 1024);
    now.write(0, &testkit::stamped(1, 0, 4096));
    streams[3] = Chain::full(&[now.clone(), now.clone(), now.clone(), now]).streams[3].clone();
    refused(&streams, &["`3.hl` was made against a volume of 40960 bytes, and `2.hl` before it leaves one of 49152"]);
}

#[test]
fn a_layer_that_is_cut_or_altered() {
    let streams = chain().streams;
    for number in 0..streams.len() {
        let mut cut = streams.clone();
        cut[number].truncate(streams[number].len() - 1);
        refused(&cut, &[&format!("`{number}.hl`: the stream is refused: at byte"), "the stream is cut"]);
        let mut altered = streams.clone();
        let at = streams[number].len() - 200;
        altered[number][at] ^= 1;
        refused(&altered, &[&format!("`{number}.hl`: the stream is refused: at byte"), "altered"]);
    }
    refused(&[vec![]], &["`0.hl`: there is no stream"]);
}

#[test]
fn more_than_one_layer_where_one_is_read_side_by_side() {
    let streams = chain().streams;
    let both = [streams[0].clone(), streams[1..3].concat()];
    let error = Merge::plan(inputs(&both), None, &Silent).unwrap_err();
    assert!(text(&error).contains("`1.hl`: the input holds more than one layer"), "{}", text(&error));
}

#[test]
fn another_layer_than_was_expected() {
    let streams = chain().streams;
    let wrong = input("3.hl", &streams[3]).of_size(Bytes::new(96 * 1024)).open().map(drop).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Refused);
    assert_eq!(wrong.to_string(), "`3.hl` says that its volume has 49152 bytes, expected 98304");
    input("3.hl", &streams[3]).of_size(Bytes::new(48 * 1024)).open().map(drop).unwrap();
    let wrong = input("0.hl", &streams[0]).expecting(super::id(7));
    let error = verify_chain([wrong], &Silent).unwrap_err();
    assert_eq!(error.to_string(), "`0.hl` is layer state:0, expected layer state:7");
}

/// What continues an interrupted stream is no layer.
#[test]
fn the_rest_of_a_layer() {
    let Chain { streams, states, .. } = chain();
    let layer = LayerReader::open("1.hl", &streams[1][..]).unwrap();
    let resumes = Some(Resumes { at: Bytes::ZERO, skipped: Digest([0; 32]) });
    let header = Header { resumes, totals: Some(Totals::default()), ..layer.header().clone() };
    let (rest, _) = Writer::new(Vec::new(), &header).unwrap().finish().unwrap();
    refused(&[streams[0].clone(), rest.clone()], &["`1.hl` holds only the rest of a layer"]);
    let how = Compare { ranges: 1, queue: Queue::default() };
    let layer = LayerReader::open_rest("1.hl", &rest[..], hyperlayer::ReadOptions::default()).unwrap();
    let volume = Memory::new(states[1].clone());
    let error = compare_stream(&volume, None, layer, how, &Silent).unwrap_err();
    assert!(matches!(error, Error::Rest { .. }), "{error}");
}

/// A 1.0 stream may have its records in any order.
#[test]
fn records_that_do_not_ascend() {
    let stream = b"HYPERLAYER/1.0\nVolume size: 4096\nChunk size: 512\nDelta blocks: 2\n\nW 4 1\n".to_vec();
    let data = |byte: u8| [vec![byte; 512], b"\n".to_vec()].concat();
    let stream = [stream, data(b'a'), b"W 2 1\n".to_vec(), data(b'b')].concat();
    let error = Merge::plan([input("old.hl", &stream)], None, &Silent).unwrap_err();
    assert!(error.to_string().contains("bytes 1024..1536 come after byte 2560"), "{error}");
    assert!(error.hint().unwrap().contains("--to-file"));
}

/// Both passes must see the same.
#[test]
fn an_input_that_changes_meanwhile() {
    let Chain { streams, .. } = chain();
    let other = {
        let mut now = testkit::ThinVolume::new(crate::chunk(4096), 40 * 1024);
        now.write(0, &testkit::stamped(9, 0, 8192));
        Chain::full(&[now]).streams.remove(0)
    };
    let opened = AtomicUsize::new(0);
    let changing = LayerInput::new("0.hl", || {
        let stream = if opened.fetch_add(1, Ordering::Relaxed) == 0 { &streams[0] } else { &other };
        Ok::<Opened<'_>, io::Error>(Box::new(Cursor::new(stream)))
    });
    let merge = Merge::plan([changing, input("1.hl", &streams[1])], None, &Silent).unwrap();
    let header = merge.header(hyperlayer::Format::V1_1).unwrap();
    let mut written = Vec::new();
    let mut put = |part: Part| {
        written.extend_from_slice((*part).as_ref());
        Ok(())
    };
    let error = merge.write(&header, &Silent, &mut put).unwrap_err();
    assert!(matches!(&error, Error::InputChanged { input } if input == "0.hl"), "{error}");
    assert!(verify_chain([input("written", &written)], &Silent).is_err(), "what was written has no end");
}
