//! Which standard streams the process was started with.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, fcntl_getfd};
use rustix::stdio::{stderr, stdin, stdout};

/// One of the three streams that a process inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// Descriptor 0.
    Input,
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

impl Standard {
    /// Whether the process was started without this stream (`>&-` in a shell).
    ///
    /// Before `main`, the standard library opens `/dev/null` in the place of such a stream, so that no other file gets its
    /// number. Writing there succeeds, and nothing but this can tell it from a `/dev/null` that the user gave.
    #[must_use]
    pub fn was_closed(self) -> bool {
        CLOSED[self as usize].load(Ordering::Relaxed)
    }
}

/// Runs before the standard library's own start.
extern "C" fn look() {
    let streams: [BorrowedFd<'_>; 3] = [stdin(), stdout(), stderr()];
    for (stream, closed) in streams.iter().zip(&CLOSED) {
        closed.store(fcntl_getfd(stream) == Err(Errno::BADF), Ordering::Relaxed);
    }
}

// JUSTIFICATION: what was closed can only be seen before the standard library's start, and no safe code runs there.
// SAFETY: the C library calls each pointer in `.init_array` once, on the only thread, with arguments that a function
// without parameters does not see. `look` makes three system calls and stores three bytes: it allocates nothing, cannot
// panic, and uses nothing that the standard library sets up.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;
