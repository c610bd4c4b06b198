//! What can be wrong with a document.

use std::fmt;
use std::io;

use extents::{Chunks, Extent};

/// The most that an error quotes of a document, in bytes.
pub const MAX_EXCERPT_BYTES: usize = 72;

/// Why a document was refused. `at` is the position of the first byte concerned, counted in bytes from the start of
/// the input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be read.
    #[error("cannot read on at byte {at}")]
    Read {
        /// How far reading had come.
        at: u64,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The input ends within the document, or is empty: the program that wrote it failed or was stopped.
    #[error("at byte {at}: expected {expected}, found the end of the input")]
    Ended {
        /// The length of the input.
        at: u64,
        /// What had to come.
        expected: &'static str,
    },
    /// Something else had to come here.
    #[error("at byte {at}: expected {expected}, found `{found}`")]
    Unexpected {
        /// Where it starts.
        at: u64,
        /// What had to come.
        expected: &'static str,
        /// What came.
        found: Excerpt,
    },
    /// A tag is longer than any that these tools write.
    #[error("at byte {at}: expected a tag of at most {} bytes, found more after `{found}`", crate::MAX_TAG_BYTES)]
    TagTooLong {
        /// Where it starts.
        at: u64,
        /// Its start.
        found: Excerpt,
    },
    /// A tag has more attributes than any that these tools write.
    #[error("at byte {at}: expected at most {} attributes, found more in `{found}`", crate::MAX_ATTRIBUTES)]
    TooManyAttributes {
        /// Where the tag starts.
        at: u64,
        /// The tag.
        found: Excerpt,
    },
    /// A tag has one attribute twice.
    #[error("at byte {at}: expected each attribute once, found `{found}` again")]
    Repeated {
        /// Where it comes again.
        at: u64,
        /// The attribute's name.
        found: Excerpt,
    },
    /// A tag lacks an attribute.
    #[error("at byte {at}: expected the attribute `{attribute}`, found `{found}`")]
    Missing {
        /// Where the tag starts.
        at: u64,
        /// The attribute's name.
        attribute: &'static str,
        /// The tag.
        found: Excerpt,
    },
    /// An attribute's value is out of its range or no number.
    #[error("at byte {at}: expected {expected} as the value of `{attribute}`, found `{found}`")]
    Value {
        /// Where the value starts.
        at: u64,
        /// The attribute's name.
        attribute: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: Excerpt,
    },
    /// A dump in which devices share sub-trees.
    #[error(
        "at byte {at}: expected the mappings of one device, found `{found}`: a dump of a whole pool, in which devices \
         share mappings (`thin_dump --dev-id N` writes those of one)"
    )]
    Shared {
        /// Where the tag starts.
        at: u64,
        /// The tag.
        found: Excerpt,
    },
    /// A range that starts before the end of the one before it.
    #[error("at byte {at}: expected chunks from {after} on, found {found}")]
    Backwards {
        /// Where the tag starts.
        at: u64,
        /// The end of the range before it.
        after: Chunks,
        /// The range.
        found: Extent<Chunks>,
    },
    /// A range that is empty or ends past `u64::MAX` bytes.
    #[error(
        "at byte {at}: expected at least one chunk and an end below 2^64 bytes, found {length} chunks from {begin}"
    )]
    Range {
        /// Where the tag starts.
        at: u64,
        /// Its first chunk.
        begin: Chunks,
        /// Its chunks.
        length: Chunks,
    },
    /// A dump whose mappings are not as many as its device says.
    #[error("at byte {at}: expected {stated} mapped chunks, found {found}")]
    Total {
        /// Where the excess or the device's end is.
        at: u64,
        /// `mapped_blocks` of the device.
        stated: Chunks,
        /// The chunks counted up to here.
        found: Chunks,
    },
}

impl Error {
    /// The position in the input, in bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Self::Read { at, .. }
            | Self::Ended { at, .. }
            | Self::Unexpected { at, .. }
            | Self::TagTooLong { at, .. }
            | Self::TooManyAttributes { at, .. }
            | Self::Repeated { at, .. }
            | Self::Missing { at, .. }
            | Self::Value { at, .. }
            | Self::Shared { at, .. }
            | Self::Backwards { at, .. }
            | Self::Range { at, .. }
            | Self::Total { at, .. } => *at,
        }
    }

    /// Whether the document was cut; what was there of it was right.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Read { source, .. } => source.kind(),
            Error::Ended { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The start of what was found, fit for a message: at most [`MAX_EXCERPT_BYTES`] bytes, all else but printable ASCII
/// as `\xNN`.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut text = String::new();
        for byte in bytes.iter().take(MAX_EXCERPT_BYTES) {
            match byte {
                b' '..=b'~' if *byte != b'\\' => text.push(char::from(*byte)),
                _ => text.extend(byte.escape_ascii().map(char::from)),
            }
        }
        if bytes.len() > MAX_EXCERPT_BYTES {
            text.push_str("...");
        }
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
