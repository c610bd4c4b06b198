//! A multipart upload: parts of one length, few on their way at once.

use std::time::Duration;

use extents::Bytes;
use object_store::{MultipartUpload, Result};
use tokio::task::JoinSet;

use crate::limits::{
    LOWEST_BYTES_PER_SECOND, MAX_PARTS, MIN_PART_BYTES, PARTS_AT_ONCE, PARTS_MEMORY_BYTES, REQUEST_TIMEOUT,
};

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
            self.wait_for_fewer_than(parts_at_once(self.part_bytes)).await?;
            self.send();
        }
        Ok(())
    }

    /// Sends the rest and completes the object; if anything fails, removes what was sent. A service may have completed it
    /// and say that it failed, so `is_there` is asked before anything is removed.
    pub(crate) async fn complete(mut self, is_there: impl AsyncFnOnce() -> bool) -> Result<()> {
        let completed = match self.send_rest().await {
            Ok(()) => self.upload.complete().await.map(|_| ()),
            Err(error) => {
                let _ = self.abort().await;
                return Err(error);
            }
        };
        if completed.is_err() && is_there().await {
            return Ok(());
        }
        if completed.is_err() {
            let _ = self.abort().await;
        }
        completed
    }

    /// Removes what was sent.
    pub(crate) async fn abort(mut self) -> Result<()> {
        self.tasks.shutdown().await;
        self.upload.abort().await
    }

    async fn send_rest(&mut self) -> Result<()> {
        if !self.part.is_empty() {
            self.send();
        }
        self.wait_for_fewer_than(1).await
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

/// How many parts of that length are on their way at once.
fn parts_at_once(part_bytes: usize) -> usize {
    let fit = PARTS_MEMORY_BYTES / (part_bytes as u64).max(1);
    usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, PARTS_AT_ONCE)
}

/// How long a request may take that carries a part of an object of that length.
pub(crate) fn request_timeout(at_most: Bytes) -> Duration {
    Duration::from_secs(part_bytes(at_most) as u64 / LOWEST_BYTES_PER_SECOND).max(REQUEST_TIMEOUT)
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

    /// As the documents of the limits say.
    #[test]
    fn memory_and_time_for_what_is_on_its_way() {
        for (gib, at_once, memory_mib, seconds) in
            [(1, 3, 32, 300), (70, 3, 32, 300), (200, 3, 92, 368), (1 << 10, 2, 351, 1872), (5 << 10, 1, 1166, 9328)]
        {
            let at_most = Bytes::new(gib << 30);
            let part = part_bytes(at_most);
            assert_eq!(parts_at_once(part), at_once, "{gib} GiB");
            assert_eq!(((at_once + 1) * part) >> 20, memory_mib, "{gib} GiB");
            assert_eq!(request_timeout(at_most).as_secs(), seconds, "{gib} GiB");
        }
    }
}
