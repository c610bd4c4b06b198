//! The text header: what it holds and when it is right.

mod parse;
mod v1_0;
mod v1_1;
mod yaml;

use std::fmt;

use extents::{Bytes, ChunkSize};

use crate::format::Version;
use crate::limits::{MAX_CHUNK_SIZE, MAX_HEADER_BYTES, MAX_HEADER_KEYS, MAX_LINE_BYTES, MAX_VOLUME_SIZE};
use crate::{Digest, Format, LayerId};

pub(crate) use parse::HeaderParser;

/// Whether a layer stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The whole volume: what no record covers reads as zeros.
    Full,
    /// What turns the parent into this layer: what no record covers is the parent's. Under 1.0 every layer is one.
    Delta,
    /// The stream does not say: thin-send. Without a base, what no record covers reads as zeros.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Delta => "delta",
            Self::Unknown => "unknown",
        })
    }
}

/// How much a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many base checks.
    pub checks: u64,
    /// How many data records.
    pub data_records: u64,
    /// How much data, its lines not counted.
    pub data: Bytes,
    /// How many zero records.
    pub zero_records: u64,
    /// How much reads as zeros by a record.
    pub zero: Bytes,
}

/// Where a stream begins that carries only the rest of a layer, for a receiver that was interrupted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumes {
    /// No record lies below this: whole sectors, not past the volume's end.
    pub at: Bytes,
    /// The digest of the [`Outline`](crate::Outline) of the layer's records up to there, which are left out.
    pub skipped: Digest,
}

/// The header of one stream.
///
/// Any value may be held; [`Encoder::start`](crate::Encoder::start) says what is wrong with one. What must be there
/// depends on the format (FORMAT.md, sections 2 and 7): 1.1 needs both sizes and the totals and takes neither
/// `detect_level` nor `delta_blocks`; a 1.0 stream may lack everything, and so may a foreign one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format, from the stream's first bytes.
    pub format: Format,
    /// The volume's name, an LV name where it was an LV. Not to be trusted: any printable text.
    pub name: Option<String>,
    /// Whether the layer needs a parent.
    pub kind: Kind,
    /// The volume's size, whole sectors.
    pub volume_size: Option<Bytes>,
    /// The size of the chunks in which the difference was found. Records need not begin on its borders.
    pub chunk_size: Option<ChunkSize>,
    /// The parent's size, whole sectors. 1.1 deltas only.
    pub parent_size: Option<Bytes>,
    /// This layer's id (1.0: `VolumeUUID`).
    pub layer: Option<LayerId>,
    /// The parent's id (1.0: `Backing volumeUUID`).
    pub parent: Option<LayerId>,
    /// Where it was read from: `VG/LV` or a path.
    pub source: Option<String>,
    /// When, as RFC 3339 in UTC, such as `2026-11-21T03:00:00Z`.
    pub created: Option<String>,
    /// What wrote it, name and version.
    pub tool: Option<String>,
    /// What will follow. When writing also under 1.0, which does not carry it: there only `checks` counts.
    pub totals: Option<Totals>,
    /// Where the stream begins in its layer; `None` from the beginning, as nearly always. 1.1 only. Such a stream is of use
    /// only to a receiver that has all before that: who does not look at this field must not apply it.
    pub resumes: Option<Resumes>,
    /// 1.0 only: how many base checks were asked for, 0 to 3; the original wrote any number.
    pub detect_level: Option<i32>,
    /// 1.0 only: how many chunks the data records touch, see [`delta_blocks`](crate::delta_blocks).
    pub delta_blocks: Option<u64>,
    /// The user's own pairs, in order.
    pub meta: Vec<(String, String)>,
}

impl Header {
    /// The header of a full layer under 1.1, with what it must have.
    #[must_use]
    pub fn full(volume_size: Bytes, chunk_size: ChunkSize, totals: Totals) -> Self {
        Self {
            volume_size: Some(volume_size),
            chunk_size: Some(chunk_size),
            totals: Some(totals),
            ..Self::empty(Format::V1_1, Kind::Full)
        }
    }

    /// The header of a delta under 1.1, with what it must have.
    #[must_use]
    pub fn delta(volume_size: Bytes, parent_size: Bytes, chunk_size: ChunkSize, totals: Totals) -> Self {
        Self { kind: Kind::Delta, parent_size: Some(parent_size), ..Self::full(volume_size, chunk_size, totals) }
    }

