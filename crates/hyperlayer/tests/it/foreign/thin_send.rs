//! Streams of thin-send-recv.

use extents::{Bytes, Extent};
use hyperlayer::fuzzing::Owned;
use hyperlayer::{Completeness, EncodeError, Format, Header, Kind, ThinSendEncoder, Totals};

use super::header;
use crate::golden::{check, data, totals};
use crate::streams::{accept, golden, refused, sectors, text};

const V1_1: u64 = 0x24C4_F02A_AE2E_4FA9;
const V1_0: u64 = 0xCA7F_00D5_DE7E_C7ED;

fn records() -> Vec<Owned> {
    let sector = |i| text('A', i)[..512].to_vec();
    vec![
        data(0, sector(0)),
        data(2, [sector(2), sector(3)].concat()),
        Owned::Zero(sectors(6, 1)),
        data(10, [sector(10), sector(11), sector(12)].concat()),
    ]
}

#[test]
fn version_1_1() {
    let totals = totals(0, 3, 6 * 512, 1, 512);
    let header = header(Format::ThinSend1_1, Kind::Unknown);
    check("thin-send-1.1.bin", &header, &records(), Completeness::Counted, totals);
}

#[test]
fn version_1_1_empty() {
    let header = header(Format::ThinSend1_1, Kind::Unknown);
    check("thin-send-1.1-empty.bin", &header, &[], Completeness::Counted, Totals::default());
}

#[test]
fn version_1_0() {
    let totals = totals(0, 3, 6 * 512, 1, 512);
    let header = header(Format::ThinSend1_0, Kind::Unknown);
    check("thin-send-1.0.bin", &header, &records(), Completeness::Unknown, totals);
}

#[test]
fn written() {
    let header = Header::thin_send(Bytes::new(16 * 512));
    let (mut encoder, mut out) = ThinSendEncoder::start(&header).unwrap();
    for record in records() {
        match record {
            Owned::Data { extent, bytes } => {
                out.extend(encoder.data(extent, &bytes).unwrap());
                out.extend(bytes);
            }
            Owned::Zero(extent) => out.extend(encoder.zero(extent).unwrap()),
            _ => unreachable!(),
        }
    }
    out.extend(encoder.finish().bytes);
    // The golden one, without the chunk that may be skipped, which is counted.
    let theirs = golden("thin-send-1.1.bin");
    let mut expected = [&theirs[..28], &theirs[28 + 28 + 11..]].concat();
    let counts = expected.len() - 24;
    expected[counts + 7] = 6;
    assert_eq!(out, expected);

    let (encoder, mut out) = ThinSendEncoder::start(&header).unwrap();
    out.extend(encoder.finish().bytes);
    assert_eq!(out, golden("thin-send-1.1-empty.bin"));
}

#[test]
fn not_written() {
    let refused = |error: EncodeError, words: &str| assert_eq!(error.to_string(), words);
    let size = Bytes::new(4096);
    let start = |header: &Header| ThinSendEncoder::start(header).map(|(encoder, _)| encoder);
    let meta = vec![("Author".to_owned(), "me".to_owned())];
    let words = "the format thin-send 1.1 cannot express header lines of one's own";
    refused(start(&Header { meta, ..Header::thin_send(size) }).unwrap_err(), words);
    let words = "a stream in the format lvmsync cannot be written here";
    refused(start(&Header { format: Format::Lvmsync, ..Header::thin_send(size) }).unwrap_err(), words);
    refused(
        hyperlayer::Encoder::start(&Header::thin_send(size)).unwrap_err(),
        &words.replace("lvmsync", "thin-send 1.1"),
    );

    let mut encoder = start(&Header::thin_send(size)).unwrap();
    let words = "a data record of bytes 3584..4608 lies past the volume's size of 4096 bytes";
    refused(encoder.data(sectors(7, 2), &[0; 1024]).unwrap_err(), words);
    refused(encoder.data(sectors(7, 1), &[0; 100]).unwrap_err(), "100 bytes of data for bytes 3584..4096");
    let odd = Extent::new(Bytes::new(1), Bytes::new(512)).unwrap();
    refused(encoder.zero(odd).unwrap_err(), "bytes 1..513 are no whole 512-byte sectors");
}

fn chunk(magic: u64, offset: u64, len: u64, command: u32, payload: &[u8]) -> Vec<u8> {
    let numbers = [magic, offset, len].map(u64::to_be_bytes).concat();
    [&numbers, command.to_be_bytes().as_slice(), payload].concat()
}

