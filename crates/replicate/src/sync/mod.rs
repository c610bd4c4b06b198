//! The client: one session with the source's server and one with the destination's, and what goes from one to the other.
//!
//! Push, pull and a copy on one host are the same to it: it asks both servers what they have, decides, and hands the stream
//! on. Nothing is kept here: whatever ends a run, the next one asks again, and goes on from what both have.

mod error;
mod existing;
mod peer;
mod run;
mod transfer;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::{LvName, LvRef};

pub use error::SyncError;

use crate::{Ability, Hello, Keep, Layer, Pair, PairError, Patience, Plan, Removed, Role, Verify};
use peer::Peer;

/// What is to be kept in step, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sync {
    /// The volume that is copied, on the source's host.
    pub source: LvRef,
    /// The copy's own name, on the destination's host.
    pub destination: LvRef,
    /// The pair's name; `None`: [`default_pair`] of both.
    pub pair: Option<Pair>,
    /// The pool where a first layer is made; `None` leaves it to the destination's server.
    pub pool: Option<LvName>,
    /// Whether nobody may write to the copy.
    pub read_only_live: bool,
    /// How much of what was written is read back.
    pub verify: Verify,
    /// Which of the pair's layers stay at the source.
    pub keep_source: Keep,
    /// Which stay at the destination.
    pub keep_destination: Keep,
    /// Whether a copy that was written to is taken all the same, after a snapshot of what was written.
    pub rollback: bool,
    /// Whether a destination that exists is compared block by block, where both have no layer in common.
    pub use_existing: bool,
    /// Snapshots of both that somebody made, and that hold the same: they become the pair's.
    pub adopt: Option<(LvName, LvName)>,
    /// Whether a snapshot of the source is made; else the newest that there is, is sent.
    pub snapshot: bool,
    /// Whether it is only found out what would be sent. Temporary snapshots are made for it.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The pair's name.
    pub pair: Pair,
    /// The layer that the copy holds now; of a dry run, that would be sent last, by the id of a temporary snapshot.
    pub layer: LayerId,
    /// What it was sent against; `None` where it was sent in full, or not at all.
    pub parent: Option<LayerId>,
    /// Whether a layer was sent in full: all of it, or the rest of one that was interrupted.
    pub in_full: bool,
    /// Whether a transfer that was interrupted went on.
    pub resumed: bool,
    /// How much data the streams had.
    pub data: Bytes,
    /// How much of the volume they made zero.
    pub zero: Bytes,
    /// How long the streams were, before they were packed.
    pub stream: Bytes,
    /// The snapshot that keeps what was written to the copy, where something was.
    pub kept_written: Option<LvName>,
    /// What went at the source.
    pub removed_source: Vec<Removed>,
    /// What went at the destination.
    pub removed_destination: Vec<Removed>,
}

/// What happens meanwhile. All of them may be called from several threads.
pub trait Events: std::marker::Sync {
    /// Something that people may want to know, in one sentence without an end.
    fn log(&self, text: &str);

    /// A stream begins: so much is to come, of which the destination has nothing yet.
    fn begins(&self, plan: &Plan);

    /// A piece of the stream of that many bytes is about to go on: to hold a rate, this waits.
    fn relays(&self, bytes: usize);

    /// Everything of the stream below this many bytes is at the destination for good.
    fn durable(&self, stream: Bytes);

    /// So much was read back.
    fn verified(&self, content: Bytes);

    /// So much of a volume of that size was compared.
    fn compared(&self, done: Bytes, size: Bytes);

    /// Makes the source's snapshot by calling `make` once: what must be quiet meanwhile is made so before.
    ///
    /// # Errors
    /// That of `make`, or why it was not called.
    fn around_snapshot(&self, make: &mut dyn FnMut() -> Result<Layer, SyncError>) -> Result<Layer, SyncError> {
        make()
    }

    /// Whether to stop. What is durable by then stays.
    fn stop_requested(&self) -> bool;
}

/// How a server is reached. An input that is silent must end its reads with [`WouldBlock`](std::io::ErrorKind::WouldBlock) from time to
/// time, or its end is waited for.
pub struct Reached<'a> {
    /// What it says.
    pub input: Box<dyn Read + std::marker::Send + 'a>,
    /// What it hears.
    pub output: Box<dyn Write + std::marker::Send + 'a>,
    /// The level of zstd for what it is sent, where streams are to be packed on this way at all.
    pub zstd_level: Option<i32>,
    /// How long it may be silent.
    pub patience: Patience,
    /// Called when it is gone: its output must fail from then on.
    pub hang_up: &'a (dyn Fn() + std::marker::Sync),
}

impl std::fmt::Debug for Reached<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reached").field("zstd_level", &self.zstd_level).finish_non_exhaustive()
    }
}

/// How often both servers are told that somebody is there. Whoever waits for a slow other side hears nothing else.
const BEAT: Duration = Duration::from_secs(20);

/// Brings the destination to the source's present state. `tool` is the name and version of the program, for both servers.
///
/// # Errors
/// [`SyncError`]: what went wrong at which side. The destination's own name has its old state, or the new one.
pub fn sync<'a>(
    want: &Sync,
    source: Reached<'a>,
    destination: Reached<'a>,
    tool: &str,
    events: &'a dyn Events,
) -> Result<Summary, SyncError> {
    let hello = |reached: &Reached<'_>| Hello::new(reached.zstd_level.map(|_| Ability::Zstd), tool, "");
    let (for_source, for_destination) = (hello(&source), hello(&destination));
    let (source, source_ends) = Peer::new(Role::Source, source, events)?;
    let (destination, destination_ends) = Peer::new(Role::Destination, destination, events)?;
    thread::scope(|scope| {
        scope.spawn(|| source_ends.listen());
        scope.spawn(|| destination_ends.listen());
        let (told, over) = bounded::<()>(0);
        let beat = || [&source, &destination].map(Peer::beat);
        scope.spawn(move || {
            while over.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                beat();
            }
        });
        let synced = || {
            let (here, there) = (source.greet(for_source)?, destination.greet(for_destination)?);
            // Before anything is made: what cannot be sent needs no snapshot.
            for (role, hello, ability) in
                [(Role::Source, &here, Ability::Send), (Role::Destination, &there, Ability::Receive)]
            {
                if !hello.can(ability) {
                    return Err(SyncError::NotAble { role, ability: ability.name() });
                }
            }
            let pair = match &want.pair {
                Some(pair) => pair.clone(),
                None => default_pair((&here, &want.source), (&there, &want.destination))?,
            };
            run::Run { want, pair, source: &source, destination: &destination, events }.run()
        };
        let result = synced();
        // Both are left in any case; only after a good end with a word.
        source.leave(result.is_ok());
        destination.leave(result.is_ok());
        drop(told);
        result
    })
}

/// What a source and its destination are called together: `HOST:VG/LV=HOST:VG/LV`, by the names that both hosts have for
/// themselves, so that it does not matter from where they are kept in step. Where that is no name, or too long a one, its BLAKE3.
///
/// # Errors
/// Never: hex digits are a name.
pub fn default_pair(source: (&Hello, &LvRef), destination: (&Hello, &LvRef)) -> Result<Pair, PairError> {
    let place = |(hello, volume): (&Hello, &LvRef)| format!("{}:{volume}", hello.host);
    let name = format!("{}={}", place(source), place(destination));
    name.parse().or_else(|_| blake3::hash(name.as_bytes()).to_hex().parse())
}
