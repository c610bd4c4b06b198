//! What a layer holds, however its stream is cut into records and whatever else its header says.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use extents::{Bytes, ChunkSize};
use hyperlayer::{Content, Digest, Event, Header, Kind, Outline};
use twox_hash::XxHash3_128;

use crate::Error;

/// The sum of the XXH3 hashes of all sectors of data, each with its place. It can be kept as text, and continued from there.
/// This sum detects accidents, not attacks, and so does the comparison of layer ids that it completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum(u128);

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// From the text that it is shown as.
impl FromStr for Sum {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

const SECTOR: usize = 512;

/// A [`Sum`] over records that ascend, and what it was at the last border of chunks.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    chunk: ChunkSize,
    sum: Sum,
    /// Behind the last sector.
    end: Bytes,
    /// The last border that is not past the last sector, and the sum of what lies before it.
    border: (Bytes, Sum),
    /// The sector that comes.
    part: Vec<u8>,
}

impl Sums {
    /// Goes on from `sum`, which is of all sectors below `at`, a border of chunks.
    pub(super) fn new(chunk: ChunkSize, at: Bytes, sum: Sum) -> Self {
        Self { chunk, sum, end: at, border: (at, sum), part: Vec::new() }
    }

    /// A data record begins.
    pub(super) fn start(&mut self, at: Bytes) {
        self.end = at;
        self.part.clear();
    }

    /// The next bytes of the record.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        if !self.part.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(SECTOR - self.part.len()));
            self.part.extend_from_slice(head);
            bytes = rest;
            if self.part.len() == SECTOR {
                let part = std::mem::take(&mut self.part);
                self.sector(&part);
            }
        }
        let sectors = bytes.chunks_exact(SECTOR);
        self.part.extend_from_slice(sectors.remainder());
        sectors.for_each(|sector| self.sector(sector));
    }

    fn sector(&mut self, sector: &[u8]) {
        let border = self.chunk.offset(self.chunk.containing(self.end)).unwrap_or(self.end);
        if border > self.border.0 {
            self.border = (border, self.sum);
        }
        self.sum = Sum(self.sum.0.wrapping_add(XxHash3_128::oneshot_with_seed(self.end.get(), sector)));
        self.end = self.end.saturating_add(sector.len().into());
    }

    /// The sum of what lies below a border of chunks; `None` where that is no longer known.
    pub(super) fn below(&self, border: Bytes) -> Option<Sum> {
        if border >= self.end { Some(self.sum) } else { (border == self.border.0).then_some(self.border.1) }
    }

    /// The sum of all.
    pub(super) fn all(&self) -> Sum {
        self.sum
    }
}

/// The fingerprint of a layer whose records lie so and hold this.
pub(super) fn fingerprint(header: &Header, outline: &Outline, sum: Sum) -> Digest {
    let kind = if header.kind == Kind::Full { "full" } else { "delta" };
    let size = header.volume_size.unwrap_or_default();
    let parent = header.parent_size.unwrap_or_default();
    digest(&format!("{kind} {size} {parent} {} {sum}", outline.digest()))
}

/// The fingerprint of a chain that ends with a layer; `before` is that of the layers before it.
pub(super) fn chained(before: Option<Digest>, layer: Digest) -> Digest {
    digest(&format!("{} {layer}", before.map(|before| before.to_string()).unwrap_or_default()))
}

pub(super) fn digest(text: &str) -> Digest {
    blake3::hash(text.as_bytes()).into()
}

/// Takes the fingerprint of a layer that is only read. Its records must ascend.
pub(super) struct Reading {
    outline: Outline,
    sums: Sums,
}

impl Reading {
    pub(super) fn new() -> Self {
        let sums = Sums::new(ChunkSize::SECTOR, Bytes::ZERO, Sum::default());
        Self { outline: Outline::default(), sums }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) -> Result<(), Error> {
        match event {
            Event::DataStart(extent) => {
                self.outline.add(Content::Data, *extent)?;
                self.sums.start(extent.start());
            }
            Event::Data { bytes, .. } => self.sums.add(bytes),
            Event::Zero(extent) => self.outline.add(Content::Zero, *extent)?,
            Event::Header(_) | Event::Check(_) | Event::End(_) => {}
        }
        Ok(())
    }

    pub(super) fn fingerprint(&self, header: &Header) -> Digest {
        fingerprint(header, &self.outline, self.sums.all())
    }
}
