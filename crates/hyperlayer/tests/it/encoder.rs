//! What the encoder refuses, and in which words.

use extents::{Bytes, Extent};
use hyperlayer::limits::RECOMMENDED_DATA_RECORD;
use hyperlayer::{
    Check, CheckHash, Digest, EncodeError, Encoder, Header, LayerId, Totals, WriteError, Writer, stream_len,
};

use crate::streams::{accept, chunk_size, sectors};

fn totals(checks: u64, data_sectors: u64, zero_sectors: u64) -> Totals {
    Totals {
        checks,
        data_records: u64::from(data_sectors > 0),
        data: Bytes::new(data_sectors * 512),
        zero_records: u64::from(zero_sectors > 0),
        zero: Bytes::new(zero_sectors * 512),
    }
}

fn size() -> Bytes {
    Bytes::new(65536)
}

fn full(totals: Totals) -> Header {
    Header::full(size(), chunk_size(4096), totals)
}

fn delta(totals: Totals) -> Header {
    Header::delta(size(), size(), chunk_size(4096), totals)
}

fn v1_0(totals: Totals) -> Header {
    Header::v1_0(size(), chunk_size(4096), totals, 1)
}

#[track_caller]
fn header_refused(header: &Header, words: &str) {
    assert_eq!(Encoder::start(header).expect_err("accepted").to_string(), words);
}

#[test]
fn headers_of_1_1() {
    let full = full(Totals::default());
    let delta = delta(Totals::default());
    header_refused(&Header { volume_size: None, ..full.clone() }, "the header lacks `Volume_size`");
    header_refused(&Header { totals: None, ..full.clone() }, "the header lacks `Check_records`");
    header_refused(&Header { parent_size: None, ..delta.clone() }, "the header lacks `Parent_size`");
    let words = "the header has `Parent_size`, which a full layer does not have";
    header_refused(&Header { parent_size: Some(size()), ..full.clone() }, words);
    let parent = Some(LayerId::new("x").unwrap());
    header_refused(&Header { parent, ..full.clone() }, "the header has `Parent`, which a full layer does not have");
    let words = "the header has `Detect level`, which only 1.0 has";
    header_refused(&Header { detect_level: Some(2), ..delta.clone() }, words);
    let words = "the header's `Volume_size` is `1000`, expected a multiple of 512 below 2^63, in bytes";
    header_refused(&Header { volume_size: Some(Bytes::new(1000)), ..full.clone() }, words);
    let words = "the header's `Name` is `a\\nb`, expected text without control characters";
    header_refused(&Header { name: Some("a\nb".to_owned()), ..full.clone() }, words);
    let words = "the header's `Created` is `yesterday`, expected a time such as 2026-11-21T03:00:00Z";
    header_refused(&Header { created: Some("yesterday".to_owned()), ..full.clone() }, words);
    let words = "the header's `Data_bytes` is `131072`, expected with Zero_bytes no more than Volume_size";
    header_refused(&Header { totals: Some(totals(0, 256, 0)), ..full.clone() }, words);
    let words = "the header's `Check_records` is `1`, expected 0 in a full layer";
    header_refused(&Header { totals: Some(totals(1, 0, 0)), ..full }, words);
}

