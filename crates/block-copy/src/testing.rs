//! Volumes that behave badly on purpose.

mod faults;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use extents::{Bytes, ChunkSize, Chunks, Extent, ExtentSet};

use crate::zeros::{inside, overwrite};
use crate::{Error, Op, ReadAt, WriteAt};

pub use faults::{Failure, Faulted, Faults};

/// What a thin volume reads in the rest of a chunk of which its pool (`-Zn`) never wrote but a part.
pub const STALE: u8 = 0xDB;

/// A thin volume in a pool that does not zero new chunks, as dm-thin behaves: unmapped chunks read as zeros, a write
/// that does not cover a chunk maps it with [`STALE`] bytes in the rest, and a discard unmaps whole chunks only.
#[derive(Debug)]
pub struct ThinModel {
    chunk: ChunkSize,
    discards: bool,
    size: Bytes,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    /// May go on past the volume's end, as mappings do after a shrink.
    content: Vec<u8>,
    mapped: ExtentSet<Chunks>,
}

impl ThinModel {
    /// A volume of `len` bytes with nothing mapped.
    #[must_use]
    pub fn new(len: usize, chunk: ChunkSize) -> Self {
        let state = State { content: vec![0; len], mapped: ExtentSet::new() };
        Self { chunk, discards: true, size: len.into(), state: Mutex::new(state) }
    }

    /// The same in a pool with `--discards ignore`.
    #[must_use]
    pub fn ignoring_discards(self) -> Self {
        Self { discards: false, ..self }
    }

    /// A snapshot that is `len` bytes long. What was mapped past the end comes back where it is longer.
    #[must_use]
    pub fn snapshot(&self, len: usize) -> Self {
        let mut state = self.lock().clone();
        state.content.resize(state.content.len().max(len), 0);
        Self { chunk: self.chunk, discards: self.discards, size: len.into(), state: Mutex::new(state) }
    }

    /// What a reader sees.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut content = self.lock().content.clone();
        content.truncate(self.size.to_usize().unwrap_or(usize::MAX));
        content
    }

    /// Which chunks are mapped.
    #[must_use]
    pub fn mapped(&self) -> ExtentSet<Chunks> {
        self.lock().mapped.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn within(&self, op: Op, at: Bytes, len: Bytes) -> Result<Option<Extent<Bytes>>, Error> {
        Error::within(op, Path::new("thin model"), at, len, self.size)
    }

    /// The chunks that `extent` touches, each with what of it lies in the volume.
    fn chunks(&self, extent: Extent<Bytes>) -> impl Iterator<Item = (Extent<Chunks>, Extent<Bytes>)> {
        let volume = Extent::whole(self.size);
        self.chunk
            .touched(extent)
            .pieces(Chunks::new(1))
            .filter_map(move |chunk| Some((chunk, self.chunk.extent(chunk)?.intersection(volume?)?)))
    }

    fn discard(&self, extent: Extent<Bytes>) {
        let mut state = self.lock();
        for (chunk, bytes) in self.chunks(extent) {
            // A short last chunk is never covered whole.
            if extent.covers(bytes) && bytes.len() == self.chunk.bytes() {
                state.mapped = state.mapped.difference(&ExtentSet::from_iter([chunk]));
                state.content[range(bytes)].fill(0);
            }
        }
    }
}

fn range(bytes: Extent<Bytes>) -> std::ops::Range<usize> {
    let index = |at: Bytes| at.to_usize().unwrap_or(usize::MAX);
    index(bytes.start())..index(bytes.end())
}

impl ReadAt for ThinModel {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        if let Some(extent) = self.within(Op::Read, at, buf.len().into())? {
            buf.copy_from_slice(&self.lock().content[range(extent)]);
        }
        Ok(())
    }
}

impl WriteAt for ThinModel {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let Some(extent) = self.within(Op::Write, at, data.len().into())? else { return Ok(()) };
        let mut state = self.lock();
        for (chunk, bytes) in self.chunks(extent) {
            if !state.mapped.contains(chunk.start()) {
                state.mapped.insert(chunk);
                state.content[range(bytes)].fill(STALE);
            }
            if let Some(part) = bytes.intersection(extent) {
                state.content[range(part)].copy_from_slice(&data[inside(extent, part)]);
            }
        }
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.within(Op::Zero, extent.start(), extent.len())?;
        if self.discards {
            self.discard(extent);
        }
        overwrite(self, extent)
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A volume whose reads and writes fail at a place, or after some writes.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    bad: Option<Bytes>,
    writes_left: AtomicU64,
    errno: i32,
    synced: AtomicU64,
}

