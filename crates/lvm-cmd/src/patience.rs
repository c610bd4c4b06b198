//! How long to try again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The first pause between two tries; each next one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a cancellation may go unnoticed.
const SLICE: Duration = Duration::from_millis(50);

/// How long to try again before giving up, and what ends that early.
///
/// Time is counted in pauses, not read from a clock: the time that the tries themselves take comes on top.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'a> {
    limit: Duration,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Patience<'a> {
    /// Pauses of up to `limit` altogether; zero tries only once.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, cancel: None }
    }

    /// Gives up as soon as `cancel` becomes true, as a signal handler may make it.
    #[must_use]
    pub const fn cancelled_by(self, cancel: &'a AtomicBool) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// The longest time that is waited.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Calls `attempt` until it succeeds, fails with an error that `again` does not take, or patience is at an end.
    ///
    /// # Errors
    /// The last error.
    pub fn retry<T, E>(&self, mut attempt: impl FnMut() -> Result<T, E>, again: impl Fn(&E) -> bool) -> Result<T, E> {
        let mut tries = self.tries();
        loop {
            match attempt() {
                Err(error) if again(&error) && tries.pause() => {}
                result => return result,
            }
        }
    }

    pub(crate) fn tries(&self) -> Tries<'a> {
        Tries { left: self.limit, next: FIRST_PAUSE, cancel: self.cancel }
    }
}

/// The pauses between tries.
pub(crate) struct Tries<'a> {
    left: Duration,
    next: Duration,
    cancel: Option<&'a AtomicBool>,
}

impl Tries<'_> {
    /// Sleeps until the next try is due. False: there shall be none.
    pub(crate) fn pause(&mut self) -> bool {
        let mut pause = self.next.min(self.left);
        self.left -= pause;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        if pause.is_zero() {
            return false;
        }
        while !pause.is_zero() && !self.cancelled() {
            let slice = pause.min(SLICE);
            std::thread::sleep(slice);
            pause -= slice;
        }
        !self.cancelled()
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}
