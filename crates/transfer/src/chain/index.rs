//! Where the records of a layer lie, without their data.

use block_copy::Progress;
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::{Check, Content, Digest, Event, Outline};

use super::{LayerInput, Link};
use crate::Error;

/// What the records of a layer cover.
#[derive(Debug)]
pub(super) struct Index {
    pub checks: Vec<Check>,
    pub data: ExtentSet<Bytes>,
    pub zero: ExtentSet<Bytes>,
    /// Of all records: who reads the layer again learns whether it still is the same one.
    pub outline: Digest,
}

impl Index {
    /// Reads a layer, which must be the only one of its input and follow `before`, through.
    pub(super) fn read(
        input: &LayerInput<'_>,
        before: Option<&Link>,
        progress: &dyn Progress,
    ) -> Result<(Link, Self), Error> {
        let mut layer = input.open()?;
        let link = Link::behind(before, &layer)?;
        let (mut checks, mut data, mut zero) = (Vec::new(), ExtentSet::new(), ExtentSet::new());
        let mut order = Order::default();
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match layer.next_event()? {
                Event::Check(check) => checks.push(check),
                Event::DataStart(extent) => {
                    order.then(Content::Data, extent, input)?;
                    data.insert(extent);
                }
                Event::Zero(extent) => {
                    order.then(Content::Zero, extent, input)?;
                    zero.insert(extent);
                }
                Event::Data { bytes, .. } => progress.advance(Bytes::from(bytes.len())),
                Event::End(_) => break,
                Event::Header(_) => {}
            }
        }
        layer.only()?;
        Ok((link, Self { checks, data, zero, outline: order.outline.digest() }))
    }
}

/// Records in ascending order.
#[derive(Debug, Default)]
pub(super) struct Order {
    end: Bytes,
    pub outline: Outline,
}

impl Order {
    /// The next record.
    ///
    /// # Errors
    /// It begins before the end of the last one.
    pub(super) fn then(
        &mut self,
        content: Content,
        extent: Extent<Bytes>,
        input: &LayerInput<'_>,
    ) -> Result<(), Error> {
        if extent.start() < self.end {
            return Err(Error::Unsorted { input: input.name().to_owned(), extent, before: self.end });
        }
        self.end = extent.end();
        self.outline.add(content, extent);
        Ok(())
    }
}
