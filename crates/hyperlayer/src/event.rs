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
    /// Data for this range follows, as at least one [`Event::Data`]. The range is unchecked until the record's end.
    DataStart(Extent<Bytes>),
    /// The next piece of the record's data, in order and without gaps; never empty. All of it, and where it belongs, is
    /// unchecked until the piece that ends where the record ends: under 1.1 that piece is handed out only when the record's
    /// check was right. To hold a record until then, see [`Reader::next_record`](crate::Reader::next_record).
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

/// One thing that a stream says, with all its data: what [`Reader::next_record`](crate::Reader::next_record) gives. Of a
/// stream of 1.1 nothing is handed out before its own check was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// As [`Event::Header`].
    Header(Box<Header>),
    /// As [`Event::Check`].
    Check(Check),
    /// The content of this range, which is in the caller's buffer.
    Data(Extent<Bytes>),
    /// As [`Event::Zero`].
    Zero(Extent<Bytes>),
    /// As [`Event::End`].
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
