//! A volume against a layer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::BufRead;
use std::thread;

use block_copy::{BufferPool, PooledBuf, Progress, Queue, ReadAt, read_pieces};
use crossbeam_channel::{Sender, bounded};
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::{End, Event};

use super::{Compare, Differences, Unheard};
use crate::{Error, LayerReader};

/// Compares a volume with what a layer says of it: its data and its zeros, and nothing else; or, where it stands for the
/// whole volume, also that all else is zeros: of that only what lies in `mapped` is read, since the rest is known to be.
/// What a layer that says its volume's size has past the end of this one is not compared: sizes are the caller's to
/// compare. The layer is read to its verified end and must be the only one.
///
/// # Errors
/// The layer is cut or altered, only the rest of one, has records that replace each other, or does not say its volume's
/// size and has records past the end of this one; a read fails, the volume was written to since it was opened, or `progress` asks to stop.
pub fn compare_stream<R: BufRead + Send>(
    volume: &dyn ReadAt,
    mapped: Option<&ExtentSet<Bytes>>,
    layer: LayerReader<R>,
    how: Compare,
    progress: &dyn Progress,
) -> Result<(Differences, End), Error> {
    layer.check_whole()?;
    let mut found = Differences::default();
    let end = thread::scope(|scope| {
        let (expected, arriving) = bounded(1);
        let (whole, size) = (Extent::whole(volume.size()), volume.size());
        let decoding = scope.spawn(move || {
            let expect = Expect { out: expected, whole, filling: None, queue: how.queue, pool: pool(how.queue) };
            expect.layer(layer, size, mapped, &Unheard(progress))
        });
        // What is read next comes with what it must be; that waits here until it was read.
        let waiting = RefCell::new(VecDeque::new());
        let wanted = arriving.iter().map(|(extent, content)| {
            waiting.borrow_mut().push_back(content);
            extent
        });
        let compared = read_pieces(volume, wanted, how.queue, progress, |piece| {
            let content: Option<PooledBuf> = waiting.borrow_mut().pop_front().flatten();
            match content {
                Some(content) => found.add(piece.extent, &content, &piece.buf, how.ranges),
                None => found.add_zeros(piece.extent, &piece.buf, how.ranges),
            }
            Ok::<_, Error>(())
        });
        drop(arriving);
        let decoded = decoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        compared.and(decoded)
    })?;
    volume.check_unchanged()?;
    Ok((found, end))
}

fn pool(queue: Queue) -> BufferPool {
    BufferPool::new(piece(queue).to_usize().unwrap_or(0), 2 * queue.depth)
}

/// As [`read_pieces`] cuts, so that it cuts nothing more.
fn piece(queue: Queue) -> Bytes {
    queue.piece.clamp(Bytes::new(512), Queue::PIECE_MAX)
}

impl Differences {
    fn add_zeros(&mut self, extent: Extent<Bytes>, content: &[u8], ranges: usize) {
        if block_copy::is_zero(content) {
            self.compared = self.compared.saturating_add(extent.len());
        } else {
            self.add(extent, &vec![0; content.len()], content, ranges);
        }
    }
}

/// Refuses a record that replaces an earlier one, as some formats allow: what was compared with that is no difference.
fn said_once<R: BufRead>(
    layer: &LayerReader<R>,
    before: [&ExtentSet<Bytes>; 2],
    extent: Extent<Bytes>,
) -> Result<(), Error> {
    match before.into_iter().flat_map(|set| set.within(extent)).next() {
        None => Ok(()),
        Some(again) => Err(Error::Unsorted { input: layer.name().to_owned(), extent, before: again.end() }),
    }
}

/// A range and its content; `None` for zeros.
type Expected = (Extent<Bytes>, Option<PooledBuf>);

/// Cuts a layer into pieces that are read at once.
struct Expect {
    out: Sender<Expected>,
    /// The volume.
    whole: Option<Extent<Bytes>>,
    filling: Option<(Extent<Bytes>, PooledBuf)>,
    queue: Queue,
    pool: BufferPool,
}

impl Expect {
    fn layer<R: BufRead>(
        mut self,
        mut layer: LayerReader<R>,
        size: Bytes,
        mapped: Option<&ExtentSet<Bytes>>,
        progress: &dyn Progress,
    ) -> Result<End, Error> {
        let (mut data, mut zero) = (ExtentSet::new(), ExtentSet::new());
        let sizes_tell = layer.header().volume_size.is_some();
        let (name, past) = (layer.name().to_owned(), |extent: Extent<Bytes>| !sizes_tell && extent.end() > size);
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match layer.next_event()? {
                Event::DataStart(extent) | Event::Zero(extent) if past(extent) => {
                    return Err(Error::PastSize { extent, size }.of(&name));
                }
                Event::DataStart(extent) => {
                    said_once(&layer, [&data, &zero], extent)?;
                    data.insert(extent);
                }
                Event::Data { at, bytes } => self.data(at, bytes)?,
                Event::Zero(extent) => {
                    said_once(&layer, [&data, &zero], extent)?;
                    zero.insert(extent);
                    self.zero(extent)?;
                }
                Event::End(_) => break,
                Event::Header(_) | Event::Check(_) => {}
            }
        }
        self.flush()?;
        if let Some(mapped) = mapped {
            mapped.difference(&data).iter().try_for_each(|rest| self.zero(rest))?;
        }
        layer.only()
    }

    fn data(&mut self, at: Bytes, bytes: &[u8]) -> Result<(), Error> {
        let Some(all) = Extent::new(at, bytes.len().into()) else { return Ok(()) };
        let Some(inside) = self.whole.and_then(|whole| whole.intersection(all)) else { return Ok(()) };
        for part in inside.pieces(piece(self.queue)) {
            let index = |at: Bytes| at.saturating_sub(all.start()).to_usize().unwrap_or(bytes.len());
            let now = &bytes[index(part.start())..index(part.end())];
            let border = part.start().get().is_multiple_of(piece(self.queue).get());
            if border || self.filling.as_ref().is_some_and(|(filled, _)| filled.end() != part.start()) {
                self.flush()?;
            }
            let (filled, mut buf) = self.filling.take().unwrap_or_else(|| (part, self.pool.take()));
            let len = buf.len();
            buf.set_len(len + now.len());
            buf[len..].copy_from_slice(now);
            self.filling = Some((filled.join(part).unwrap_or(part), buf));
        }
        Ok(())
    }

    fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.flush()?;
        let inside = self.whole.and_then(|whole| whole.intersection(extent));
        inside
            .into_iter()
            .flat_map(|inside| inside.pieces(piece(self.queue)))
            .try_for_each(|part| self.send((part, None)))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.filling.take().map_or(Ok(()), |(extent, buf)| self.send((extent, Some(buf))))
    }

    fn send(&self, expected: Expected) -> Result<(), Error> {
        // Where nobody waits for it, the other side says why.
        self.out.send(expected).map_err(|_| block_copy::Error::Stopped.into())
    }
}
