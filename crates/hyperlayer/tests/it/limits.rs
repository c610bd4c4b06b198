//! Each limit, from both sides.

use extents::Bytes;
use hyperlayer::limits::{MAX_CHUNK_SIZE, MAX_VOLUME_SIZE};
use hyperlayer::limits::{MAX_DATA_RECORD, MAX_HEADER_BYTES, MAX_HEADER_KEYS, MAX_LAYER_ID_BYTES, MAX_LINE_BYTES};
use hyperlayer::{Encoder, Header, LayerId, Totals};

use crate::streams::{accept, checked, chunk_size, refused, sectors, stream_1_1};

const MAGIC_BYTES: usize = "HYPERLAYER/1.1\n".len();
const KEYS: &str = "Kind: full\nVolume_size: 1073741824\nChunk_size: 4096\nCheck_records: 0\nData_records: 0\n\
                    Data_bytes: 0\nZero_records: 0\nZero_bytes: 0\n";

fn with(lines: &str) -> Vec<u8> {
    stream_1_1(&format!("{KEYS}{lines}"), b"", "0 0 0 0 0")
}

#[test]
fn line() {
    let line = |bytes: usize| format!("k: {}\n", "v".repeat(bytes - "k: \n".len()));
    accept(&with(&line(MAX_LINE_BYTES)));
    let words = "a line has at least 4097 bytes, at most 4096 are allowed";
    refused(&with(&line(MAX_LINE_BYTES + 1)), MAGIC_BYTES + KEYS.len(), words);
}

#[test]
fn header_keys() {
    let keys = |count: usize| (0..count).map(|n| format!("k{n}: v\n")).collect::<String>();
    let own = KEYS.lines().count();
    accept(&with(&keys(MAX_HEADER_KEYS - own)));
    let too_many = keys(MAX_HEADER_KEYS - own + 1);
    let position = MAGIC_BYTES + KEYS.len() + too_many.len() - "k248: v\n".len();
    refused(&with(&too_many), position, "the header has at least 257 keys, at most 256 are allowed");
}

#[test]
fn header_bytes() {
    let fill = |bytes: usize| {
        let mut left = bytes - MAGIC_BYTES - KEYS.len() - "\n".len();
        let mut lines = String::new();
        for n in 10.. {
            let line = left.min(if left < 5000 { left } else { 4000 });
            if line == 0 {
                break;
            }
            lines += &format!("k{n}: {}\n", "v".repeat(line - "k10: \n".len()));
            left -= line;
        }
        lines
    };
    accept(&with(&fill(MAX_HEADER_BYTES)));
    let words = "the header has at least 65537 bytes, at most 65536 are allowed";
    refused(&with(&fill(MAX_HEADER_BYTES + 1)), MAX_HEADER_BYTES, words);
}

#[test]
fn data_record() {
    let max = MAX_DATA_RECORD.get() / 512;
    let header = |len: u64| {
        KEYS.replace("Data_records: 0", "Data_records: 1")
            .replace("Data_bytes: 0", &format!("Data_bytes: {}", len * 512))
    };
    let stream = |len: u64| {
        let payload = vec![7; usize::try_from(len * 512).unwrap()];
        let records = checked(&header(len), &[(&format!("W 0 {len:X}"), &payload)]);
        stream_1_1(&header(len), &records, &format!("0 1 {len:X} 0 0"))
    };
    accept(&stream(max));
    let words = "a data record of 16777728 bytes, at most 16777216 are allowed";
    refused(&stream(max + 1), MAGIC_BYTES + header(max + 1).len() + 1, words);

    let totals = Totals { data_records: 1, data: Bytes::new((max + 1) * 512), ..Totals::default() };
    let header = Header::full(Bytes::new(1 << 30), chunk_size(4096), totals);
    let (mut encoder, _) = Encoder::start(&header).unwrap();
    let payload = vec![7; usize::try_from((max + 1) * 512).unwrap()];
    assert_eq!(encoder.data(sectors(0, max + 1), &payload).unwrap_err().to_string(), words);
}

#[test]
fn sizes() {
    let replaced = |from: &str, to: String| stream_1_1(&KEYS.replace(from, &to), b"", "0 0 0 0 0");
    let volume = |size: u64| replaced("1073741824", size.to_string());
    accept(&volume(MAX_VOLUME_SIZE.get()));
    let line = |key: &str| MAGIC_BYTES + KEYS.find(key).unwrap();
    let words = "the header's `Volume_size` is `9223372036854775808`, expected a multiple of 512 below 2^63, in bytes";
    refused(&volume(1 << 63), line("Volume_size"), words);

    let chunk = |size: u64| replaced("Chunk_size: 4096", format!("Chunk_size: {size}"));
    accept(&chunk(MAX_CHUNK_SIZE.get()));
    let words = "the header's `Chunk_size` is `1073742336`, expected a multiple of 512 up to 1073741824, in bytes";
    refused(&chunk(MAX_CHUNK_SIZE.get() + 512), line("Chunk_size"), words);
}

#[test]
fn layer_id() {
    assert!(LayerId::new("x".repeat(MAX_LAYER_ID_BYTES)).is_ok());
    let check = |text: String, words: &str| assert_eq!(LayerId::new(text).unwrap_err().to_string(), words);
    check("x".repeat(MAX_LAYER_ID_BYTES + 1), "a layer id has 129 bytes, at most 128 are allowed");
    check(String::new(), "a layer id is empty");
    check("a b".to_owned(), "a layer id holds ' ', allowed are letters, digits and _+.-/=!:#&");
    check("ü".to_owned(), "a layer id holds 'ü', allowed are letters, digits and _+.-/=!:#&");
}
