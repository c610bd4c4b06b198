//! Signals become a request to stop; what the command made is cleaned up on its way out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

/// Whether SIGINT, SIGTERM or SIGHUP asked the command to stop. The first such signal is remembered here and every
/// loop ends at its next step, so that guards undo what they did. Further ones change nothing: a terminal that closes
/// and timeout(1) send two at once, and neither wants anything left behind. SIGQUIT and SIGKILL still kill.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
    requested: Arc<AtomicBool>,
    /// SIGUSR1: somebody wants to know how far it is.
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Takes over the three signals for the process, and SIGUSR1, which asks how far it is.
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub fn install() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
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

    /// The flag itself, for whoever waits on one.
    #[must_use]
    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }
}
