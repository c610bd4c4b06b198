//! Telling how far a copy is, and being told to stop.

use extents::Bytes;

/// What a copy tells while it runs. Called from several threads, often: return at once.
pub trait Progress: Sync {
    /// `done` more bytes are read, or written or zeroed.
    fn advance(&self, done: Bytes) {
        let _ = done;
    }

    /// Whether to stop. Asked at every piece and several times a second while waiting; a `true` ends the copy with
    /// [`Error::Stopped`](crate::Error::Stopped) as soon as the system call in flight returns.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Tells nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

impl<P: Progress + ?Sized> Progress for &P {
    fn advance(&self, done: Bytes) {
        (**self).advance(done);
    }

    fn stop_requested(&self) -> bool {
        (**self).stop_requested()
    }
}
