//! Damage to a stream on its way, in any format that the project reads.

use proptest::prelude::*;

/// What happens to the bytes of a stream. Numbers choose among the places that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// One bit anywhere is flipped.
    Bit(usize, u8),
    /// One bit of the header, of the end, or of what describes a record is flipped.
    LineBit(usize, usize, u8),
    /// One bit of a record's data is flipped.
    DataBit(usize, usize, u8),
    /// A record is missing.
    Dropped(usize),
    /// A record comes twice.
    Doubled(usize),
    /// Two records change places.
    Swapped(usize, usize),
    /// From a record on, the other stream comes, from a record of that.
    Spliced(usize, usize),
    /// The stream ends early.
    Cut(usize),
    /// Bytes follow that are of no stream.
    Prolonged(Vec<u8>),
    /// The other stream comes instead.
    Other,
}

/// Any damage.
pub fn damage() -> impl Strategy<Value = Damage> {
    let garbage = prop_oneof![Just(b"\n".to_vec()), Just(vec![0; 512]), Just(b"and more\n".to_vec())];
    prop_oneof![
        3 => (any::<usize>(), 0..8u8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
        6 => (any::<usize>(), any::<usize>(), 0..8u8).prop_map(|(line, at, bit)| Damage::LineBit(line, at, bit)),
        2 => (any::<usize>(), any::<usize>(), 0..8u8).prop_map(|(part, at, bit)| Damage::DataBit(part, at, bit)),
        1 => any::<usize>().prop_map(Damage::Dropped),
        1 => any::<usize>().prop_map(Damage::Doubled),
        1 => any::<(usize, usize)>().prop_map(|(a, b)| Damage::Swapped(a, b)),
        2 => any::<(usize, usize)>().prop_map(|(a, b)| Damage::Spliced(a, b)),
        3 => any::<usize>().prop_map(Damage::Cut),
        1 => garbage.prop_map(Damage::Prolonged),
        2 => Just(Damage::Other),
    ]
}

impl Damage {
    /// Does it to a stream that is right; `other` is a right one too, in the same format.
    pub fn apply(&self, stream: &mut Vec<u8>, other: &[u8]) {
        match self {
            Self::Bit(at, bit) => return flip(stream, *at, *bit),
            // Never all of it: a chain without its last layer is another chain.
            Self::Cut(at) => return stream.truncate(1 + at % (stream.len() - 1)),
            Self::Prolonged(garbage) => return stream.extend_from_slice(garbage),
            _ => {}
        }
        let (mut found, others) = (parts(stream), parts(other));
        let records = found.len() - 2;
        let nth = |number: usize| 1 + number % records.max(1);
        match *self {
            Self::LineBit(line, at, bit) => {
                let line = line % found.len();
                let Part { bytes, line_bytes } = &mut found[line];
                flip(&mut bytes[..*line_bytes], at, bit);
            }
            Self::Other => found = others,
            _ if records == 0 => {}
            Self::DataBit(record, at, bit) => {
                let Part { bytes, line_bytes } = &mut found[nth(record)];
                flip(&mut bytes[*line_bytes..], at, bit);
            }
            Self::Dropped(record) => drop(found.remove(nth(record))),
            Self::Doubled(record) => found.insert(nth(record), found[nth(record)].clone()),
            Self::Swapped(a, b) => found.swap(nth(a), nth(b)),
            Self::Spliced(from, to) => {
                found.truncate(nth(from));
                found.extend_from_slice(&others[(1 + to % (others.len() - 1))..]);
            }
            Self::Bit(..) | Self::Cut(_) | Self::Prolonged(_) => {}
        }
        *stream = found.into_iter().flat_map(|part| part.bytes).collect();
    }
}

fn flip(part: &mut [u8], at: usize, bit: u8) {
    if let Some(at) = at.checked_rem(part.len()) {
        part[at] ^= 1 << bit;
    }
}

/// The header, a record with its data, or the end.
#[derive(Clone, Debug)]
struct Part {
    bytes: Vec<u8>,
    /// How much of it is not data.
    line_bytes: usize,
}

/// All parts of a stream, the first one its header and the last one its end, which are empty where the format has none.
fn parts(stream: &[u8]) -> Vec<Part> {
    let number = |at: usize, len: usize| {
        let bytes = stream[at..at + len].iter();
        bytes.fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let to = |mark: &[u8], from: usize| from + find(&stream[from..], mark) + mark.len();
    match stream {
        [b'H', b'Y', ..] => {
            // What is not a data record is one line, the empty one of 1.0 too.
            let record = |at: usize| {
                let line = to(b"\n", at);
                let words = std::str::from_utf8(&stream[at..line]).unwrap().split_ascii_whitespace();
                let length = words.skip(2).take(usize::from(stream[at] == b'W')).next();
                let data = length.map_or(0, |length| usize::from_str_radix(length, 16).unwrap() * 512 + 1);
                (line, line + data)
            };
            split(stream, to(b"\n\n", 0), record, true)
        }
        [b'l', b'v', ..] => split(stream, to(b"\n", 0), |at| (at + 12, at + 12 + number(at + 8, 4)), false),
        [b'<', ..] => split(
            stream,
            to(b"<dd>\n", 0),
            |at| match stream[at..].starts_with(b"<block") {
                true => (to(b">", at), to(b"</block>\n", at)),
                false => (stream.len(), stream.len()),
            },
            true,
        ),
        [1, 1 | 2, ..] => split(stream, 110, |at| (at + 8, at + 8 + number(10, 4) + 16), false),
        // thin-send; version 1.1 begins and ends with a chunk of its own.
        _ => {
            let is_1_1 = stream.first() == Some(&0x24);
            let chunk = |at: usize| {
                let len = if matches!(number(at + 24, 4), 0 | 3) { number(at + 16, 8) } else { 0 };
                (at + 28, at + 28 + len)
            };
            split(stream, if is_1_1 { 28 } else { 0 }, chunk, is_1_1)
        }
    }
}

/// `record` says of a record at a place where its line and its data end.
fn split(stream: &[u8], header: usize, record: impl Fn(usize) -> (usize, usize), has_end: bool) -> Vec<Part> {
    let mut parts = vec![Part { bytes: stream[..header].to_vec(), line_bytes: header }];
    let mut at = header;
    while at < stream.len() {
        let (line, end) = record(at);
        parts.push(Part { bytes: stream[at..end].to_vec(), line_bytes: line - at });
        at = end;
    }
    if !has_end {
        parts.push(Part { bytes: Vec::new(), line_bytes: 0 });
    }
    parts
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}
