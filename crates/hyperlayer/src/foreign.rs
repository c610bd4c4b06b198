//! The formats of other tools: how they are told apart, and what their decoders share.

#[cfg(feature = "ddxml")]
mod ddxml;
#[cfg(feature = "lvbackup-v1")]
mod lvbackup_v1;
#[cfg(feature = "lvmsync")]
mod lvmsync;
#[cfg(feature = "thin-send")]
pub(crate) mod thin_send;

use std::fmt;

use extents::{Bytes, ChunkSize, Extent};

use crate::error::{DecodeError, ErrorKind};
use crate::limits::MAX_VOLUME_SIZE;
use crate::{Completeness, Event, Format, Totals};

/// What a reader must be told because a format does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// The size of the blocks that a ddxml stream counts in.
    pub block_size: Option<ChunkSize>,
}

/// Decodes one stream of one format, after its magic.
pub(crate) trait Codec: fmt::Debug + Send + Sync {
    /// Takes bytes from the beginning of the input, which starts at byte `position` and may be empty.
    fn advance(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError>;

    /// The input ends at byte `position`.
    fn finish(&mut self, position: u64) -> Result<(Completeness, Totals), DecodeError>;

    /// The bytes that [`Found::Decoded`] announced.
    fn decoded(&self) -> &[u8] {
        &[]
    }
}

/// What came of taking some bytes.
#[derive(Debug)]
pub(crate) enum Found {
    Event(Event<'static>),
    /// The bytes taken are data for this place.
    Data(Bytes),
    /// Data for this place is in [`Codec::decoded`].
    Decoded(Bytes),
    End(Completeness, Totals),
    /// More bytes are needed.
    Starved,
    /// Nothing to tell; there may be more to take.
    Further,
}

/// Makes the decoder of a format whose magic was read.
pub(crate) type Open = fn(ReadOptions) -> Result<Box<dyn Codec>, ErrorKind>;

/// How streams begin. None is the beginning of another.
const MAGICS: &[(&[u8], Format, Open)] = &[
    #[cfg(feature = "lvbackup-v1")]
    (&lvbackup_v1::FULL, Format::LvbackupV1, |_| Ok(lvbackup_v1::open(lvbackup_v1::FULL))),
    #[cfg(feature = "lvbackup-v1")]
    (&lvbackup_v1::DELTA, Format::LvbackupV1, |_| Ok(lvbackup_v1::open(lvbackup_v1::DELTA))),
    #[cfg(feature = "thin-send")]
    (&thin_send::MAGIC_1_1, Format::ThinSend1_1, |_| Ok(thin_send::open_1_1())),
    #[cfg(feature = "thin-send")]
    (&thin_send::MAGIC_1_0, Format::ThinSend1_0, |_| Ok(thin_send::open_1_0())),
    #[cfg(feature = "thin-send")]
    (&thin_send::MAGIC_0, Format::ThinSend1_0, |_| Err(ErrorKind::TooOld { found: "thin-send-recv before 1.0" })),
    #[cfg(feature = "lvmsync")]
    (lvmsync::MAGIC, Format::Lvmsync, |_| Ok(lvmsync::open())),
    #[cfg(feature = "ddxml")]
    (ddxml::DECLARATION, Format::Ddxml, |options| ddxml::open(ddxml::DECLARATION, options)),
    #[cfg(feature = "ddxml")]
    (ddxml::ROOT, Format::Ddxml, |options| ddxml::open(ddxml::ROOT, options)),
    #[cfg(feature = "ddxml")]
    (ddxml::DEVICE, Format::Ddxml, |options| Ok(ddxml::open_for_device(options))),
];

/// Whether a stream may begin with these bytes.
pub(crate) fn may_begin<'a>(start: &(impl Iterator<Item = &'a u8> + Clone)) -> bool {
    let len = start.clone().count();
    MAGICS.iter().any(|(magic, ..)| len <= magic.len() && start.clone().eq(&magic[..len]))
}

/// The format that has these bytes as its magic, whole.
pub(crate) fn find(magic: &[u8]) -> Option<(Format, Open)> {
    MAGICS.iter().find(|(known, ..)| *known == magic).map(|(_, format, open)| (*format, *open))
}

/// A field of fixed length, which may come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Field(Vec<u8>);

impl Field {
    /// A field of which the beginning is there.
    pub(crate) fn starting(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Takes what is missing of `N` bytes; gives how much that was, and the field when it is whole.
    pub(crate) fn fill<const N: usize>(&mut self, input: &[u8]) -> (usize, Option<[u8; N]>) {
        let taken = input.len().min(N.saturating_sub(self.0.len()));
        self.0.extend_from_slice(&input[..taken]);
        let whole = self.0.as_slice().try_into().ok();
        if whole.is_some() {
            self.0.clear();
        }
        (taken, whole)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The data of one record on its way.
#[derive(Debug)]
pub(crate) struct Payload {
    extent: Extent<Bytes>,
    at: Bytes,
}

impl Payload {
    pub(crate) fn new(extent: Extent<Bytes>) -> Self {
        Self { extent, at: extent.start() }
    }

    /// How much is still to come.
    pub(crate) fn left(&self) -> Bytes {
        self.extent.end().saturating_sub(self.at)
    }

    /// How many of `len` bytes belong to the record.
    pub(crate) fn part(&self, len: usize) -> usize {
        self.left().to_usize().map_or(len, |left| left.min(len))
    }

    /// Steps over so many bytes, which are the record's; gives their place on the volume.
    pub(crate) fn advance(&mut self, len: usize) -> Bytes {
        let next = self.at.saturating_add(Bytes::from(len));
        std::mem::replace(&mut self.at, next)
    }
}

/// The range of a record of the binary formats, which count in bytes.
pub(crate) fn range(start: u64, len: u64) -> Result<Extent<Bytes>, ErrorKind> {
    let extent = Extent::new(Bytes::new(start), Bytes::new(len));
    let right = extent.filter(|extent| extent.to_sectors().is_some() && extent.end() <= MAX_VOLUME_SIZE);
    right.ok_or_else(|| ErrorKind::Field {
        field: "range of a record",
        expected: "whole 512-byte sectors below 2^63",
        found: format!("{len} bytes from byte {start}"),
    })
}

pub(crate) fn count_data(totals: &mut Totals, extent: Extent<Bytes>) {
    totals.data_records += 1;
    totals.data = totals.data.saturating_add(extent.len());
}

pub(crate) fn count_zero(totals: &mut Totals, extent: Extent<Bytes>) {
    totals.zero_records += 1;
    totals.zero = totals.zero.saturating_add(extent.len());
}

pub(crate) fn cut<T>(position: u64, inside: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError { position, kind: ErrorKind::Cut { inside } })
}
