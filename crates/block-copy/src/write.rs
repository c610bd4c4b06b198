//! Writing behind, in order.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use extents::{Bytes, ChunkSize, Extent};

use crate::queue::POLL;
use crate::{BufferPool, ChunkWriter, Error, PooledBuf, Progress, Queue, WriteAt};

/// How much is zeroed between two looks at [`Progress::stop_requested`], in bytes; more where one chunk is longer.
const ZERO_STEP: u64 = 1 << 30;

/// Calls `produce` with a queue of operations, which another thread performs strictly in order, through a
/// [`ChunkWriter`], on a target with chunks of this size. When `produce` is done, waits for the rest, and returns when
/// everything is durable. [`Progress::advance`] is told what is written and zeroed.
///
/// # Errors
/// That of `produce`, which drops what is still queued; or the first one of an operation, which `produce` is also
/// given at its next push; or [`Error::Stopped`]. The target then holds some of the operations.
pub fn write_behind<T, R, E>(
    target: &T,
    chunk: ChunkSize,
    queue: Queue,
    progress: &dyn Progress,
    produce: impl FnOnce(&WriteQueue<'_>) -> Result<R, E>,
) -> Result<R, E>
where
    T: WriteAt + ?Sized,
    E: From<Error>,
{
    let depth = queue.bounded_depth();
    let (tasks, todo) = bounded(depth);
    let pool = BufferPool::new(queue.piece_len(), 2 * depth);
    let (failed, given_up) = (OnceLock::new(), AtomicBool::new(false));
    let writer = Writer { target, chunk, progress, given_up: &given_up };
    let value = thread::scope(|scope| {
        scope.spawn(|| {
            // Owned here: when it fails, the queue's end is gone, and the next push notices.
            let todo = todo;
            if let Err(error) = writer.perform(&todo) {
                let _ = failed.set(error);
            }
        });
        let queue = WriteQueue { tasks, pool, piece: queue.bounded_piece(), failed: &failed, progress };
        let produced = produce(&queue);
        given_up.store(produced.is_err(), Ordering::Relaxed);
        produced
    })?;
    failed.into_inner().map_or(Ok(value), |error| Err(error.into()))
}

#[derive(Debug)]
enum Task {
    Write { at: Bytes, buf: PooledBuf },
    Zero(Extent<Bytes>),
}

/// Where operations are pushed. Each push waits while the queue is full.
///
/// Each fails with the first error of an operation before it, or with [`Error::Stopped`]; nothing more is then
/// performed.
pub struct WriteQueue<'a> {
    tasks: Sender<Task>,
    pool: BufferPool,
    piece: Bytes,
    failed: &'a OnceLock<Error>,
    progress: &'a dyn Progress,
}

impl fmt::Debug for WriteQueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteQueue")
            .field("queued", &self.tasks.len())
            .field("failed", self.failed)
            .finish_non_exhaustive()
    }
}

impl WriteQueue<'_> {
    /// An empty buffer for up to [`Queue::piece`] bytes, to be filled and given to [`write_buf`](Self::write_buf).
    #[must_use]
    pub fn buffer(&self) -> PooledBuf {
        self.pool.take()
    }

    /// Queues the writing of `buf` from `at` on.
    ///
    /// # Errors
    /// See [`WriteQueue`].
    pub fn write_buf(&self, at: Bytes, buf: PooledBuf) -> Result<(), Error> {
        self.push(Task::Write { at, buf })
    }

    /// Queues the writing of a copy of `data` from `at` on.
    ///
    /// # Errors
    /// See [`WriteQueue`].
    pub fn write(&self, mut at: Bytes, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let room = self.piece.get() - at.get() % self.piece.get();
            let (now, later) = data.split_at(data.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            let mut buf = self.buffer();
            buf.set_len(now.len());
            buf.copy_from_slice(now);
            self.write_buf(at, buf)?;
            // Where there is no such offset, no target has it either, and says so.
            at = at.saturating_add(now.len().into());
            data = later;
        }
        Ok(())
    }

    /// Queues the zeroing of a range.
    ///
    /// # Errors
    /// See [`WriteQueue`].
    pub fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.push(Task::Zero(extent))
    }

    fn push(&self, mut task: Task) -> Result<(), Error> {
        loop {
            if self.progress.stop_requested() {
                return Err(Error::Stopped);
            }
            task = match self.tasks.send_timeout(task, POLL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(task)) => task,
                Err(SendTimeoutError::Disconnected(_)) => {
                    return Err(self.failed.get().map_or(Error::Stopped, Error::again));
                }
            }
        }
    }
}

struct Writer<'a, T: ?Sized> {
    target: &'a T,
    chunk: ChunkSize,
    progress: &'a dyn Progress,
    given_up: &'a AtomicBool,
}

impl<T: WriteAt + ?Sized> Writer<'_, T> {
    fn perform(&self, todo: &Receiver<Task>) -> Result<(), Error> {
        let mut writer = ChunkWriter::new(self.target, self.chunk);
        // Cut between chunks, so that each is zeroed whole.
        let chunk = self.chunk.bytes().get();
        let step = Bytes::new(chunk.saturating_mul((ZERO_STEP / chunk).max(1)));
        for task in todo {
            match task {
                Task::Write { at, buf } => {
                    self.go_on()?;
                    writer.write(at, &buf)?;
                    self.progress.advance(buf.len().into());
                }
                Task::Zero(extent) => {
                    for piece in extent.pieces(step) {
                        self.go_on()?;
                        writer.zero(piece)?;
                        self.progress.advance(piece.len());
                    }
                }
            }
        }
        self.go_on()?;
        writer.finish()?;
        self.target.sync()
    }

    fn go_on(&self) -> Result<(), Error> {
        let stop = self.progress.stop_requested() || self.given_up.load(Ordering::Relaxed);
        if stop { Err(Error::Stopped) } else { Ok(()) }
    }
}
