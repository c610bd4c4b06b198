//! Locks: small objects that say who works on a store.
//!
//! Backups, restores and checks share; what removes layers excludes everybody. Nobody can lock an object store, so each
//! writes down that it is there, then looks whether anybody contradicts, and steps back if so.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use object_store::PutMode;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::backend::{Backend, Objects};
use crate::error::{Error, when};
use crate::fault::{Fault, Problem};
use crate::limits::{FORMAT, LOCK_GAP, LOCK_REFRESH, LOCK_STALE, LOCK_STEPS_BACK, MAX_TEXT_BYTES};
use crate::manifest::json;
use crate::names::{LOCKS, lock_key};
use crate::options::{Holder, Options};

/// Who else may work on the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockKind {
    /// All who share.
    Shared,
    /// Nobody.
    Exclusive,
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        })
    }
}

/// What tells one lock from all others: 16 hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LockId(String);

impl LockId {
    fn new(holder: &Holder, now: SystemTime) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let text = format!("{} {} {} {now:?} {nth}", holder.host, holder.boot_id, holder.pid);
        Self(blake3::hash(text.as_bytes()).to_hex()[..16].to_owned())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let right = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        right.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A lock as others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockInfo {
    /// Which.
    pub id: LockId,
    /// Who else may work.
    pub kind: LockKind,
    /// Who holds it.
    pub holder: Holder,
    /// Since when.
    pub created: SystemTime,
    /// When its holder last said that it lives.
    pub refreshed: SystemTime,
    /// Whether it counts no longer: not refreshed for [`LOCK_STALE`], or held by a dead process of this machine.
    pub dead: bool,
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { host, pid, command, .. } = &self.holder;
        let (since, refreshed) = (when(self.created), when(self.refreshed));
        write!(
            f,
            "`{command}` on {host}, process {pid}, since {since}, last seen {refreshed} ({} lock {})",
            self.kind, self.id
        )
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    version: u32,
    kind: LockKind,
    host: String,
    boot_id: String,
    pid_namespace: String,
    pid: u32,
    command: String,
    #[serde(with = "crate::time")]
    created: SystemTime,
    #[serde(with = "crate::time")]
    refreshed: SystemTime,
}

/// Shared work on a store: backup, restore, check. Released when dropped.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct SharedLock(pub(crate) Arc<Held>);

/// Work that nobody else may see half done: whatever removes or replaces layers. Released when dropped.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct ExclusiveLock(pub(crate) Arc<Held>);

macro_rules! lock {
    ($name:ident) => {
        impl $name {
            /// Tells the others that this run lives. Done by itself every [`LOCK_REFRESH`].
            ///
            /// # Errors
            /// [`Error::LockLost`] where somebody removed the lock; or the store cannot be reached.
            pub fn refresh(&self) -> Result<(), Error> {
                self.0.refresh()
            }

            /// Which lock it is.
            #[must_use]
            pub fn id(&self) -> &LockId {
                &self.0.pulse.id
            }
        }
    };
}

lock!(SharedLock);
lock!(ExclusiveLock);

/// A lock of ours.
#[derive(Debug)]
pub(crate) struct Held {
    backend: Arc<Backend>,
    pub(crate) pulse: Pulse,
    refresher: JoinHandle<()>,
    attempts: AtomicU64,
}

/// What keeps a lock alive.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    pub(crate) id: LockId,
    kind: LockKind,
    created: SystemTime,
    options: Options,
    objects: Objects,
    lost: Arc<AtomicBool>,
    /// When the last refresh that succeeded began.
    refreshed: Arc<Mutex<SystemTime>>,
}

impl Held {
    /// Takes a lock, and removes dead ones that contradict it.
    pub(crate) fn take(backend: &Arc<Backend>, options: &Options, kind: LockKind) -> Result<Arc<Self>, Error> {
        let created = (options.clock)();
        let pulse = Pulse {
            id: LockId::new(&options.holder, created),
            kind,
            created,
            options: options.clone(),
            objects: backend.objects.clone(),
            lost: Arc::default(),
            refreshed: Arc::new(Mutex::new(created)),
        };
        look(backend, options, &pulse, None)?;
        backend.put(&lock_key(&pulse.id), pulse.print()?, PutMode::Create).inspect_err(|error| {
            if error.may_be_done() {
                remove(backend, &pulse.id);
            }
        })?;
        let refresher = backend.threads().spawn(pulse.clone().beat());
        let held = Self { backend: backend.clone(), pulse, refresher, attempts: AtomicU64::new(0) };
        // Another run may have written its lock at the same time. Both see both, and the drop removes ours.
        look(backend, options, &held.pulse, Some(&held))?;
        held.keep_fresh()?;
        Ok(Arc::new(held))
    }

