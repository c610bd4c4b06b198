//! A chain of layers into one: the newest block wins.

use std::io;
use std::thread;

use block_copy::{BufferPool, Piece, Progress};
use crossbeam_channel::{Sender, bounded};
use extents::{Bytes, ChunkSize, Extent, ExtentSet};
use hyperlayer::limits::RECOMMENDED_DATA_RECORD;
use hyperlayer::{Check, Content, Digest, Event, Format, Header, Kind};

use super::index::{Index, Order};
use super::link::parent_size;
use super::overlay::Covered;
use super::{LayerInput, LayerReader, Link, Opened};
use crate::assembler::Arrival;
use crate::diff::{Framing, Put};
use crate::layer::header;
use crate::{Delta, Error, Geometry, Part, Plan, Sent};

/// How many records may wait to be written.
const QUEUE_RECORDS: usize = 8;

/// A chain of which it is known what it makes together.
///
/// The result is full where the first layer is, else a delta with the first layer's parent and its checks of the base.
/// What a later layer checked of the one before it, nothing is left of. Memory grows with the number of separate
/// ranges, not with the data.
#[derive(Debug)]
pub struct Merge<'a> {
    inputs: Vec<Merged<'a>>,
    links: Vec<Link>,
    checks: Vec<Check>,
    plan: Plan,
    /// Ascending.
    segments: Vec<Segment>,
    sizes: Sizes,
}

#[derive(Debug)]
struct Merged<'a> {
    input: LayerInput<'a>,
    outline: Digest,
}

/// A range of the result, and which input gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Segment {
    extent: Extent<Bytes>,
    input: usize,
}

impl<'a> Merge<'a> {
    /// Reads all inputs through, the oldest layer first, each of one layer. `progress` is told the data of all. `size` is
    /// that of the volume, and of the first layer's base, wherever a layer does not say it.
    ///
    /// # Errors
    /// There is no input; a layer is cut, altered, not the only one of its input, or has records that do not ascend; or
    /// it does not follow the one before; or nobody says how large its volume is, or its records lie past that; or
    /// `progress` asks to stop.
    pub fn plan(
        inputs: impl IntoIterator<Item = LayerInput<'a>>,
        size: Option<Bytes>,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let (mut merged, mut indices, mut links) = (Vec::new(), Vec::new(), Vec::<Link>::new());
        for input in inputs {
            let (link, index) = Index::read(&input, links.last(), progress)?;
            links.push(link);
            merged.push(Merged { input, outline: index.outline });
            indices.push(index);
        }
        let sizes = Sizes::of(&links, size)?;
        for ((link, index), size) in links.iter().zip(&indices).zip(&sizes.after) {
            index.check_inside(*size).map_err(|error| error.of(&link.name))?;
        }
        let checks = indices.first_mut().map(|first| ascending(std::mem::take(&mut first.checks))).unwrap_or_default();
        let (segments, zero) = overlay(indices, &sizes);
        let delta = Delta { data: segments.iter().map(|s| s.extent).collect(), zero, same: ExtentSet::new() };
        let ranges = checks.iter().map(|check| check.extent).collect();
        let plan = Plan { checks: ranges, delta, step: RECOMMENDED_DATA_RECORD };
        Ok(Self { inputs: merged, links, checks, plan, segments, sizes })
    }

    /// The layers, oldest first.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The result's header: the names of the newest layer, the parent of the first.
    ///
    /// # Errors
    /// The format cannot say this.
    pub fn header(&self, format: Format) -> Result<Header, Error> {
        let (first, newest) = match &self.links[..] {
            [first, .., newest] => (&first.header, &newest.header),
            [one] => (&one.header, &one.header),
            [] => return Err(Error::NoStream),
        };
        let chunk = self.links.iter().rev().find_map(|link| link.header.chunk_size).unwrap_or(ChunkSize::SECTOR);
        let geometry = Geometry { size: self.sizes.result(), base_size: self.sizes.base, chunk };
        let level = u8::from(!self.checks.is_empty());
        let header = header(format, first.kind == Kind::Full, geometry, &self.plan, level)?;
        Ok(Header {
            name: newest.name.clone(),
            layer: newest.layer.clone(),
            parent: first.parent.clone(),
            source: newest.source.clone(),
            created: newest.created.clone(),
            tool: newest.tool.clone(),
            // thin-send has no lines.
            meta: if format.is_hyperlayer() { newest.meta.clone() } else { Vec::new() },
            ..header
        })
    }

    /// What the result will hold.
    #[must_use]
    pub fn records(&self) -> &Plan {
        &self.plan
    }

