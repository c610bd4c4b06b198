//! What 1.0 streams may look like, and what no stream of either version may.

use extents::Bytes;
use hyperlayer::fuzzing::Owned;
use hyperlayer::{CheckHash, Completeness, Header};

use crate::streams::{accept, checked, golden, refuse, refused, sectors, stream_1_1};

const MAGIC: &str = "HYPERLAYER/1.0\n";

fn payload(byte: u8, sectors: usize) -> Vec<u8> {
    vec![byte; sectors * 512]
}

/// A 1.0 stream: header lines, then records as (line, sectors of data), each followed by `trailer`.
fn stream(header: &str, before: &str, records: &[(&str, usize)], trailer: &str) -> Vec<u8> {
    let mut stream = format!("{MAGIC}{header}\n{before}").into_bytes();
    for (n, (line, sectors)) in records.iter().enumerate() {
        stream.extend(format!("{line}\n").bytes());
        stream.extend(payload(b'W' + u8::try_from(n).unwrap(), *sectors));
        stream.extend(trailer.bytes());
    }
    stream
}

#[track_caller]
fn header(events: &[Owned]) -> &Header {
    let Some(Owned::Header(header)) = events.first() else { panic!("no header") };
    header
}

#[track_caller]
fn completeness(stream: &[u8]) -> Completeness {
    match accept(stream).last() {
        Some(Owned::End(end)) => end.completeness,
        other => panic!("ends with {other:?}"),
    }
}

/// With and without `W`, with and without the newline after the data, in any order, with data that looks like lines.
#[test]
fn records_of_1_0() {
    for trailer in ["", "\n"] {
        for lines in [["W 8 2", "W 0 1"], ["W 0008 2", "W 0 1"], ["8 2", "0 1"], ["D 2", "F 1"], ["W d 2", "0 1"]] {
            let stream = stream("", "", &[(lines[0], 2), (lines[1], 1)], trailer);
            let events = accept(&stream);
            let starts: Vec<u64> = lines
                .map(|line| {
                    let offset = line.trim_start_matches("W ").split(' ').next().unwrap();
                    u64::from_str_radix(offset, 16).unwrap()
                })
                .to_vec();
            let expected = [
                Owned::Data { extent: sectors(starts[0], 2), bytes: payload(b'W', 2) },
                Owned::Data { extent: sectors(starts[1], 1), bytes: payload(b'X', 1) },
            ];
            assert_eq!(events[1..3], expected, "{lines:?} {trailer:?}");
        }
    }
}

#[test]
fn newline_after_data_is_decided_once() {
    let mut mixed = stream("", "", &[("W 0 1", 1)], "\n");
    mixed.extend(stream("", "", &[("W 8 1", 1), ("W 10 1", 1)], "").split_off(MAGIC.len() + 1));
    refused(&mixed, mixed.len() - "W 10 1\n".len() - 512, "expected a newline after the data, found `W`");
    let mut mixed = stream("", "", &[("W 0 1", 1), ("W 8 1", 1)], "");
    mixed.extend(b"\n");
    let words = "expected `W <offset> <length>` or `<offset> <length>`, found ``";
    refused(&mixed, mixed.len() - 1, words);
}

#[test]
fn checks_of_1_0() {
    let checks = "D 0 8 CRC32 00ABCDEF\nD 10 8 CRC32 1\nD 0 1 MD5 x\nD 0 1 crc32 123456789\n";
    let events = accept(&stream("", &format!("{checks}\n"), &[("W 0 1", 1)], "\n"));
    let hashes: Vec<CheckHash> = events
        .iter()
        .filter_map(|event| match event {
            Owned::Check(check) => Some(check.hash.clone()),
            _ => None,
        })
        .collect();
    let other = |name: &str, value: &str| CheckHash::Other { name: name.to_owned(), value: value.to_owned() };
    let expected = [CheckHash::Crc32(0xab_cdef), CheckHash::Crc32(1), other("MD5", "x"), other("crc32", "123456789")];
    assert_eq!(hashes, expected);
    // The published definition has the empty line without D lines as well.
    accept(&stream("", "\n", &[("W 0 1", 1)], "\n"));

    let words =
        |line: &str| format!("expected an empty line after the base checks, and none of them after it, found `{line}`");
    let start = MAGIC.len() + 1;
    refused(&stream("", "D 0 8 CRC32 1\n", &[("W 0 1", 1)], "\n"), start + 14, &words("W 0 1"));
    let late = [stream("", "", &[("W 0 1", 1)], "\n"), b"D 0 8 CRC32 1\n".to_vec()].concat();
    refused(&late, late.len() - 14, &words("D 0 8 CRC32 1"));
    assert!(refuse(&stream("", "D 0 8 CRC32 1\n", &[], "")).is_cut());
}

