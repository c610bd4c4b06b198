//! What a stream will hold, known before the first byte of it is read.

use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::{Content, Digest, Outline, Totals};

use crate::Delta;

/// One record of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// The bytes of the new volume.
    Data(Extent<Bytes>),
    /// Reads as zeros.
    Zero(Extent<Bytes>),
}

impl Record {
    /// Where it lies.
    #[must_use]
    pub fn extent(self) -> Extent<Bytes> {
        match self {
            Self::Data(extent) | Self::Zero(extent) => extent,
        }
    }
}

/// What a stream will hold: which of the base's ranges are checked, and which records follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The ranges of the base that are hashed into the stream, ascending.
    pub checks: Vec<Extent<Bytes>>,
    /// What the records carry.
    pub delta: Delta,
    /// The borders that data is cut at: no data record is longer.
    pub step: Bytes,
}

impl Plan {
    /// The records, ascending.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut data = self.delta.data.iter().flat_map(|range| range.pieces(self.step)).peekable();
        let mut zero = self.delta.zero.iter().peekable();
        std::iter::from_fn(move || match (data.peek(), zero.peek()) {
            (Some(d), Some(z)) if z.start() < d.start() => zero.next().map(Record::Zero),
            (None, _) => zero.next().map(Record::Zero),
            _ => data.next().map(Record::Data),
        })
    }

    /// The ranges to read from the new volume, in the order of their records.
    pub fn reads(&self) -> impl Iterator<Item = Extent<Bytes>> + '_ {
        self.delta.data.iter().flat_map(|range| range.pieces(self.step))
    }

    /// The counts that the header announces.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            checks: self.checks.len() as u64,
            data_records: self.reads().count() as u64,
            data: self.delta.data.total(),
            zero_records: self.delta.zero.ranges().len() as u64,
            zero: self.delta.zero.total(),
        }
    }

    /// What is left to send to a receiver that has all below `at`. What it must be told of the records that are left out
    /// is [`outline_until`](Self::outline_until) of that place.
    #[must_use]
    pub fn from_offset(&self, at: Bytes) -> Self {
        let rest = Extent::between(at, Bytes::new(u64::MAX));
        let clip = |set: &ExtentSet<Bytes>| rest.map_or_else(ExtentSet::new, |rest| set.clip(rest));
        let Delta { data, zero, same } = &self.delta;
        let delta = Delta { data: clip(data), zero: clip(zero), same: clip(same) };
        Self { checks: self.checks.clone(), delta, step: self.step }
    }

    /// Where the records below `at` lie; up to the first that is not in whole sectors, which no encoder takes.
    #[must_use]
    pub fn outline_until(&self, at: Bytes) -> Digest {
        let mut outline = Outline::default();
        for record in self.records() {
            let content = match record {
                Record::Data(_) => Content::Data,
                Record::Zero(_) => Content::Zero,
            };
            match record.extent().split_at(at).0 {
                Some(before) if outline.add(content, before).is_ok() => {}
                _ => break,
            }
        }
        outline.digest()
    }

    /// How much is read for it, in all: what progress counts.
    #[must_use]
    pub fn work(&self) -> Bytes {
        self.checks.iter().map(|check| check.len()).fold(self.delta.data.total(), Bytes::saturating_add)
    }
}