    /// The header of a delta under 1.0, with what it must have to be written. See
    /// [`delta_blocks`](crate::delta_blocks) for that number.
    #[must_use]
    pub fn v1_0(volume_size: Bytes, chunk_size: ChunkSize, totals: Totals, delta_blocks: u64) -> Self {
        Self {
            volume_size: Some(volume_size),
            chunk_size: Some(chunk_size),
            totals: Some(totals),
            delta_blocks: Some(delta_blocks),
            ..Self::empty(Format::V1_0, Kind::Delta)
        }
    }

    /// The header of a thin-send 1.1 stream for a `ThinSendEncoder` (feature `thin-send`): none of it is written,
    /// but no record may pass that size.
    #[must_use]
    pub fn thin_send(volume_size: Bytes) -> Self {
        Self { volume_size: Some(volume_size), ..Self::empty(Format::ThinSend1_1, Kind::Unknown) }
    }

    /// Whether `id` is that of this layer's parent. The first `lvbackup` wrote only 36 of the 38 characters of an LV UUID;
    /// a longer id that begins with them is taken for that volume's.
    #[must_use]
    pub fn has_parent(&self, id: &LayerId) -> bool {
        self.parent.as_ref().is_some_and(|parent| match self.format {
            Format::LvbackupV1 => id.as_str().starts_with(parent.as_str()),
            _ => parent == id,
        })
    }

    /// The header as text, from the magic line to the empty line.
    pub(crate) fn print(&self) -> Result<Vec<u8>, HeaderError> {
        let lines = match self.format.version().ok_or(HeaderError::Foreign { format: self.format })? {
            Version::V1_0 => v1_0::lines(self)?,
            Version::V1_1 => v1_1::lines(self)?,
        };
        limit("keys", lines.len(), MAX_HEADER_KEYS)?;
        let mut text = format!("{MAGIC}{}\n", self.format);
        for (key, value) in &lines {
            limit("bytes in one line", key.len() + value.len() + ": \n".len(), MAX_LINE_BYTES)?;
            text.extend([key, ": ", value, "\n"]);
        }
        text.push('\n');
        limit("bytes", text.len(), MAX_HEADER_BYTES)?;
        Ok(text.into_bytes())
    }

    pub(crate) fn empty(format: Format, kind: Kind) -> Self {
        Self {
            format,
            name: None,
            kind,
            volume_size: None,
            chunk_size: None,
            parent_size: None,
            layer: None,
            parent: None,
            source: None,
            created: None,
            tool: None,
            totals: None,
            resumes: None,
            detect_level: None,
            delta_blocks: None,
            meta: Vec::new(),
        }
    }
}

/// A header is wrong, or cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A key that must be there is not.
    #[error("the header lacks `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key that may not be there is.
    #[error("the header has `{key}`, which {why}")]
    Unwanted {
        /// The key.
        key: &'static str,
        /// Why it may not be there.
        why: &'static str,
    },
    /// Under 1.1: a key twice.
    #[error("the header has `{key}` twice")]
    Repeated {
        /// The key, made printable.
        key: String,
    },
    /// A user's key that is no key.
    #[error("the header key `{key}` is not a letter or underscore followed by letters, digits and underscores")]
    BadKey {
        /// The key, made printable.
        key: String,
    },
    /// A user's key that the format uses itself.
    #[error("the header key `{key}` has a meaning of its own in the format")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// A value that its key cannot have.
    #[error("the header's `{key}` is `{value}`, expected {expected}")]
    BadValue {
        /// The key, made printable.
        key: String,
        /// The value, shortened and made printable.
        value: String,
        /// What it can have.
        expected: &'static str,
    },
    /// The header of a foreign format, which is no text, or one that this encoder does not write.
    #[error("a stream in the format {format} cannot be written here")]
    Foreign {
        /// The format.
        format: Format,
    },
    /// The format cannot say this.
    #[error("the format {format} cannot express {what}")]
    NotExpressible {
        /// The format.
        format: Format,
        /// What.
        what: &'static str,
    },
    /// A header longer than one of the limits.
    #[error("the header has {found} {what}, at most {limit} are allowed")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many at most.
        limit: usize,
    },
}

