//! Record lines: one grammar for 1.1, a tolerant one for 1.0.

use std::fmt;

use extents::{Bytes, Extent, Sectors};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, map_opt, opt, verify};
use nom::sequence::preceded;
use nom::{IResult, Parser};

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
    let checked = || preceded(char(' '), crc32).map(Some);
    match line.first() {
        Some(b'D') => {
            let check = (preceded(tag("D "), extent), preceded(char(' '), hash)).map(Line::check);
            let expected = "`D <offset> <length> CRC32 <8 hex> <8 hex>` or `... BLAKE3 <64 hex> <8 hex>`";
            parse(line, (check, checked()), expected)
        }
        Some(b'W') => {
            let data = preceded(tag("W "), extent).map(Line::Data);
            parse(line, (data, checked()), "`W <offset> <length> <8 hex>`")
        }
        Some(b'Z') => {
            let zero = preceded(tag("Z "), extent).map(Line::Zero);
            parse(line, (zero, checked()), "`Z <offset> <length> <8 hex>`")
        }
        Some(b'E') => {
            let next = || preceded(char(' '), number);
            let end = (preceded(char('E'), next()), next(), next(), next(), next(), preceded(char(' '), digest));
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
        let end = (preceded(tag("END "), number), preceded(tag(" records BLAKE3 "), digest));
        let end = end.map(|(records, digest)| Line::End10 { records, digest });
        parse(line, end, "`END <count> records BLAKE3 <64 hex>`")
    } else if line.starts_with(b"D ") && words > 2 {
        let word = |input| take_while1(|b: u8| b.is_ascii_graphic()).parse(input);
        let check = (preceded(tag("D "), any_extent), preceded(char(' '), word), preceded(char(' '), word));
        let check = check.map(|(extent, name, value): (_, &[u8], &[u8])| Line::check((extent, any_hash(name, value))));
        parse(line, check, "`D <offset> <length> <hash> <value>`")
    } else {
        let data = preceded(opt(tag("W ")), any_extent).map(Line::Data);
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

/// Uppercase hex without zeros in front, as everywhere in 1.1.
fn number(input: &[u8]) -> IResult<&[u8], u64> {
    let digits = take_while_m_n(1, 16, |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    let canonical = verify(digits, |digits: &[u8]| digits == b"0" || digits[0] != b'0');
    map_opt(canonical, hex).parse(input)
}

fn any_number(input: &[u8]) -> IResult<&[u8], u64> {
    map_opt(take_while_m_n(1, 16, |b: u8| b.is_ascii_hexdigit()), hex).parse(input)
}

fn extent(input: &[u8]) -> IResult<&[u8], Extent<Bytes>> {
    map_opt((number, preceded(char(' '), number)), sectors).parse(input)
}

fn any_extent(input: &[u8]) -> IResult<&[u8], Extent<Bytes>> {
    map_opt((any_number, preceded(char(' '), any_number)), sectors).parse(input)
}

/// Not empty, and no end past 2^64 bytes.
fn sectors((offset, len): (u64, u64)) -> Option<Extent<Bytes>> {
    Extent::new(Sectors::new(offset), Sectors::new(len))?.to_bytes()
}

fn lower_hex<'a>(digits: usize) -> impl Parser<&'a [u8], Output = &'a [u8], Error = nom::error::Error<&'a [u8]>> {
    take_while_m_n(digits, digits, |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn crc32(input: &[u8]) -> IResult<&[u8], u32> {
    map_opt(lower_hex(8), |digits| u32::try_from(hex(digits)?).ok()).parse(input)
}

fn digest(input: &[u8]) -> IResult<&[u8], Digest> {
    map_opt(lower_hex(DIGEST_HEX_BYTES), digest_of).parse(input)
}

fn hash(input: &[u8]) -> IResult<&[u8], CheckHash> {
    alt((preceded(tag("CRC32 "), crc32).map(CheckHash::Crc32), preceded(tag("BLAKE3 "), digest).map(CheckHash::Blake3)))
        .parse(input)
}

/// Under 1.0 a CRC is a number: the original writes it without zeros in front. What is not understood is kept.
fn any_hash(name: &[u8], value: &[u8]) -> CheckHash {
    let hex_only = value.iter().all(u8::is_ascii_hexdigit);
    match name {
        b"CRC32" if hex_only && value.len() <= 8 => {
            hex(value).and_then(|crc| u32::try_from(crc).ok()).map(CheckHash::Crc32)
        }
        b"BLAKE3" if hex_only => digest_of(value).map(CheckHash::Blake3),
        _ => None,
    }
    .unwrap_or_else(|| {
        let text = |word| String::from_utf8_lossy(word).into_owned();
        CheckHash::Other { name: text(name), value: text(value) }
    })
}

fn digest_of(digits: &[u8]) -> Option<Digest> {
    let mut digest = [0; DIGEST_HEX_BYTES / 2];
    let pairs = digits.chunks_exact(2);
    if digits.len() != DIGEST_HEX_BYTES {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::try_from(hex(pair)?).ok()?;
    }
    Some(Digest(digest))
}

/// The value of at most 16 hex digits.
fn hex(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
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
