//! Reading ahead, in order.

use std::thread;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use extents::{Bytes, Extent};

use crate::queue::POLL;
use crate::{BufferPool, Error, PooledBuf, Progress, Queue, ReadAt};

/// A part of a volume and its content.
#[derive(Debug)]
pub struct Piece {
    /// Where it lies.
    pub extent: Extent<Bytes>,
    /// Its content; as long as the extent. Dropping it gives the memory back.
    pub buf: PooledBuf,
}

/// Reads the extents with several threads and hands their content, in the order asked for, to `each` on the caller's
/// thread. An extent comes as one piece, or cut at multiples of [`Queue::piece`]; no piece spans two extents.
///
/// # Errors
/// The first error in that order: of reading, or of `each`; or [`Error::Stopped`]. Pieces before it were handed over.
pub fn read_pieces<S, I, E>(
    source: &S,
    extents: I,
    queue: Queue,
    progress: &dyn Progress,
    mut each: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E>
where
    S: ReadAt + ?Sized,
    I: IntoIterator<Item = Extent<Bytes>>,
    E: From<Error>,
{
    let piece = queue.bounded_piece();
    let depth = queue.bounded_depth();
    let readers = queue.readers.clamp(1, depth);
    let pool = BufferPool::new(queue.piece_len(), 2 * depth);
    let mut wanted = extents.into_iter().flat_map(|extent| extent.pieces(piece));
    thread::scope(|scope| {
        // Both ends are this thread, which gives the pieces out in turn and collects them in the same turn: so they
        // keep their order. `under_way` bounds both channels.
        let lanes: Vec<Lane> = (0..readers).map(|_| Lane::start(scope, source, depth, pool.clone())).collect();
        let (mut under_way, mut given, mut taken) = (0, lanes.iter().cycle(), lanes.iter().cycle());
        loop {
            while under_way < depth
                && let Some(extent) = wanted.next()
                && let Some(lane) = given.next()
            {
                // A lane that is gone says why when its answer is due.
                let _ = lane.jobs.send(extent);
                under_way += 1;
            }
            let Some(lane) = taken.next().filter(|_| under_way > 0) else { return Ok(()) };
            let piece = lane.answer(progress)?;
            under_way -= 1;
            let len = piece.extent.len();
            each(piece)?;
            progress.advance(len);
        }
    })
}

/// The two ends of a reading thread. It ends when they are dropped.
struct Lane {
    jobs: Sender<Extent<Bytes>>,
    answers: Receiver<Result<Piece, Error>>,
}

impl Lane {
    fn start<'scope, S>(
        scope: &'scope thread::Scope<'scope, '_>,
        source: &'scope S,
        depth: usize,
        pool: BufferPool,
    ) -> Self
    where
        S: ReadAt + ?Sized,
    {
        let (jobs, todo) = bounded::<Extent<Bytes>>(depth);
        let (done, answers) = bounded(depth);
        scope.spawn(move || {
            for extent in todo {
                let mut buf = pool.take();
                // No piece is longer than what the pool's buffers hold.
                buf.set_len(extent.len().to_usize().unwrap_or(0));
                let read = source.read_at(extent.start(), &mut buf).map(|()| Piece { extent, buf });
                let failed = read.is_err();
                if done.send(read).is_err() || failed {
                    return;
                }
            }
        });
        Self { jobs, answers }
    }

    fn answer(&self, progress: &dyn Progress) -> Result<Piece, Error> {
        loop {
            if progress.stop_requested() {
                return Err(Error::Stopped);
            }
            match self.answers.recv_timeout(POLL) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) => {}
                // Only after a panic in its thread, which goes on in ours when the scope ends.
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
            }
        }
    }
}
