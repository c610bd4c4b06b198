//! The chained check of 1.1: what is damaged or moved is refused at the first record that does not follow, and nothing of that
//! record is handed out.

use hyperlayer::{ErrorKind, ReadError, Reader, Record};

use crate::streams::golden;

/// A stream of 1.1 in its parts.
struct Parts<'a> {
    header: &'a [u8],
    /// Lines with their data and the line feed behind it.
    records: Vec<&'a [u8]>,
    end: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(stream: &'a [u8]) -> Self {
        let start = stream.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
        let (header, mut rest) = stream.split_at(start);
        let mut records = Vec::new();
        while !rest.starts_with(b"E ") {
            let line = rest.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let words: Vec<_> = std::str::from_utf8(&rest[..line]).unwrap().split(' ').collect();
            let data = if words[0] == "W" { usize::from_str_radix(words[2], 16).unwrap() * 512 + 1 } else { 0 };
            let (record, after) = rest.split_at(line + data);
            records.push(record);
            rest = after;
        }
        Self { header, records, end: rest }
    }
}

/// All whole records with their data, and the error that ended them.
fn records(stream: &[u8]) -> (Vec<(Record, Vec<u8>)>, Option<ReadError>) {
    let (mut reader, mut all, mut data) = (Reader::new(stream), Vec::new(), Vec::new());
    loop {
        match reader.next_record(&mut data) {
            Ok(Some(record)) => all.push((record, data.clone())),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

/// That this stream is refused at the record with this number for its check, and the ones before are handed out.
#[track_caller]
fn refused_at(header: &[u8], parts: &[&[u8]], end: &[u8], number: usize) {
    let stream = [header, &parts.concat(), end].concat();
    let (seen, error) = records(&stream);
    let Some(ReadError::Stream(error)) = error else { panic!("record {number}: {error:?}") };
    // The range of data is looked at before its check can be.
    let seen_by = matches!(error.kind, ErrorKind::RecordAltered { .. } | ErrorKind::Rule(_));
    assert!(seen_by, "record {number}: {error}");
    let position = header.len() + parts[..number].iter().map(|part| part.len()).sum::<usize>();
    assert_eq!(error.position, position as u64, "record {number}: {error}");
    assert_eq!(seen.len(), 1 + number, "with the header");
}

#[test]
fn moved_records_are_seen_at_once() {
    for name in ["delta-1.1.hl", "short-1.1.hl", "full-1.1.hl"] {
        let Parts { header, records, end } = Parts::of(golden(name));
        let last = records.len() - 1;
        for n in 0..=last {
            let changed = |change: &dyn Fn(&mut Vec<&'static [u8]>)| {
                let mut changed = records.clone();
                change(&mut changed);
                changed
            };
            refused_at(header, &changed(&|all| all.insert(n + 1, all[n])), end, n + 1);
            if n < last {
                refused_at(header, &changed(&|all| _ = all.remove(n)), end, n);
                refused_at(header, &changed(&|all| all.swap(n, n + 1)), end, n);
            }
            // From another stream, whole as it is there.
            let other = Parts::of(golden("short-1.1.hl")).records[1];
            if name != "short-1.1.hl" {
                refused_at(header, &changed(&|all| all[n] = other), end, n);
            }
        }
        // Without the last one there is no record that it could be seen at.
        let (_, error) = self::records(&[header, &records[..last].concat(), end].concat());
        assert!(error.unwrap().to_string().contains("the end record states"));
    }
}

#[test]
fn a_damaged_header_is_seen_at_the_first_record() {
    let stream = golden("delta-1.1.hl");
    let damaged = String::from_utf8(stream.to_vec()).unwrap().replace("Name: sp1\n", "Name: sp2\n").into_bytes();
    let Parts { header, records, end } = Parts::of(&damaged);
    refused_at(header, &records, end, 0);
}

/// What a receiver is given, whatever byte changes, is what was written, as far as it goes.
#[test]
fn nothing_of_a_damaged_record_is_handed_out() {
    let stream = golden("short-1.1.hl");
    let (whole, error) = records(stream);
    assert!(error.is_none() && whole.len() == 5);
    let header = Parts::of(stream).header.len();
    let mut changed = stream.to_vec();
    for at in header..stream.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            let (seen, error) = records(&changed);
            assert!(error.is_some(), "byte {at}, bit {bit}");
            assert!(whole.starts_with(&seen) && seen.len() < whole.len(), "byte {at}, bit {bit}: {seen:?}");
            changed[at] ^= 1 << bit;
        }
    }
}

/// Of a stream without checks of its records a long one comes in pieces.
#[test]
fn a_long_record_of_1_0() {
    let sectors = 2 * 32768 + 3;
    let mut stream = format!("HYPERLAYER/1.0\n\nW 8 {sectors:X}\n").into_bytes();
    stream.extend((0..sectors).flat_map(|n: u32| n.to_le_bytes().repeat(128)));
    let (all, error) = records(&stream);
    assert!(error.is_none());
    let mut at = 8 * 512;
    let mut lens = Vec::new();
    for (record, data) in &all {
        if let Record::Data(extent) = record {
            assert_eq!((extent.start().get(), extent.len().get()), (at, data.len() as u64));
            assert!(data.chunks(512).zip(at / 512 - 8..).all(|(data, n)| data[..8] == (n << 32 | n).to_le_bytes()));
            at = extent.end().get();
            lens.push(data.len());
        }
    }
    assert_eq!(lens, [16 << 20, 16 << 20, 3 * 512]);
    assert!(matches!(all.last(), Some((Record::End(_), data)) if data.is_empty()));
}
