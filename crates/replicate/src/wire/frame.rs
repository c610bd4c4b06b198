//! The 16 bytes before each body (PROTOCOL.md, "Frames").

use crate::limits::{HEADER_BYTES, MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_HASHES, MAX_LISTING_BYTES};

/// What a frame is, by its first byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "as the messages of the same names")]
pub enum Kind {
    Hello = 0x01,
    Ping = 0x02,
    Pong = 0x03,
    Refusal = 0x04,
    Bye = 0x05,
    List = 0x10,
    Layers = 0x11,
    Plan = 0x12,
    Planned = 0x13,
    Try = 0x14,
    Receive = 0x15,
    Ready = 0x16,
    Send = 0x17,
    Compare = 0x18,
    Hashes = 0x19,
    Snapshot = 0x1a,
    Made = 0x1b,
    Differ = 0x1c,
    Noted = 0x1d,
    Settle = 0x1e,
    Settled = 0x1f,
    Begin = 0x20,
    Data = 0x21,
    Durable = 0x22,
    End = 0x23,
    Verified = 0x24,
    Done = 0x25,
    Packed = 0x26,
    Adopt = 0x30,
    Prune = 0x31,
    Pruned = 0x32,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Hello,
        Self::Ping,
        Self::Pong,
        Self::Refusal,
        Self::Bye,
        Self::List,
        Self::Layers,
        Self::Plan,
        Self::Planned,
        Self::Try,
        Self::Receive,
        Self::Ready,
        Self::Send,
        Self::Compare,
        Self::Hashes,
        Self::Snapshot,
        Self::Made,
        Self::Differ,
        Self::Noted,
        Self::Settle,
        Self::Settled,
        Self::Begin,
        Self::Data,
        Self::Durable,
        Self::End,
        Self::Verified,
        Self::Done,
        Self::Packed,
        Self::Adopt,
        Self::Prune,
        Self::Pruned,
    ];

    /// The longest body of its frames, in bytes.
    #[must_use]
    pub const fn max_body_bytes(self) -> usize {
        match self {
            Self::Ping | Self::Pong | Self::Durable | Self::Verified => 8,
            Self::Bye => 0,
            Self::Layers | Self::Pruned => MAX_LISTING_BYTES,
            Self::Hashes => 8 + 32 * MAX_HASHES,
            Self::Data | Self::Packed => 8 + MAX_DATA_BYTES,
            _ => MAX_CONTROL_BYTES,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Why bytes are no frame.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Something else came first: what a login shell prints, most likely.
    #[error("the far side does not speak the session protocol: it began with `{}`", found.escape_debug())]
    NoPreamble {
        /// What came, as far as it was read.
        found: String,
    },
    /// Nothing came at all.
    #[error("the far side ended without a word")]
    Silent,
    /// The connection ended within a frame.
    #[error("the connection was cut within frame {number}, after {found_bytes} bytes of it; expected {expected_bytes}")]
    Cut {
        /// The frame's number.
        number: u64,
        /// How much of it came, in bytes.
        found_bytes: usize,
        /// How long it is as far as is known, in bytes.
        expected_bytes: usize,
    },
    /// The header's CRC-32 is wrong.
    #[error("frame {number} is altered: the CRC-32 of its header is {found:08x}, expected {expected:08x}")]
    HeaderAltered {
        /// The number of the frame that was expected.
        number: u64,
        /// As the header says.
        expected: u32,
        /// As it is.
        found: u32,
    },
    /// The body's CRC-32 is wrong.
    #[error("frame {number} is altered: the CRC-32 of its body is {found:08x}, expected {expected:08x}")]
    BodyAltered {
        /// The frame's number.
        number: u64,
        /// As the header says.
        expected: u32,
        /// As it is.
        found: u32,
    },
    /// A frame is missing, came twice, or is of another stream.
    #[error("the frames are mixed up: expected number {expected}, found {found}")]
    Number {
        /// The number that comes next, modulo 2^32.
        expected: u32,
        /// The one that came.
        found: u32,
    },
    /// A type that this version does not have.
    #[error("frame {number} is of the unknown type 0x{found:02x}")]
    UnknownKind {
        /// The frame's number.
        number: u64,
        /// The type.
        found: u8,
    },
    /// A body longer than its type may have.
    #[error("frame {number} of the type {kind:?} has {found_bytes} bytes, at most {max_bytes} are allowed")]
    TooLong {
        /// The frame's number.
        number: u64,
        /// Its type.
        kind: Kind,
        /// As the header says, in bytes.
        found_bytes: usize,
        /// What the type allows, in bytes.
        max_bytes: usize,
    },
}

/// A header that was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) len_bytes: usize,
    body_crc: u32,
}

/// How a frame's number stands in its header: modulo 2^32.
#[allow(clippy::cast_possible_truncation, reason = "what the format says")]
fn short(number: u64) -> u32 {
    number as u32
}

/// Puts the header before a body that is not longer than its kind allows.
pub(crate) fn header(kind: Kind, number: u64, body: &[u8]) -> [u8; HEADER_BYTES] {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut header = [0; HEADER_BYTES];
    header[0] = kind as u8;
    header[1..4].copy_from_slice(&len[1..]);
    header[4..8].copy_from_slice(&short(number).to_be_bytes());
    header[8..12].copy_from_slice(&crc32fast::hash(body).to_be_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_be_bytes());
    header
}

impl Header {
    /// Checks the header of the frame with this number.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES], number: u64) -> Result<Self, FrameError> {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (expected, found) = (word(12), crc32fast::hash(&bytes[..12]));
        if expected != found {
            return Err(FrameError::HeaderAltered { number, expected, found });
        }
        if word(4) != short(number) {
            return Err(FrameError::Number { expected: short(number), found: word(4) });
        }
        let kind = Kind::from_byte(bytes[0]).ok_or(FrameError::UnknownKind { number, found: bytes[0] })?;
        let [_, a, b, c] = [0, bytes[1], bytes[2], bytes[3]].map(usize::from);
        let len_bytes = (a << 16) | (b << 8) | c;
        if len_bytes > kind.max_body_bytes() {
            let max_bytes = kind.max_body_bytes();
            return Err(FrameError::TooLong { number, kind, found_bytes: len_bytes, max_bytes });
        }
        Ok(Self { kind, len_bytes, body_crc: word(8) })
    }

    /// Checks the body that belongs to it.
    pub(crate) fn check(&self, body: &[u8], number: u64) -> Result<(), FrameError> {
        let (expected, found) = (self.body_crc, crc32fast::hash(body));
        if expected == found { Ok(()) } else { Err(FrameError::BodyAltered { number, expected, found }) }
    }
}