impl HeaderError {
    /// The key whose line is wrong, made printable; `None` where it is not one line.
    fn key(&self) -> Option<&str> {
        match self {
            Self::Unwanted { key, .. } => Some(key),
            Self::Repeated { key } | Self::BadKey { key } | Self::ReservedKey { key } | Self::BadValue { key, .. } => {
                Some(key)
            }
            Self::Missing { .. } | Self::Foreign { .. } | Self::NotExpressible { .. } | Self::TooLong { .. } => None,
        }
    }
}

/// What every stream begins with; the version follows.
pub(crate) const MAGIC: &str = "HYPERLAYER/";

const SIZE: &str = "a multiple of 512 below 2^63, in bytes";

fn bad(key: &str, value: impl fmt::Display, expected: &'static str) -> HeaderError {
    let key = crate::error::excerpt(key.as_bytes());
    HeaderError::BadValue { key, value: crate::error::excerpt(value.to_string().as_bytes()), expected }
}

fn check_size(key: &str, size: Bytes) -> Result<(), HeaderError> {
    let right = size.to_sectors().is_some() && size <= MAX_VOLUME_SIZE;
    right.then_some(()).ok_or_else(|| bad(key, size, SIZE))
}

fn check_chunk_size(key: &str, size: ChunkSize) -> Result<(), HeaderError> {
    let right = size.bytes() <= MAX_CHUNK_SIZE;
    right.then_some(()).ok_or_else(|| bad(key, size, "a multiple of 512 up to 1073741824, in bytes"))
}

/// The published rule: letters, digits and underscores, no digit first.
fn check_key(key: &str) -> Result<(), HeaderError> {
    let right = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && key.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    right.then_some(()).ok_or_else(|| HeaderError::BadKey { key: crate::error::excerpt(key.as_bytes()) })
}

fn check_printable(key: &str, value: &str) -> Result<(), HeaderError> {
    let right = !value.chars().any(char::is_control);
    right.then_some(()).ok_or_else(|| bad(key, value, "text without control characters"))
}

/// A number in one spelling only: digits, no sign, no zero in front.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// RFC 3339 in UTC: a day and a second that there are. A leap second is none, since few programs can read it.
fn check_time(key: &str, text: &str) -> Result<(), HeaderError> {
    let form = b"dddd-dd-ddTdd:dd:dd";
    let (time, rest) = text.as_bytes().split_at(text.len().min(form.len()));
    let time_right = time.len() == form.len()
        && time
            .iter()
            .zip(form)
            .all(|(found, form)| if *form == b'd' { found.is_ascii_digit() } else { found == form });
    let zone = match rest {
        [b'.', fraction @ ..] => after_digits(fraction),
        zone => Some(zone),
    };
    (time_right && is_moment(time) && matches!(zone, Some(b"Z" | b"+00:00")))
        .then_some(())
        .ok_or_else(|| bad(key, text, "a time such as 2026-11-21T03:00:00Z"))
}

/// Whether `dddd-dd-ddTdd:dd:dd` is a day of the calendar and a time of that day.
fn is_moment(time: &[u8]) -> bool {
    let number =
        |at: usize, len: usize| time[at..at + len].iter().fold(0_u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    (1..=days).contains(&day) && number(11, 2) < 24 && number(14, 2) < 60 && number(17, 2) < 60
}

/// What follows the digits, of which there must be one.
fn after_digits(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    (digits > 0).then(|| &bytes[digits..])
}

/// The user's pairs: each key right, once, and without a meaning of its own.
fn check_meta(meta: &[(String, String)], reserved: &[&str]) -> Result<(), HeaderError> {
    for (n, (key, value)) in meta.iter().enumerate() {
        check_key(key)?;
        check_printable(key, value)?;
        if reserved.contains(&key.as_str()) {
            return Err(HeaderError::ReservedKey { key: key.clone() });
        }
        if meta[..n].iter().any(|(other, _)| other == key) {
            return Err(HeaderError::Repeated { key: key.clone() });
        }
    }
    Ok(())
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), HeaderError> {
    (found <= limit).then_some(()).ok_or(HeaderError::TooLong { what, found, limit })
}
