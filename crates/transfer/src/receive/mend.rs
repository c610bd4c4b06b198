//! Making a target what it was before a layer.

use block_copy::{Progress, ReadAt, WriteQueue, is_zero};
use extents::{Bytes, Extent, ExtentSet};
use hyperlayer::Content;

use crate::Error;

/// The records of a stream that are in already.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    data: ExtentSet<Bytes>,
    pub(super) zero: ExtentSet<Bytes>,
}

impl Agreed {
    pub(super) fn add(&mut self, content: Content, extent: Extent<Bytes>) {
        match content {
            Content::Data => self.data.insert(extent),
            Content::Zero => self.zero.insert(extent),
        }
    }

    /// What of the range no record covers.
    pub(super) fn gaps(&self, range: Extent<Bytes>) -> Vec<Extent<Bytes>> {
        self.data.union(&self.zero).gaps(range).collect()
    }
}

/// Queues what makes ranges of a target equal to its parent again. They must not be queued for writing already.
pub(super) struct Mend<'a, 'w, M> {
    pub(super) queue: &'a WriteQueue<'w, M>,
    pub(super) target: &'a dyn ReadAt,
    /// `None` where the target was empty.
    pub(super) parent: Option<&'a dyn ReadAt>,
    /// How much is compared at once.
    pub(super) piece: Bytes,
    pub(super) progress: &'a dyn Progress,
}

/// No thin pool has smaller chunks in practice, and no device larger blocks.
const BLOCK: Bytes = Bytes::new(4096);

impl<M> Mend<'_, '_, M> {
    /// Writes where the target differs, and nowhere else.
    ///
    /// # Errors
    /// Reading or writing fails, or a request to stop.
    pub(super) fn range(&self, range: Extent<Bytes>) -> Result<(), Error> {
        let Some(parent) = self.parent else { return Ok(self.queue.zero(range)?) };
        let (mut was, mut is) = (Vec::new(), Vec::new());
        for window in range.pieces(self.piece.max(BLOCK)) {
            if self.progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            let len = window.len().to_usize().unwrap_or(0);
            was.clear();
            was.resize(len, 0);
            is.resize(len, 0);
            let inside = Extent::whole(parent.size()).and_then(|parent| parent.intersection(window));
            if let Some(inside) = inside {
                parent.read_at(inside.start(), &mut was[..inside.len().to_usize().unwrap_or(len)])?;
            }
            self.target.read_at(window.start(), &mut is)?;
            let index = |extent: Extent<Bytes>| {
                let at = |at: Bytes| at.saturating_sub(window.start()).to_usize().unwrap_or(len);
                at(extent.start())..at(extent.end())
            };
            let differs = |block: &Extent<Bytes>| was[index(*block)] != is[index(*block)];
            let different: ExtentSet<Bytes> = window.pieces(BLOCK).filter(differs).collect();
            for run in &different {
                match &was[index(run)] {
                    zeros if is_zero(zeros) => self.queue.zero(run)?,
                    bytes => self.queue.write(run.start(), bytes)?,
                }
            }
        }
        Ok(())
    }
}
