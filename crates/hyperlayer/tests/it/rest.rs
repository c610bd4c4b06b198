//! The rest of a layer, for a receiver that was interrupted.

use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Content, Digest, Event, Header, Outline, Reader, Resumes, Totals, Writer};
use proptest::prelude::*;

use crate::streams::{checked, stream_1_1};

fn extent(start_sectors: u64, len_sectors: u64) -> Extent<Bytes> {
    Extent::new(Bytes::new(start_sectors * 512), Bytes::new(len_sectors * 512)).unwrap()
}

/// A rest from sector 8 on with one record of data and one of zeros.
fn header() -> Header {
    let totals =
        Totals { data_records: 1, data: Bytes::new(1024), zero_records: 1, zero: Bytes::new(512), ..Totals::default() };
    let resumes = Some(Resumes { at: Bytes::new(4096), skipped: Digest([7; 32]) });
    Header { resumes, ..Header::delta(Bytes::new(65536), Bytes::new(65536), ChunkSize::SECTOR, totals) }
}

fn stream() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    writer.data(extent(8, 2), &[1; 1024]).unwrap();
    writer.zero(extent(20, 1)).unwrap();
    writer.finish().unwrap().0
}

fn refused(stream: &[u8], says: &str) {
    let mut reader = Reader::new(stream);
    let error = loop {
        match reader.next_event() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("not refused, though {says}"),
            Err(error) => break error,
        }
    };
    let text = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(text.contains(says), "{text}");
}

#[test]
fn is_read_as_it_was_written() {
    let stream = stream();
    let mut reader = Reader::new(&stream[..]);
    match reader.next_event().unwrap() {
        Some(Event::Header(found)) => assert_eq!(*found, header()),
        other => panic!("{other:?}"),
    }
    while reader.next_event().unwrap().is_some() {}
    assert!(stream.starts_with(b"HYPERLAYER/1.1\nKind: delta-rest\n"));
}

#[test]
fn has_no_record_before_its_beginning() {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    assert!(writer.data(extent(7, 2), &[1; 1024]).is_err());
    let stream = String::from_utf8(stream()).unwrap();
    let header = &stream["HYPERLAYER/1.1\n".len()..stream.find("\nW ").unwrap()];
    let records = checked(header, &[("W 7 2", &[1; 1024])]);
    refused(&stream_1_1(header, &records, "0 1 2 1 1"), "4096");
}

#[test]
fn both_keys_or_none() {
    let text = |from: &str, to: &str| String::from_utf8_lossy(&stream()).replacen(from, to, 1).into_bytes();
    let skipped = format!("Skipped: {}\n", Digest([7; 32]));
    refused(&text("Resumes_at: 4096\n", ""), "the header lacks `Resumes_at`");
    refused(&text(&skipped, ""), "the header lacks `Skipped`");
    refused(&text("delta-rest", "delta"), "`Resumes_at`, which only the rest of a layer has");
    refused(&text("at: 4096", "at: 4097"), "a multiple of 512");
    refused(&text("at: 4096", "at: 66048"), "no more than Volume_size");
    refused(&text("Skipped: 07", "Skipped: 0"), "64 lowercase hex digits");
}

/// By hand from FORMAT.md: `h := BLAKE3(h || line)`.
#[test]
fn the_outline_of_the_text() {
    let mut outline = Outline::default();
    assert_eq!(outline.digest(), Digest([0; 32]));
    for (content, at, len) in
        [(Content::Data, 0, 16), (Content::Data, 16, 16), (Content::Zero, 32, 1), (Content::Data, 64, 2)]
    {
        outline.add(content, extent(at, len)).unwrap();
    }
    let mut expected = [0; 32];
    for line in ["W 0 20\n", "Z 20 1\n", "W 40 2\n"] {
        expected = *blake3::hash(&[&expected[..], line.as_bytes()].concat()).as_bytes();
    }
    assert_eq!(outline.digest(), Digest(expected));
}

#[test]
fn ranges_that_no_outline_takes() {
    let bytes = |start, end| Extent::between(Bytes::new(start), Bytes::new(end)).unwrap();
    let mut outline = Outline::default();
    outline.add(Content::Data, extent(8, 8)).unwrap();
    let before = outline.clone();
    for (range, says) in [
        (extent(0, 8), "precedes what came before it, up to byte 8192"),
        (extent(15, 2), "overlaps or precedes"),
        (bytes(8192, 8193), "no whole 512-byte sectors"),
        (bytes(8193, 8704), "no whole 512-byte sectors"),
    ] {
        let error = outline.add(Content::Zero, range).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(outline, before);
    }
}

#[test]
fn what_is_no_outline() {
    let digest = Digest([1; 32]).to_string();
    for text in [
        "",
        "ab",
        &format!("{digest} W"),
        &format!("{digest} X 0 1"),
        &format!("{digest} W 0 0"),
        &format!("{digest} W 0 1 "),
    ] {
        assert!(text.parse::<Outline>().is_err(), "{text:?}");
    }
}

proptest! {
    /// However the ranges are cut, and wherever it is kept and carried on; and another place is another outline.
    #[test]
    fn depends_on_what_is_covered_alone(
        runs in prop::collection::vec((any::<bool>(), 0_u64..4, 1_u64..20), 1..12),
        cuts in prop::collection::vec(1_u64..20, 1..40),
        moved in 0_usize..12,
    ) {
        let (mut whole, mut cut, mut other) = (Outline::default(), Outline::default(), Outline::default());
        let (mut at, mut cuts) = (0, cuts.into_iter().cycle());
        let moved = moved % runs.len();
        for (n, (zero, gap, len)) in runs.into_iter().enumerate() {
            let content = if zero { Content::Zero } else { Content::Data };
            at += gap;
            whole.add(content, extent(at, len)).unwrap();
            other.add(content, extent(at + u64::from(n == moved), len)).unwrap();
            let mut done = 0;
            while done < len {
                let part = cuts.next().unwrap().min(len - done);
                cut.add(content, extent(at + done, part)).unwrap();
                cut = cut.to_string().parse().unwrap();
                done += part;
            }
            at += len + u64::from(n == moved);
        }
        // The gap after the one that was moved is larger in `whole`, so that `other` ascends too.
        prop_assert_eq!(whole.digest(), cut.digest());
        prop_assert!(whole.digest() != other.digest());
    }
}
