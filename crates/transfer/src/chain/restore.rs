//! A chain onto an empty target, newest layer first: every block is written once.

use block_copy::{Progress, Queue, WriteAt, WriteQueue, write_behind};
use extents::{Bytes, ChunkSize, Extent, ExtentSet};
use hyperlayer::{Event, Kind};

use super::link::parent_size;
use super::overlay::Covered;
use super::verify::Verified;
use super::{LayerInput, LayerReader, Link, Opened, follows};
use crate::Error;
use crate::assembler::{Arrival, Assembler};

/// How a chain is restored.
#[derive(Clone, Copy, Debug)]
pub struct Restore {
    /// The size of the volume after every layer that does not say it; the newest one must, where this is `None`.
    pub size: Option<Bytes>,
    /// The target's chunk: data is written in whole ones.
    pub chunk: ChunkSize,
    /// Whether the target is known to read zeros all over, as a new file or thin volume does: it is then not told to.
    pub fresh: bool,
    /// The bounds of the pipeline.
    pub queue: Queue,
}

/// Writes what a chain makes together on `target`, which is at least as large: one pass over each layer, the newest
/// first, down to the full one that everything begins with. An input is opened when its turn comes and holds one layer.
/// When this returns, every byte of the chain was checked, and the target holds the newest layer and is durable. On an
/// error it holds anything.
///
/// What the layers check of their bases is not looked at: there are none here, and every layer is held to be the other's
/// parent. Memory grows with the number of separate ranges.
///
/// # Errors
/// A layer is cut, altered, not the only one of its input, or not the parent of the one before, or has records past the
/// size that is given for it; the last one is no full layer, or another one is; or a read or write fails, or `progress`
/// asks to stop.
pub fn restore<'a>(
    newest_first: impl IntoIterator<Item = LayerInput<'a>>,
    target: &dyn WriteAt,
    how: Restore,
    progress: &dyn Progress,
) -> Result<Vec<Verified>, Error> {
    write_behind(target, how.chunk, how.queue, progress, |queue| {
        let mut chain: Vec<Verified> = Vec::new();
        let mut down: Option<Down<'_, '_>> = None;
        for input in newest_first {
            let layer = input.open()?;
            let link = Link::of(&layer)?;
            if let Some(newer) = chain.last_mut() {
                newer.link.identity = Some(follows(&link, &newer.link)?);
            }
            let down = match &mut down {
                Some(down) => down,
                None => down.insert(Down::from(&link, target, how, queue)?),
            };
            let end = down.layer(layer, progress)?;
            chain.push(Verified { link, end });
        }
        let last = &chain.last().ok_or(Error::NoStream)?.link;
        if last.header.kind != Kind::Full {
            return Err(Error::NoRoot { input: last.name.clone(), parent: last.header.parent.clone() });
        }
        if let Some(down) = down.filter(|_| !how.fresh) {
            down.zero_the_rest()?;
        }
        chain.reverse();
        Ok(chain)
    })
}

/// The way from the newest layer to the oldest.
struct Down<'q, 'w> {
    size: Bytes,
    /// That of a layer that does not say it.
    unsaid: Option<Bytes>,
    covered: Covered,
    written: ExtentSet<Bytes>,
    queue: &'q WriteQueue<'w>,
    piece: Bytes,
}

impl<'q, 'w> Down<'q, 'w> {
    fn from(newest: &Link, target: &dyn WriteAt, how: Restore, queue: &'q WriteQueue<'w>) -> Result<Self, Error> {
        let unknown = || Error::NoSize { input: newest.name.clone() };
        let size = newest.header.volume_size.or(how.size).ok_or_else(unknown)?;
        if target.size() < size {
            return Err(Error::TargetTooSmall { size: target.size(), needed: size });
        }
        Ok(Self {
            size,
            unsaid: how.size,
            covered: Covered::newest(size),
            written: ExtentSet::new(),
            queue,
            piece: how.queue.piece,
        })
    }

    /// Writes what is seen of a layer.
    fn layer(&mut self, mut layer: LayerReader<Opened<'_>>, progress: &dyn Progress) -> Result<hyperlayer::End, Error> {
        let mut out = Assembler::new(self.queue, self.piece);
        let mut arrival = Arrival::of(layer.header().format);
        let (name, said) = (layer.name().to_owned(), layer.header().volume_size);
        let unsaid = self.unsaid.filter(|_| said.is_none());
        // Whatever older layers have past the end of this one's volume was gone by then, and what came later is covered.
        if let Some(size) = said.or(unsaid) {
            self.covered.from(size);
        }
        // Not covered until the layer ends: where records overlap, the later one is right.
        let (mut data, mut zero) = (ExtentSet::new(), ExtentSet::new());
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match layer.next_event()? {
                Event::Data { at, bytes } => {
                    let Some(all) = Extent::new(at, bytes.len().into()) else { continue };
                    for part in self.covered.visible_parts(all) {
                        let index = |at: Bytes| at.saturating_sub(all.start()).to_usize().unwrap_or(bytes.len());
                        out.data(part.start(), &bytes[index(part.start())..index(part.end())])?;
                    }
                    data.insert(all);
                    if arrival.is_certain(at, bytes.len().into()) {
                        out.complete()?;
                    }
                }
                Event::Zero(extent) => {
                    check_inside(extent, unsaid).map_err(|error| error.of(&name))?;
                    let again = data.within(extent).flat_map(|part| self.covered.visible_parts(part));
                    for part in again {
                        out.flush()?;
                        self.queue.zero(part)?;
                    }
                    zero.insert(extent);
                }
                Event::DataStart(extent) => {
                    check_inside(extent, unsaid).map_err(|error| error.of(&name))?;
                    arrival.start(extent);
                }
                Event::End(_) => break,
                Event::Header(_) | Event::Check(_) => {}
            }
        }
        out.flush()?;
        self.written = self.written.union(&self.covered.visible(&data));
        self.covered.add(&data);
        self.covered.add(&zero);
        if let Some(parent) = parent_size(layer.header()) {
            self.covered.from(parent);
        }
        layer.only()
    }

    /// Makes zeros what no layer gave data for.
    fn zero_the_rest(self) -> Result<(), Error> {
        let whole = Extent::whole(self.size).into_iter();
        Ok(whole.flat_map(|whole| self.written.gaps(whole)).try_for_each(|gap| self.queue.zero(gap))?)
    }
}

/// Refuses a record past the end of a volume whose size its stream does not say.
fn check_inside(extent: Extent<Bytes>, unsaid: Option<Bytes>) -> Result<(), Error> {
    match unsaid.filter(|size| extent.end() > *size) {
        Some(size) => Err(Error::PastSize { extent, size }),
        None => Ok(()),
    }
}
