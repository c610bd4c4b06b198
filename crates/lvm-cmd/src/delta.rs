//! `thin_delta` and `thin_dump`, started on a pool's metadata.

use std::path::PathBuf;

use crate::{Command, ExecError, Executor, Kind, Lv, LvRef, Program, Running, ThinId};

/// The node of a pool's metadata volume: `/dev/mapper/VG-POOL_tmeta`. Nothing for what is no pool.
#[must_use]
pub fn metadata_device(pool: &Lv) -> Option<PathBuf> {
    pool.metadata_lv.as_ref().map(|lv| pool.name.sibling(lv.clone()).dm_path())
}

/// Starts `thin_delta` on the pool's reserved metadata snapshot: what differs from the volume `old` to `new`, as XML
/// on its standard output. The caller holds a [`MetadataSnapshot`](crate::MetadataSnapshot) until it has ended. One
/// command.
///
/// # Errors
/// `pool` is none, or the program cannot be started.
pub fn spawn_delta(exec: &dyn Executor, pool: &Lv, old: ThinId, new: ThinId) -> Result<Box<dyn Running>, SpawnError> {
    let ids = ["--snap1".to_owned(), old.to_string(), "--snap2".to_owned(), new.to_string()];
    spawn(exec, pool, Command::new(Program::ThinDelta).arg("-m").args(ids))
}

/// Starts `thin_dump` on the pool's reserved metadata snapshot: what `volume` has mapped, as XML on its standard
/// output. The caller holds a [`MetadataSnapshot`](crate::MetadataSnapshot) until it has ended. One command.
///
/// # Errors
/// `pool` is none, or the program cannot be started.
pub fn spawn_dump(exec: &dyn Executor, pool: &Lv, volume: ThinId) -> Result<Box<dyn Running>, SpawnError> {
    let id = ["--dev-id".to_owned(), volume.to_string()];
    spawn(exec, pool, Command::new(Program::ThinDump).arg("-m").args(id))
}

/// The transaction id in the pool's metadata snapshot, whoever reserved it; `None` where `thin_dump` does not give it. One
/// command.
pub(crate) fn held_transaction(exec: &dyn Executor, pool: &Lv) -> Option<u64> {
    let command = Command::new(Program::ThinDump).args(["-m", "--skip-mappings"]).arg(metadata_device(pool)?);
    let output = exec.run(&command).inspect_err(|error| tracing::debug!(%error, "not read")).ok()?;
    let text = output.text();
    let (_, superblock) = text.split_once("<superblock ")?;
    let (attributes, _) = superblock.split_once('>')?;
    let (_, value) = attributes.split_once(" transaction=\"")?;
    value.split_once('"')?.0.parse().ok()
}

// `-m` alone: 0.9.0 takes a block number attached to it, later versions refuse one.
fn spawn(exec: &dyn Executor, pool: &Lv, command: Command) -> Result<Box<dyn Running>, SpawnError> {
    let device = metadata_device(pool).ok_or_else(|| SpawnError::NoPool { name: pool.name.clone() })?;
    let command = command.arg(device);
    exec.spawn(&command).map_err(|source| SpawnError::Start { pool: pool.name.clone(), source })
}

/// Why a pool's metadata could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// It is no pool.
    #[error("`{name}` is no thin pool: it has no metadata volume")]
    NoPool {
        /// The volume.
        name: LvRef,
    },
    /// The program cannot be started.
    #[error("cannot read the metadata of pool `{pool}`")]
    Start {
        /// The pool.
        pool: LvRef,
        /// Why not.
        source: ExecError,
    },
}

impl SpawnError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoPool { .. } => Kind::Invalid,
            Self::Start { source, .. } => source.kind(),
        }
    }
}
