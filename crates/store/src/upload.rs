//! A multipart upload: parts of one length, few on their way at once.

use extents::Bytes;
use object_store::{MultipartUpload, Result};
use tokio::task::JoinSet;

use crate::limits::{MAX_PARTS, MIN_PART_BYTES, PARTS_AT_ONCE};

/// An upload that is not complete. As `object_store::WriteMultipart`, but what went wrong is told, not what went wrong
/// when it was undone, and buffers go to the service without a copy.
pub(crate) struct Upload {
    upload: Box<dyn MultipartUpload>,
    part_bytes: usize,
    part: Vec<u8>,
    tasks: JoinSet<Result<()>>,
}

impl Upload {
    pub(crate) fn new(upload: Box<dyn MultipartUpload>, at_most: Bytes) -> Self {
        Self { upload, part_bytes: part_bytes(at_most), part: Vec::new(), tasks: JoinSet::new() }
    }

    /// How much may be pushed at once: never nothing.
    pub(crate) fn room(&self) -> usize {
        self.part_bytes - self.part.len()
    }

    /// Adds bytes, at most [`room`](Self::room); waits where too many parts are on their way.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.part.capacity() == 0 {
            self.part.reserve_exact(self.part_bytes);
        }
        self.part.extend_from_slice(bytes);
        if self.room() == 0 {
            self.wait_for_fewer_than(PARTS_AT_ONCE).await?;
            self.send();
        }
        Ok(())
    }

    /// Sends the rest and completes the object; if anything fails, removes what was sent.
    pub(crate) async fn complete(mut self) -> Result<()> {
        let completed = self.try_complete().await;
        if completed.is_err() {
            self.abort().await;
        }
        completed
    }

    /// Removes what was sent. What cannot be removed is garbage, which is found later.
    pub(crate) async fn abort(mut self) {
        self.tasks.shutdown().await;
        let _ = self.upload.abort().await;
    }

    async fn try_complete(&mut self) -> Result<()> {
        if !self.part.is_empty() {
            self.send();
        }
        self.wait_for_fewer_than(1).await?;
        self.upload.complete().await.map(|_| ())
    }

    async fn wait_for_fewer_than(&mut self, count: usize) -> Result<()> {
        while self.tasks.len() >= count {
            let Some(sent) = self.tasks.join_next().await else { return Ok(()) };
            sent??;
        }
        Ok(())
    }

    fn send(&mut self) {
        let part = std::mem::take(&mut self.part);
        self.tasks.spawn(self.upload.put_part(part.into()));
    }
}

/// How long the parts of an object are, so that there are not too many: all of one length, as some services want.
fn part_bytes(at_most: Bytes) -> usize {
    const STEP: u64 = 1 << 20;
    let bytes = at_most.get().div_ceil(MAX_PARTS).next_multiple_of(STEP).max(MIN_PART_BYTES);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_large_enough_and_few_enough() {
        for at_most in [0, 1, 8 << 20, 70 << 30, 100 << 30, 1 << 40, 5 << 40] {
            let part = part_bytes(Bytes::new(at_most)) as u64;
            assert!(part >= MIN_PART_BYTES && at_most.div_ceil(part) <= MAX_PARTS, "{at_most}: {part}");
        }
        assert_eq!(part_bytes(Bytes::new(1 << 30)), 8 << 20);
    }
}
