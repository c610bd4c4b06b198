//! What is wrong with a stream, and where.

use std::io;

use extents::{Bytes, Extent};

use crate::limits::{MAX_DATA_RECORD, MAX_HEADER_BYTES, MAX_HEADER_KEYS, MAX_LINE_BYTES, MAX_RANGES_1_0};
use crate::{Digest, HeaderError};

/// A stream is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {kind}")]
pub struct DecodeError {
    /// How many bytes from the beginning of the input the refused thing starts (its line, or the word in it); for a
    /// cut stream, how many bytes there are.
    pub position: u64,
    /// What is wrong.
    pub kind: ErrorKind,
}

impl DecodeError {
    /// Whether the stream is right so far but ends too early, as after a broken connection or on a full disk.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.kind, ErrorKind::Cut { .. })
    }
}

/// What is wrong with a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ends before the stream does.
    #[error("the stream is cut: it ends {inside}")]
    Cut {
        /// In or before what.
        inside: &'static str,
    },
    /// This is no HYPERLAYER stream.
    #[error("expected a stream that begins with `HYPERLAYER/`, found `{found}`")]
    NoMagic {
        /// The beginning of what is there instead, made printable.
        found: String,
    },
    /// A version that this crate does not know.
    #[error("expected `HYPERLAYER/1.0` or `HYPERLAYER/1.1`, found `{found}`")]
    UnknownVersion {
        /// The line, made printable.
        found: String,
    },
    /// Something other than another stream follows the end of one.
    #[error("expected the end of the input or another stream, found `{found}`")]
    TrailingBytes {
        /// The beginning of what follows, made printable.
        found: String,
    },
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("a line has at least {at_least_bytes} bytes, at most {MAX_LINE_BYTES} are allowed")]
    LineTooLong {
        /// How many bytes were seen without a newline.
        at_least_bytes: usize,
    },
    /// A header is longer than [`MAX_HEADER_BYTES`].
    #[error("the header has at least {at_least_bytes} bytes, at most {MAX_HEADER_BYTES} are allowed")]
    HeaderTooLong {
        /// How many bytes were seen.
        at_least_bytes: usize,
    },
    /// A header has more than [`MAX_HEADER_KEYS`] keys.
    #[error("the header has at least {at_least} keys, at most {MAX_HEADER_KEYS} are allowed")]
    TooManyKeys {
        /// How many were seen.
        at_least: usize,
    },
    /// A line does not follow the grammar.
    #[error("expected {expected}, found `{found}`")]
    Line {
        /// What could stand here.
        expected: &'static str,
        /// What does, made printable.
        found: String,
    },
    /// A field of a binary format cannot have this value.
    #[error("the {field} is {found}, expected {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it can have.
        expected: &'static str,
        /// What it has, made printable.
        found: String,
    },
    /// A format that once was, and that this crate does not know.
    #[error("the stream is one of {found}, which is not known here")]
    TooOld {
        /// Of what.
        found: &'static str,
    },
    /// A ddxml stream, which does not say the size of its blocks, and no
    /// [`ReadOptions::block_size`](crate::ReadOptions::block_size).
    #[error("the stream is ddxml, which does not say how large its blocks are")]
    NoBlockSize,
    /// The header is well-formed and wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A record breaks a rule of the format.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A record of 1.1 that is not what was written, or not where it was written.
    #[error(
        "the check of {record} of bytes {extent} is {found:08x}, its line says {stated:08x}: \
         the record was altered, or it does not follow what precedes it"
    )]
    RecordAltered {
        /// Which kind of record.
        record: &'static str,
        /// Its range, as its line says.
        extent: Extent<Bytes>,
        /// The check in its line.
        stated: u32,
        /// The check as computed.
        found: u32,
    },
    /// A header or a block whose MD5 the first `lvbackup` wrote otherwise.
    #[error("{what} has the MD5 {found}, the stream says {stated}: it was altered")]
    Md5Differs {
        /// The header or a block.
        what: &'static str,
        /// As in the stream, in hex.
        stated: String,
        /// As computed, in hex.
        found: String,
    },
    /// A stream that is not what was written.
    #[error("the stream has the BLAKE3 digest {found}, its end record says {stated}: it was altered")]
    StreamAltered {
        /// The digest in the end record.
        stated: Digest,
        /// The digest of the stream.
        found: Digest,
    },
}

