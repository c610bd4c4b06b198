//! Dumps of `lvmsync`.

use hyperlayer::{Completeness, Format, Kind};

use super::{header, sector_chunks};
use crate::golden::{check, totals};
use crate::streams::{accept, refused};

#[test]
fn records_in_any_order() {
    let records = sector_chunks([10, 0, 3, 2, 12, 6, 11]);
    let header = header(Format::Lvmsync, Kind::Delta);
    check("lvmsync.bin", &header, &records, Completeness::Unknown, totals(0, 7, 7 * 512, 0, 0));
}

fn dump(records: &[(u64, u32, usize)]) -> Vec<u8> {
    let mut dump = b"lvmsync PROTO[3]\n".to_vec();
    for (offset, len, bytes) in records {
        dump.extend(offset.to_be_bytes());
        dump.extend(len.to_be_bytes());
        dump.extend(vec![b'x'; *bytes]);
    }
    dump
}

#[test]
fn nothing_changed() {
    assert_eq!(accept(&dump(&[])).len(), 2);
}

#[test]
fn refused_streams() {
    const RANGE: &str = "expected whole 512-byte sectors below 2^63";
    let range = |position, offset: u64, len: u32| {
        let words = format!("the range of a record is {len} bytes from byte {offset}, {RANGE}");
        refused(&dump(&[(0, 512, 512), (offset, len, 0)]), position, &words);
    };
    range(17 + 12 + 512, 0, 0);
    range(17 + 12 + 512, 512, 100);
    range(17 + 12 + 512, 511, 512);
    range(17 + 12 + 512, u64::MAX, 512);
    range(17 + 12 + 512, (1 << 63) - 512, 512);
    let words = "expected a stream that begins with `HYPERLAYER/`, found `lvmsync PROTO[2]\\n`";
    refused(b"lvmsync PROTO[2]\n", 0, words);
    refused(b"lvmsync", 7, "the stream is cut: it ends within the first bytes of a stream");
    refused(&dump(&[(0, 512, 511)]), 17 + 12 + 511, "the stream is cut: it ends within the data of a record");
}
