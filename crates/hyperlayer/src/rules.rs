//! What every stream that this crate writes, and every 1.1 stream that it reads, must keep.

use extents::{Bytes, Extent};

use crate::limits::{MAX_DATA_RECORD, MAX_VOLUME_SIZE};
use crate::record::Counts;
use crate::{Format, Header, Kind, RuleError, Totals};

/// Order, bounds and totals of the records of one stream.
#[derive(Debug)]
pub(crate) struct Rules {
    kind: Kind,
    volume_size: Bytes,
    base_size: Bytes,
    stated: Option<Totals>,
    seen: Totals,
    checks_end: Bytes,
    records_end: Bytes,
}

impl Rules {
    /// For a header that was found right.
    pub(crate) fn new(header: &Header) -> Self {
        // A check of 1.0 may lie anywhere: what is past the base, the base check finds.
        let base_size = header.parent_size.filter(|_| header.format == Format::V1_1);
        Self {
            kind: header.kind,
            volume_size: header.volume_size.unwrap_or(MAX_VOLUME_SIZE),
            base_size: base_size.unwrap_or(MAX_VOLUME_SIZE),
            stated: header.totals,
            seen: Totals::default(),
            checks_end: Bytes::ZERO,
            records_end: header.resumes.map_or(Bytes::ZERO, |resumes| resumes.at),
        }
    }

    pub(crate) fn check(&mut self, extent: Extent<Bytes>) -> Result<(), RuleError> {
        let (record, whose, size) = ("a base check", "base's", self.base_size);
        if self.kind == Kind::Full {
            return Err(RuleError::CheckWithoutBase { extent });
        }
        if self.seen.data_records + self.seen.zero_records > 0 {
            return Err(RuleError::LateCheck { extent });
        }
        if extent.start() < self.checks_end {
            return Err(RuleError::NotAscending { record, extent, before: self.checks_end });
        }
        if extent.end() > size {
            return Err(RuleError::PastEnd { record, extent, whose, size });
        }
        self.checks_end = extent.end();
        self.seen.checks += 1;
        Ok(())
    }

    pub(crate) fn data(&mut self, extent: Extent<Bytes>) -> Result<(), RuleError> {
        if extent.len() > MAX_DATA_RECORD {
            return Err(RuleError::RecordTooLong { extent });
        }
        self.record("a data record", extent)?;
        self.seen.data_records += 1;
        self.seen.data = self.seen.data.saturating_add(extent.len());
        Ok(())
    }

    pub(crate) fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), RuleError> {
        self.record("a zero record", extent)?;
        self.seen.zero_records += 1;
        self.seen.zero = self.seen.zero.saturating_add(extent.len());
        Ok(())
    }

    fn record(&mut self, record: &'static str, extent: Extent<Bytes>) -> Result<(), RuleError> {
        if extent.start() < self.records_end {
            return Err(RuleError::NotAscending { record, extent, before: self.records_end });
        }
        past_end(record, extent, Some(self.volume_size))?;
        self.records_end = extent.end();
        Ok(())
    }

    /// What was seen, which must be what the header states.
    pub(crate) fn finish(&self) -> Result<Totals, RuleError> {
        self.stated.map_or(Ok(()), |stated| compare("the header", counts(stated), counts(self.seen)))?;
        Ok(self.seen)
    }

    /// The same, and what the end record states.
    pub(crate) fn finish_with(&self, stated: Counts) -> Result<Totals, RuleError> {
        compare("the end record", stated, counts(self.seen))?;
        self.finish()
    }
}

/// Refuses what ends past the volume; one of unknown size can be as large as any.
pub(crate) fn past_end(record: &'static str, extent: Extent<Bytes>, size: Option<Bytes>) -> Result<(), RuleError> {
    let (whose, size) = size.map_or(("largest possible volume's", MAX_VOLUME_SIZE), |size| ("volume's", size));
    let inside = extent.end() <= size;
    inside.then_some(()).ok_or(RuleError::PastEnd { record, extent, whose, size })
}

/// Totals of records that all are whole sectors.
pub(crate) fn counts(totals: Totals) -> Counts {
    let Totals { checks, data_records, data, zero_records, zero } = totals;
    let sectors = |bytes: Bytes| bytes.to_sectors().unwrap_or_default();
    Counts { checks, data_records, data: sectors(data), zero_records, zero: sectors(zero) }
}

pub(crate) fn compare(by: &'static str, stated: Counts, found: Counts) -> Result<(), RuleError> {
    let pairs = [
        ("base checks", stated.checks, found.checks),
        ("data records", stated.data_records, found.data_records),
        ("sectors of data", stated.data.get(), found.data.get()),
        ("zero records", stated.zero_records, found.zero_records),
        ("sectors of zeros", stated.zero.get(), found.zero.get()),
    ];
    match pairs.into_iter().find(|(_, stated, found)| stated != found) {
        Some((what, stated, found)) => Err(RuleError::WrongTotal { by, what, stated, found }),
        None => Ok(()),
    }
}
