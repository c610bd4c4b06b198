//! Which runs use a volume that one of them activated.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::{LockError, Lv, Patience, ProcessLock, StateDir};

/// A part in a volume that was inactive before the first of our runs needed it. The last run to let go deactivates it,
/// and so does the next one after a run that was killed: the marker's file stays behind then, and its lock does not.
#[derive(Debug)]
pub(crate) struct Share {
    path: PathBuf,
    file: File,
    /// Whether a run that was killed had it, and nobody since.
    inherited: bool,
}

impl Share {
    /// The lock under which volumes become active and inactive, and under which everything here is to be called.
    pub(crate) fn switch(state: &StateDir, patience: Patience<'_>) -> Result<ProcessLock, LockError> {
        ProcessLock::acquire(state, "activation", patience)
    }

    /// A share in a volume that one of our runs activated; `None` where none did, or where that one is dead and somebody
    /// else uses the volume now.
    pub(crate) fn join(state: &StateDir, volume: &Lv) -> Result<Option<Self>, LockError> {
        let path = marker(state, volume)?;
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => {
                let inherited = file.try_lock().is_ok();
                let share = Self::locked(path, file, inherited)?;
                if inherited && volume.attr.is_active() && volume.attr.is_open() {
                    share.end();
                    return Ok(None);
                }
                Ok(Some(share))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LockError::io(path, error)),
        }
    }

    /// The first share in a volume that is about to be activated.
    pub(crate) fn found(state: &StateDir, volume: &Lv) -> Result<Self, LockError> {
        let path = marker(state, volume)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| LockError::io(&path, error))?;
        Self::locked(path, file, false)
    }

    /// Whether this was inherited from a run that was killed: somebody else may have come to use the volume since.
    pub(crate) fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Whether nobody else has a share. Where somebody has, this one is gone: `flock(2)` gives a shared lock up before it
    /// tries for the exclusive one, so of two that leave at the same moment one is the last.
    pub(crate) fn is_last(&self) -> Result<bool, LockError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(LockError::io(&self.path, error)),
        }
    }

    /// The volume is nobody's any more.
    pub(crate) fn end(self) {
        let _ = fs::remove_file(&self.path);
    }

    fn locked(path: PathBuf, file: File, inherited: bool) -> Result<Self, LockError> {
        file.lock_shared().map_err(|error| LockError::io(&path, error))?;
        Ok(Self { path, file, inherited })
    }
}

/// Whether the volume is active only because one of our runs needs it, or was killed while it did: then nobody else
/// counts on that. Who comes to use it later must be kept out by how it is opened. Runs no command.
#[must_use]
pub fn is_active_for_us(state: &StateDir, volume: &Lv) -> bool {
    let open = |path: PathBuf| {
        OpenOptions::new().read(true).write(true).open(&path).map_err(|error| LockError::io(path, error))
    };
    let Ok(file) = marker(state, volume).and_then(open) else { return false };
    let in_use_by_ours = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    in_use_by_ours || !volume.attr.is_open()
}

/// By the UUID: names change.
fn marker(state: &StateDir, volume: &Lv) -> Result<PathBuf, LockError> {
    state.file(&format!("active-{}", volume.uuid))
}
