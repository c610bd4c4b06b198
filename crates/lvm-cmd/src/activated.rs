//! Which volumes were activated by us, known to all our runs: the last one that uses such a volume deactivates it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{LockError, Patience, StateDir, Uuid};

/// A file for a volume: its shared lock says that a run uses the volume, its content that one of ours activated it in this
/// boot. Nothing of it is on disk after a boot, like the activation itself.
#[derive(Debug)]
pub(crate) struct Activated {
    path: PathBuf,
    boot_id: String,
    file: File,
}

impl Activated {
    /// As one of perhaps several users; waits while another run deactivates the volume.
    pub(crate) fn share(state: &StateDir, volume: &Uuid, patience: Patience<'_>) -> Result<Self, LockError> {
        let path = state.file(&file_name(volume))?;
        let mut tries = patience.tries();
        loop {
            let file = open(&path, true).map_err(|source| LockError::io(&path, source))?;
            match file.try_lock_shared() {
                // Whoever deactivated the volume removed the file: the lock must be on what is there now.
                Ok(()) if is_at(&file, &path) => {
                    return Ok(Self { path, boot_id: state.boot_id().to_owned(), file });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if tries.pause() => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path, holder: None, waited: patience.limit() });
                }
                Err(TryLockError::Error(source)) => return Err(LockError::io(&path, source)),
            }
        }
    }

    /// What a run that is dead left active, to be deactivated. `None` where nothing was left, or others use the volume.
    pub(crate) fn left(state: &StateDir, volume: &Uuid) -> Result<Option<Self>, LockError> {
        let path = state.file(&file_name(volume))?;
        let file = match open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LockError::io(&path, source)),
        };
        let this = Self { path, boot_id: state.boot_id().to_owned(), file };
        Ok((this.is_alone() && is_at(&this.file, &this.path) && this.is_ours()).then_some(this))
    }

    /// Whether one of our runs activated the volume, and not its user.
    pub(crate) fn is_ours(&self) -> bool {
        let mut text = String::new();
        File::open(&self.path).and_then(|mut file| file.read_to_string(&mut text)).is_ok() && text == self.boot_id
    }

    /// From now on it is ours.
    pub(crate) fn set(&mut self) -> Result<(), LockError> {
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(self.boot_id.as_bytes()));
        written.map_err(|source| LockError::io(&self.path, source))
    }

    /// Whether no other run uses the volume; where one does, this one does no more.
    pub(crate) fn is_alone(&self) -> bool {
        self.file.try_lock().is_ok()
    }

    /// The volume is inactive, or its user's. Only who is alone may say so.
    pub(crate) fn forget(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a record stays");
        }
    }
}

fn file_name(volume: &Uuid) -> String {
    format!("active-{volume}")
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |found: io::Result<fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    let open = inode(file.metadata());
    open.is_some() && open == inode(fs::metadata(path))
}
