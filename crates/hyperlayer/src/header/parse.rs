//! Header lines to a header.

use nom::bytes::complete::{tag, take_till1};
use nom::character::complete::space0;
use nom::combinator::rest;
use nom::{IResult, Parser};

use super::{Header, HeaderError, v1_0, v1_1};
use crate::error::{DecodeError, ErrorKind, excerpt};
use crate::format::Version;
use crate::limits::{MAX_HEADER_BYTES, MAX_HEADER_KEYS};

/// One `Key: value` line.
#[derive(Debug)]
pub(super) struct Pair {
    /// Where its line starts in the input.
    pub(super) position: u64,
    pub(super) key: String,
    pub(super) value: String,
}

/// Collects the lines after the magic line.
#[derive(Debug)]
pub(crate) struct HeaderParser {
    version: Version,
    pairs: Vec<Pair>,
    len_bytes: usize,
}

impl HeaderParser {
    /// After a magic line of `magic_bytes`, its newline included.
    pub(crate) fn new(version: Version, magic_bytes: usize) -> Self {
        Self { version, pairs: Vec::new(), len_bytes: magic_bytes }
    }

    /// Takes the next line, without its newline, that starts at `position`; the empty one gives the header.
    pub(crate) fn line(&mut self, position: u64, line: &[u8]) -> Result<Option<Header>, DecodeError> {
        let refuse = |kind| DecodeError { position, kind };
        self.len_bytes += line.len() + 1;
        if self.len_bytes > MAX_HEADER_BYTES {
            return Err(refuse(ErrorKind::HeaderTooLong { at_least_bytes: self.len_bytes }));
        }
        let line = match self.version {
            Version::V1_0 => line.strip_suffix(b"\r").unwrap_or(line),
            Version::V1_1 => line,
        };
        if line.is_empty() {
            let fields = Fields::new(std::mem::take(&mut self.pairs), position);
            return match self.version {
                Version::V1_0 => v1_0::header(fields).map(Some),
                Version::V1_1 => v1_1::header(fields).map(Some),
            };
        }
        if self.pairs.len() == MAX_HEADER_KEYS {
            return Err(refuse(ErrorKind::TooManyKeys { at_least: self.pairs.len() + 1 }));
        }
        let parsed = match self.version {
            Version::V1_0 => pair_1_0(line),
            Version::V1_1 => pair_1_1(line),
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let pair = parsed.ok().and_then(|(_, (key, value))| Some((text(key)?, text(value)?)));
        let (key, value) = pair.ok_or_else(|| {
            refuse(ErrorKind::Line { expected: "a header line `Key: value` in UTF-8", found: excerpt(line) })
        })?;
        self.pairs.push(Pair { position, key, value });
        Ok(None)
    }
}

fn pair_1_1(line: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    (take_till1(|b| b == b':'), tag(": "), rest).map(|(key, _, value)| (key, value)).parse(line)
}

/// Any key, and any number of spaces after the colon: people wrote such headers by hand.
fn pair_1_0(line: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    (take_till1(|b| b == b':'), tag(":"), space0, rest)
        .map(|(key, _, _, value): (&[u8], _, _, &[u8])| (key.trim_ascii(), value.trim_ascii_end()))
        .parse(line)
}

/// The pairs of one header, taken out one by one; what is left is the user's.
pub(super) struct Fields {
    pairs: Vec<Pair>,
    /// Where the line of each key starts, also of one that was taken out.
    lines: Vec<(String, u64)>,
    /// Where the empty line starts.
    end: u64,
}

impl Fields {
    fn new(pairs: Vec<Pair>, end: u64) -> Self {
        let lines = pairs.iter().map(|pair| (excerpt(pair.key.as_bytes()), pair.position)).collect();
        Self { pairs, lines, end }
    }

    /// Takes the first pair of this key out.
    pub(super) fn take(&mut self, key: &str) -> Option<Pair> {
        let at = self.pairs.iter().position(|pair| pair.key == key)?;
        Some(self.pairs.remove(at))
    }

    /// Takes the first pair of this key out and understands its value; `None` from `parse` is an error.
    pub(super) fn value<T>(
        &mut self,
        key: &str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let Some(pair) = self.take(key) else { return Ok(None) };
        let value = parse(&pair.value);
        value.map(Some).ok_or_else(|| pair.refuse(super::bad(key, &pair.value, expected)))
    }

    /// Demands a field.
    pub(super) fn need<T>(&self, key: &'static str, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.refuse(HeaderError::Missing { key }))
    }

    /// A header that is wrong: said at the line of the key that is wrong, or where the header ends if that has none.
    pub(super) fn refuse(&self, error: HeaderError) -> DecodeError {
        let line = error.key().and_then(|key| self.lines.iter().find(|(other, _)| other == key));
        DecodeError { position: line.map_or(self.end, |(_, position)| *position), kind: error.into() }
    }

    /// What is left.
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }
}

impl Pair {
    pub(super) fn refuse(&self, error: HeaderError) -> DecodeError {
        DecodeError { position: self.position, kind: error.into() }
    }
}