#[test]
fn times() {
    let with = |time: &str| Header { created: Some(time.to_owned()), ..full(Totals::default()) };
    for right in ["2026-11-21T03:00:00Z", "2026-11-21T03:00:00.123456789Z", "2026-11-21T03:00:00+00:00"] {
        assert!(Encoder::start(&with(right)).is_ok(), "{right}");
    }
    for wrong in
        ["", "2026-11-21", "2026-11-21T03:00:00", "2026-11-21T03:00:00.Z", "2026-11-21T03:00:00+01:00", "Z", "ü"]
    {
        assert!(Encoder::start(&with(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn user_pairs() {
    let with = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    for header in [delta(Totals::default()), v1_0(Totals::default())] {
        let meta = |meta| Header { meta, ..header.clone() };
        // The original lvpatch would take this one for its own, whatever the version.
        let words =
            "the header key `Chunk size` is not a letter or underscore followed by letters, digits and underscores";
        header_refused(&meta(with("Chunk size", "4096")), words);
        for key in ["", "1a", "a b", "a:b", "ü", "a\n"] {
            assert!(Encoder::start(&meta(with(key, "v"))).is_err(), "{key:?}");
        }
        header_refused(&meta(with("Name", "x")), "the header key `Name` has a meaning of its own in the format");
        header_refused(&meta([with("a", "1"), with("a", "1")].concat()), "the header has `a` twice");
        let words = "the header's `a` is `1\\n2`, expected text without control characters";
        header_refused(&meta(with("a", "1\n2")), words);
        assert!(Encoder::start(&meta(with("_a1", "http://x:1/: #"))).is_ok());
    }
}

#[test]
fn headers_that_1_0_cannot_express() {
    let header = v1_0(Totals::default());
    let full = Header { kind: hyperlayer::Kind::Full, ..header.clone() };
    header_refused(&full, "the format 1.0 cannot express a full layer");
    let words = "the format 1.0 cannot express a parent of another size than the volume";
    header_refused(&Header { parent_size: Some(Bytes::new(512)), ..header.clone() }, words);
    header_refused(&Header { delta_blocks: None, ..header.clone() }, "the header lacks `Delta blocks`");
    let words = "the header's `Detect level` is `0`, expected 1 to 3 with base checks, 0 to 3 without";
    header_refused(&Header { totals: Some(totals(1, 0, 0)), ..header.clone() }, words);
    let words = "the header's `Detect level` is `9`, expected 1 to 3 with base checks, 0 to 3 without";
    header_refused(&Header { detect_level: Some(9), ..header }, words);
}

#[track_caller]
fn refused<T>(result: Result<T, EncodeError>, words: &str) {
    let Err(error) = result else { panic!("accepted") };
    assert_eq!(error.to_string(), words);
}

fn crc(start: u64, len: u64) -> Check {
    Check { extent: sectors(start, len), hash: CheckHash::Crc32(1) }
}

#[test]
fn order_and_bounds() {
    let start = |header: Header| Encoder::start(&header).unwrap().0;
    let checked = || {
        let mut encoder = start(delta(totals(1, 8, 8)));
        encoder.check(&crc(8, 8)).unwrap();
        encoder
    };
    let before = "overlaps or precedes what came before it, up to byte 8192";
    refused(checked().check(&crc(15, 8)), &format!("a base check of bytes 7680..11776 {before}"));
    let words = "a base check of bytes 65536..66048 lies past the base's size of 65536 bytes";
    refused(checked().check(&crc(128, 1)), words);
    let written = || {
        let mut encoder = checked();
        encoder.data(sectors(8, 8), &[0; 4096]).unwrap();
        encoder
    };
    refused(written().data(sectors(15, 8), &[0; 4096]), &format!("a data record of bytes 7680..11776 {before}"));
    refused(written().zero(sectors(0, 1)), &format!("a zero record of bytes 0..512 {before}"));
    let words = "a zero record of bytes 65024..66048 lies past the volume's size of 65536 bytes";
    refused(written().zero(sectors(127, 2)), words);
    refused(written().check(&crc(64, 8)), "a base check of bytes 32768..36864 after the first data or zero record");
    refused(written().data(sectors(64, 8), &[0; 4095]), "4095 bytes of data for bytes 32768..36864");
    let odd = Extent::new(Bytes::new(1), Bytes::new(512)).unwrap();
    refused(written().zero(odd), "bytes 1..513 are no whole 512-byte sectors");
    refused(written().finish(), "the header states 1 zero records, the stream holds 0");

    let words = "a base check of bytes 0..512 in a full layer, which has no base";
    refused(start(full(Totals::default())).check(&crc(0, 1)), words);
    let digest = Check { extent: sectors(0, 1), hash: CheckHash::Blake3(Digest([0; 32])) };
    let header = Header { detect_level: Some(1), ..v1_0(totals(1, 0, 0)) };
    refused(start(header).check(&digest), "HYPERLAYER/1.0 has no base check by BLAKE3");
}

/// Under 1.0, where deleted chunks are written out, in pieces that hold little memory and records that the original can
/// hold.
#[test]
fn zeros_of_1_0_are_data() {
    let volume_size = Bytes::new(5 << 20);
    let zero = Extent::new(Bytes::new(4096), Bytes::new((3 << 20) + 512)).unwrap();
    let totals = Totals { zero_records: 1, zero: zero.len(), ..Totals::default() };
    let chunks = (3 << 20) / 4096 + 1;
    let (mut encoder, mut out) = Encoder::start(&Header::v1_0(volume_size, chunk_size(4096), totals, chunks)).unwrap();
    let mut largest = 0;
    for piece in encoder.zero(zero).unwrap() {
        largest = largest.max(piece.len());
        out.extend_from_slice(&piece);
    }
    assert_eq!(largest, 65536);
    out.extend(encoder.finish().unwrap().bytes);
    let mut at = zero.start();
    for event in accept(&out) {
        if let hyperlayer::fuzzing::Owned::Data { extent, bytes } = event {
            assert_eq!(extent.start(), at);
            assert!(extent.len() <= RECOMMENDED_DATA_RECORD && bytes.iter().all(|byte| *byte == 0));
            at = extent.end();
        }
    }
    assert_eq!(at, zero.end());
}

#[test]
fn zeros_must_be_written_whole() {
    let header = v1_0(totals(0, 0, 8));
    let (mut encoder, _) = Encoder::start(&header).unwrap();
    // Its line and its data, not the newline.
    assert_eq!(encoder.zero(sectors(0, 8)).unwrap().take(2).count(), 2);
    refused(encoder.zero(sectors(8, 8)), "a zero record was begun and not written to its end");
    refused(encoder.finish(), "a zero record was begun and not written to its end");
}

/// After an error no later call can make the stream right.
#[test]
fn errors_stay() {
    let (mut encoder, _) = Encoder::start(&full(totals(0, 8, 8))).unwrap();
    let words = "4095 bytes of data for bytes 0..4096";
    refused(encoder.data(sectors(0, 8), &[0; 4095]), words);
    refused(encoder.data(sectors(0, 8), &[0; 4096]), words);
    refused(encoder.zero(sectors(8, 8)), words);
    refused(encoder.check(&crc(0, 8)), words);
    refused(encoder.finish(), words);
}

/// A 1.0 stream that every reader would take for cut or altered.
#[test]
fn delta_blocks_are_counted() {
    let one = |stated: u64| {
        let header = Header::v1_0(size(), chunk_size(4096), totals(0, 9, 0), stated);
        let (mut encoder, _) = Encoder::start(&header).unwrap();
        encoder.data(sectors(7, 9), &[0; 9 * 512]).unwrap();
        encoder.finish()
    };
    assert!(one(2).is_ok());
    refused(one(1), "the header states 1 delta blocks, the stream holds 2");
}

/// A dry run says how long the stream will be, or that there can be none.
#[test]
fn lengths_of_streams_that_cannot_be() {
    let header = full(totals(0, 8, 1));
    let len = |data: &[_], zero: &[_]| stream_len(&header, [], data.iter().copied(), zero.iter().copied());
    assert!(len(&[sectors(0, 8)], &[sectors(8, 1)]).unwrap().is_some());
    refused(len(&[sectors(0, 9)], &[sectors(9, 1)]), "the header states 8 sectors of data, the stream holds 9");
    refused(len(&[sectors(0, 8)], &[]), "the header states 1 zero records, the stream holds 0");
    let checks = stream_len(&header, [sectors(0, 1)], [sectors(0, 8)], [sectors(8, 1)]);
    refused(checks, "the header states 0 base checks, the stream holds 1");
}

/// An output that fails is not taken for one that did not.
#[test]
fn output_fails() {
    let header = full(totals(0, 8, 0));
    let mut short = [0; 300];
    let mut writer = Writer::new(short.as_mut_slice(), &header).unwrap();
    let error = writer.data(sectors(0, 8), &[1; 4096]).unwrap_err();
    assert!(matches!(error, WriteError::Io(_)), "{error}");
    assert_eq!(error.to_string(), "cannot write the stream");
    // Nor when it would fail no more, as a disk where there is room again.
    let again = Flaky { fails: true };
    let mut writer = Writer::new(again, &full(totals(0, 0, 8))).unwrap();
    assert!(writer.zero(sectors(0, 8)).is_err());
    let words = "cannot write the stream: an earlier part of it could not be written";
    assert_eq!(writer.zero(sectors(0, 8)).unwrap_err().to_string(), words);
    assert_eq!(writer.finish().map(drop).unwrap_err().to_string(), words);
}

/// An output that takes a header and then fails once.
struct Flaky {
    fails: bool,
}

impl std::io::Write for Flaky {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let fails = !bytes.starts_with(b"HYPERLAYER") && std::mem::take(&mut self.fails);
        if fails { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
