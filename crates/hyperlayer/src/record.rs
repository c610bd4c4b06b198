//! Record lines: one grammar for 1.1, a tolerant one for 1.0.

use std::fmt;

use extents::{Bytes, Extent, Sectors};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::char;
use nom::combinator::{all_consuming, cut, map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::chain::CHECK_HEX_BYTES;
use crate::{Check, CheckHash, Digest};

/// What follows a record's data, and what a caller of [`Encoder::data`](crate::Encoder::data) writes after it.
pub const DATA_TRAILER: &[u8] = b"\n";

/// How many bytes of an end line its digest takes; the digest covers all before it.
pub(crate) const DIGEST_HEX_BYTES: usize = 64;

/// One record line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Check(Check),
    Data(Extent<Bytes>),
    Zero(Extent<Bytes>),
    End {
        counts: Counts,
        digest: Digest,
    },
    /// The line that this crate adds to 1.0.
    End10 {
        records: u64,
        digest: Digest,
    },
}

/// What an end record of 1.1 states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) checks: u64,
    pub(crate) data_records: u64,
    pub(crate) data: Sectors,
    pub(crate) zero_records: u64,
    pub(crate) zero: Sectors,
}

/// Where in a line it stops being right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unexpected {
    pub(crate) offset_bytes: usize,
    pub(crate) expected: &'static str,
}

/// A line of 1.1, without its newline, and the check that it carries, which an end line has not: each in one spelling
/// only.
pub(crate) fn line_1_1(line: &[u8]) -> Result<(Line, Option<u32>), Unexpected> {
    let checked = || preceded(char(' '), word(crc32)).map(Some);
    match line.first() {
        Some(b'D') => {
            let check = (preceded(tag("D "), extent(number)), preceded(char(' '), hash)).map(Line::check);
            let expected = "`D <offset> <length> CRC32 <8 hex> <8 hex>` or `... BLAKE3 <64 hex> <8 hex>`";
            parse(line, (check, checked()), expected)
        }
        Some(b'W') => {
            let data = preceded(tag("W "), extent(number)).map(Line::Data);
            parse(line, (data, checked()), "`W <offset> <length> <8 hex>`")
        }
        Some(b'Z') => {
            let zero = preceded(tag("Z "), extent(number)).map(Line::Zero);
            parse(line, (zero, checked()), "`Z <offset> <length> <8 hex>`")
        }
        Some(b'E') => {
            let next = || preceded(char(' '), word(number));
            let digest = preceded(char(' '), word(digest));
            let end = (preceded(char('E'), next()), next(), next(), next(), next(), digest);
            let end = end.map(|(checks, data_records, data, zero_records, zero, digest)| {
                let (data, zero) = (Sectors::new(data), Sectors::new(zero));
                (Line::End { counts: Counts { checks, data_records, data, zero_records, zero }, digest }, None)
            });
            parse(line, end, "`E` with five counts and a digest of 64 hex")
        }
        _ => Err(Unexpected { offset_bytes: 0, expected: "a record beginning with D, W, Z or E" }),
    }
}

/// A line of 1.0 in any of its dialects, without its newline.
pub(crate) fn line_1_0(line: &[u8]) -> Result<Line, Unexpected> {
    let words = line.split(|b| *b == b' ').count();
    if line.starts_with(b"END ") {
        let end = (preceded(tag("END "), word(number)), preceded(tag(" records BLAKE3 "), word(digest)));
        let end = end.map(|(records, digest)| Line::End10 { records, digest });
        parse(line, end, "`END <count> records BLAKE3 <64 hex>`")
    } else if line.starts_with(b"D ") && words > 2 {
        let check = (preceded(tag("D "), extent(any_number)), preceded(char(' '), any_hash)).map(Line::check);
        parse(line, check, "`D <offset> <length> <hash> <value>`, of CRC32 up to 8 hex digits, of BLAKE3 64")
    } else {
        let data = preceded(opt(tag("W ")), extent(any_number)).map(Line::Data);
        parse(line, data, "`W <offset> <length>` or `<offset> <length>`")
    }
}

fn parse<'a, T>(
    line: &'a [u8],
    parser: impl Parser<&'a [u8], Output = T, Error = nom::error::Error<&'a [u8]>>,
    expected: &'static str,
) -> Result<T, Unexpected> {
    all_consuming(parser).parse(line).map(|(_, line)| line).map_err(|error| {
        let rest = match error {
            nom::Err::Error(error) | nom::Err::Failure(error) => error.input.len(),
            nom::Err::Incomplete(_) => 0,
        };
        Unexpected { offset_bytes: line.len() - rest, expected }
    })
}

