//! What holds of every list of ranges.

use extents::{ChunkSize, Chunks, Extent};

use crate::Error;
use crate::tag::Tag;

/// Ranges that ascend, do not overlap and fit into `u64` as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    chunk_size: ChunkSize,
    after: Chunks,
}

impl Order {
    pub(crate) fn new(chunk_size: ChunkSize) -> Self {
        Self { chunk_size, after: Chunks::ZERO }
    }

    /// The next range, which `tag` states.
    pub(crate) fn next(&mut self, tag: &Tag<'_>, begin: u64, length: u64) -> Result<Extent<Chunks>, Error> {
        let (begin, length) = (Chunks::new(begin), Chunks::new(length));
        let found = Extent::new(begin, length)
            .filter(|found| self.chunk_size.offset(found.end()).is_some())
            .ok_or(Error::Range { at: tag.at, begin, length })?;
        if begin < self.after {
            return Err(Error::Backwards { at: tag.at, after: self.after, found });
        }
        self.after = found.end();
        Ok(found)
    }
}
