//! Cuts the input into tags, in bounded memory.

use std::io::{self, BufRead};
use std::mem;

use memchr::memchr;

use crate::tag::{Spans, Tag};
use crate::{Error, Excerpt};

/// The most bytes that one tag may have; the tools write fewer than 300.
pub const MAX_TAG_BYTES: usize = 4096;

/// The tags of a document, one after the other.
#[derive(Debug)]
pub(crate) struct Tags<R> {
    input: R,
    /// Where the input's buffer starts, in bytes from the start of the input.
    at: u64,
    /// The length of the tag handed out last, where it still lies in the input's buffer.
    lent: usize,
    /// A tag that did not lie in the input's buffer as a whole.
    torn: Vec<u8>,
    spans: Spans,
}

impl<R: BufRead> Tags<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, at: 0, lent: 0, torn: Vec::new(), spans: Spans::new() }
    }

    /// The next tag; `expected` is what an error says.
    pub(crate) fn next(&mut self, expected: &'static str) -> Result<Tag<'_>, Error> {
        if !self.skip_blanks()? {
            return Err(Error::Ended { at: self.at, expected });
        }
        let at = self.at;
        let buffer = fill(&mut self.input, at)?;
        if buffer.first() != Some(&b'<') {
            return Err(Error::Unexpected { at, expected, found: Excerpt::new(buffer) });
        }
        let window = &buffer[..buffer.len().min(MAX_TAG_BYTES)];
        if let Some(end) = memchr(b'>', window) {
            self.lent = end + 1;
            return Tag::parse(&fill(&mut self.input, at)?[..=end], at, &mut self.spans);
        }
        self.gather()?;
        Tag::parse(&self.torn, at, &mut self.spans)
    }

    /// Demands that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        if !self.skip_blanks()? {
            return Ok(());
        }
        let found = Excerpt::new(fill(&mut self.input, self.at)?);
        Err(Error::Unexpected { at: self.at, expected: "the end of the input", found })
    }

    /// Steps to the next byte that is no white space; `false` at the end of the input.
    fn skip_blanks(&mut self) -> Result<bool, Error> {
        let lent = mem::take(&mut self.lent);
        self.consume(lent);
        loop {
            let buffer = fill(&mut self.input, self.at)?;
            let len = buffer.len();
            let blank = buffer.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
            self.consume(blank.unwrap_or(len));
            if blank.is_some() || len == 0 {
                return Ok(blank.is_some());
            }
        }
    }

    /// Collects a tag from several fillings of the buffer.
    fn gather(&mut self) -> Result<(), Error> {
        let at = self.at;
        self.torn.clear();
        loop {
            let buffer = fill(&mut self.input, self.at)?;
            if buffer.is_empty() {
                return Err(Error::Ended { at: self.at, expected: "the `>` of a tag" });
            }
            let window = &buffer[..buffer.len().min(MAX_TAG_BYTES - self.torn.len())];
            let end = memchr(b'>', window);
            let part = end.map_or(window, |end| &window[..=end]);
            self.torn.extend_from_slice(part);
            let len = part.len();
            self.consume(len);
            if end.is_some() {
                return Ok(());
            }
            if self.torn.len() == MAX_TAG_BYTES {
                return Err(Error::TagTooLong { at, found: Excerpt::new(&self.torn) });
            }
        }
    }

    fn consume(&mut self, len: usize) {
        self.input.consume(len);
        self.at += len as u64;
    }
}

/// What the input has ready, at least one byte, or nothing at its end.
fn fill<R: BufRead>(input: &mut R, at: u64) -> Result<&[u8], Error> {
    // Asked again for the buffer alone: a loop around the borrow that is handed out is beyond the borrow checker.
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Read { at, source }),
        }
    }
    input.fill_buf().map_err(|source| Error::Read { at, source })
}
