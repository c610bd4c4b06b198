//! Relations that hold for any bytes. Fuzz targets, property tests and the replay of the corpus call them; each
//! panics where its relation does not hold.

mod plan;

use std::fmt;
use std::io::BufReader;

use extents::{Bytes, ChunkSize, Extent};

use crate::{Check, DATA_TRAILER, DecodeError, Decoder, Encoder, End, ErrorKind, Event, Format, Header};
use crate::{ReadError, ReadOptions, Reader, Skim, Skimmer, Totals};
use plan::{Dice, Plan, VOLUME_SECTORS_MAX};

/// What a reader is told here: blocks of 512 bytes, as small as they get.
pub const OPTIONS: ReadOptions = ReadOptions { block_size: Some(ChunkSize::SECTOR) };

/// An [`Event`] that owns its data; all pieces of one record in one.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Event")]
pub enum Owned {
    Header(Box<Header>),
    Check(Check),
    Data { extent: Extent<Bytes>, bytes: Vec<u8> },
    Zero(Extent<Bytes>),
    End(End),
}

/// Data only as its check: a failed test would print megabytes.
impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(header) => header.fmt(f),
            Self::Check(check) => check.fmt(f),
            Self::Data { extent, bytes } => {
                write!(f, "Data {{ {extent:?}, {} bytes of CRC-32 {:08x} }}", bytes.len(), crc32fast::hash(bytes))
            }
            Self::Zero(extent) => write!(f, "Zero({extent:?})"),
            Self::End(end) => end.fmt(f),
        }
    }
}

/// Adds an event to those before it.
///
/// # Panics
/// Where data comes without its record, or not where it should.
pub fn push(events: &mut Vec<Owned>, event: Event<'_>) {
    events.push(match event {
        Event::Header(header) => Owned::Header(header),
        Event::Check(check) => Owned::Check(check),
        Event::DataStart(extent) => Owned::Data { extent, bytes: Vec::new() },
        Event::Zero(extent) => Owned::Zero(extent),
        Event::End(end) => Owned::End(end),
        Event::Data { at, bytes } => {
            let Some(Owned::Data { extent, bytes: all }) = events.last_mut() else { panic!("data without a record") };
            assert!(!bytes.is_empty(), "an empty piece of data");
            assert_eq!(extent.start().checked_add(Bytes::from(all.len())), Some(at), "data at the wrong place");
            all.extend(bytes);
            assert!(Bytes::from(all.len()) <= extent.len(), "more data than the record has");
            return;
        }
    });
}

/// All events of these pieces of one input, and the error that ended them. Of a record, only with all its data.
///
/// # Panics
/// Where the decoder leaves input without giving an event for it.
pub fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<DecodeError>) {
    events_of(Decoder::with_options(OPTIONS), pieces)
}

fn events_of<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Owned>, Option<DecodeError>) {
    let mut all = Vec::new();
    let result = (|| {
        for mut piece in pieces {
            loop {
                let (consumed, event) = decoder.decode(piece)?;
                piece = &piece[consumed..];
                let Some(event) = event else { break };
                push(&mut all, event);
            }
            assert!(piece.is_empty(), "input left without an event");
        }
        while let Some(event) = decoder.finish()? {
            push(&mut all, event);
        }
        Ok(())
    })();
    (whole(all), result.err())
}

/// Without the last record where its data is not complete: how much of it was seen before an error depends on the pieces.
fn whole(mut events: Vec<Owned>) -> Vec<Owned> {
    events.pop_if(|event| matches!(event, Owned::Data { extent, bytes } if Bytes::from(bytes.len()) < extent.len()));
    events
}

/// All events that a [`Reader`] gives, and the error that ended them.
///
/// # Panics
/// Where reading from memory fails otherwise.
pub fn read(input: impl std::io::BufRead) -> (Vec<Owned>, Option<DecodeError>) {
    let (mut reader, mut all) = (Reader::with_options(input, OPTIONS), Vec::new());
    loop {
        match reader.next_event() {
            Ok(Some(event)) => push(&mut all, event),
            Ok(None) => return (all, None),
            Err(ReadError::Stream(error)) => return (whole(all), Some(error)),
            Err(ReadError::Io { source, .. }) => panic!("reading from memory: {source}"),
        }
    }
}

/// Any bytes: no panic, an error's position lies in the input, and what was accepted keeps the format's promises and
/// says the same when it is written again.
///
/// # Panics
/// Where that does not hold.
pub fn decode(data: &[u8]) {
    let (all, error) = events([data]);
    if let Some(error) = &error {
        assert!(error.position <= data.len() as u64, "{error} in {} bytes", data.len());
    }
    skim(data);
    for stream in all.split_inclusive(|event| matches!(event, Owned::End(_))) {
        if let Some(Owned::End(end)) = stream.last() {
            kept(stream, end);
            if end.format == Format::V1_1 {
                let again = encode(stream);
                assert_eq!(Bytes::from(again.len()), end.len, "another spelling of the same");
                assert_eq!(without_end(&events([again.as_slice()]).0), without_end(stream));
            }
        }
    }
}