#[test]
fn headers_of_1_0() {
    let text = "Volume size: 65536\r\nBacking volumeUUID: b\r\nName: \"1234\"\r\nnote :   'it''s'  \r\nbad: \"x\r\n\
                Delta blocks: 0\r\nDetect level: 9\r\nCreated: yesterday\r\nName: other\r\n\r";
    let events = accept(&stream(text, "", &[], ""));
    let header = header(&events);
    assert_eq!(header.name.as_deref(), Some("1234"));
    assert_eq!((header.volume_size, header.delta_blocks), (Some(Bytes::new(65536)), Some(0)));
    assert_eq!(header.parent.as_ref().map(hyperlayer::LayerId::as_str), Some("b"));
    assert_eq!((header.detect_level, header.created.as_deref()), (Some(9), None));
    let meta: Vec<_> = header.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(meta, [("note", "it's"), ("bad", "\"x"), ("Created", "yesterday"), ("Name", "other")]);

    let crlf = golden("original-level0-1.0.hl");
    let magic = [b"HYPERLAYER/1.0\r\n".as_slice(), &crlf[MAGIC.len()..]].concat();
    accept(&magic);

    let words = "expected a header line `Key: value` in UTF-8, found `no colon`";
    refused(&stream("no colon\n", "", &[], ""), MAGIC.len(), words);
    let words = "the header's `Volume size` is `1e6`, expected a multiple of 512 below 2^63, in bytes";
    refused(&stream("Name: x\nVolume size: 1e6\n", "", &[], ""), MAGIC.len() + 8, words);
    let words = "the header's `Name` is `\"x`, expected a YAML scalar";
    refused(&stream("Name: \"x\n", "", &[], ""), MAGIC.len(), words);
}

const SIZES: &str = "Volume size: 8192\nChunk size: 1024\n";

#[test]
fn delta_blocks_are_chunks() {
    let blocks = |count: u64| format!("{SIZES}Delta blocks: {count}\n");
    // Two and a half chunks touch three; the second record only fills one of them up, the third is another.
    let records = [("W 2 4", 4), ("W 1 1", 1), ("W 6 1", 1), ("W 7 1", 1)];
    assert_eq!(completeness(&stream(&blocks(4), "", &records, "\n")), Completeness::Counted);
    let less = stream(&blocks(5), "", &records, "\n");
    assert!(refuse(&less).is_cut());
    refused(&less, less.len(), "the stream is cut: it ends before all of its `Delta blocks`");
    let more = stream(&blocks(3), "", &records, "\n");
    refused(&more, more.len(), "the header states 3 delta blocks, the stream holds 4");
    // Without a chunk size the records are counted.
    assert_eq!(completeness(&stream("Delta blocks: 4\n", "", &records, "\n")), Completeness::Counted);
    assert_eq!(completeness(&stream("", "", &records, "\n")), Completeness::Unknown);
}

#[test]
fn overlaps_and_bounds_of_1_0() {
    let first = MAGIC.len() + SIZES.len() + 1;
    for second in ["W 4 1", "W 1 4", "W 5 1", "W 0 8", "W 3 1"] {
        let sectors = usize::from_str_radix(second.rsplit(' ').next().unwrap(), 16).unwrap();
        let stream = stream(SIZES, "", &[("W 8 1", 1), ("W 3 3", 3), (second, sectors)], "\n");
        let error = refuse(&stream);
        assert_eq!(error.position, (first + 6 + 513 + 6 + 1537) as u64, "{second}");
        assert!(error.to_string().contains("overlaps another one"), "{second}: {error}");
    }
    accept(&stream(SIZES, "", &[("W 8 1", 1), ("W 3 3", 3), ("W 6 2", 2), ("W 0 3", 3)], "\n"));
    let words = "a data record of bytes 7680..8704 lies past the volume's size of 8192 bytes";
    refused(&stream(SIZES, "", &[("W F 2", 2)], "\n"), first, words);
    let words = "a data record of bytes 9223372036854775296..9223372036854776320 lies past the largest possible volume's size of \
                 9223372036854775296 bytes";
    refused(&stream("", "", &[("W 3FFFFFFFFFFFFF 2", 0)], ""), MAGIC.len() + 1, words);
}