impl<T> Faulty<T> {
    /// Passes everything on to `inner`; failures are `errno` of the system (5 is EIO, 28 is ENOSPC).
    #[must_use]
    pub fn new(inner: T, errno: i32) -> Self {
        Self { inner, bad: None, writes_left: AtomicU64::new(u64::MAX), errno, synced: AtomicU64::new(0) }
    }

    /// Every read, write and zeroing that touches this byte fails.
    #[must_use]
    pub fn at(self, bad: Bytes) -> Self {
        Self { bad: Some(bad), ..self }
    }

    /// Every write and zeroing after so many fails.
    #[must_use]
    pub fn after_writes(self, count: u64) -> Self {
        Self { writes_left: AtomicU64::new(count), ..self }
    }

    /// The volume inside.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// How often [`WriteAt::sync`] was called.
    pub fn syncs(&self) -> u64 {
        self.synced.load(Ordering::Relaxed)
    }

    fn check(&self, op: Op, at: Bytes, len: Bytes) -> Result<(), Error> {
        let extent = Extent::new(at, len);
        let touched = self.bad.is_some_and(|bad| extent.is_some_and(|extent| extent.contains(bad)));
        let full = op != Op::Read
            && self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err();
        if touched || full {
            return Err(Error::system(op, Path::new("faulty"), extent, io::Error::from_raw_os_error(self.errno)));
        }
        Ok(())
    }
}

impl<T: ReadAt> ReadAt for Faulty<T> {
    fn size(&self) -> Bytes {
        self.inner.size()
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        self.check(Op::Read, at, buf.len().into())?;
        self.inner.read_at(at, buf)
    }
}

impl<T: WriteAt> WriteAt for Faulty<T> {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        self.check(Op::Write, at, data.len().into())?;
        self.inner.write_at(at, data)
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.check(Op::Zero, extent.start(), extent.len())?;
        self.inner.zero(extent)
    }

    fn sync(&self) -> Result<(), Error> {
        self.synced.fetch_add(1, Ordering::Relaxed);
        self.inner.sync()
    }
}

/// A thin volume behind a cache: what was not synced is lost in a power cut, or some of it.
#[derive(Debug)]
pub struct Volatile {
    seen: ThinModel,
    cache: Mutex<Cache>,
}

#[derive(Debug)]
struct Cache {
    durable: ThinModel,
    pending: Vec<Pending>,
}

#[derive(Debug)]
enum Pending {
    Write(Bytes, Vec<u8>),
    Zero(Extent<Bytes>),
}

impl Volatile {
    /// The volume as it is, durable.
    #[must_use]
    pub fn new(volume: ThinModel) -> Self {
        let durable = volume.snapshot(volume.size().to_usize().unwrap_or(0));
        Self { seen: volume, cache: Mutex::new(Cache { durable, pending: Vec::new() }) }
    }

    /// What a reader sees while the machine runs.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.seen.to_vec()
    }

    /// What is there after a power cut: all that was synced, and of what was not that which `survives`, asked once for
    /// each.
    ///
    /// # Errors
    /// None: as reading and writing.
    pub fn after_power_cut(&self, mut survives: impl FnMut() -> bool) -> Result<ThinModel, Error> {
        let cache = self.cache();
        let left = cache.durable.snapshot(self.size().to_usize().unwrap_or(0));
        for operation in cache.pending.iter().filter(|_| survives()) {
            operation.perform(&left)?;
        }
        Ok(left)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn perform(&self, on: &ThinModel) -> Result<(), Error> {
        match self {
            Self::Write(at, data) => on.write_at(*at, data),
            Self::Zero(extent) => on.zero(*extent),
        }
    }
}

impl ReadAt for Volatile {
    fn size(&self) -> Bytes {
        self.seen.size()
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        self.seen.read_at(at, buf)
    }
}

impl WriteAt for Volatile {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        self.seen.write_at(at, data)?;
        self.cache().pending.push(Pending::Write(at, data.to_vec()));
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.seen.zero(extent)?;
        self.cache().pending.push(Pending::Zero(extent));
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        let mut cache = self.cache();
        for operation in std::mem::take(&mut cache.pending) {
            operation.perform(&cache.durable)?;
        }
        Ok(())
    }
}