type Error<'a> = nom::error::Error<&'a [u8]>;

/// All up to the next space, understood as a whole: where it cannot be, the line is wrong from its first byte on.
fn word<'a, T>(understand: fn(&[u8]) -> Option<T>) -> impl Parser<&'a [u8], Output = T, Error = Error<'a>> {
    map_opt(take_while(|b| b != b' '), understand)
}

/// Uppercase hex without zeros in front, as everywhere in 1.1.
fn number(word: &[u8]) -> Option<u64> {
    let canonical = word == b"0" || word.first().is_some_and(|first| *first != b'0');
    let upper = word.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b));
    (canonical && upper).then(|| any_number(word)).flatten()
}

fn any_number(word: &[u8]) -> Option<u64> {
    hex(word, 16)
}

/// Not empty, and no end past 2^64 bytes.
fn extent<'a>(number: fn(&[u8]) -> Option<u64>) -> impl Parser<&'a [u8], Output = Extent<Bytes>, Error = Error<'a>> {
    let length = map_opt(take_while(|b| b != b' '), move |word| number(word).filter(|length| *length > 0));
    map_opt((word(number), preceded(char(' '), length)), |(offset, length)| {
        Extent::new(Sectors::new(offset), Sectors::new(length))?.to_bytes()
    })
}

fn lower_hex(word: &[u8], digits: usize) -> bool {
    word.len() == digits && word.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
}

fn crc32(word: &[u8]) -> Option<u32> {
    lower_hex(word, CHECK_HEX_BYTES).then(|| any_crc32(word)).flatten()
}

/// Under 1.0 a CRC is a number: the original writes it without zeros in front.
fn any_crc32(word: &[u8]) -> Option<u32> {
    u32::try_from(hex(word, CHECK_HEX_BYTES)?).ok()
}

fn digest(word: &[u8]) -> Option<Digest> {
    lower_hex(word, DIGEST_HEX_BYTES).then(|| any_digest(word)).flatten()
}

fn hash(input: &[u8]) -> IResult<&[u8], CheckHash> {
    let crc32 = preceded(tag("CRC32 "), cut(word(crc32))).map(CheckHash::Crc32);
    alt((crc32, preceded(tag("BLAKE3 "), cut(word(digest))).map(CheckHash::Blake3))).parse(input)
}

/// Another hash than the two is kept as it is.
fn any_hash(input: &[u8]) -> IResult<&[u8], CheckHash> {
    let graphic = |word: &[u8]| {
        let right = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
        right.then(|| String::from_utf8_lossy(word).into_owned())
    };
    let other = (word(graphic), preceded(char(' '), word(graphic)));
    alt((
        preceded(tag("CRC32 "), cut(word(any_crc32))).map(CheckHash::Crc32),
        preceded(tag("BLAKE3 "), cut(word(any_digest))).map(CheckHash::Blake3),
        other.map(|(name, value)| CheckHash::Other { name, value }),
    ))
    .parse(input)
}

fn any_digest(word: &[u8]) -> Option<Digest> {
    let mut digest = [0; DIGEST_HEX_BYTES / 2];
    if word.len() != DIGEST_HEX_BYTES {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(word.chunks_exact(2)) {
        *byte = u8::try_from(hex(pair, 2)?).ok()?;
    }
    Some(Digest(digest))
}

/// The value of 1 to so many hex digits.
fn hex(word: &[u8], most_digits: usize) -> Option<u64> {
    let right = word.len() <= most_digits && word.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(std::str::from_utf8(word).ok().filter(|_| right)?, 16).ok()
}

impl Line {
    /// Which kind of record it is, and its range; `None` of an end line.
    pub(crate) fn what(&self) -> Option<(&'static str, Extent<Bytes>)> {
        match self {
            Self::Check(check) => Some(("a base check", check.extent)),
            Self::Data(extent) => Some(("a data record", *extent)),
            Self::Zero(extent) => Some(("a zero record", *extent)),
            Self::End { .. } | Self::End10 { .. } => None,
        }
    }

    fn check((extent, hash): (Extent<Bytes>, CheckHash)) -> Self {
        Self::Check(Check { extent, hash })
    }
}

/// `<offset> <length>` in sectors, as it stands in a line. `None` where the range is not whole sectors.
pub(crate) fn range(extent: Extent<Bytes>) -> Option<String> {
    let sectors = extent.to_sectors()?;
    Some(format!("{:X} {:X}", sectors.start().get(), sectors.len().get()))
}

/// As it stands in an end line of 1.1.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checks, data_records, data, zero_records, zero } = self;
        write!(f, "{checks:X} {data_records:X} {:X} {zero_records:X} {:X}", data.get(), zero.get())
    }
}