/// The original takes each of these for a write or for the end; we take them for damage.
#[test]
fn lines_that_are_no_records_of_1_0() {
    for line in [
        "Z 30 8",
        "E 0 8",
        "END",
        "END 0",
        "W 0",
        "W 0 0",
        "0x0 8",
        "W 0 8 12345678",
        "8",
        "",
        "FFFFFFFFFFFFFFFF 1",
        "W  0 8",
        "W 0 8 ",
    ] {
        let stream = stream("", "", &[("W 8 1", 1), (line, 0)], "\n");
        let error = refuse(&stream);
        assert!(error.position >= (MAGIC.len() + 1 + 6 + 513) as u64 && !error.is_cut(), "{line:?}: {error}");
    }
}

#[test]
fn end_line_of_1_0() {
    let whole = golden("ours-1.0.hl");
    let line = whole.windows(4).rposition(|window| window == b"END ").unwrap();
    let with = |end: &str| [&whole[..line], end.as_bytes()].concat();
    let digest = |end: &str| {
        let digest = blake3::hash(&with(end));
        with(&format!("{end}{digest}\n"))
    };
    assert_eq!(digest("END 4 records BLAKE3 "), whole);
    refused(&digest("END 3 records BLAKE3 "), line, "the end line states 3 data records, the stream holds 4");
    let mut damaged = whole.to_vec();
    damaged[line - 2] ^= 1;
    assert!(refuse(&damaged).to_string().contains("it was altered"));
    // Data after it belongs to nobody.
    refused(
        &[whole, b"W 0 8\n"].concat(),
        whole.len(),
        "expected the end of the input or another stream, found `W 0 8\\n`",
    );
}

#[test]
fn streams_after_each_other() {
    let names =
        ["original-level2-1.0.hl", "full-1.1.hl", "published-1.0.hl", "ours-1.0.hl", "empty-1.1.hl", "bare-1.0.hl"];
    let all = accept(&names.map(golden).concat());
    let each: Vec<Owned> = names.iter().flat_map(|name| accept(golden(name))).collect();
    assert_eq!(all, each);

    let full = golden("full-1.1.hl");
    for (tail, words) in [
        (b"\n".as_slice(), "expected the end of the input or another stream, found `\\n`"),
        (b"x", "expected the end of the input or another stream, found `x`"),
        (b"HYPERLAYER/2.0\n", "expected `HYPERLAYER/1.0` or `HYPERLAYER/1.1`, found `HYPERLAYER/2.0`"),
        (b"HYPERLAYER\n", "expected the end of the input or another stream, found `HYPERLAYER\\n`"),
    ] {
        refused(&[full, tail].concat(), full.len(), words);
    }
    assert!(refuse(&[full, b"HYPER"].concat()).is_cut());
    refused(b"", 0, "the stream is cut: it ends before anything");
    refused(
        b"can not find thin lv nope\n",
        0,
        "expected a stream that begins with `HYPERLAYER/`, found `can not find thin lv nope\\n`",
    );
}

const KEYS: &str = "Kind: delta\nVolume_size: 65536\nChunk_size: 4096\nParent_size: 131072\nCheck_records: 1\n\
                    Data_records: 1\nData_bytes: 512\nZero_records: 1\nZero_bytes: 512\n";

/// A stream whose checks and digest are right, of lines without their checks; `W` lines with a sector of data.
fn v1_1(lines: &[&str]) -> Vec<u8> {
    let data = payload(b'x', 1);
    let records: Vec<_> =
        lines.iter().map(|line| (*line, if line.starts_with('W') { data.as_slice() } else { &[] })).collect();
    stream_1_1(KEYS, &checked(KEYS, &records), "1 1 1 1 1")
}

#[test]
fn records_of_1_1() {
    let (d, w) = ("D 80 80 CRC32 00000001", "W 10 1");
    accept(&v1_1(&[d, w, "Z 11 1"]));
    // At the last of these lines.
    let check = |lines: &[&str], words: &str| {
        let end = "E 1 1 1 1 1 \n".len() + 64;
        let last = lines.last().unwrap().len() + " 00000000\n".len();
        let stream = v1_1(lines);
        refused(&stream, stream.len() - end - last, words);
    };
    let words = "a base check of bytes 65536..131584 lies past the base's size of 131072 bytes";
    check(&["D 80 81 CRC32 00000001"], words);
    let words = "a zero record of bytes 8192..8704 overlaps or precedes what came before it, up to byte 8704";
    check(&[d, w, "Z 10 1"], words);
    let words = "a zero record of bytes 65024..66048 lies past the volume's size of 65536 bytes";
    check(&[d, w, "Z 7F 2"], words);
    let words = "a base check of bytes 65536..131072 after the first data or zero record";
    check(&[w, d], words);
}

