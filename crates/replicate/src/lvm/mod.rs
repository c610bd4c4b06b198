//! The host on LVM: what a server does to the thin volumes of its machine.
//!
//! **What lies there.** Of a source: snapshots `LV-sync-STAMP` (less of `LV` where that is too long), read-only, with the tags `hyperlayer.sync=PAIR` and
//! `hyperlayer.source=PAIR`. Of a destination: layers of the same name, each with `hyperlayer.sync=PAIR`, `hyperlayer.layer=ID` and
//! `hyperlayer.parent=ID`; and the volume itself, a snapshot of one of them, with `hyperlayer.sync=PAIR` and `hyperlayer.live=ID`.
//! `hyperlayer.hold=PAIR` is on those that the next delta, or one that was interrupted, needs. While the volume itself is looked at
//! and replaced, it is read-only; with `hyperlayer.closed` it was writable before.
//!
//! **Invariant.** Nothing is removed but what carries the pair's tag, and what somebody else made never: it is renamed or given
//! back. No clock but the one that is handed in; none decides what is newer where parents or the pool's transactions can tell.

mod comparing;
mod incoming;
mod list;
mod members;
mod names;
mod noted;
mod old;
mod outgoing;
mod prune;
mod read_back;
mod records;
mod refuse;
mod removable;
mod settle;
mod snapshot;
mod space;
mod standing;
mod swap;
mod tags;
#[cfg(test)]
mod testing;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use block_copy::Progress;
use hyperlayer::LayerId;
use lvm_cmd::{Change, Lv, LvRef, Patience, ProcessLock, StateDir, Tag, VgName, volumes};
use retention::UnixSeconds;
use transfer::lvm::{Lvm, Run, TemporarySnapshot};

pub use removable::removable;

use crate::{
    Adopt, Compare, Differ, Done, End, Host, Layer, Layers, List, Noted, Offer, Outflow, Pair, Plan, Prune, Pruned,
    Ready, Receive, Refusal, Role, Selected, Send, Settle, Settled, Snapshot,
};

/// What a host must be told.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The present time.
    pub now: &'a (dyn Fn() -> UnixSeconds + Sync),
    /// The folder of the ledgers of volumes that are being received.
    pub ledgers: &'a Path,
    /// The directory of the locks of destinations: all that see the ledgers see it too.
    pub locks: &'a StateDir,
    /// What writes streams: name and version.
    pub tool: &'a str,
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("ledgers", &self.ledgers).field("tool", &self.tool).finish_non_exhaustive()
    }
}

/// This process, which other runs know by its lock. Both hosts of a sync within one machine share it.
#[derive(Debug)]
pub struct ThisRun {
    run: Mutex<Run>,
    /// The groups in which what dead runs left was removed.
    cleaned: Mutex<BTreeSet<VgName>>,
}

impl ThisRun {
    /// Announces this process.
    ///
    /// # Errors
    /// The lock cannot be had.
    pub fn start(lvm: &Lvm<'_>) -> Result<Self, transfer::Error> {
        Ok(Self { run: Mutex::new(Run::start(lvm)?), cleaned: Mutex::default() })
    }

    /// Removes, once for each group, what dead runs left. It must come before this process makes anything of the kind there: of
    /// its own number were others before.
    fn clean(&self, lvm: &Lvm<'_>, group: &[Lv]) -> Result<(), Refusal> {
        let Some(vg) = group.first().map(|lv| lv.name.vg()) else { return Ok(()) };
        let mut cleaned = lock(&self.cleaned);
        if cleaned.contains(vg) {
            return Ok(());
        }
        let leftovers = lock(&self.run).remove_leftovers(lvm, group)?;
        leftovers.removed.iter().for_each(|name| tracing::info!("removed `{name}`, which a dead run had left"));
        leftovers.kept.iter().for_each(|error| tracing::warn!("{error}"));
        for name in &leftovers.unknown {
            tracing::warn!(
                "`{name}` belongs to a run that cannot be seen from here; if it has ended: `lvremove {name}`"
            );
        }
        cleaned.insert(vg.clone());
        Ok(())
    }
}

