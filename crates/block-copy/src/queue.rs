//! How much a pipeline holds.

use std::time::Duration;

use extents::Bytes;

/// The bounds of a pipeline. It never holds more than about `(depth + 2) * piece` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The longest piece, in bytes. Pieces end at multiples of it. Taken as 512 below, as [`Queue::PIECE_MAX`] above.
    pub piece: Bytes,
    /// How many pieces wait or are in work. 0 is taken as 1, more than [`Queue::DEPTH_MAX`] as that.
    pub depth: usize,
    /// How many threads read. 0 is taken as 1, and so is any number in a pipeline that writes.
    pub readers: usize,
}

impl Queue {
    /// The longest piece: 64 MiB.
    pub const PIECE_MAX: Bytes = Bytes::new(64 << 20);

    /// The most pieces: 1024.
    pub const DEPTH_MAX: usize = 1024;

    pub(crate) fn bounded_piece(self) -> Bytes {
        self.piece.clamp(Bytes::new(512), Self::PIECE_MAX)
    }

    pub(crate) fn bounded_depth(self) -> usize {
        self.depth.clamp(1, Self::DEPTH_MAX)
    }

    pub(crate) fn piece_len(self) -> usize {
        self.bounded_piece().to_usize().unwrap_or(usize::MAX)
    }
}

impl Default for Queue {
    /// 1 MiB, 16 pieces, 4 readers: with fewer readers, scattered chunks leave a fast disk waiting.
    fn default() -> Self {
        Self { piece: Bytes::new(1 << 20), depth: 16, readers: 4 }
    }
}

/// How often somebody who waits looks whether to stop.
pub(crate) const POLL: Duration = Duration::from_millis(50);
