//! Streams of the first `lvbackup`.

use extents::Bytes;
use hyperlayer::{Completeness, Format, Header, Kind, LayerId, Totals};
use md5::{Digest, Md5};

use super::header;
use crate::golden::{A_ID, B_ID, check, data, id, totals};
use crate::streams::{accept, chunk_size, golden, refused, text};

fn header_of(kind: Kind, layer: &str, parent: Option<&str>, blocks: u64) -> Header {
    Header {
        volume_size: Some(Bytes::new(65536)),
        chunk_size: Some(chunk_size(4096)),
        layer: id(&layer[..36]),
        parent: parent.and_then(|parent| id(&parent[..36])),
        totals: Some(totals(0, blocks, blocks * 4096, 0, 0)),
        ..header(Format::LvbackupV1, kind)
    }
}

#[test]
fn full() {
    let records: Vec<_> = [0, 1, 6, 7, 10, 11, 12, 13].map(|i| data(i as u64 * 8, text('B', i))).to_vec();
    let header = header_of(Kind::Full, B_ID, None, 8);
    check("lvbackup-v1-full.bin", &header, &records, Completeness::Counted, header.totals.unwrap());
}

#[test]
fn delta() {
    let content = |i| if i == 6 { vec![0; 4096] } else { text('A', i) };
    let records: Vec<_> = [0, 2, 3, 6, 10, 11, 12].map(|i| data(i as u64 * 8, content(i))).to_vec();
    let header = header_of(Kind::Delta, A_ID, Some(B_ID), 7);
    check("lvbackup-v1-delta.bin", &header, &records, Completeness::Counted, header.totals.unwrap());
}

/// A UUID lacks its last two characters there.
#[test]
fn parents_are_prefixes() {
    let header = header_of(Kind::Delta, A_ID, Some(B_ID), 7);
    let is_parent = |header: &Header, text: &str| header.has_parent(&LayerId::new(text).unwrap());
    assert!(is_parent(&header, B_ID) && is_parent(&header, &B_ID[..36]));
    assert!(!is_parent(&header, A_ID) && !is_parent(&header, &B_ID[..35]));
    let other = Header { format: Format::V1_1, ..header };
    assert!(!is_parent(&other, B_ID) && is_parent(&other, &B_ID[..36]));
}

#[test]
fn several_in_a_row() {
    let (full, delta) = (golden("lvbackup-v1-full.bin"), golden("lvbackup-v1-delta.bin"));
    let all = accept(&[full, delta, golden("delta-1.1.hl"), delta].concat());
    assert_eq!(all.len(), 10 + 9 + 9 + 9);
    let words = "expected the end of the input or another stream, found `\\x01`";
    refused(&[full, &[1, 3]].concat(), full.len(), &format!("{}\\x03`", &words[..words.len() - 1]));
    refused(&[full, &[1]].concat(), full.len() + 1, "the stream is cut: it ends within the first bytes of a stream");
}

struct Fields {
    kind: u8,
    size: u64,
    block: u32,
    count: u64,
    layer: [u8; 36],
    source: [u8; 36],
}

fn fields() -> Fields {
    Fields { kind: 2, size: 4096, block: 512, count: 1, layer: [b'a'; 36], source: [0; 36] }
}

fn with_md5(bytes: &[u8]) -> Vec<u8> {
    let digest = Md5::digest(bytes);
    [bytes, &digest].concat()
}

impl Fields {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, self.kind];
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.block.to_be_bytes());
        bytes.extend(self.count.to_be_bytes());
        bytes.extend(self.layer);
        bytes.extend(self.source);
        with_md5(&bytes)
    }
}

fn block(index: u64, len: usize) -> Vec<u8> {
    with_md5(&[index.to_be_bytes().to_vec(), vec![b'x'; len]].concat())
}

#[test]
fn refused_headers() {
    let wrong = |fields: Fields, words: &str| refused(&fields.bytes(), 0, words);
    let size = "expected a multiple of 512 below 2^63, in bytes";
    wrong(Fields { size: 100, ..fields() }, &format!("the volume size is 100, {size}"));
    wrong(Fields { size: 1 << 63, ..fields() }, &format!("the volume size is 9223372036854775808, {size}"));
    let block = "expected a multiple of 512 up to 1073741824, in bytes";
    wrong(Fields { block: 0, ..fields() }, &format!("the block size is 0, {block}"));
    wrong(Fields { block: 513, ..fields() }, &format!("the block size is 513, {block}"));
    wrong(Fields { block: 1 << 31, ..fields() }, &format!("the block size is 2147483648, {block}"));
    let count = "the number of blocks is 9, expected no more than the volume has";
    wrong(Fields { count: 9, ..fields() }, count);
    let source = "the source UUID is aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, expected none in a full layer";
    wrong(Fields { kind: 1, source: [b'a'; 36], ..fields() }, source);
    let words =
        format!("the header's `LV UUID` is `{}`, expected letters, digits and hyphens, or zeros", " ".repeat(36));
    wrong(Fields { layer: [b' '; 36], ..fields() }, &words);
    let mut bytes = fields().bytes();
    bytes[109] ^= 1;
    let error = crate::streams::refuse(&bytes);
    assert_eq!(error.position, 0);
    assert!(error.kind.to_string().starts_with("the header has the MD5 "), "{error}");
}

#[test]
fn refused_blocks() {
    let header = Fields { count: 2, size: 2560, block: 1024, ..fields() }.bytes();
    let wrong = |index, words: &str| {
        refused(&[header.clone(), block(1, 1024), block(index, 1024)].concat(), 110 + 8 + 1024 + 16, words);
    };
    wrong(1, "a data record of bytes 1024..2048 overlaps another one");
    wrong(2, "a block of bytes 2048..3072 lies past the volume's size of 2560 bytes");
    let words = "the number of a block is 18446744073709551615, expected one below the end of the volume";
    wrong(u64::MAX, words);
    let mut altered = [header.clone(), block(1, 1024), block(0, 1024)].concat();
    assert_eq!(accept(&altered).len(), 4);
    let at = 110 + 8 + 1024 + 16 + 8 + 5;
    altered[at] ^= 1;
    let error = crate::streams::refuse(&altered);
    assert_eq!(error.position, 110 + 2 * (8 + 1024) + 16);
    assert!(error.kind.to_string().starts_with("a block has the MD5 "), "{error}");
    // Where a block ends the original took the end of the input for the end of the stream.
    let cut = "the stream is cut: it ends before all of its blocks";
    refused(&[header, block(1, 1024)].concat(), 110 + 8 + 1024 + 16, cut);
}

#[test]
fn no_blocks() {
    let stream = Fields { count: 0, layer: [0; 36], ..fields() }.bytes();
    let events = accept(&stream);
    let header = Header {
        volume_size: Some(Bytes::new(4096)),
        chunk_size: Some(chunk_size(512)),
        totals: Some(Totals::default()),
        ..header(Format::LvbackupV1, Kind::Delta)
    };
    assert_eq!(events[0], hyperlayer::fuzzing::Owned::Header(Box::new(header)));
    assert_eq!(events.len(), 2);
    // A reader says that the input ends, and so do two streams in a row.
    let two = stream.repeat(2);
    for (input, ends) in [(&stream, 1), (&two, 2)] {
        let mut reader = hyperlayer::Reader::new(&input[..]);
        let mut found = 0;
        while let Some(event) = reader.next_event().unwrap() {
            found += usize::from(matches!(event, hyperlayer::Event::End(_)));
        }
        assert_eq!(found, ends);
    }
}