/// A server's machine, for one session. What the session made for itself goes with it.
#[derive(Debug)]
pub struct LvmHost<'a> {
    lvm: Lvm<'a>,
    run: &'a ThisRun,
    setup: Setup<'a>,
    // In this order: what is open is deactivated, what is temporary removed, and then others may come.
    compared: Mutex<Option<comparing::Compared<'a>>>,
    planned: Mutex<Option<outgoing::Planned>>,
    noted: Mutex<Option<noted::Differences>>,
    temporary: Mutex<Vec<(LvRef, TemporarySnapshot<'a>)>>,
    unsent: Mutex<Vec<snapshot::Unsent<'a>>>,
    locks: Mutex<BTreeMap<String, ProcessLock>>,
}

/// Stops when the operation is to.
struct Stopping<'a>(&'a AtomicBool);

impl Progress for Stopping<'_> {
    fn stop_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long others are waited for who have a volume open for a moment, as udev does.
const MOMENT: Duration = Duration::from_secs(5);

impl<'a> LvmHost<'a> {
    /// A host for a new session.
    pub fn new(lvm: Lvm<'a>, run: &'a ThisRun, setup: Setup<'a>) -> Self {
        Self {
            lvm,
            run,
            setup,
            compared: Mutex::default(),
            planned: Mutex::default(),
            noted: Mutex::default(),
            temporary: Mutex::default(),
            unsent: Mutex::default(),
            locks: Mutex::default(),
        }
    }

    /// The end that a request is about. Nobody else works on it from here on, until the session ends: on a destination, nobody at
    /// all; on a source, nobody of the same pair, since copies of one source do not know each other.
    fn end(&self, volume: &LvRef, pair: &Pair, role: Role) -> Result<members::End, Refusal> {
        let (directory, name) = match role {
            Role::Destination => (self.setup.locks, format!("sync-to-{}", volume.dm_name())),
            Role::Source => {
                let pair = blake3::hash(pair.to_string().as_bytes()).to_hex();
                (self.lvm.state, format!("sync-from-{}-{}", volume.dm_name(), &pair[..12]))
            }
        };
        if let Entry::Vacant(free) = lock(&self.locks).entry(name) {
            let held = ProcessLock::acquire(directory, free.key(), Patience::new(Duration::ZERO))?;
            free.insert(held);
        }
        Ok(members::End::new(volume, pair, role))
    }

    /// The same for a request that changes something: what was reported before it does not count.
    fn end_to_change(&self, volume: &LvRef, pair: &Pair, role: Role) -> Result<members::End, Refusal> {
        let end = self.end(volume, pair, role)?;
        self.lvm.exec.forget();
        Ok(end)
    }

    /// What is in the group; perhaps as it was reported before.
    fn group(&self, volume: &LvRef) -> Result<Vec<Lv>, Refusal> {
        Ok(volumes(self.lvm.exec, volume.vg())?)
    }

    /// What is in the group now: after others may have been at work for a while.
    fn look(&self, volume: &LvRef) -> Result<Vec<Lv>, Refusal> {
        self.lvm.exec.forget();
        self.group(volume)
    }

