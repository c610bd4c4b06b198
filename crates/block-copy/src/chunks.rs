//! Writing to a thin volume so that nothing stale shows.

use extents::{Bytes, ChunkSize, Extent, ExtentSet};

use crate::zeros::{inside, is_zero, scan};
use crate::{Error, ReadAt, WriteAt};

/// Writes to a volume that its pool maps in chunks.
///
/// A pool that does not zero new chunks (`lvcreate -Zn`, `skip_block_zeroing`) shows somebody's stale data in the rest
/// of a chunk of which only a part was ever written. So what the first write into an unmapped chunk leaves out is
/// made zeros too, when the writer goes on to another chunk or [finishes](Self::finish). Whether a chunk is mapped,
/// nobody needs to tell: an unmapped one reads as zeros, and zeros in a mapped one that reads as zeros change
/// nothing. (With an external origin an unmapped chunk may read as something else; the kernel then copies the rest
/// itself.) Zeroes that together cover a chunk unmap it.
///
/// Operations may come in any order and touch a chunk repeatedly; ascending ones are cheapest. Memory does not grow
/// with the chunk. Until it is finished, nobody else may read or write the target.
///
/// **Limitations.** A process that is killed leaves chunks whose rest may be stale, without a mark on them: who writes
/// the same again must first make the target equal to what it was at the last [`flush`](Self::flush).
#[derive(Debug)]
#[must_use = "the last chunk is completed by `finish`"]
pub struct ChunkWriter<'a, T: WriteAt + ?Sized> {
    target: &'a T,
    chunk: ChunkSize,
    current: Option<Current>,
}

/// The chunk that was last touched in part.
#[derive(Debug)]
struct Current {
    chunk: Extent<Bytes>,
    /// What must yet be made zeros.
    rest: ExtentSet<Bytes>,
}

/// How many ranges of a chunk may wait to be made zeros. Without a bound, scattered sectors in a large chunk would take
/// memory and time without one.
const REST_MAX: usize = 256;

impl Current {
    /// Makes zeros what must yet be, where that is more than `bound` ranges. The chunk is then as it should be.
    fn settle<T: WriteAt + ?Sized>(&mut self, target: &T, bound: usize) -> Result<(), Error> {
        if self.rest.ranges().len() > bound {
            std::mem::take(&mut self.rest).iter().try_for_each(|run| target.zero(run))?;
        }
        Ok(())
    }
}

/// A range by its parts: the end of one chunk, whole chunks, the beginning of one.
struct Cut {
    head: Option<Extent<Bytes>>,
    whole: Option<Extent<Bytes>>,
    tail: Option<Extent<Bytes>>,
}

impl<'a, T: WriteAt + ?Sized> ChunkWriter<'a, T> {
    /// A writer to `target`, whose pool has chunks of this size. For a target without a pool take the smallest chunk.
    pub fn new(target: &'a T, chunk: ChunkSize) -> Self {
        Self { target, chunk, current: None }
    }

    pub(crate) fn chunk(&self) -> ChunkSize {
        self.chunk
    }

