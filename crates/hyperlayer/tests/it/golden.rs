//! Byte for byte: what the golden files say, and that the encoder writes them.

use extents::Bytes;
use hyperlayer::fuzzing::Owned;
use hyperlayer::{
    Check, CheckHash, CheckHasher, Completeness, DATA_TRAILER, Encoder, End, Format, Header, Kind, LayerId, Totals,
};

use crate::streams::{accept, chunk_size, golden, sectors, text};

pub(crate) const A_ID: &str = "w5DLJD-l6Cx-zV8E-ky9V-2oGZ-0UcT-X3eE0s";
pub(crate) const B_ID: &str = "CG3k1B-7dyZ-hpAC-0Y8C-tpwy-Vj2X-1QaXyk";

pub(crate) fn id(text: &str) -> Option<LayerId> {
    Some(LayerId::new(text).unwrap())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn totals(checks: u64, data_records: u64, data: u64, zero_records: u64, zero: u64) -> Totals {
    Totals { checks, data_records, data: Bytes::new(data), zero_records, zero: Bytes::new(zero) }
}

pub(crate) fn data(start: u64, bytes: Vec<u8>) -> Owned {
    Owned::Data { extent: sectors(start, bytes.len() as u64 / 512), bytes }
}

fn crc32(start: u64, len: u64, content: &[u8]) -> Owned {
    let mut hasher = CheckHasher::crc32();
    hasher.update(content);
    Owned::Check(Check { extent: sectors(start, len), hash: hasher.finish() })
}

fn blake3(start: u64, len: u64, content: &[u8]) -> Owned {
    let mut hasher = CheckHasher::blake3();
    hasher.update(content);
    Owned::Check(Check { extent: sectors(start, len), hash: hasher.finish() })
}

/// Writes what the events say.
fn encode(header: &Header, records: &[Owned]) -> Vec<u8> {
    let (mut encoder, mut out) = Encoder::start(header).unwrap();
    for record in records {
        match record {
            Owned::Check(check) => out.extend(encoder.check(check).unwrap()),
            Owned::Zero(extent) => encoder.zero(*extent).unwrap().for_each(|piece| out.extend_from_slice(&piece)),
            Owned::Data { extent, bytes } => {
                out.extend(encoder.data(*extent, bytes).unwrap());
                out.extend(bytes);
                out.extend(DATA_TRAILER);
            }
            _ => unreachable!("{record:?}"),
        }
    }
    let finished = encoder.finish().unwrap();
    out.extend(&finished.bytes);
    assert_eq!(finished.blake3, blake3::hash(&out).into());
    assert_eq!(finished.len, Bytes::from(out.len()));
    out
}

/// That the file says exactly this and ends so.
#[track_caller]
pub(crate) fn check(name: &str, header: &Header, records: &[Owned], completeness: Completeness, end_totals: Totals) {
    let bytes = golden(name);
    let blake3 = blake3::hash(bytes).into();
    let end = End { format: header.format, completeness, totals: end_totals, len: Bytes::from(bytes.len()), blake3 };
    let mut expected = vec![Owned::Header(Box::new(header.clone()))];
    expected.extend(records.iter().cloned());
    expected.push(Owned::End(end));
    assert_eq!(accept(bytes), expected);
}

/// The same, and that the encoder writes it.
#[track_caller]
fn check_1_1(name: &str, header: &Header, records: &[Owned]) {
    check(name, header, records, Completeness::Proven, header.totals.unwrap());
    assert_eq!(encode(header, records).escape_ascii().to_string(), golden(name).escape_ascii().to_string());
}

#[test]
fn full() {
    let header = Header {
        name: some("sp0"),
        layer: id(B_ID),
        source: some("vg0/sp0"),
        created: some("2026-11-21T03:00:00Z"),
        tool: some("lvdiff 0.1.0"),
        meta: pairs(&[("Author", "BigVan (alpc_metic@live.com)"), ("Message", "a time: 12:00, über")]),
        ..Header::full(Bytes::new(65536), chunk_size(4096), totals(0, 3, 32768, 0, 0))
    };
    let texts = |chunks: &[usize]| chunks.iter().flat_map(|i| text('B', *i)).collect();
    let records = [data(0, texts(&[0, 1])), data(0x30, texts(&[6, 7])), data(0x50, texts(&[10, 11, 12, 13]))];
    check_1_1("full-1.1.hl", &header, &records);
}

#[test]
fn delta() {
    let size = Bytes::new(65536);
    let header = Header {
        name: some("sp1"),
        layer: id(A_ID),
        parent: id(B_ID),
        source: some("vg0/sp1"),
        created: some("2026-11-21T03:00:00Z"),
        tool: some("lvdiff 0.1.0"),
        ..Header::delta(size, size, chunk_size(4096), totals(3, 3, 24576, 1, 4096))
    };
    let records = [
        crc32(0, 8, &text('B', 0)),
        blake3(0x30, 8, &text('B', 6)),
        crc32(0x50, 0x18, &[text('B', 10), text('B', 11), text('B', 12)].concat()),
        data(0, text('A', 0)),
        data(0x10, [text('A', 2), text('A', 3)].concat()),
        Owned::Zero(sectors(0x30, 8)),
        data(0x50, [text('A', 10), text('A', 11), text('A', 12)].concat()),
    ];
    check_1_1("delta-1.1.hl", &header, &records);
}

#[test]
fn empty() {
    let size = Bytes::new(65536);
    check_1_1("empty-1.1.hl", &Header::delta(size, size, chunk_size(65536), Totals::default()), &[]);
}

#[test]
fn short() {
    let volume = |kind: char| {
        let texts = |set: &[usize]| {
            (0..16).map(|i| if set.contains(&i) { text(kind, i) } else { vec![0; 4096] }).collect::<Vec<_>>()
        };
        texts(if kind == 'A' { &[0, 2, 3, 10, 11, 12] } else { &[0, 1, 6, 7, 10, 11, 12, 13] })
    };
    let base = volume('B');
    let mut new = volume('A');
    for same in [1, 7, 13] {
        new[same] = base[same].clone();
    }
    let (base, new) = (base.concat(), new.concat());
    let size = 19 * 512;
    let header = Header {
        name: some("a-b.c_d+e"),
        layer: id(&format!("blake3:{}", blake3::hash(&new[..size]))),
        parent: id(&format!("blake3:{}", blake3::hash(&base))),
        ..Header::delta(Bytes::from(size), Bytes::new(65536), chunk_size(4096), totals(1, 1, 1536, 1, 512))
    };
    let records =
        [crc32(0x60, 8, &text('B', 12)), Owned::Zero(sectors(8, 1)), data(0x10, new[0x10 * 512..size].to_vec())];
    check_1_1("short-1.1.hl", &header, &records);
}

fn header_1_0(checks: u64, level: i32) -> Header {
    Header {
        name: some("sp1"),
        layer: id(A_ID),
        parent: id(B_ID),
        detect_level: Some(level),
        meta: pairs(&[("Author", "BigVan (alpc_metic@live.com)"), ("Message", "hello world")]),
        totals: Some(totals(checks, 0, 0, 0, 0)),
        ..Header::v1_0(Bytes::new(65536), chunk_size(4096), Totals::default(), 7)
    }
}

/// As it is read: 1.0 does not carry everything.
fn as_read(header: Header) -> Header {
    Header { totals: None, ..header }
}

fn chunks_1_0() -> Vec<Owned> {
    [0, 2, 3, 6, 10, 11, 12]
        .map(|i| data(i * 8, if i == 6 { vec![0; 4096] } else { text('A', usize::try_from(i).unwrap()) }))
        .to_vec()
}

fn checks_1_0() -> Vec<Owned> {
    let checks = [(0, 0xabce_458e), (0x30, 0xa58c_5493), (0x50, 0xbb4d_b752)];
    checks.map(|(at, crc)| Owned::Check(Check { extent: sectors(at, 8), hash: CheckHash::Crc32(crc) })).to_vec()
}

/// Writes the records of the original, and gives what stands before our end line.
#[track_caller]
fn written_1_0(header: &Header, records: &[Owned]) -> Vec<u8> {
    let stated = Totals { data_records: 7, data: Bytes::new(7 * 4096), ..header.totals.unwrap() };
    let mut stream = encode(&Header { totals: Some(stated), ..header.clone() }, records);
    let end = b"END 7 records BLAKE3 ".len() + 64 + 1;
    let line = stream.split_off(stream.len() - end);
    assert!(line.starts_with(b"END 7 records BLAKE3 "), "{}", line.escape_ascii());
    stream
}

#[test]
fn original_with_checks() {
    let (header, records) = (header_1_0(3, 2), [checks_1_0(), chunks_1_0()].concat());
    let name = "original-level2-1.0.hl";
    check(name, &as_read(header.clone()), &records, Completeness::Counted, totals(3, 7, 7 * 4096, 0, 0));
    assert_eq!(written_1_0(&header, &records), golden(name));
}

#[test]
fn original_without_checks() {
    let (header, records) = (header_1_0(0, 0), chunks_1_0());
    let name = "original-level0-1.0.hl";
    check(name, &as_read(header.clone()), &records, Completeness::Counted, totals(0, 7, 7 * 4096, 0, 0));
    assert_eq!(written_1_0(&header, &records), golden(name));
    // A level without checks would make the original take the first record for a check.
    assert_eq!(written_1_0(&Header { detect_level: Some(3), ..header }, &records), golden(name));
}

#[test]
fn ours() {
    let header = Header {
        name: some("1234"),
        source: some("vg0/sp1"),
        created: some("2026-11-21T03:00:00Z"),
        tool: some("lvdiff 0.1.0"),
        meta: pairs(&[("Message", "@x: \"quoted\"")]),
        totals: Some(totals(3, 3, 6 * 4096, 1, 4096)),
        ..header_1_0(3, 2)
    };
    let mut records = checks_1_0();
    records.extend([
        data(0, text('A', 0)),
        data(0x10, [text('A', 2), text('A', 3)].concat()),
        Owned::Zero(sectors(0x30, 8)),
        data(0x50, [text('A', 10), text('A', 11), text('A', 12)].concat()),
    ]);
    let name = "ours-1.0.hl";
    assert_eq!(encode(&header, &records), golden(name));
    records[5] = data(0x30, vec![0; 4096]);
    check(name, &as_read(header), &records, Completeness::Proven, totals(3, 4, 7 * 4096, 0, 0));
}

#[test]
fn bare() {
    let header = Header { detect_level: None, meta: Vec::new(), ..as_read(header_1_0(0, 0)) };
    check("bare-1.0.hl", &header, &chunks_1_0(), Completeness::Counted, totals(0, 7, 7 * 4096, 0, 0));
}

/// A 1.0 header in which nothing stands.
fn nothing(format: Format) -> Header {
    let header = as_read(Header::v1_0(Bytes::ZERO, chunk_size(512), Totals::default(), 0));
    Header { format, kind: Kind::Delta, volume_size: None, chunk_size: None, delta_blocks: None, ..header }
}

#[test]
fn lvbackup() {
    let header = Header { name: some("sp1"), meta: pairs(&[("Author", "me")]), ..nothing(Format::V1_0) };
    let records = [data(0, text('A', 0)), data(0x10, text('A', 2))];
    check("lvbackup-1.0.hl", &header, &records, Completeness::Unknown, totals(0, 2, 8192, 0, 0));
}

#[test]
fn published() {
    let header = Header { name: some("sp1"), meta: pairs(&[("Author", "me")]), ..nothing(Format::V1_0) };
    // The SHA-1 of chunk 10 of the base, as the file gives it.
    let value = "0e46e3e007b21d86c28fd6303df53b44667ac2ce".to_owned();
    let other = CheckHash::Other { name: "SHA1".to_owned(), value };
    let records = [
        Owned::Check(Check { extent: sectors(0x10, 0x16), hash: CheckHash::Crc32(0xdf97_3e29) }),
        Owned::Check(Check { extent: sectors(0x50, 8), hash: other.clone() }),
        data(0x50, text('A', 10)),
        data(0, text('A', 0)),
        data(0x10, text('A', 2)),
    ];
    check("published-1.0.hl", &header, &records, Completeness::Unknown, totals(2, 3, 3 * 4096, 0, 0));
    let unsupported = Check { extent: sectors(0x50, 8), hash: other }.hasher().unwrap_err();
    assert_eq!(unsupported.to_string(), "the base check uses the hash `SHA1`, known are CRC32 and BLAKE3");
}

/// Every `hexdump FILE` block of FORMAT.md is what stands in that file.
#[test]
fn hex_dumps_in_the_format_text() {
    let text = include_str!("../../FORMAT.md");
    let mut lines = 0;
    for block in text.split("```hexdump ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        for line in rest.split("```").next().unwrap().lines().filter(|line| *line != "...") {
            let (offset, rest) = line.split_once(": ").unwrap();
            let hex = rest.split_once("  ").unwrap().0.replace(' ', "");
            let from = usize::from_str_radix(offset, 16).unwrap();
            let found: String = golden(name)[from..from + hex.len() / 2].iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, found, "{name} at {offset}");
            lines += 1;
        }
    }
    assert!(lines > 20, "{lines} lines compared");
}
