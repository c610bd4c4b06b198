//! The grammar of one tag.

use std::ops::Range;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{char, multispace0, multispace1, u64};
use nom::combinator::{all_consuming, opt, value};
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Offset, Parser};

use crate::{Error, Excerpt};

/// The most attributes that one tag may have; the tools write up to eight.
pub const MAX_ATTRIBUTES: usize = 16;

/// What a tag does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `<name ...>`
    Open,
    /// `<name .../>`
    Empty,
    /// `</name>`
    Close,
}

/// One tag of the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag<'a> {
    /// Where it starts in the input, in bytes.
    pub(crate) at: u64,
    pub(crate) form: Form,
    pub(crate) name: &'a [u8],
    text: &'a [u8],
    spans: &'a [(Range<usize>, Range<usize>)],
}

/// A name and a value.
type Attribute<'a> = (&'a [u8], &'a [u8]);

/// Where the names and values of a tag's attributes lie in it. Kept by the reader and filled again for every tag: they
/// cannot be kept as slices there, and a tag with room for all of them would be copied at every step.
pub(crate) type Spans = Vec<(Range<usize>, Range<usize>)>;

impl<'a> Tag<'a> {
    /// Reads `text`, which starts at byte `at` of the input with `<` and ends with the first `>`.
    pub(crate) fn parse(text: &'a [u8], at: u64, spans: &'a mut Spans) -> Result<Self, Error> {
        let refused = |e: nom::Err<nom::error::Error<&[u8]>>| {
            let rest = match e {
                nom::Err::Error(e) | nom::Err::Failure(e) => e.input,
                nom::Err::Incomplete(_) => text,
            };
            let at = at + text.offset(rest) as u64;
            Error::Unexpected { at, expected: "`<name key=\"value\">` or `</name>`", found: Excerpt::new(text) }
        };
        let (rest, (slash, name)) = preceded(char('<'), (opt(char('/')), name)).parse(text).map_err(refused)?;
        spans.clear();
        if slash.is_some() {
            close.parse(rest).map_err(refused)?;
            return Ok(Self { at, form: Form::Close, name, text, spans });
        }
        let mut rest = rest;
        while let (after, Some((key, value))) = opt(attribute).parse(rest).map_err(refused)? {
            if spans.iter().any(|(name, _)| text[name.clone()] == *key) {
                return Err(Error::Repeated { at: at + text.offset(key) as u64, found: Excerpt::new(key) });
            }
            if spans.len() == MAX_ATTRIBUTES {
                return Err(Error::TooManyAttributes { at, found: Excerpt::new(text) });
            }
            spans.push((span(text, key), span(text, value)));
            rest = after;
        }
        let (_, form) = end.parse(rest).map_err(refused)?;
        Ok(Self { at, form, name, text, spans })
    }

    fn find(&self, key: &[u8]) -> Option<&'a [u8]> {
        let (_, value) = self.spans.iter().find(|(name, _)| self.text[name.clone()] == *key)?;
        Some(&self.text[value.clone()])
    }

    fn position(&self, part: &[u8]) -> u64 {
        self.at + self.text.offset(part) as u64
    }

    /// Whether it has this attribute.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key.as_bytes()).is_some()
    }

    /// A number that must be there.
    pub(crate) fn number(&self, key: &'static str) -> Result<u64, Error> {
        self.optional(key)?.ok_or_else(|| Error::Missing {
            at: self.at,
            attribute: key,
            found: Excerpt::new(self.text),
        })
    }

    /// A number that may be missing.
    pub(crate) fn optional(&self, key: &'static str) -> Result<Option<u64>, Error> {
        let Some(value) = self.find(key.as_bytes()) else { return Ok(None) };
        let (_, number) =
            all_consuming(u64::<_, ()>).parse(value).map_err(|_| self.refused(key, "a decimal number below 2^64"))?;
        Ok(Some(number))
    }

    /// A text; empty where it is missing.
    pub(crate) fn text(&self, key: &'static str) -> Result<String, Error> {
        let value = self.find(key.as_bytes()).unwrap_or_default();
        let plain = str::from_utf8(value).ok().filter(|text| !text.contains('&'));
        plain.map(str::to_owned).ok_or_else(|| self.refused(key, "UTF-8 without entities"))
    }

    /// The error of a value that may not be.
    pub(crate) fn refused(&self, attribute: &'static str, expected: &'static str) -> Error {
        let value = self.find(attribute.as_bytes()).unwrap_or_default();
        let at = if value.is_empty() { self.at } else { self.position(value) };
        Error::Value { at, attribute, expected, found: Excerpt::new(value) }
    }

    /// The error of a tag that may not stand here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        let found = Excerpt::new(self.text);
        match self.name {
            b"def" | b"ref" => Error::Shared { at: self.at, found },
            _ => Error::Unexpected { at: self.at, expected, found },
        }
    }
}

fn span(text: &[u8], part: &[u8]) -> Range<usize> {
    let start = text.offset(part);
    start..start + part.len()
}

fn name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(|b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':')).parse(input)
}

fn attribute(input: &[u8]) -> IResult<&[u8], Attribute<'_>> {
    let equals = delimited(multispace0, char('='), multispace0);
    separated_pair(preceded(multispace1, name), equals, alt((quoted('"'), quoted('\'')))).parse(input)
}

fn quoted<'a>(quote: char) -> impl Parser<&'a [u8], Output = &'a [u8], Error = nom::error::Error<&'a [u8]>> {
    delimited(char(quote), take_till(move |b: u8| char::from(b) == quote || b == b'<'), char(quote))
}

fn end(input: &[u8]) -> IResult<&[u8], Form> {
    let form = alt((value(Form::Empty, tag("/>")), value(Form::Open, char('>'))));
    all_consuming(preceded(multispace0, form)).parse(input)
}

fn close(input: &[u8]) -> IResult<&[u8], char> {
    all_consuming(preceded(multispace0, char('>'))).parse(input)
}
