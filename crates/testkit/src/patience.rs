//! Waiting with a limit.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should take no time. Far above what a loaded machine needs: only a defect reaches it.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Runs `work` on a thread of its own and gives what it returns.
///
/// # Panics
/// It does not end within [`LIMIT`] (a deadlock), or it panics.
pub fn within_limit<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end after {LIMIT:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("it ended without a value"),
        },
    }
}

/// Asks until the answer is there.
///
/// # Panics
/// There is none within [`LIMIT`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < LIMIT, "{what}: not after {LIMIT:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