    pub(crate) fn refresh(&self) -> Result<(), Error> {
        self.backend.wait_for_change("refresh the lock", self.pulse.refresh())
    }

    /// Whether the lock is certain to count still, also for a request that takes long: it was refreshed a short time ago.
    pub(crate) fn is_fresh(&self) -> bool {
        let refreshed = *self.pulse.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        (self.pulse.options.clock)().duration_since(refreshed).is_ok_and(|age| age <= LOCK_STALE / 2)
    }

    /// Refreshes the lock where that is some time ago, before something that cannot be undone.
    pub(crate) fn keep_fresh(&self) -> Result<(), Error> {
        if self.is_fresh() { Ok(()) } else { self.refresh() }
    }

    /// A number that no other attempt under this lock has.
    pub(crate) fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.fetch_add(1, Ordering::Relaxed)).unwrap_or(u32::MAX)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.refresher.abort();
        remove(&self.backend, &self.pulse.id);
    }
}

/// Removes a lock of this run. One that is left is dead as soon as this process is, to those that can see that.
fn remove(backend: &Backend, id: &LockId) {
    if let Err(error) = backend.delete(&lock_key(id)) {
        let location = backend.location();
        tracing::warn!(
            "this run's lock is left in {location} ({}); `lvbackup unlock {location} --force {id}` removes it",
            error.cause()
        );
    }
}

impl Pulse {
    fn print(&self) -> Result<Vec<u8>, Error> {
        let text = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_TEXT_BYTES / 4).collect();
        let json = Json {
            version: FORMAT,
            kind: self.kind,
            host: text(&self.options.holder.host),
            boot_id: text(&self.options.holder.boot_id),
            pid_namespace: text(&self.options.holder.pid_namespace),
            pid: self.options.holder.pid,
            command: text(&self.options.holder.command),
            created: self.created,
            refreshed: (self.options.clock)(),
        };
        let unwritable = |e: serde_json::Error| Error::Draft { what: "lock", found: e.to_string() };
        serde_json::to_vec_pretty(&json).map_err(unwritable)
    }

    async fn beat(self) {
        loop {
            (self.options.sleep)(LOCK_REFRESH).await;
            // A failure may pass; a lock that is lost is noticed when it matters.
            if let Err(Error::LockLost { .. }) = self.refresh().await {
                return;
            }
        }
    }

    async fn refresh(&self) -> Result<(), Error> {
        let began = (self.options.clock)();
        self.renew().await?;
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = began;
        Ok(())
    }

    async fn renew(&self) -> Result<(), Error> {
        let key = lock_key(&self.id);
        // A lock that somebody removed must not come back: what it guarded may be gone.
        if self.lost.load(Ordering::Relaxed) || self.objects.len(&key).await?.is_none() {
            self.lost.store(true, Ordering::Relaxed);
            return Err(Error::LockLost { key });
        }
        let looked = (self.options.clock)();
        self.objects.put(&key, self.print()?, PutMode::Overwrite).await?;
        // Of a lock that was dead by then, whoever took it away may have come and gone between the look and the write.
        let since = |time: SystemTime| (self.options.clock)().duration_since(time).unwrap_or_default();
        let before = *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        if since(before) > LOCK_STALE && since(looked) > LOCK_GAP {
            return self.lose(key).await;
        }
        // Somebody may have removed it, for dead, between the look and the write, and work on the store by now. Whoever
        // has only just come sees ours, and steps back.
        let before = self.contradicting().await?;
        if before.is_empty() {
            return Ok(());
        }
        (self.options.sleep)(LOCK_STEPS_BACK).await;
        if self.contradicting().await?.is_disjoint(&before) {
            return Ok(());
        }
        self.lose(key).await
    }

    async fn lose(&self, key: String) -> Result<(), Error> {
        self.lost.store(true, Ordering::Relaxed);
        let _ = self.objects.delete(&key).await;
        Err(Error::LockLost { key })
    }

    /// The live locks of others that ours cannot be beside.
    async fn contradicting(&self) -> Result<BTreeSet<LockId>, Error> {
        let mut keys = self.objects.keys(LOCKS).await?;
        keys.retain(|key| *key != lock_key(&self.id));
        let smalls = self.objects.smalls(keys).await?.into_iter();
        let locks = smalls.filter_map(|(key, small)| parse(&key, &small.ok()?, &self.options).ok());
        let contradicts = |lock: &LockInfo| !lock.dead && excludes(lock.kind, self.kind);
        Ok(locks.filter(contradicts).map(|lock| lock.id).collect())
    }
}