/// Each in one spelling only.
#[test]
fn spellings_of_1_1() {
    for line in [
        "D 0 8 CRC32 1 00000000",
        "D 0 8 CRC32 ABCDEF00 00000000",
        "D 0 8 MD5 x 00000000",
        "D 0 8 crc32 00000001 00000000",
        "D 0 8 CRC32 00000001",
        "D 0 8 CRC32 00000001 0",
        "D 0 8 CRC32 00000001 00000000 ",
        "D 0 8",
        "D 0 8 00000000",
        "D 0 8 BLAKE3 00 00000000",
        "W 0 8",
        "W a 8 00000000",
        "W 00 8 00000000",
        "W 0 08 00000000",
        "W 0 8 0000000A",
        "0 8",
        "Z 0 8",
        "Z 0 8 ",
        "Z 0 8 0000000A",
        "Z 0 8 000000000",
        "Z 0 0 00000000",
        "Z  0 8 00000000",
        "Z +1 8 00000000",
        "Z 0x1 8 00000000",
        "Z FFFFFFFFFFFFFFFF 1 00000000",
        "Z 10000000000000000 1 00000000",
        "",
        "X 0 8 00000000",
        "END 0 records BLAKE3 0",
    ] {
        let error = refuse(&stream_1_1(KEYS, format!("{line}\n").as_bytes(), "1 1 1 1 1"));
        let start = ("HYPERLAYER/1.1\n".len() + KEYS.len() + 1) as u64;
        assert!((start..=start + line.len() as u64).contains(&error.position), "{line:?}: {error}");
        assert!(error.to_string().contains("expected"), "{line:?}: {error}");
    }
}

#[test]
fn headers_of_1_1() {
    let header = |from: &str, to: &str| {
        assert!(KEYS.contains(from));
        refuse(&stream_1_1(&KEYS.replace(from, to), b"", "0 0 0 0 0")).kind.to_string()
    };
    assert_eq!(header("Kind: delta\n", ""), "the header lacks `Kind`");
    assert_eq!(header("Kind: delta", "Kind: Delta"), "the header's `Kind` is `Delta`, expected `full` or `delta`");
    assert_eq!(header("Parent_size: 131072\n", ""), "the header lacks `Parent_size`");
    assert_eq!(header("Zero_records: 1\n", ""), "the header lacks `Zero_records`");
    assert_eq!(header("Kind: delta\n", "Kind: delta\nKind: delta\n"), "the header has `Kind` twice");
    assert_eq!(header("Kind: delta\n", "Kind: delta\nk: \nk: \n"), "the header has `k` twice");
    let words = "the header key `Chunk size` is not a letter or underscore followed by letters, digits and underscores";
    assert_eq!(header("Chunk_size: 4096", "Chunk_size: 4096\nChunk size: 4096"), words);
    let words = "the header's `Data_bytes` is `0512`, expected a decimal number";
    assert_eq!(header("Data_bytes: 512", "Data_bytes: 0512"), words);
    assert!(header("Kind: delta", "Kind:delta").contains("expected a header line"));
    assert!(header("Kind: delta\n", "Kind: delta\r\n").contains("expected `full` or `delta`"));
    assert!(header("Kind: delta\n", "Kind: delta\nLayer: a b\n").contains("expected a layer id"));
    let words = "the header's `Data_bytes` is `0`, expected whole sectors, at least one in each record";
    assert_eq!(header("Data_bytes: 512", "Data_bytes: 0"), words);
}

#[test]
fn totals_of_1_1() {
    let records = checked(KEYS, &[("W 0 1", &payload(b'x', 1))]);
    let kind = |counts: &str| refuse(&stream_1_1(KEYS, &records, counts)).kind.to_string();
    assert_eq!(kind("1 1 1 1 1"), "the end record states 1 base checks, the stream holds 0");
    assert_eq!(kind("0 1 2 0 0"), "the end record states 2 sectors of data, the stream holds 1");
    assert_eq!(kind("0 1 1 0 0"), "the header states 1 base checks, the stream holds 0");
}
