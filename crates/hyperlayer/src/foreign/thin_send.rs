//! thin-send-recv: chunks of magic, offset, length in bytes (64 bits each) and command (32 bits), all big-endian.
//! 1.1 begins with BEGIN and ends with END, which counts the chunks; 1.0 has only DATA and UNMAP and no end.

mod encode;

use byteorder::{BigEndian, ByteOrder};

use super::{Codec, Field, Found, Payload, count_data, count_zero, cut, range};
use crate::error::{DecodeError, ErrorKind, RuleError};
use crate::{Completeness, Event, Format, Header, Kind, Totals};

pub use encode::ThinSendEncoder;
pub(crate) use encode::stream_len;

pub(super) const MAGIC_1_1: [u8; 8] = 0x24C4_F02A_AE2E_4FA9_u64.to_be_bytes();
pub(super) const MAGIC_1_0: [u8; 8] = 0xCA7F_00D5_DE7E_C7ED_u64.to_be_bytes();
/// Before 1.0: another layout, which the tools of today do not read either.
pub(super) const MAGIC_0: [u8; 8] = 0xE85B_C563_6CC7_2A05_u64.to_be_bytes();

const DATA: u32 = 0;
const UNMAP: u32 = 1;
const BEGIN: u32 = 2;
const END: u32 = 3;
/// A command that may be skipped by who does not know it.
const OPTIONAL: u32 = 1 << 31;

const CHUNK_BYTES: usize = 28;
const COUNTS_BYTES: usize = 24;

#[derive(Debug)]
struct ThinSend {
    format: Format,
    magic: [u8; 8],
    begun: bool,
    field: Field,
    state: State,
    /// How many chunks, of all commands.
    chunks: u64,
    totals: Totals,
}

#[derive(Debug)]
enum State {
    Chunk,
    Data(Payload),
    /// So much of an optional chunk is still to be skipped.
    Skip(u64),
    Counts,
}

/// After the magic of the first chunk.
pub(super) fn open_1_1() -> Box<dyn Codec> {
    Box::new(ThinSend::new(Format::ThinSend1_1, MAGIC_1_1))
}

/// After the magic of the first chunk.
pub(super) fn open_1_0() -> Box<dyn Codec> {
    Box::new(ThinSend::new(Format::ThinSend1_0, MAGIC_1_0))
}

impl ThinSend {
    fn new(format: Format, magic: [u8; 8]) -> Self {
        let (field, totals) = (Field::starting(&magic), Totals::default());
        Self { format, magic, begun: false, field, state: State::Chunk, chunks: 0, totals }
    }

    /// The stream itself does not say whether it is a whole volume or a difference.
    fn header(&self) -> Found {
        Found::Event(Event::Header(Box::new(Header::empty(self.format, Kind::Unknown))))
    }

    fn chunk(&mut self, bytes: &[u8; CHUNK_BYTES]) -> Result<Found, ErrorKind> {
        let (magic, rest) = bytes.split_at(8);
        let field = |field, expected, found| Err(ErrorKind::Field { field, expected, found });
        if magic != self.magic {
            return field(
                "magic of a chunk",
                "that of the first chunk",
                format!("{:016x}", BigEndian::read_u64(magic)),
            );
        }
        let (offset, len) = (BigEndian::read_u64(&rest[..8]), BigEndian::read_u64(&rest[8..16]));
        let command = BigEndian::read_u32(&rest[16..]);
        let marks = self.format == Format::ThinSend1_1;
        self.chunks += 1;
        if marks && (command == BEGIN) == self.begun {
            return field("command of a chunk", "BEGIN in the first chunk and no other", command.to_string());
        }
        match command {
            DATA => {
                let extent = range(offset, len)?;
                count_data(&mut self.totals, extent);
                self.state = State::Data(Payload::new(extent));
                Ok(Found::Event(Event::DataStart(extent)))
            }
            UNMAP => {
                let extent = range(offset, len)?;
                count_zero(&mut self.totals, extent);
                Ok(Found::Event(Event::Zero(extent)))
            }
            BEGIN if marks && (offset, len) == (0, 0) => {
                self.begun = true;
                Ok(self.header())
            }
            END if marks && (offset, len) == (0, COUNTS_BYTES as u64) => {
                self.state = State::Counts;
                Ok(Found::Further)
            }
            BEGIN | END if marks => field("range of a mark", "0 and its own length", format!("{offset} and {len}")),
            command if marks && command & OPTIONAL != 0 => {
                self.state = State::Skip(len);
                Ok(Found::Further)
            }
            command => field("command of a chunk", "one of the format's", command.to_string()),
        }
    }

    fn counts(&self, bytes: &[u8; COUNTS_BYTES]) -> Result<Found, RuleError> {
        let by = "the end chunk";
        let found = [
            ("chunks", self.chunks),
            ("data chunks", self.totals.data_records),
            ("unmap chunks", self.totals.zero_records),
        ];
        for ((what, found), stated) in found.into_iter().zip(bytes.chunks_exact(8).map(BigEndian::read_u64)) {
            if stated != found {
                return Err(RuleError::WrongTotal { by, what, stated, found });
            }
        }
        Ok(Found::End(Completeness::Counted, self.totals))
    }
}

impl Codec for ThinSend {
    fn advance(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        if self.format == Format::ThinSend1_0 && !self.begun {
            self.begun = true;
            return Ok((0, self.header()));
        }
        if input.is_empty() {
            return Ok((0, Found::Starved));
        }
        let refuse = |taken: usize, len: usize, kind| {
            let position = position + taken as u64 - len as u64;
            DecodeError { position, kind }
        };
        match &mut self.state {
            State::Chunk => {
                let (taken, bytes) = self.field.fill(input);
                let Some(bytes) = bytes else { return Ok((taken, Found::Starved)) };
                let found = self.chunk(&bytes).map_err(|kind| refuse(taken, CHUNK_BYTES, kind))?;
                Ok((taken, found))
            }
            State::Data(payload) => {
                let taken = payload.part(input.len());
                let at = payload.advance(taken);
                if payload.left().is_zero() {
                    self.state = State::Chunk;
                }
                Ok((taken, Found::Data(at)))
            }
            State::Skip(left) => {
                let taken = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Chunk;
                }
                Ok((taken, Found::Further))
            }
            State::Counts => {
                let (taken, bytes) = self.field.fill(input);
                let Some(bytes) = bytes else { return Ok((taken, Found::Starved)) };
                let found = self.counts(&bytes).map_err(|rule| refuse(taken, COUNTS_BYTES, rule.into()))?;
                Ok((taken, found))
            }
        }
    }

    fn finish(&mut self, position: u64) -> Result<(Completeness, Totals), DecodeError> {
        match self.state {
            State::Data(_) => cut(position, "within the data of a chunk"),
            State::Skip(left) if left > 0 => cut(position, "within a chunk that may be skipped"),
            _ if self.format == Format::ThinSend1_1 => cut(position, "before its end chunk"),
            _ if !self.field.is_empty() => cut(position, "within the header of a chunk"),
            _ => Ok((Completeness::Unknown, self.totals)),
        }
    }
}
