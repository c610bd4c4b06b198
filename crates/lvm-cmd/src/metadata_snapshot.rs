//! Reserving a pool's metadata snapshot.

use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use extents::Bytes;

use crate::delta::held_transaction;
use crate::pool::{message, message_command};
use crate::record::{Proof, Record};
use crate::report::LvType;
use crate::{
    ExecError, Executor, Kind, LockError, Lv, LvRef, Patience, PoolError, PoolMode, PoolStatus, ProcessLock, StateDir,
    pool_status,
};

/// While the snapshot is held, each change of the mappings copies metadata blocks that would else be reused. Below
/// 256 KiB and 1 % of the metadata, a pool is not to be brought nearer to its end: one that runs out of metadata goes
/// read-only, and can then not even release the snapshot.
const MIN_FREE_METADATA: Bytes = Bytes::new(256 << 10);
const MIN_FREE_METADATA_PERCENT: u64 = 1;

const RESERVE: &str = "reserve_metadata_snap";
const RELEASE: &str = "release_metadata_snap";

/// A reserved metadata snapshot: a frozen copy of a pool's mappings for `thin_delta` and `thin_dump` to read, while
/// the pool goes on working. A pool has one at most.
///
/// Snapshots of volumes that are to be compared must exist before the reservation, or they are not in it. Hold it only
/// while the mappings are read. It is released by [`release`](Self::release) and by dropping it, so also by an error
/// or a panic; and by a signal, where the program makes that an early return. After `SIGKILL` the next
/// [`reserve`](Self::reserve) on the pool finds it by its record in the [`StateDir`] and releases it. After a boot such
/// a record proves nothing any more: a reservation survives the boot, and is then for the user to release.
#[derive(Debug)]
#[must_use = "the reservation is released as soon as this is dropped"]
pub struct MetadataSnapshot<'a> {
    exec: &'a dyn Executor,
    pool: LvRef,
    record: PathBuf,
    /// Where the copy's root is; not known yet just after the reservation.
    held_root: Option<u64>,
    transaction_ids: RangeInclusive<u64>,
    reserved: bool,
    /// Held longer than the reservation: fields are dropped after `drop`.
    _lock: ProcessLock,
}

impl<'a> MetadataSnapshot<'a> {
    /// Waits until no other run of ours has this pool reserved, and reserves it. A reservation that a killed run of ours
    /// left is released first; somebody else's never is. Runs three commands, three more where something was left.
    ///
    /// # Errors
    /// [`ReserveError`] says what was found; nothing is reserved then.
    pub fn reserve(
        exec: &'a dyn Executor,
        pool: &Lv,
        state: &StateDir,
        patience: Patience<'_>,
    ) -> Result<Self, ReserveError> {
        let name = &pool.name;
        if pool.attr.lv_type() != LvType::ThinPool {
            return Err(ReserveError::NoPool { name: name.clone() });
        }
        let locked = |source| ReserveError::Lock { pool: name.clone(), source };
        let lock_name = lock_name(pool);
        let lock = ProcessLock::acquire(state, &lock_name, patience).map_err(locked)?;
        let record_path = Record::path(&state.file(&lock_name).map_err(locked)?);

        let mut status = pool_status(exec, name)?;
        answers(name, &status)?;
        if let Some(root) = status.held_root {
            release_left_over(exec, pool, state, &record_path, root)?;
            status = pool_status(exec, name)?;
            if let Some(root) = status.held_root {
                return Err(ReserveError::held(name, root, Proof::Nothing));
            }
        }
        has_room(name, &status)?;

        let written = |source| ReserveError::Record { path: record_path.clone(), source };
        let record = Record::intent(name, &pool.uuid, state, status.transaction_id);
        record.write(&record_path).map_err(written)?;
        if let Err(source) = message(exec, name, RESERVE) {
            // What sends the message may have been killed after the kernel had it: the record then says whose it may be.
            return Err(match pool_status(exec, name) {
                Ok(PoolStatus { held_root: Some(root), .. }) => ReserveError::held(name, root, Proof::Perhaps),
                status => {
                    if status.is_ok() {
                        Record::remove(&record_path);
                    }
                    ReserveError::Reserve { pool: name.clone(), source }
                }
            });
        }
        // From here on it is ours, and every way out releases it.
        let before = status.transaction_id;
        let mut this = Self {
            exec,
            pool: name.clone(),
            record: record_path.clone(),
            held_root: None,
            transaction_ids: before..=before,
            reserved: true,
            _lock: lock,
        };
        let status = pool_status(exec, name)?;
        let Some(root) = status.held_root else {
            // Whatever appears there later is not ours.
            this.reserved = false;
            Record::remove(&this.record);
            return Err(ReserveError::Vanished { pool: name.clone() });
        };
        this.held_root = Some(root);
        this.transaction_ids = before..=status.transaction_id;
        record.complete(root, status.transaction_id).write(&record_path).map_err(written)?;
        Ok(this)
    }

