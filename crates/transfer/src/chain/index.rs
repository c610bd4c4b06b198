//! Where the records of a layer lie, without their data.

use block_copy::Progress;
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::{Check, Event, Header};

use super::Input;
use crate::{Error, Record};

/// What the records of a layer cover.
#[derive(Debug)]
pub(super) struct Index {
    pub header: Header,
    pub checks: Vec<Check>,
    pub data: ExtentSet<Bytes>,
    pub zero: ExtentSet<Bytes>,
    /// Of all records: who reads the layer again learns whether it still is the same one.
    pub fingerprint: blake3::Hash,
}

impl Index {
    /// Reads a layer, which must be the only one of its input, through.
    pub(super) fn read(input: &Input<'_>, progress: &dyn Progress) -> Result<Self, Error> {
        let mut layer = input.open()?;
        let header = layer.header().clone();
        let (mut checks, mut data, mut zero) = (Vec::new(), ExtentSet::new(), ExtentSet::new());
        let mut order = Order::default();
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match layer.next_event()? {
                Event::Check(check) => checks.push(check),
                Event::DataStart(extent) => {
                    order.then(Record::Data(extent), input)?;
                    data.insert(extent);
                }
                Event::Zero(extent) => {
                    order.then(Record::Zero(extent), input)?;
                    zero.insert(extent);
                }
                Event::Data { bytes, .. } => progress.advance(Bytes::from(bytes.len())),
                Event::End(_) => break,
                Event::Header(_) => {}
            }
        }
        layer.only()?;
        Ok(Self { header, checks, data, zero, fingerprint: order.fingerprint() })
    }
}

/// Records in ascending order.
#[derive(Debug, Default)]
pub(super) struct Order {
    end: Bytes,
    hasher: blake3::Hasher,
}

impl Order {
    /// The next record.
    ///
    /// # Errors
    /// It begins before the end of the last one.
    pub(super) fn then(&mut self, record: Record, input: &Input<'_>) -> Result<(), Error> {
        let extent: Extent<Bytes> = record.extent();
        if extent.start() < self.end {
            return Err(Error::Unsorted { input: input.name().to_owned(), extent, before: self.end });
        }
        self.end = extent.end();
        self.hasher.update(&[u8::from(matches!(record, Record::Zero(_)))]);
        self.hasher.update(&extent.start().get().to_le_bytes()).update(&extent.end().get().to_le_bytes());
        Ok(())
    }

    pub(super) fn fingerprint(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}