/// A record breaks a rule of the format; the same for who reads and for who writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A record begins before the one before it ends.
    #[error("{record} of bytes {extent} overlaps or precedes what came before it, up to byte {before}")]
    NotAscending {
        /// Which kind of record.
        record: &'static str,
        /// Its range.
        extent: Extent<Bytes>,
        /// Where the records before it end.
        before: Bytes,
    },
    /// Under 1.0: two records write the same bytes.
    #[error("a data record of bytes {extent} overlaps another one")]
    Overlap {
        /// The range of the later one.
        extent: Extent<Bytes>,
    },
    /// A record ends past the volume, or a check past its base.
    #[error("{record} of bytes {extent} lies past the {whose} size of {size} bytes")]
    PastEnd {
        /// Which kind of record.
        record: &'static str,
        /// Its range.
        extent: Extent<Bytes>,
        /// `volume's`, `largest possible volume's` or `base's`.
        whose: &'static str,
        /// That size.
        size: Bytes,
    },
    /// A data record is longer than [`MAX_DATA_RECORD`].
    #[error("a data record of {} bytes, at most {MAX_DATA_RECORD} are allowed", extent.len())]
    RecordTooLong {
        /// Its range.
        extent: Extent<Bytes>,
    },
    /// A base check after the first data or zero record.
    #[error("a base check of bytes {extent} after the first data or zero record")]
    LateCheck {
        /// Its range.
        extent: Extent<Bytes>,
    },
    /// A base check in a full layer, which has no base.
    #[error("a base check of bytes {extent} in a full layer, which has no base")]
    CheckWithoutBase {
        /// Its range.
        extent: Extent<Bytes>,
    },
    /// A total that the header or the end record states is not what the stream holds.
    #[error("{by} states {stated} {what}, the stream holds {found}")]
    WrongTotal {
        /// `the header` or `the end record`.
        by: &'static str,
        /// Of what.
        what: &'static str,
        /// As stated.
        stated: u64,
        /// As found.
        found: u64,
    },
    /// Under 1.0: too many separate ranges to know whether a record that jumps back overlaps one.
    #[error("a record of bytes {extent} jumps back after {ranges} separate ranges, at most {MAX_RANGES_1_0} are kept")]
    TooScattered {
        /// The range of the record.
        extent: Extent<Bytes>,
        /// How many separate ranges there were.
        ranges: usize,
    },
}

impl From<DecodeError> for io::Error {
    /// [`io::ErrorKind::UnexpectedEof`] for a cut stream, else [`io::ErrorKind::InvalidData`].
    fn from(error: DecodeError) -> Self {
        let kind = if error.is_cut() { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
        Self::new(kind, error)
    }
}

/// Reading a stream failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input could not be read.
    #[error("cannot read the stream after byte {position}")]
    Io {
        /// How many bytes were read.
        position: u64,
        /// Why.
        source: io::Error,
    },
    /// The input is refused.
    #[error(transparent)]
    Stream(#[from] DecodeError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { source, .. } => source,
            ReadError::Stream(error) => error.into(),
        }
    }
}

/// What was asked of an [`Encoder`](crate::Encoder) is no valid stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The header cannot be written.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The record may not stand here.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A range that does not begin and end with a sector.
    #[error("bytes {extent} are no whole 512-byte sectors")]
    NotSectors {
        /// The range.
        extent: Extent<Bytes>,
    },
    /// Data of another length than its range.
    #[error("{found} bytes of data for bytes {extent}")]
    WrongLength {
        /// The range.
        extent: Extent<Bytes>,
        /// The length of the data.
        found: Bytes,
    },
    /// A hash that the stream's format does not know.
    #[error("HYPERLAYER/{format} has no base check by {hash}")]
    HashNotExpressible {
        /// The format.
        format: crate::Format,
        /// The hash's name.
        hash: String,
    },
    /// A base check in a format that has none.
    #[error("the format {format} has no base checks")]
    CheckNotExpressible {
        /// The format.
        format: crate::Format,
    },
    /// The pieces of an earlier zero record were not all taken.
    #[error("a zero record was begun and not written to its end")]
    UnfinishedZero,
}

/// Writing a stream failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output could not be written.
    #[error("cannot write the stream")]
    Io(#[from] io::Error),
    /// An earlier call failed to write, so that the output lacks a part.
    #[error("cannot write the stream: an earlier part of it could not be written")]
    Broken,
    /// What was to be written is no valid stream.
    #[error(transparent)]
    Stream(#[from] EncodeError),
}

/// How much of the input an error text shows.
pub(crate) const EXCERPT_BYTES: usize = 60;

/// The beginning of `bytes`, printable, for an error text.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(EXCERPT_BYTES) {
        match byte {
            b' '..=b'~' => text.push(char::from(*byte)),
            byte => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    if bytes.len() > EXCERPT_BYTES {
        text.push_str("...");
    }
    text
}