    /// Writes the result under its [`header`](Self::header), in which the caller may change what only names. All inputs
    /// are read once more, at the same time, and to their ends before the result gets its own.
    /// `progress` is told what is written.
    ///
    /// # Errors
    /// An input cannot be read or is no longer what it was; the format cannot say this; `put` fails, or `progress` asks
    /// to stop.
    pub fn write(
        self,
        header: &Header,
        progress: &dyn Progress,
        put: &mut dyn FnMut(Part) -> io::Result<()>,
    ) -> Result<Sent, Error> {
        let mut sink = Put(put);
        let mut out = Framing::start(header, &self.plan, &mut sink)?;
        // thin-send has no checks: its receiver does without.
        let mut checks = self.checks.iter().filter(|_| header.format.is_hyperlayer());
        checks.try_for_each(|check| out.check(check))?;
        let mut cursors = Vec::new();
        for (merged, link) in self.inputs.iter().zip(&self.links) {
            cursors.push(Cursor::open(merged, link)?);
        }
        let (records, written) = bounded(QUEUE_RECORDS);
        thread::scope(|scope| {
            let (reads, segments) = (self.plan.reads(), &self.segments);
            let reading = scope.spawn(move || gather(cursors, reads, segments, &records, progress));
            for piece in written {
                out.data(piece)?;
            }
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        out.finish()
    }
}

/// The size of the volume before the first layer, and after each.
#[derive(Debug)]
struct Sizes {
    base: Bytes,
    after: Vec<Bytes>,
}

impl Sizes {
    fn of(links: &[Link], size: Option<Bytes>) -> Result<Self, Error> {
        let first = links.first().ok_or(Error::NoStream)?;
        let unknown = || Error::NoSize { input: first.name.clone() };
        let base = match first.header.kind {
            Kind::Full => Bytes::ZERO,
            _ => parent_size(&first.header).or(size).ok_or_else(unknown)?,
        };
        let mut now = first.header.volume_size.or(size).ok_or_else(unknown)?;
        let after = links.iter().map(|link| {
            now = link.header.volume_size.or(size).unwrap_or(now);
            now
        });
        Ok(Self { base, after: after.collect() })
    }

    fn result(&self) -> Bytes {
        self.after.last().copied().unwrap_or_default()
    }

    /// Before the layer with this index.
    fn before(&self, layer: usize) -> Bytes {
        layer.checked_sub(1).and_then(|before| self.after.get(before)).copied().unwrap_or(self.base)
    }
}

/// Who gives which data of the result, ascending, and what of the base it turns into zeros.
fn overlay(indices: Vec<Index>, sizes: &Sizes) -> (Vec<Segment>, ExtentSet<Bytes>) {
    let mut covered = Covered::newest(sizes.result());
    let (mut segments, mut zero) = (Vec::new(), ExtentSet::new());
    for (number, mut layer) in indices.into_iter().enumerate().rev() {
        segments.extend(covered.visible(&layer.data).iter().map(|extent| Segment { extent, input: number }));
        covered.add(&layer.data);
        // What a layer added to the volume's end without data reads as zeros, whatever was there in earlier times.
        layer.zero.extend(Extent::between(sizes.before(number), sizes.after[number]));
        zero = zero.union(&covered.visible(&layer.zero));
        covered.add(&layer.zero);
    }
    segments.sort_unstable();
    // Past the base's end, and without a base, everything reads as zeros of itself.
    let zero = Extent::whole(sizes.base).map_or_else(ExtentSet::new, |base| zero.clip(base));
    (segments, zero)
}

/// The checks in the order that 1.1 has them in. 1.0 has any.
fn ascending(mut checks: Vec<Check>) -> Vec<Check> {
    checks.sort_by_key(|check| check.extent);
    let mut end = Bytes::ZERO;
    checks.retain(|check| {
        let apart = check.extent.start() >= end;
        if apart {
            end = check.extent.end();
        }
        apart
    });
    checks
}

/// Reads the records of the result from those who give them, and all inputs to their ends.
fn gather(
    mut cursors: Vec<Cursor<'_, '_>>,
    reads: impl Iterator<Item = Extent<Bytes>>,
    segments: &[Segment],
    records: &Sender<Piece>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let pool = BufferPool::new(RECOMMENDED_DATA_RECORD.to_usize().unwrap_or(0), 2 * QUEUE_RECORDS);
    let mut segments = segments.iter().copied().peekable();
    for extent in reads {
        if progress.stop_requested() {
            return Err(block_copy::Error::Stopped.into());
        }
        let mut buf = pool.take();
        buf.set_len(extent.len().to_usize().unwrap_or(0));
        while let Some(segment) = segments.peek().copied()
            && let Some(part) = segment.extent.intersection(extent)
        {
            let from = part.start().saturating_sub(extent.start()).to_usize().unwrap_or(0);
            let to = part.end().saturating_sub(extent.start()).to_usize().unwrap_or(0);
            cursors[segment.input].copy(part, &mut buf[from..to])?;
            if segment.extent.end() > extent.end() {
                break;
            }
            segments.next();
        }
        if records.send(Piece { extent, buf }).is_err() {
            // Whoever writes says why.
            return Ok(());
        }
        progress.advance(extent.len());
    }
    cursors.into_iter().try_for_each(|cursor| cursor.finish(progress))
}

/// A layer that is read a second time, forwards only.
struct Cursor<'m, 'a> {
    layer: LayerReader<Opened<'a>>,
    merged: &'m Merged<'a>,
    order: Order,
    arrival: Arrival,
    /// Data that was read and not asked for so far, and where it lies.
    rest: Vec<u8>,
    rest_at: Bytes,
}

impl<'m, 'a> Cursor<'m, 'a> {
    fn open(merged: &'m Merged<'a>, link: &Link) -> Result<Self, Error> {
        let layer = merged.input.open()?;
        let arrival = Arrival::of(link.header.format);
        let (order, rest, rest_at) = (Order::default(), Vec::new(), Bytes::ZERO);
        let cursor = Self { layer, merged, order, arrival, rest, rest_at };
        if *cursor.layer.header() == link.header { Ok(cursor) } else { Err(cursor.changed()) }
    }

    fn changed(&self) -> Error {
        Error::InputChanged { input: self.merged.input.name().to_owned() }
    }

    /// The data of a range which the layer's records have all of. The ranges ascend. Where records have checks, that of the
    /// last one was right: the result states a new check.
    fn copy(&mut self, wanted: Extent<Bytes>, to: &mut [u8]) -> Result<(), Error> {
        let mut at = take(wanted, wanted.start(), to, self.rest_at, &self.rest);
        let mut is_certain = true;
        while at < wanted.end() || !is_certain {
            match self.layer.next_event()? {
                Event::Data { at: start, bytes } => {
                    if at < wanted.end() {
                        if start > at {
                            return Err(self.changed());
                        }
                        self.rest.clear();
                        at = take(wanted, at, to, start, bytes);
                        self.rest_at = at;
                    }
                    is_certain = self.arrival.is_certain(start, bytes.len().into());
                    if at == wanted.end() {
                        // Perhaps the next range lies here too.
                        let used = at.saturating_sub(start).to_usize().unwrap_or(bytes.len());
                        self.rest.extend_from_slice(&bytes[used.min(bytes.len())..]);
                    }
                }
                Event::DataStart(extent) => {
                    self.order.then(Content::Data, extent, &self.merged.input)?;
                    self.arrival.start(extent);
                }
                Event::Zero(extent) => self.order.then(Content::Zero, extent, &self.merged.input)?,
                Event::End(_) => return Err(self.changed()),
                Event::Check(_) | Event::Header(_) => {}
            }
        }
        Ok(())
    }

    fn finish(mut self, progress: &dyn Progress) -> Result<(), Error> {
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match self.layer.next_event()? {
                Event::DataStart(extent) => self.order.then(Content::Data, extent, &self.merged.input)?,
                Event::Zero(extent) => self.order.then(Content::Zero, extent, &self.merged.input)?,
                Event::End(_) => break,
                _ => {}
            }
        }
        if self.order.outline.digest() != self.merged.outline {
            return Err(self.changed());
        }
        self.layer.only().map(drop)
    }
}

/// Copies what of `wanted` from `at` on lies in `bytes`, which begin at `start`; gives where `wanted` goes on.
fn take(wanted: Extent<Bytes>, at: Bytes, to: &mut [u8], start: Bytes, bytes: &[u8]) -> Bytes {
    let here = Extent::new(start, bytes.len().into());
    let part = Extent::between(at, wanted.end()).and_then(|rest| rest.intersection(here?));
    let Some(part) = part.filter(|part| part.start() == at) else { return at };
    let index = |place: Bytes, from: Bytes| place.saturating_sub(from).to_usize().unwrap_or(usize::MAX);
    to[index(part.start(), wanted.start())..index(part.end(), wanted.start())]
        .copy_from_slice(&bytes[index(part.start(), start)..index(part.end(), start)]);
    part.end()
}
