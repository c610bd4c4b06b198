//! Signals become a request to stop; what the command made is cleaned up on its way out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};

/// Every signal that ends a process by default and that somebody sends: SIGUSR1 asks for something else, SIGPIPE is ignored,
/// and those of a fault in the program itself (SIGSEGV and the like) cannot be survived. SIGPWR and SIGSTKFLT have no names in
/// `signal_hook`.
const STOPPING: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGTERM, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO, SIGXCPU, SIGXFSZ, SIGPWR, SIGSTKFLT,
];
/// `signal(7)`, x86 and ARM.
const SIGPWR: i32 = 30;
const SIGSTKFLT: i32 = 16;

/// Whether a signal asked the command to stop. The first such signal is remembered here and every loop ends at its next
/// step, so that guards undo what they did. Further ones change nothing: a terminal that closes and timeout(1) send two at
/// once, and neither wants anything left behind. SIGKILL still kills.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
    requested: Arc<AtomicBool>,
    /// SIGUSR1: somebody wants to know how far it is.
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Takes over for the process the signals that would end it, and SIGUSR1, which asks how far it is. A signal that
    /// was ignored when the process started (nohup, a job in the background of a script) stays ignored.
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub fn install() -> io::Result<Self> {
        Self::take_over(ignored_now())
    }

    /// Takes over all but the signals in the mask.
    fn take_over(ignored: u64) -> io::Result<Self> {
        let stop = Self::default();
        for signal in STOPPING.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0) {
            let number = usize::try_from(signal).map_err(io::Error::other)?;
            // Known before anybody can see that a stop is requested.
            signal_hook::flag::register_usize(signal, Arc::clone(&stop.signal), number)?;
            signal_hook::flag::register(signal, Arc::clone(&stop.requested))?;
        }
        signal_hook::flag::register(SIGUSR1, Arc::clone(&stop.asked))?;
        Ok(stop)
    }

    /// The signal that asked to stop.
    #[must_use]
    pub fn signal(&self) -> Option<u8> {
        u8::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|number| *number > 0)
    }

    /// Whether somebody asked how far it is since this was last called.
    pub(crate) fn take_question(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }

    /// Whether to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// The flag itself, for what waits on threads of its own.
    #[must_use]
    pub fn shared(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.requested)
    }

    /// The flag itself, for whoever waits on one.
    #[must_use]
    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }
}

/// Whether the process ignores the signal: after [`Stop::install`], one that was ignored when the process started.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    ignored_now() & (1 << (signal - 1)) != 0
}

fn ignored_now() -> u64 {
    ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The mask of ignored signals in the text of `/proc/PID/status`: bit N-1 for signal N.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{SIGHUP, SIGINT, SIGUSR1, STOPPING, Stop, ignored};

    #[test]
    fn the_kernels_mask_is_read() {
        let mask = 1 << (SIGHUP - 1) | 1 << (SIGINT - 1);
        assert_eq!(ignored("Name:\tx\nSigBlk:\t00000000000000ff\nSigIgn:\t0000000000000003\nSigCgt:\t01\n"), mask);
        assert_eq!(ignored(""), 0);
    }

    /// Each is caught and remembered, and none ends the process: this one.
    #[test]
    fn every_signal_that_ends_a_process_asks_it_to_stop() {
        let stop = Stop::take_over(0).unwrap();
        for signal in STOPPING {
            stop.signal.store(0, std::sync::atomic::Ordering::Relaxed);
            signal_hook::low_level::raise(signal).unwrap();
            assert_eq!(stop.signal().map(i32::from), Some(signal));
            assert!(stop.requested());
        }
        signal_hook::low_level::raise(SIGUSR1).unwrap();
        assert!(stop.take_question());
    }
}