    pub(crate) fn target(&self) -> &'a T {
        self.target
    }

    /// Writes `data` from `at` on.
    ///
    /// # Errors
    /// As [`WriteAt::write_at`].
    pub fn write(&mut self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let Some(all) = self.within(at, data.len().into()) else { return self.target.write_at(at, data) };
        let Cut { head, whole, tail } = self.cut(all);
        if let Some(part) = head {
            self.write_part(part, &data[inside(all, part)])?;
        }
        if let Some(whole) = whole {
            self.forget(whole);
            self.target.write_at(whole.start(), &data[inside(all, whole)])?;
        }
        if let Some(part) = tail {
            self.write_part(part, &data[inside(all, part)])?;
        }
        Ok(())
    }

    /// Makes a range read as zeros, its whole chunks unmapped where that is possible.
    ///
    /// # Errors
    /// As [`WriteAt::zero`].
    pub fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        let Some(all) = self.within(extent.start(), extent.len()) else { return self.target.zero(extent) };
        let Cut { head, whole, tail } = self.cut(all);
        if let Some(part) = head {
            self.zero_part(part)?;
        }
        if let Some(whole) = whole {
            self.forget(whole);
            self.target.zero(whole)?;
        }
        if let Some(part) = tail {
            self.zero_part(part)?;
        }
        Ok(())
    }

    /// Makes right what is in the target now, as [`finish`](Self::finish) does, and goes on.
    ///
    /// # Errors
    /// As [`WriteAt::zero`].
    pub fn flush(&mut self) -> Result<(), Error> {
        // Kept: zeros do not map a chunk, and what maps it later leaves the same rest.
        let target = self.target;
        let current = self.current.iter();
        current.flat_map(|current| current.rest.iter()).try_for_each(|run| target.zero(run))
    }

    /// Completes the last chunk. What was written is then right, but not yet durable: see [`WriteAt::sync`].
    ///
    /// # Errors
    /// As [`WriteAt::zero`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.leave()
    }

    fn write_part(&mut self, part: Extent<Bytes>, data: &[u8]) -> Result<(), Error> {
        let target = self.target;
        let current = self.enter(part)?;
        target.write_at(part.start(), data)?;
        current.rest = current.rest.difference(&ExtentSet::from_iter([part]));
        current.settle(target, REST_MAX)
    }

    fn zero_part(&mut self, part: Extent<Bytes>) -> Result<(), Error> {
        let target = self.target;
        let current = self.enter(part)?;
        current.rest.insert(part);
        current.settle(target, REST_MAX)
    }

    /// Makes the chunk that holds `part` the current one.
    fn enter(&mut self, part: Extent<Bytes>) -> Result<&mut Current, Error> {
        let current = match self.current.take() {
            Some(current) if current.chunk.covers(part) => current,
            other => {
                self.current = other;
                self.leave()?;
                let chunk = self.chunk_around(part);
                let blank = reads_zeros(self.target, chunk)?;
                Current { chunk, rest: blank.then_some(chunk).into_iter().collect() }
            }
        };
        Ok(self.current.insert(current))
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.current.take().map_or(Ok(()), |mut current| current.settle(self.target, 0))
    }

    /// What is written or zeroed whole needs no completion.
    fn forget(&mut self, whole: Extent<Bytes>) {
        self.current.take_if(|current| whole.covers(current.chunk));
    }

    /// The range, if there is one and it lies inside the target; else the target itself says what is wrong with it.
    fn within(&self, at: Bytes, len: Bytes) -> Option<Extent<Bytes>> {
        Extent::new(at, len).filter(|all| all.end() <= self.target.size())
    }

    fn cut(&self, all: Extent<Bytes>) -> Cut {
        let chunk = self.chunk.bytes().get();
        let first = Bytes::new(all.start().get().checked_next_multiple_of(chunk).unwrap_or(u64::MAX));
        let (head, others) = all.split_at(first);
        // A volume's short last chunk is a tail too.
        let (whole, tail) = others.map_or((None, None), |others| others.split_at(self.start_of(all.end())));
        Cut { head, whole, tail }
    }

    fn start_of(&self, at: Bytes) -> Bytes {
        let chunk = self.chunk.bytes().get();
        Bytes::new(at.get() / chunk * chunk)
    }

    fn chunk_around(&self, part: Extent<Bytes>) -> Extent<Bytes> {
        let start = self.start_of(part.start());
        let end = start.saturating_add(self.chunk.bytes()).min(self.target.size());
        Extent::between(start, end).unwrap_or(part)
    }
}

fn reads_zeros<T: ReadAt + ?Sized>(volume: &T, extent: Extent<Bytes>) -> Result<bool, Error> {
    let mut zeros = true;
    scan(volume, extent, |_, content| {
        zeros = is_zero(content);
        Ok(zeros)
    })?;
    Ok(zeros)
}
