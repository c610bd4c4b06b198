//! What a stream says, one thing after the other.

use extents::{Bytes, Extent};

use crate::{Check, Digest, Format, Header, Totals};

/// One thing that a stream says. `Header`, then any number of `Check`, then any number of `DataStart` (followed by
/// its `Data`) and `Zero`, then `End`; after it perhaps the `Header` of a concatenated stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A stream begins.
    Header(Box<Header>),
    /// The base must hold this.
    Check(Check),
    /// Data for this range follows, as at least one [`Event::Data`].
    DataStart(Extent<Bytes>),
    /// The next piece of the record's data, in order and without gaps; never empty. Under 1.1 the record's own check was
    /// right when the piece that ends where the record ends is handed out.
    Data {
        /// Where on the volume the piece belongs.
        at: Bytes,
        /// The piece.
        bytes: &'a [u8],
    },
    /// This range reads as zeros.
    Zero(Extent<Bytes>),
    /// The stream is complete: every count and digest it states was compared.
    End(End),
}

/// What is known at the end of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The stream's format.
    pub format: Format,
    /// How sure it is that nothing is missing.
    pub completeness: Completeness,
    /// What the stream held.
    pub totals: Totals,
    /// The stream's length in bytes, its end record included.
    pub len: Bytes,
    /// BLAKE3 of all its bytes, its end record included.
    pub blake3: Digest,
}

/// How sure it is that a stream is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completeness {
    /// A cut between two records cannot be seen: 1.0 without end line and without `Delta blocks`, thin-send 1.0, lvmsync.
    Unknown,
    /// A count or an end mark is right, and nothing covers the whole content: 1.0 with `Delta blocks`, thin-send 1.1, the
    /// first lvbackup (which has a digest of each block), ddxml.
    Counted,
    /// An end record whose counts and digest are right.
    Proven,
}