/// A stream of 1.1 out of chunks, with the counts of its end.
fn stream(chunks: &[Vec<u8>], counts: [u64; 3]) -> Vec<u8> {
    let end = chunk(V1_1, 0, 24, 3, &counts.map(u64::to_be_bytes).concat());
    [chunk(V1_1, 0, 0, 2, &[]), chunks.concat(), end].concat()
}

#[test]
fn refused_chunks() {
    let refused_chunk = |chunk: Vec<u8>, words: &str| {
        let before = super::thin_send::chunk(V1_1, 0, 512, 0, &[7; 512]);
        refused(&stream(&[before, chunk], [4, 2, 0]), 28 + 28 + 512, words);
    };
    let range = |offset, len, words: &str| {
        for command in [0, 1] {
            let words = format!("the range of a record is {words}, expected whole 512-byte sectors below 2^63");
            refused_chunk(chunk(V1_1, offset, len, command, &[]), &words);
        }
    };
    range(0, 0, "0 bytes from byte 0");
    range(0, 100, "100 bytes from byte 0");
    range(100, 512, "512 bytes from byte 100");
    range(1 << 63, 512, "512 bytes from byte 9223372036854775808");
    range(512, u64::MAX, "18446744073709551615 bytes from byte 512");

    let magic = "the magic of a chunk is ca7f00d5de7ec7ed, expected that of the first chunk";
    refused_chunk(chunk(V1_0, 0, 512, 0, &[0; 512]), magic);
    let begin = "the command of a chunk is 2, expected BEGIN in the first chunk and no other";
    refused_chunk(chunk(V1_1, 0, 0, 2, &[]), begin);
    refused_chunk(chunk(V1_1, 0, 0, 7, &[]), "the command of a chunk is 7, expected one of the format's");
    refused_chunk(chunk(V1_1, 0, 32, 3, &[0; 32]), "the range of a mark is 0 and 32, expected 0 and its own length");
    refused_chunk(chunk(V1_1, 8, 24, 3, &[0; 24]), "the range of a mark is 8 and 24, expected 0 and its own length");
}

#[test]
fn refused_beginnings() {
    let begin = "the command of a chunk is 0, expected BEGIN in the first chunk and no other";
    refused(&chunk(V1_1, 0, 512, 0, &[0; 512]), 0, begin);
    refused(&chunk(V1_1, 0, 512, 2, &[]), 0, "the range of a mark is 0 and 512, expected 0 and its own length");
    refused(
        &[0xE8, 0x5B, 0xC5, 0x63, 0x6C, 0xC7, 0x2A, 0x05],
        0,
        "the stream is one of thin-send-recv before 1.0, which is not known here",
    );
    // 1.0 has neither marks nor chunks to skip.
    for command in [2, 3, 1 << 31, 4] {
        let words = format!("the command of a chunk is {command}, expected one of the format's");
        refused(&chunk(V1_0, 0, 0, command, &[]), 0, &words);
    }
}

#[test]
fn wrong_counts() {
    let data = chunk(V1_1, 0, 512, 0, &[7; 512]);
    let unmap = chunk(V1_1, 512, 512, 1, &[]);
    let skipped = chunk(V1_1, 0, 3, 0xFFFF_FFFF, b"abc");
    let chunks = [data, unmap, skipped];
    assert_eq!(accept(&stream(&chunks, [5, 1, 1])).len(), 4);
    let at = stream(&chunks, [5, 1, 1]).len() - 24;
    let wrong = |counts, words: &str| refused(&stream(&chunks, counts), at, words);
    wrong([4, 1, 1], "the end chunk states 4 chunks, the stream holds 5");
    wrong([5, 2, 1], "the end chunk states 2 data chunks, the stream holds 1");
    wrong([5, 1, 0], "the end chunk states 0 unmap chunks, the stream holds 1");
    // A chunk that is lost.
    refused(&stream(&chunks[..2], [5, 1, 1]), at - 31, "the end chunk states 5 chunks, the stream holds 4");
}

#[test]
fn what_follows() {
    let whole = golden("thin-send-1.1.bin");
    assert_eq!(accept(&[whole, whole].concat()).len(), 2 * accept(whole).len());
    let words = "expected the end of the input or another stream, found `x`";
    refused(&[whole, b"x".as_slice()].concat(), whole.len(), words);
    // 1.0 has no end, so everything is its own.
    let open = golden("thin-send-1.0.bin");
    let words = "the magic of a chunk is 4859504552 , expected that of the first chunk";
    let next = [open, golden("empty-1.1.hl")].concat();
    refused(&next, open.len(), &words.replace("4859504552 ", "48595045524c4159"));
}
