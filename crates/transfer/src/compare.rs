//! Whether two volumes, or a volume and a layer, are the same.

mod stream;

use std::thread;

use block_copy::{Progress, Queue, ReadAt, read_pieces};
use crossbeam_channel::bounded;
use extents::{Bytes, Extent, ExtentSet, SECTOR_BYTES};

use crate::Error;

pub use stream::compare_stream;

/// How much of a comparison is told and held.
#[derive(Clone, Copy, Debug)]
pub struct Compare {
    /// How many ranges that differ are told.
    pub ranges: usize,
    /// The bounds of each side's pipeline.
    pub queue: Queue,
}

/// What a comparison found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Differences {
    /// The first ranges that differ, exact to the sector.
    pub first: ExtentSet<Bytes>,
    /// How many bytes lie in sectors that differ.
    pub total: Bytes,
    /// How many bytes were compared.
    pub compared: Bytes,
}

impl Differences {
    /// Compares a piece, which begins at a sector, by sectors.
    fn add(&mut self, extent: Extent<Bytes>, left: &[u8], right: &[u8], ranges: usize) {
        self.compared = self.compared.saturating_add(extent.len());
        if left == right {
            return;
        }
        let mut at = extent.start();
        let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
        for (left, right) in left.chunks(sector).zip(right.chunks(sector)) {
            if let Some(here) = Extent::new(at, left.len().into()) {
                at = here.end();
                if left != right {
                    self.differs(here, ranges);
                }
            }
        }
    }

    fn differs(&mut self, here: Extent<Bytes>, ranges: usize) {
        self.total = self.total.saturating_add(here.len());
        let known = self.first.ranges();
        if known.len() < ranges || known.last().is_some_and(|last| last.end() == here.start()) {
            self.first.insert(here);
        }
    }
}

/// Compares two volumes where both have the `ranges`, which begin at sectors; sizes are the caller's to compare. Both
/// are read ahead at the same time. `progress` is told each range once.
///
/// # Errors
/// A read fails, a volume was written to since it was opened, or `progress` asks to stop.
pub fn compare(
    left: &dyn ReadAt,
    right: &dyn ReadAt,
    ranges: &ExtentSet<Bytes>,
    how: Compare,
    progress: &dyn Progress,
) -> Result<Differences, Error> {
    let mut found = Differences::default();
    let Some(both) = Extent::whole(left.size().min(right.size())) else { return Ok(found) };
    thread::scope(|scope| {
        let (pieces, others) = bounded(1);
        let reading = scope.spawn(move || {
            read_pieces(left, ranges.within(both), how.queue, &Unheard(progress), |piece| {
                // Where nobody waits for it, the other side says why.
                pieces.send(piece).map_err(|_| block_copy::Error::Stopped)
            })
        });
        let compared = read_pieces(right, ranges.within(both), how.queue, progress, |piece| {
            let other = others.recv().map_err(|_| block_copy::Error::Stopped)?;
            found.add(piece.extent, &other.buf, &piece.buf, how.ranges);
            Ok::<_, block_copy::Error>(())
        });
        drop(others);
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        first_cause(compared, read)
    })?;
    left.check_unchanged()?;
    right.check_unchanged()?;
    Ok(found)
}

/// The error of two sides of which one ends because the other did.
fn first_cause(ours: Result<(), block_copy::Error>, theirs: Result<(), block_copy::Error>) -> Result<(), Error> {
    match (ours, theirs) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(block_copy::Error::Stopped), Err(cause)) | (Err(cause), _) | (Ok(()), Err(cause)) => Err(cause.into()),
    }
}

/// Hears requests to stop, and is told nothing: the other side tells it.
struct Unheard<'a>(&'a dyn Progress);

impl Progress for Unheard<'_> {
    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}