    /// Whether a run of ours that lives has, or is just making, the reservation of this pool. Runs no command.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn is_in_use(pool: &Lv, state: &StateDir) -> Result<bool, LockError> {
        match ProcessLock::acquire(state, &lock_name(pool), Patience::new(Duration::ZERO)) {
            Ok(_) => Ok(false),
            Err(LockError::Held { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What may stand as `transaction` in what `thin_delta` and `thin_dump` read from this reservation: the pool's
    /// transaction id when it was made. More than one where LVM changed the pool at that very moment.
    #[must_use]
    pub fn transaction_ids(&self) -> RangeInclusive<u64> {
        self.transaction_ids.clone()
    }

    /// Releases it, and says whether it was there to the end: only then is what was read from it right. Runs two
    /// commands.
    ///
    /// # Errors
    /// [`ReleaseError::Lost`] where somebody else released it in between; or the pool does not answer.
    pub fn release(mut self) -> Result<(), ReleaseError> {
        self.release_once()
    }

    fn release_once(&mut self) -> Result<(), ReleaseError> {
        if !std::mem::take(&mut self.reserved) {
            return Ok(());
        }
        if let Some(expected) = self.held_root {
            let status = pool_status(self.exec, &self.pool);
            let status = status.map_err(|source| ReleaseError::Unknown { pool: self.pool.clone(), source })?;
            if status.held_root != Some(expected) {
                Record::remove(&self.record);
                return Err(ReleaseError::Lost { pool: self.pool.clone(), expected, found: status.held_root });
            }
        }
        release(self.exec, &self.pool)?;
        Record::remove(&self.record);
        Ok(())
    }
}

fn lock_name(pool: &Lv) -> String {
    format!("metadata-snapshot-{}.lock", pool.uuid)
}

impl Drop for MetadataSnapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.release_once() {
            let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            tracing::error!(%error, cause, "a metadata snapshot is not released");
        }
    }
}

/// Whether the pool would take our messages, and its mappings can be trusted.
fn answers(pool: &LvRef, status: &PoolStatus) -> Result<(), ReserveError> {
    let why = if status.needs_check {
        "its metadata is marked as damaged: `lvconvert --repair` first"
    } else if status.mode == PoolMode::ReadOnly {
        "it is read-only, perhaps for want of metadata space: see the kernel's log"
    } else {
        return Ok(());
    };
    Err(ReserveError::Unfit { pool: pool.clone(), why })
}

fn has_room(pool: &LvRef, status: &PoolStatus) -> Result<(), ReserveError> {
    let percent = Bytes::new(status.metadata_total.get() / 100 * MIN_FREE_METADATA_PERCENT);
    let (free, needed) = (status.metadata_free(), MIN_FREE_METADATA.max(percent));
    if free >= needed { Ok(()) } else { Err(ReserveError::NoRoom { pool: pool.clone(), free, needed }) }
}

/// Releases a reservation that a run of ours left, and no other.
fn release_left_over(
    exec: &dyn Executor,
    pool: &Lv,
    state: &StateDir,
    record_path: &std::path::Path,
    root: u64,
) -> Result<(), ReserveError> {
    // We hold the lock, so whoever wrote the record is gone.
    let held = || held_transaction(exec, pool);
    let proof = Record::read(record_path).map_or(Proof::Nothing, |record| record.proves(&pool.uuid, state, root, held));
    if proof != Proof::Ours {
        return Err(ReserveError::held(&pool.name, root, proof));
    }
    tracing::warn!(pool = %pool.name, root, "releasing the metadata snapshot that a killed run left");
    release(exec, &pool.name).map_err(|source| ReserveError::LeftOver { source })?;
    Record::remove(record_path);
    Ok(())
}

fn release(exec: &dyn Executor, pool: &LvRef) -> Result<(), ReleaseError> {
    message(exec, pool, RELEASE).map_err(|source| ReleaseError::Release { pool: pool.clone(), source })
}

/// Why a metadata snapshot could not be reserved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// It is no pool.
    #[error("`{name}` is no thin pool")]
    NoPool {
        /// The volume.
        name: LvRef,
    },
    /// Another run of ours has the pool.
    #[error("pool `{pool}` is in use by another run")]
    Lock {
        /// The pool.
        pool: LvRef,
        /// By which.
        source: LockError,
    },
    /// The pool's state is not known.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The pool is not well.
    #[error("the metadata snapshot of pool `{pool}` is not reserved: {why}")]
    Unfit {
        /// The pool.
        pool: LvRef,
        /// What is wrong.
        why: &'static str,
    },
    /// The pool is short of metadata.
    #[error(
        "the metadata snapshot of pool `{pool}` is not reserved: {} of its metadata is free, {} is needed; \
         `lvextend --poolmetadatasize` makes more", extents::human(*free), extents::human(*needed)
    )]
    NoRoom {
        /// The pool.
        pool: LvRef,
        /// What is free.
        free: Bytes,
        /// What should be.
        needed: Bytes,
    },
    /// There is a reservation that is not known to be ours.
    #[error(
        "pool `{pool}` already holds a metadata snapshot (root in block {root}), {whose}; if nobody needs it: `{command}`"
    )]
    Held {
        /// The pool.
        pool: LvRef,
        /// Where its root is, a number of a metadata block.
        root: u64,
        /// Who may hold it.
        whose: &'static str,
        /// What releases it, whoever holds it.
        command: String,
    },
    /// A reservation of our own was found and could not be released.
    #[error("a killed run left a metadata snapshot, and it cannot be removed")]
    LeftOver {
        /// Why it is still there.
        source: ReleaseError,
    },
    /// The record could not be written.
    #[error("cannot write `{}`", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("cannot reserve the metadata snapshot of pool `{pool}`")]
    Reserve {
        /// The pool.
        pool: LvRef,
        /// What it said.
        source: ExecError,
    },
    /// The kernel said yes, and there is none.
    #[error(
        "the metadata snapshot of pool `{pool}` vanished as soon as it was reserved; does another program release it?"
    )]
    Vanished {
        /// The pool.
        pool: LvRef,
    },
}

