//! Where the records of a layer lie, without their data.

use block_copy::Progress;
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::{Check, Completeness, Content, Digest, Event, Format, Outline, Skim, SkimReader};

use super::{LayerInput, LayerReader, Link, Opened, Seekable};
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
    /// Goes through a layer, which must be the only one of its input and follow `before`. Its data is stepped over where
    /// that can be: who reads it later checks it.
    pub(super) fn read(
        input: &LayerInput<'_>,
        before: Option<&Link>,
        progress: &dyn Progress,
    ) -> Result<(Link, Self), Error> {
        let layer = input.open()?;
        let link = Link::behind(before, &layer)?;
        let is_skimmed = matches!(link.header.format, Format::V1_0 | Format::V1_1);
        let index = match input.open_seekable()?.filter(|_| is_skimmed) {
            Some(reader) => Self::skim(reader, input, progress)?,
            None => Self::read_through(layer, input, progress)?,
        };
        Ok((link, index))
    }

    /// Refuses records past the end of a volume of `size`, as a format may have them that does not say it.
    pub(super) fn check_inside(&self, size: Bytes) -> Result<(), Error> {
        let past = |set: &ExtentSet<Bytes>| set.iter().find(|extent| extent.end() > size);
        match past(&self.data).or_else(|| past(&self.zero)) {
            Some(extent) => Err(Error::PastSize { extent, size }),
            None => Ok(()),
        }
    }

    fn read_through(
        mut layer: LayerReader<Opened<'_>>,
        input: &LayerInput<'_>,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut building = Building::default();
        loop {
            go_on(progress)?;
            match layer.next_event()? {
                Event::Check(check) => building.checks.push(check),
                Event::DataStart(extent) => building.add(Content::Data, extent, input)?,
                Event::Zero(extent) => building.add(Content::Zero, extent, input)?,
                Event::Data { bytes, .. } => progress.advance(Bytes::from(bytes.len())),
                Event::End(_) => break,
                Event::Header(_) => {}
            }
        }
        layer.only()?;
        Ok(building.finish())
    }

    fn skim(
        mut reader: SkimReader<Box<dyn Seekable + '_>>,
        input: &LayerInput<'_>,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut building = Building::default();
        let mut next = || reader.next_skim().map_err(|error| Error::from(error).of(input.name()));
        loop {
            go_on(progress)?;
            match next()? {
                Some(Skim::Check(check)) => building.checks.push(check),
                Some(Skim::Data { extent, .. }) => {
                    building.add(Content::Data, extent, input)?;
                    progress.advance(extent.len());
                }
                Some(Skim::Zero(extent)) => building.add(Content::Zero, extent, input)?,
                Some(Skim::End { completeness: Completeness::Unknown, .. }) if !input.accepts_open_end() => {
                    return Err(Error::OpenEnd.of(input.name()));
                }
                Some(Skim::End { .. }) => break,
                Some(_) => {}
                None => return Err(Error::NoStream.of(input.name())),
            }
        }
        match next()? {
            None => Ok(building.finish()),
            Some(_) => Err(Error::SecondLayer.of(input.name())),
        }
    }
}

fn go_on(progress: &dyn Progress) -> Result<(), Error> {
    if progress.stop_requested() { Err(block_copy::Error::Stopped.into()) } else { Ok(()) }
}

/// An index of which some records are known.
#[derive(Default)]
struct Building {
    checks: Vec<Check>,
    data: ExtentSet<Bytes>,
    zero: ExtentSet<Bytes>,
    order: Order,
}

impl Building {
    fn add(&mut self, content: Content, extent: Extent<Bytes>, input: &LayerInput<'_>) -> Result<(), Error> {
        self.order.then(content, extent, input)?;
        match content {
            Content::Data => self.data.insert(extent),
            Content::Zero => self.zero.insert(extent),
        }
        Ok(())
    }

    fn finish(self) -> Index {
        Index { checks: self.checks, data: self.data, zero: self.zero, outline: self.order.outline.digest() }
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
        Ok(self.outline.add(content, extent)?)
    }
}
