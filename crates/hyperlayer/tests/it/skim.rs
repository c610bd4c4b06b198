//! Stepping over data.

use std::io::{BufReader, Cursor, Seek, SeekFrom};

use hyperlayer::fuzzing::{Owned, events};
use hyperlayer::{Completeness, Skim, SkimReader};

use crate::streams::{GOLDEN, golden};

/// What is said, and the error that ended it.
fn skim(stream: &[u8], buffer_bytes: usize) -> (Vec<Skim>, Option<String>) {
    // Something else stands before the stream.
    let mut input = BufReader::with_capacity(buffer_bytes, Cursor::new([b"before", stream].concat()));
    input.seek(SeekFrom::Start(6)).unwrap();
    let (mut reader, mut all) = (SkimReader::new(input).unwrap(), Vec::new());
    loop {
        match reader.next_skim() {
            Ok(Some(skim)) => all.push(skim),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error.to_string())),
        }
    }
}

/// The same records as when all is read; where their data lies is checked by the relation of the fuzz targets.
#[test]
fn golden_streams() {
    for (name, stream) in GOLDEN.iter().filter(|(name, _)| name.ends_with(".hl")) {
        let ranges = |skim: &Skim| match skim {
            Skim::Data { extent, .. } | Skim::Zero(extent) => Some(*extent),
            _ => None,
        };
        let read = events([*stream]).0;
        let records = read.iter().filter_map(|event| match event {
            Owned::Data { extent, .. } | Owned::Zero(extent) => Some(*extent),
            _ => None,
        });
        let expected: Vec<_> = records.collect();
        for buffer_bytes in [1, 100, 64 * 1024] {
            let (all, error) = skim(stream, buffer_bytes);
            assert_eq!(error, None, "{name}");
            assert_eq!(all.iter().filter_map(ranges).collect::<Vec<_>>(), expected, "{name}");
            let Some(Skim::End { completeness, .. }) = all.last() else { panic!("{name} has no end") };
            let sure = matches!(completeness, Completeness::Proven);
            assert!(!sure || expected.is_empty(), "{name}: proven without reading its data");
        }
    }
}

/// Data that is stepped over must be there.
#[test]
fn cuts() {
    for (name, stream) in GOLDEN.iter().filter(|(name, _)| name.ends_with("-1.1.hl")) {
        for len in (0..stream.len()).step_by(7) {
            let (_, error) = skim(&stream[..len], 64);
            assert!(error.as_deref().is_some_and(|error| error.contains("is cut")), "{name} cut at {len}: {error:?}");
        }
    }
    let (_, error) = skim(&golden("bare-1.0.hl")[..5000], 64);
    assert_eq!(error.as_deref(), Some("at byte 5000: the stream is cut: it ends within the data of a record"));
}

#[test]
fn foreign_streams_must_be_read() {
    let (_, error) = skim(golden("thin-send-1.1.bin"), 64);
    assert!(error.unwrap().contains("expected a stream that begins with `HYPERLAYER/`"));
}
