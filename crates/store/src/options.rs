//! What a store is given by its caller.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

/// The time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
/// A wait of some length.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;
/// Whether a process of this machine and PID namespace lives.
pub type IsAlive = Arc<dyn Fn(u32) -> bool + Send + Sync>;
/// The sync of an open file or directory of that path.
pub type SyncFile = Arc<dyn Fn(&File, &Path) -> io::Result<()> + Send + Sync>;

/// What a store is told about the world, which it does not look at by itself.
#[derive(Clone)]
pub struct Options {
    /// Names and values as of the environment; `AWS_*`, `GOOGLE_*` and `AZURE_*` are used, as the services' own tools do.
    pub environment: Vec<(String, String)>,
    /// The time.
    pub clock: Clock,
    /// How time is waited for: on the store's own threads, whose timers are tokio's.
    pub sleep: Sleep,
    /// Who works on the store.
    pub holder: Holder,
    /// Whether a process of this machine and PID namespace lives.
    pub is_alive: IsAlive,
    /// How files and directories become durable in a folder: [`File::sync_all`].
    pub sync: SyncFile,
    /// How often a request is tried again.
    pub retries: Retries,
    /// Set by the caller, from any thread or a signal, to have waiting for the store end within seconds.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// No environment, and the usual number of tries.
    #[must_use]
    pub fn new(
        holder: Holder,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
        is_alive: impl Fn(u32) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            environment: Vec::new(),
            clock: Arc::new(clock),
            sleep: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
            holder,
            is_alive: Arc::new(is_alive),
            sync: Arc::new(|file, _| file.sync_all()),
            retries: Retries::default(),
            stop: Arc::default(),
        }
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
    /// The PID namespace, as `/proc/self/ns/pid` names it; empty where it is not known, which no process is judged by.
    pub pid_namespace: String,
    /// The process.
    pub pid: u32,
    /// What it does, for people.
    pub command: String,
}

impl Holder {
    /// Whether a process number means the same process to both: on one machine since its last boot, in one PID namespace.
    pub(crate) fn can_be_judged_by(&self, other: &Self) -> bool {
        let place = |holder: &'_ Self| [holder.host.clone(), holder.boot_id.clone(), holder.pid_namespace.clone()];
        !self.pid_namespace.is_empty() && place(self) == place(other)
    }
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