/// Any bytes: without its data a stream says the same, but that its content is not checked.
fn skim(data: &[u8]) {
    let (all, error) = events_of(Decoder::hyperlayer_only(), [data]);
    let (mut skimmer, mut at, mut skimmed) = (Skimmer::new(), 0, Vec::new());
    let result = (|| {
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let (taken, skim) = skimmer.skim(rest)?;
            at = usize::try_from(taken).map_or(usize::MAX, |taken| at.saturating_add(taken));
            skimmed.extend(skim);
        }
        while let Some(skim) = skimmer.finish(data.len() as u64)? {
            skimmed.push(skim);
        }
        Ok(())
    })();
    let altered =
        |error: &DecodeError| matches!(error.kind, ErrorKind::RecordAltered { .. } | ErrorKind::StreamAltered { .. });
    if error.as_ref().is_some_and(altered) {
        return;
    }
    assert_eq!(result.err(), error, "read to its end, and not");
    // The last record of a cut stream was announced, and its data is not all there.
    let record_lost = matches!(skimmed.last(), Some(Skim::Data { .. })) && skimmed.len() > all.len();
    skimmed.truncate(skimmed.len() - usize::from(record_lost));
    assert_eq!(skimmed.len(), all.len());
    for (skim, event) in skimmed.iter().zip(&all) {
        let same = match (skim, event) {
            (Skim::Header(a), Owned::Header(b)) => a == b,
            (Skim::Check(a), Owned::Check(b)) => a == b,
            (Skim::Zero(a), Owned::Zero(b)) => a == b,
            (Skim::Data { extent: a, position }, Owned::Data { extent, bytes }) => {
                let from = usize::try_from(*position).expect("in the input");
                a == extent && data[from..][..bytes.len()] == **bytes
            }
            (Skim::End { format, totals, len, .. }, Owned::End(end)) => {
                (*format, *totals, *len) == (end.format, end.totals, end.len)
            }
            _ => false,
        };
        assert!(same, "{skim:?} for {event:?}");
    }
}

/// What an accepted stream promises.
fn kept(stream: &[Owned], end: &End) {
    let Some(Owned::Header(header)) = stream.first() else { panic!("no header first") };
    let mut totals = Totals::default();
    let mut last = Bytes::ZERO;
    for event in stream {
        let extent = match event {
            Owned::Check(_) => {
                totals.checks += 1;
                continue;
            }
            Owned::Data { extent, bytes } => {
                assert_eq!(Bytes::from(bytes.len()), extent.len(), "a record without all its data");
                totals.data_records += 1;
                totals.data = totals.data.saturating_add(extent.len());
                extent
            }
            Owned::Zero(extent) => {
                totals.zero_records += 1;
                totals.zero = totals.zero.saturating_add(extent.len());
                extent
            }
            Owned::Header(_) | Owned::End(_) => continue,
        };
        assert!(header.volume_size.is_none_or(|size| extent.end() <= size), "past the volume");
        assert!(!header.format.orders_records() || extent.start() >= last, "not ascending");
        last = extent.end();
    }
    assert_eq!(totals, end.totals);
    assert!(header.totals.is_none_or(|stated| stated == totals));
    assert_eq!(header.format, end.format);
}

fn without_header(events: &[Owned]) -> &[Owned] {
    match events {
        [Owned::Header(_), all @ ..] => all,
        all => all,
    }
}

fn without_end(events: &[Owned]) -> &[Owned] {
    match events {
        [all @ .., Owned::End(_)] => all,
        all => all,
    }
}

/// One accepted stream, written again.
fn encode(stream: &[Owned]) -> Vec<u8> {
    let Some(Owned::Header(header)) = stream.first() else { panic!("no header first") };
    let (mut encoder, mut out) = Encoder::start(header).expect("an accepted header");
    for event in stream {
        match event {
            Owned::Check(check) => out.extend(encoder.check(check).expect("an accepted check")),
            Owned::Data { extent, bytes } => {
                out.extend(encoder.data(*extent, bytes).expect("an accepted record"));
                out.extend(bytes);
                out.extend(DATA_TRAILER);
            }
            Owned::Zero(extent) => {
                for piece in encoder.zero(*extent).expect("an accepted record") {
                    out.extend_from_slice(&piece);
                }
            }
            Owned::Header(_) | Owned::End(_) => {}
        }
    }
    let finished = encoder.finish().expect("an accepted stream");
    out.extend(finished.bytes);
    assert_eq!(finished.len, Bytes::from(out.len()));
    assert_eq!(finished.blake3, blake3::hash(&out).into());
    out
}

/// Any bytes: however the input is cut into pieces, events and errors are the same. The first byte chooses the pieces.
///
/// # Panics
/// Where that does not hold.
pub fn chunks(data: &[u8]) {
    let Some((&seed, input)) = data.split_first() else { return };
    let whole = events([input]);
    let step = usize::from(seed) + 1;
    assert_eq!(events(input.chunks(step)), whole, "in pieces of {step} bytes");
    let (first, second) = input.split_at(input.len() * usize::from(seed) / 256);
    assert_eq!(events([first, &[], second]), whole, "in two pieces, the first of {} bytes", first.len());
    assert_eq!(read(BufReader::with_capacity(step, input)), whole, "read with a buffer of {step} bytes");
}

