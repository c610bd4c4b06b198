//! The golden files, and small things to build streams of.

use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::fuzzing::{Owned, events};
use hyperlayer::{DecodeError, ErrorKind};

macro_rules! golden {
    ($($name:literal),*) => { &[$(($name, include_bytes!(concat!("../golden/", $name)))),*] };
}

pub(crate) const GOLDEN: &[(&str, &[u8])] = golden![
    "full-1.1.hl",
    "delta-1.1.hl",
    "empty-1.1.hl",
    "short-1.1.hl",
    "original-level2-1.0.hl",
    "original-level0-1.0.hl",
    "ours-1.0.hl",
    "bare-1.0.hl",
    "lvbackup-1.0.hl",
    "published-1.0.hl",
    "lvbackup-v1-full.bin",
    "lvbackup-v1-delta.bin",
    "thin-send-1.1.bin",
    "thin-send-1.1-empty.bin",
    "thin-send-1.0.bin",
    "lvmsync.bin",
    "ddxml.xml"
];

pub(crate) fn golden(name: &str) -> &'static [u8] {
    GOLDEN.iter().find(|(other, _)| *other == name).unwrap().1
}

pub(crate) fn chunk_size(bytes: u64) -> ChunkSize {
    ChunkSize::from_bytes(Bytes::new(bytes)).unwrap()
}

/// A range, in sectors.
pub(crate) fn sectors(start: u64, len: u64) -> Extent<Bytes> {
    Extent::new(Bytes::new(start * 512), Bytes::new(len * 512)).unwrap()
}

/// The events of a stream that must be right.
#[track_caller]
pub(crate) fn accept(stream: &[u8]) -> Vec<Owned> {
    match events([stream]) {
        (events, None) => events,
        (_, Some(error)) => panic!("refused: {error}"),
    }
}

/// The error of a stream that must be wrong.
#[track_caller]
pub(crate) fn refuse(stream: &[u8]) -> DecodeError {
    events([stream]).1.expect("accepted")
}

/// That a stream is refused at this byte, in these words.
#[track_caller]
pub(crate) fn refused(stream: &[u8], position: usize, words: &str) {
    let error = refuse(stream);
    assert_eq!((error.position, error.kind.to_string().as_str()), (position as u64, words));
}

pub(crate) fn is_cut(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Cut { .. })
}

/// Chunk `i` of one of the golden volumes, `A` or `B`.
pub(crate) fn text(volume: char, i: usize) -> Vec<u8> {
    format!("{volume}{i:02}\n").repeat(1024).into_bytes()
}

/// Record lines of 1.1 behind these header lines: each gets its check, and the data that belongs to it.
pub(crate) fn checked(header: &str, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut check = crc32fast::hash(format!("HYPERLAYER/1.1\n{header}\n").as_bytes());
    let mut out = Vec::new();
    for (line, data) in records {
        check = crc32fast::hash(&[format!("{check:08x}{line} ").as_bytes(), data].concat());
        out.extend(format!("{line} {check:08x}\n").bytes());
        out.extend_from_slice(data);
        out.extend(if data.is_empty() { "" } else { "\n" }.bytes());
    }
    out
}

/// A 1.1 stream out of a header's own lines and record lines with data; adds the sizes and the end record.
pub(crate) fn stream_1_1(header: &str, records: &[u8], counts: &str) -> Vec<u8> {
    let mut stream = format!("HYPERLAYER/1.1\n{header}\n").into_bytes();
    stream.extend(records);
    stream.extend(format!("E {counts} ").bytes());
    stream.extend(format!("{}\n", blake3::hash(&stream)).bytes());
    stream
}
