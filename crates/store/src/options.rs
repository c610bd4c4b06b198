//! What a store is told by its caller.

use std::fmt;
use std::time::{Duration, SystemTime};

/// What a store is told about the world, which it does not look at by itself.
#[derive(Clone)]
pub struct Options {
    /// Names and values as of the environment; `AWS_*`, `GOOGLE_*` and `AZURE_*` are used, as the services' own tools do.
    pub environment: Vec<(String, String)>,
    /// The time.
    pub clock: fn() -> SystemTime,
    /// Who works on the store.
    pub holder: Holder,
    /// Whether a process of this machine lives.
    pub is_alive: fn(u32) -> bool,
    /// How often a request is tried again.
    pub retries: Retries,
}

impl Options {
    /// No environment, and the usual number of tries.
    #[must_use]
    pub fn new(holder: Holder, clock: fn() -> SystemTime, is_alive: fn(u32) -> bool) -> Self {
        Self { environment: Vec::new(), clock, holder, is_alive, retries: Retries::default() }
    }
}

/// The environment holds secrets, so it is not shown.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("holder", &self.holder).field("retries", &self.retries).finish_non_exhaustive()
    }
}

/// Who holds a lock, so that others can see whether it lives, and a person can find it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    /// What changes when the machine starts anew: `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The process.
    pub pid: u32,
    /// What it does, for people.
    pub command: String,
}

/// How often a request of a service is tried again after what may pass by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retries {
    /// How many times at most.
    pub count: usize,
    /// For how long at most, from the first try.
    pub within: Duration,
}

/// Ten times within three minutes.
impl Default for Retries {
    fn default() -> Self {
        Self { count: 10, within: Duration::from_secs(180) }
    }
}