/// Any bytes, taken as a plan of what to write: what is written is read, the volume that comes of it is the planned one,
/// and under 1.1 no byte of it can be changed or left away unseen, nor handed out as a whole record of a damaged one.
///
/// # Panics
/// Where that does not hold.
pub fn roundtrip(data: &[u8]) {
    let plan = Plan::new(&mut Dice(data));
    let stream = encode(&plan.events);
    let (all, error) = events([stream.as_slice()]);
    assert_eq!(error, None);
    let Some(Owned::Header(header)) = plan.events.first() else { panic!("no header first") };
    assert_eq!(volume(&all), volume(&plan.events));
    if header.format == Format::V1_1 {
        assert_eq!(without_end(&all), plan.events.as_slice());
    } else {
        let expected = Header { totals: None, parent_size: None, ..(**header).clone() };
        assert_eq!(all.first(), Some(&Owned::Header(Box::new(expected))));
    }
    #[cfg(feature = "thin-send")]
    thin_send(&plan.events);
    let at = usize::from(plan.damage) % stream.len();
    if header.format == Format::V1_1 {
        let mut damaged = stream.clone();
        damaged[at] ^= plan.flip;
        let (seen, error) = events([damaged.as_slice()]);
        assert!(error.is_some(), "byte {at} changed by {:#x} unseen", plan.flip);
        // A damaged header is seen at the first record.
        let before = without_header(&plan.events);
        assert!(before.starts_with(without_header(&seen)), "byte {at} changed by {:#x}: more than before", plan.flip);
        let cut = events([&stream[..at]]).1.expect("an error");
        assert!(cut.is_cut() && cut.position == at as u64, "cut after {at} bytes: {cut}");
    }
}

/// The same records as a thin-send stream: what is written is read.
#[cfg(feature = "thin-send")]
fn thin_send(events: &[Owned]) {
    let Some(Owned::Header(header)) = events.first() else { panic!("no header first") };
    let mut header = Header::thin_send(header.volume_size.expect("a size"));
    let (mut encoder, mut out) = crate::ThinSendEncoder::start(&header).expect("its own header");
    // None of it is carried.
    header.volume_size = None;
    let mut expected = vec![Owned::Header(Box::new(header))];
    for event in events {
        match event {
            Owned::Data { extent, bytes } => {
                out.extend(encoder.data(*extent, bytes).expect("an accepted record"));
                out.extend(bytes);
            }
            Owned::Zero(extent) => out.extend(encoder.zero(*extent).expect("an accepted record")),
            Owned::Header(_) | Owned::Check(_) | Owned::End(_) => continue,
        }
        expected.push(event.clone());
    }
    let finished = encoder.finish();
    out.extend(finished.bytes);
    let (all, error) = self::events([out.as_slice()]);
    assert_eq!(error, None);
    assert_eq!(without_end(&all), expected.as_slice());
    let Some(Owned::End(end)) = all.last() else { panic!("no end") };
    assert_eq!((end.len, end.blake3, end.totals), (finished.len, finished.blake3, finished.totals));
    assert_eq!((end.len, end.blake3), (Bytes::from(out.len()), blake3::hash(&out).into()));
    let stated = Header { totals: Some(end.totals), ..Header::thin_send(Bytes::ZERO) };
    assert_eq!(crate::stream_len(&stated, [], [], []).expect("a length"), Some(end.len));
}

/// Any bytes behind the magic of a foreign format, which the first byte chooses: as [`decode`] and [`chunks`].
///
/// # Panics
/// Where that does not hold.
pub fn foreign(data: &[u8]) {
    const STARTS: [&[u8]; 6] = [
        &[1, 1],
        &[1, 2],
        &0x24C4_F02A_AE2E_4FA9_u64.to_be_bytes(),
        &0xCA7F_00D5_DE7E_C7ED_u64.to_be_bytes(),
        b"lvmsync PROTO[3]\n",
        b"<dd>\n<block offset='",
    ];
    let Some((&seed, rest)) = data.split_first() else { return };
    let input = [STARTS[usize::from(seed) % STARTS.len()], rest].concat();
    decode(&input);
    chunks(&[&[seed], input.as_slice()].concat());
}

/// What comes of a zeroed volume to which the records are applied.
fn volume(events: &[Owned]) -> Vec<u8> {
    let mut content = vec![0xee; usize::from(VOLUME_SECTORS_MAX) * 512];
    for event in events {
        let (extent, bytes) = match event {
            Owned::Data { extent, bytes } => (extent, Some(bytes)),
            Owned::Zero(extent) => (extent, None),
            _ => continue,
        };
        let (Some(from), Some(to)) = (extent.start().to_usize(), extent.end().to_usize()) else { continue };
        match bytes {
            Some(bytes) => content[from..to].copy_from_slice(bytes),
            None => content[from..to].fill(0),
        }
    }
    content
}