    fn stopping(&self) -> Stopping<'a> {
        Stopping(self.lvm.stop)
    }

    fn moment(&self) -> Patience<'a> {
        Patience::new(MOMENT.min(self.lvm.patience.limit())).cancelled_by(self.lvm.stop)
    }

    fn now(&self) -> UnixSeconds {
        (self.setup.now)()
    }

    /// Adds tags and takes tags away. Runs one command, or none.
    fn retag(&self, name: &LvRef, add: &[Tag], remove: &[Tag]) -> Result<(), Refusal> {
        let change = Change { add_tags: add, remove_tags: remove, ..Change::default() };
        Ok(lvm_cmd::change(self.lvm.exec, name, &change)?)
    }

    /// The layer with this id: one of the pair's, or one that the session has made for itself.
    fn layer_or_temporary<'g>(&self, end: &members::End, group: &'g [Lv], id: &LayerId) -> Result<&'g Lv, Refusal> {
        let temporary = lock(&self.temporary);
        let made = temporary.iter().filter(|(of, _)| *of == end.volume).map(|(_, snapshot)| snapshot.name());
        let found = made.filter_map(|name| group.iter().find(|lv| lv.name == *name)).find(|lv| members::is(lv, id));
        found.map_or_else(|| end.layer(group, id), Ok)
    }

    /// Leaves the pair's hold on these alone.
    fn hold_only(&self, end: &members::End, group: &[Lv], held: &[&LvRef]) -> Result<(), Refusal> {
        let hold = tags::hold(&end.pair)?;
        for layer in end.layers(group) {
            match (held.contains(&&layer.name), layer.has_tag(&hold)) {
                (true, false) => self.retag(&layer.name, std::slice::from_ref(&hold), &[])?,
                (false, true) => self.retag(&layer.name, &[], std::slice::from_ref(&hold))?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for LvmHost<'_> {
    fn list(&self, ask: &List) -> Result<Layers, Refusal> {
        self.list_layers(&self.end(&ask.volume, &ask.pair, ask.role)?)
    }

    fn snapshot(&self, ask: &Snapshot) -> Result<Layer, Refusal> {
        let end = self.end_to_change(&ask.volume, &ask.pair, ask.role)?;
        self.make_snapshot(&end, ask.temporary)
    }

    fn plan(&self, ask: &Selected) -> Result<Plan, Refusal> {
        self.end(&ask.volume, &ask.pair, Role::Source)?;
        self.plan_layer(ask)
    }

    fn would_receive(&self, offer: &Offer) -> Result<Ready, Refusal> {
        let end = self.end(&offer.volume, &offer.pair, Role::Destination)?;
        self.try_offer(&end, offer)
    }

    fn receive(&self, offer: &Offer) -> Result<(Ready, Box<dyn Receive + '_>), Refusal> {
        let end = self.end_to_change(&offer.volume, &offer.pair, Role::Destination)?;
        self.take_offer(end, offer)
    }

    fn send(&self, ask: &Send, to: &mut dyn Outflow) -> Result<End, Refusal> {
        let end = self.end(&ask.selected.volume, &ask.selected.pair, Role::Source)?;
        self.send_layer(&end, ask, to)
    }

    fn sent(&self, ask: &Send, done: &Done) -> Result<(), Refusal> {
        let end = self.end_to_change(&ask.selected.volume, &ask.selected.pair, Role::Source)?;
        self.layer_is_sent(&end, ask, done)
    }

    fn compare(&self, ask: &Compare) -> Result<Vec<[u8; 32]>, Refusal> {
        self.hash_blocks(&self.end(&ask.volume, &ask.pair, ask.role)?, ask)
    }

    fn differ(&self, ask: &Differ) -> Result<Noted, Refusal> {
        self.note(&self.end(&ask.volume, &ask.pair, Role::Source)?, ask)
    }

    fn settle(&self, ask: &Settle) -> Result<Settled, Refusal> {
        self.settle_layer(&self.end_to_change(&ask.volume, &ask.pair, Role::Destination)?, ask)
    }

    fn adopt(&self, ask: &Adopt) -> Result<Layer, Refusal> {
        self.adopt_snapshot(&self.end_to_change(&ask.volume, &ask.pair, ask.role)?, ask)
    }

    fn prune(&self, ask: &Prune) -> Result<Pruned, Refusal> {
        self.prune_layers(&self.end_to_change(&ask.volume, &ask.pair, ask.role)?, ask)
    }
}
