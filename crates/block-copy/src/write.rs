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
    perform(ChunkWriter::new(target, chunk), queue, progress, |(): ()| Ok(()), produce, false)
}

/// As [`write_behind`], through a writer that was made for it, with marks in the queue: whenever everything before a
/// [`WriteQueue::mark`] is durable, `durable` is called with it. Where `produce` fails, what is queued is performed
/// nevertheless.
///
/// # Errors
/// As [`write_behind`]; and those of `durable`.
pub fn write_behind_marked<T, M, R, E>(
    writer: ChunkWriter<'_, T>,
    queue: Queue,
    progress: &dyn Progress,
    durable: impl FnMut(M) -> Result<(), Error> + Send,
    produce: impl FnOnce(&WriteQueue<'_, M>) -> Result<R, E>,
) -> Result<R, E>
where
    T: WriteAt + ?Sized,
    M: Send,
    E: From<Error>,
{
    perform(writer, queue, progress, durable, produce, true)
}

fn perform<T, M, R, E>(
    writer: ChunkWriter<'_, T>,
    queue: Queue,
    progress: &dyn Progress,
    durable: impl FnMut(M) -> Result<(), Error> + Send,
    produce: impl FnOnce(&WriteQueue<'_, M>) -> Result<R, E>,
    finish: bool,
) -> Result<R, E>
where
    T: WriteAt + ?Sized,
    M: Send,
    E: From<Error>,
{
    let depth = queue.bounded_depth();
    let (tasks, todo) = bounded(depth);
    let pool = BufferPool::new(queue.piece_len(), 2 * depth);
    let (failed, given_up) = (OnceLock::new(), AtomicBool::new(false));
    let performer = Performer { writer, durable, progress, given_up: &given_up };
    let value = thread::scope(|scope| {
        scope.spawn(|| {
            // Owned here: when it fails, the queue's end is gone, and the next push notices.
            let todo = todo;
            if let Err(error) = performer.perform(&todo) {
                let _ = failed.set(error);
            }
        });
        let queue = WriteQueue { tasks, pool, piece: queue.bounded_piece(), failed: &failed, progress };
        let produced = produce(&queue);
        given_up.store(produced.is_err() && !finish, Ordering::Relaxed);
        produced
    })?;
    failed.into_inner().map_or(Ok(value), |error| Err(error.into()))
}

#[derive(Debug)]
enum Task<M> {
    Write { at: Bytes, buf: PooledBuf },
    Zero(Extent<Bytes>),
    Mark(M),
}

/// Where operations are pushed. Each push waits while the queue is full.
///
/// Each fails with the first error of an operation before it, or with [`Error::Stopped`]; nothing more is then
/// performed.
pub struct WriteQueue<'a, M = ()> {
    tasks: Sender<Task<M>>,
    pool: BufferPool,
    piece: Bytes,
    failed: &'a OnceLock<Error>,
    progress: &'a dyn Progress,
}

impl<M> fmt::Debug for WriteQueue<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteQueue")
            .field("queued", &self.tasks.len())
            .field("failed", self.failed)
            .finish_non_exhaustive()
    }
}

impl<M> WriteQueue<'_, M> {
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

    /// Queues a mark: everything before it is made durable, and then reported.
    ///
    /// # Errors
    /// See [`WriteQueue`].
    pub fn mark(&self, mark: M) -> Result<(), Error> {
        self.push(Task::Mark(mark))
    }

    fn push(&self, mut task: Task<M>) -> Result<(), Error> {
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

struct Performer<'a, 'w, T: WriteAt + ?Sized, D> {
    writer: ChunkWriter<'w, T>,
    durable: D,
    progress: &'a dyn Progress,
    given_up: &'a AtomicBool,
}

impl<T: WriteAt + ?Sized, D> Performer<'_, '_, T, D> {
    fn perform<M>(mut self, todo: &Receiver<Task<M>>) -> Result<(), Error>
    where
        D: FnMut(M) -> Result<(), Error>,
    {
        // Cut between chunks, so that each is zeroed whole.
        let chunk = self.writer.chunk().bytes().get();
        let step = Bytes::new(chunk.saturating_mul((ZERO_STEP / chunk).max(1)));
        for task in todo {
            match task {
                Task::Write { at, buf } => {
                    self.go_on()?;
                    self.writer.write(at, &buf)?;
                    self.progress.advance(buf.len().into());
                }
                Task::Zero(extent) => {
                    for piece in extent.pieces(step) {
                        self.go_on()?;
                        self.writer.zero(piece)?;
                        self.progress.advance(piece.len());
                    }
                }
                Task::Mark(mark) => {
                    self.go_on()?;
                    self.writer.flush()?;
                    self.writer.target().sync()?;
                    (self.durable)(mark)?;
                }
            }
        }
        self.go_on()?;
        let target = self.writer.target();
        self.writer.finish()?;
        target.sync()
    }

    fn go_on(&self) -> Result<(), Error> {
        let stop = self.progress.stop_requested() || self.given_up.load(Ordering::Relaxed);
        if stop { Err(Error::Stopped) } else { Ok(()) }
    }
}