impl ReserveError {
    fn held(pool: &LvRef, root: u64, proof: Proof) -> Self {
        let whose = match proof {
            Proof::Nothing | Proof::Ours => {
                "made by another program: a backup, `thin_delta` or `thin_dump` may be reading it"
            }
            Proof::Perhaps => "perhaps left by a run of ours that was killed, which cannot be told for certain",
        };
        Self::Held { pool: pool.clone(), root, whose, command: message_command(pool, RELEASE).to_string() }
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoPool { .. } => Kind::Invalid,
            Self::Lock { source, .. } => source.kind(),
            Self::Pool(source) => source.kind(),
            Self::Reserve { source, .. } => source.kind(),
            Self::Unfit { .. }
            | Self::NoRoom { .. }
            | Self::Held { .. }
            | Self::LeftOver { .. }
            | Self::Record { .. }
            | Self::Vanished { .. } => Kind::Environment,
        }
    }
}

/// Why a metadata snapshot was not released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The pool does not say what it holds.
    #[error(
        "cannot tell whether pool `{pool}` still holds its metadata snapshot; later: `{}`",
        message_command(pool, RELEASE)
    )]
    Unknown {
        /// The pool.
        pool: LvRef,
        /// Why not.
        source: PoolError,
    },
    /// The kernel refused.
    #[error("cannot release the metadata snapshot of pool `{pool}`; later: `{}`", message_command(pool, RELEASE))]
    Release {
        /// The pool.
        pool: LvRef,
        /// What it said.
        source: ExecError,
    },
    /// Somebody released ours. What is there now, if anything, is not touched.
    #[error(
        "another program released the metadata snapshot of pool `{pool}` while it was read \
         (root in block {expected} expected, {} found): what was read cannot be trusted",
        found.map_or("none".to_owned(), |root| root.to_string())
    )]
    Lost {
        /// The pool.
        pool: LvRef,
        /// Where our root was.
        expected: u64,
        /// Where a root is now.
        found: Option<u64>,
    },
}

impl ReleaseError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unknown { source, .. } => source.kind(),
            Self::Release { source, .. } => source.kind(),
            Self::Lost { .. } => Kind::Environment,
        }
    }
}
