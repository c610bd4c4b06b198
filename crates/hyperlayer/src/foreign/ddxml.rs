//! The XML of lvm-thin-sendrcv: `<dd>`, then `<block offset='N'>BASE64</block>` for block N of a size that both ends must
//! know, then `</dd>`. No count and no digest: only the closing tag says that nothing is missing. What the newest sender
//! writes has before it the path of the device to write and the size of a block in decimal, each with a NUL behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extents::{Bytes, ChunkSize, Chunks, Extent};
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, multispace0, multispace1, u64};
use nom::combinator::all_consuming;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::{Codec, Found, Payload, ReadOptions, count_data, cut};
use crate::error::{DecodeError, ErrorKind, excerpt};
use crate::limits::{MAX_CHUNK_SIZE, MAX_LINE_BYTES, MAX_VOLUME_SIZE};
use crate::{Completeness, Event, Format, Header, Kind, Totals};

/// How a document begins that has a declaration.
pub(super) const DECLARATION: &[u8] = b"<?xml";
/// How one begins without.
pub(super) const ROOT: &[u8] = b"<dd";

/// How one begins before which its sender names the device to write.
pub(super) const DEVICE: &[u8] = b"/dev/";

/// How much base64 is decoded at once: whole groups of 4 characters.
const TEXT_BYTES: usize = 4096;

#[derive(Debug)]
struct Ddxml {
    block: ChunkSize,
    state: State,
    /// The part of a tag, or of a block's base64, that was seen.
    text: Vec<u8>,
    /// What of the data was decoded last.
    decoded: Vec<u8>,
    totals: Totals,
}

#[derive(Debug)]
enum State {
    /// In the path of a device, which its reader knows better.
    Device,
    /// In the size of a block.
    BlockSize,
    /// Before `<dd>`.
    Start,
    /// Between blocks.
    Blocks,
    /// In a block; `padded` where its base64 came to an end.
    Data { payload: Payload, padded: bool },
    /// After the data of a block.
    Close,
    /// After `</dd>`.
    End,
}

/// After the beginning of the XML declaration or of the root's tag.
pub(super) fn open(magic: &'static [u8], options: ReadOptions) -> Result<Box<dyn Codec>, ErrorKind> {
    let block = options.block_size.ok_or(ErrorKind::NoBlockSize)?;
    let (decoded, totals) = (Vec::new(), Totals::default());
    Ok(Box::new(Ddxml { block, state: State::Start, text: magic.to_vec(), decoded, totals }))
}

/// After the beginning of a device's path.
pub(super) fn open_for_device(options: ReadOptions) -> Box<dyn Codec> {
    let (decoded, totals) = (Vec::new(), Totals::default());
    // Replaced by what the stream says before any block.
    let block = options.block_size.unwrap_or(ChunkSize::SECTOR);
    Box::new(Ddxml { block, state: State::Device, text: DEVICE.to_vec(), decoded, totals })
}

impl Codec for Ddxml {
    fn advance(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        let Some(first) = input.first() else { return Ok((0, Found::Starved)) };
        if matches!(self.state, State::Device | State::BlockSize) {
            return self.word(position, input);
        }
        if self.text.starts_with(b"<") {
            return self.tag(position, input);
        }
        if matches!(self.state, State::Data { .. }) {
            return self.data(position, input);
        }
        let blanks = input.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match first {
            _ if blanks > 0 => Ok((blanks, Found::Further)),
            _ if matches!(self.state, State::End) => Ok((0, Found::End(Completeness::Counted, self.totals))),
            b'<' => {
                self.text.push(b'<');
                Ok((1, Found::Further))
            }
            _ => {
                Err(DecodeError { position, kind: ErrorKind::Line { expected: "a tag", found: excerpt(&input[..1]) } })
            }
        }
    }

    fn finish(&mut self, position: u64) -> Result<(Completeness, Totals), DecodeError> {
        match self.state {
            State::End => Ok((Completeness::Counted, self.totals)),
            State::Data { .. } | State::Close => cut(position, "within a block"),
            State::Device | State::BlockSize | State::Start | State::Blocks => cut(position, "before `</dd>`"),
        }
    }

    fn decoded(&self) -> &[u8] {
        &self.decoded
    }
}

impl Ddxml {
    /// Collects what ends with a NUL.
    fn word(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        let start = position - self.text.len() as u64;
        let refuse = |kind| DecodeError { position: start, kind };
        let window = &input[..input.len().min(MAX_LINE_BYTES - self.text.len())];
        let end = window.iter().position(|byte| *byte == 0);
        self.text.extend_from_slice(&window[..end.unwrap_or(window.len())]);
        match end {
            None if self.text.len() == MAX_LINE_BYTES => {
                Err(refuse(ErrorKind::LineTooLong { at_least_bytes: MAX_LINE_BYTES + 1 }))
            }
            None => Ok((window.len(), Found::Starved)),
            Some(len) => {
                if matches!(self.state, State::BlockSize) {
                    self.block = block_size(&self.text).map_err(refuse)?;
                    self.state = State::Start;
                } else {
                    self.state = State::BlockSize;
                }
                self.text.clear();
                Ok((len + 1, Found::Further))
            }
        }
    }