/// Whether two locks cannot be held at once.
fn excludes(one: LockKind, other: LockKind) -> bool {
    one == LockKind::Exclusive || other == LockKind::Exclusive
}

/// Finds a lock that contradicts ours. Once ours is written, as `held`, dead ones that contradict it are removed.
fn look(backend: &Backend, options: &Options, ours: &Pulse, held: Option<&Held>) -> Result<(), Error> {
    let (locks, mut unknown) = list(backend, options)?;
    if let Some(Problem { key, fault }) = unknown.pop() {
        return Err(Error::UnknownLock { key, source: fault });
    }
    for lock in locks.into_iter().filter(|lock| lock.id != ours.id && excludes(lock.kind, ours.kind)) {
        if !lock.dead {
            return Err(Error::Locked(Box::new(lock)));
        }
        let Some(held) = held else { continue };
        // Its holder may come back now. Either it is seen here, or it sees ours, which lives, and steps back.
        held.keep_fresh()?;
        if let Some(alive) = remove_dead(backend, options, &lock)? {
            return Err(Error::Locked(Box::new(alive)));
        }
    }
    Ok(())
}

/// Removes a lock that was found dead, if it still is; else gives it as it is now.
pub(crate) fn remove_dead(backend: &Backend, options: &Options, lock: &LockInfo) -> Result<Option<LockInfo>, Error> {
    let key = lock_key(&lock.id);
    let Some(found) = backend.small(&key)? else { return Ok(None) };
    match found.and_then(|text| parse(&key, &text, options)) {
        Ok(lock) if lock.dead => backend.delete(&key).map(|()| None),
        Ok(lock) => Ok(Some(lock)),
        Err(source) => Err(Error::UnknownLock { key, source }),
    }
}

/// All locks, and what lies among them that is none.
pub(crate) fn list(backend: &Backend, options: &Options) -> Result<(Vec<LockInfo>, Vec<Problem>), Error> {
    let keys = backend.list(LOCKS)?.into_iter().map(|(key, _)| key).collect();
    let (mut locks, mut unknown) = (Vec::new(), Vec::new());
    for (key, small) in backend.smalls(keys)? {
        match small.and_then(|text| parse(&key, &text, options)) {
            Ok(lock) => locks.push(lock),
            Err(fault) => unknown.push(Problem { key, fault }),
        }
    }
    Ok((locks, unknown))
}

fn parse(key: &str, text: &[u8], options: &Options) -> Result<LockInfo, Fault> {
    let name = key.strip_prefix(LOCKS).and_then(|name| name.strip_prefix('/')?.strip_suffix(".json"));
    let id = name.and_then(LockId::parse).ok_or(Fault::Foreign)?;
    let Json { kind, host, boot_id, pid_namespace, pid, command, created, refreshed, .. } = json(text)?;
    if [&host, &boot_id, &pid_namespace, &command]
        .iter()
        .any(|text| text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control))
    {
        return Err(Fault::Malformed("a text in it is too long or not printable".into()));
    }
    let holder = Holder { host, boot_id, pid_namespace, pid, command };
    let age = (options.clock)().duration_since(refreshed).unwrap_or_default();
    let dead = age > LOCK_STALE || (holder.can_be_judged_by(&options.holder) && !(options.is_alive)(pid));
    Ok(LockInfo { id, kind, holder, created, refreshed, dead })
}