    /// Collects a tag and works on it.
    fn tag(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        let start = position - self.text.len() as u64;
        let refuse = |kind| DecodeError { position: start, kind };
        let window = &input[..input.len().min(MAX_LINE_BYTES - self.text.len())];
        let end = window.iter().position(|byte| *byte == b'>');
        let part = end.map_or(window, |end| &window[..=end]);
        self.text.extend_from_slice(part);
        if end.is_some() {
            let found = self.whole_tag().map_err(refuse)?;
            self.text.clear();
            Ok((part.len(), found))
        } else if self.text.len() == MAX_LINE_BYTES {
            Err(refuse(ErrorKind::LineTooLong { at_least_bytes: MAX_LINE_BYTES + 1 }))
        } else {
            Ok((part.len(), Found::Starved))
        }
    }

    fn whole_tag(&mut self) -> Result<Found, ErrorKind> {
        let text = self.text.as_slice();
        let refuse = |expected| Err(ErrorKind::Line { expected, found: excerpt(text) });
        match self.state {
            State::Start if text.starts_with(b"<?xml") && text.ends_with(b"?>") => Ok(Found::Further),
            State::Start if is(text, "<dd") => {
                self.state = State::Blocks;
                // Blocks of zeros stand for what was discarded since: it always is a difference.
                let header = Header { chunk_size: Some(self.block), ..Header::empty(Format::Ddxml, Kind::Delta) };
                Ok(Found::Event(Event::Header(Box::new(header))))
            }
            State::Device | State::BlockSize | State::Start => refuse("`<dd>`"),
            State::Blocks if is(text, "</dd") => {
                self.state = State::End;
                Ok(Found::Further)
            }
            State::Blocks => {
                let Ok((_, number)) = block(text) else { return refuse("`<block offset='N'>` or `</dd>`") };
                let extent = Extent::new(Chunks::new(number), Chunks::new(1)).and_then(|one| self.block.extent(one));
                let Some(extent) = extent.filter(|extent| extent.end() <= MAX_VOLUME_SIZE) else {
                    return refuse("a block below 2^63 bytes");
                };
                count_data(&mut self.totals, extent);
                self.state = State::Data { payload: Payload::new(extent), padded: false };
                Ok(Found::Event(Event::DataStart(extent)))
            }
            State::Close if is(text, "</block") => {
                self.state = State::Blocks;
                Ok(Found::Further)
            }
            State::Close | State::Data { .. } | State::End => refuse("`</block>`"),
        }
    }

    /// Collects base64 and decodes it, a piece at a time.
    fn data(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        let window = &input[..input.len().min(TEXT_BYTES - self.text.len())];
        let end = window.iter().position(|byte| *byte == b'<');
        let part = end.map_or(window, |end| &window[..end]);
        self.text.extend_from_slice(part);
        let State::Data { payload, padded } = &mut self.state else { return Ok((part.len(), Found::Starved)) };
        let start = position + part.len() as u64 - self.text.len() as u64;
        let wrong = |text: &[u8]| DecodeError {
            position: start,
            kind: ErrorKind::Line { expected: "the base64 of one block, not more and not less", found: excerpt(text) },
        };
        if self.text.is_empty() {
            // The next tag begins.
            if !payload.left().is_zero() {
                return Err(wrong(b"<"));
            }
            self.state = State::Close;
            self.text.push(b'<');
            return Ok((1, Found::Further));
        }
        if end.is_none() && self.text.len() < TEXT_BYTES {
            return Ok((part.len(), Found::Starved));
        }
        self.decoded.resize(TEXT_BYTES / 4 * 3, 0);
        let len = STANDARD.decode_slice(&self.text, &mut self.decoded).ok();
        let len = len.filter(|len| !*padded && payload.part(*len) == *len).ok_or_else(|| wrong(&self.text))?;
        *padded = len < self.text.len() / 4 * 3;
        self.decoded.truncate(len);
        self.text.clear();
        Ok((part.len(), Found::Decoded(payload.advance(len))))
    }
}

/// The size of a block, in bytes and decimal.
fn block_size(text: &[u8]) -> Result<ChunkSize, ErrorKind> {
    let size: IResult<_, _> = all_consuming(u64).parse(text);
    let size = size.ok().and_then(|(_, bytes)| ChunkSize::from_bytes(Bytes::new(bytes)));
    size.filter(|size| size.bytes() <= MAX_CHUNK_SIZE).ok_or_else(|| ErrorKind::Field {
        field: "size of a block",
        expected: "a multiple of 512 bytes, at most 2^30",
        found: format!("`{}`", excerpt(text)),
    })
}

/// A tag without attributes that begins like this.
fn is(text: &[u8], start: &'static str) -> bool {
    let parsed: IResult<_, _> = all_consuming((tag(start), multispace0, char('>'))).parse(text);
    parsed.is_ok()
}

/// The number in `<block offset='N'>`.
fn block(text: &[u8]) -> IResult<&[u8], u64> {
    let quoted = alt((delimited(char('\''), u64, char('\'')), delimited(char('"'), u64, char('"'))));
    let name = (tag("<block"), multispace1, tag("offset"), multispace0, char('='), multispace0);
    all_consuming(terminated(preceded(name, quoted), (multispace0, char('>')))).parse(text)
}
