//! Where records are kept, so that a power cut takes nothing away that they say.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvm_cmd::LvRef;
use serde::{Deserialize, Serialize};

use crate::Record;
use crate::disk::{Disk, HostDisk};

/// Where the tools keep their records. All runs must use the same folder, or they do not see each other's snapshots.
pub const DEFAULT_JOURNAL_DIR: &str = "/var/lib/hyperlayer/snapshots";

const VERSION: u64 = 2;
/// The oldest version that can be read: records of 1 have no file systems.
const OLDEST: u64 = 1;
/// The extension of a record that is being written.
const HALF: &str = "new";

/// The records of all snapshots that the tools made: one file each, JSON with a version and a digest of itself.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    record: Record,
    /// BLAKE3 of `record` as compact JSON, in hex.
    digest: String,
}

impl Journal {
    /// The records in a folder, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on(Arc::new(HostDisk), folder)
    }

    /// The same on another file system, for tests.
    pub fn on(disk: Arc<dyn Disk>, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), disk }
    }

    /// The file of a snapshot's record.
    #[must_use]
    pub fn path(&self, snapshot: &LvRef) -> PathBuf {
        self.folder.join(format!("{}.json", snapshot.dm_name()))
    }

    /// What is recorded of a snapshot; `None` where nothing is.
    ///
    /// # Errors
    /// The record cannot be read, or is damaged.
    pub fn read(&self, snapshot: &LvRef) -> Result<Option<Record>, JournalError> {
        self.read_file(&self.path(snapshot))
    }

    /// All records, by name; for one that cannot be read, why.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn all(&self) -> Result<Vec<Result<Record, JournalError>>, JournalError> {
        let listed = self.disk.list(&self.folder);
        let mut paths = listed.map_err(|source| JournalError::System { path: self.folder.clone(), source })?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        Ok(paths.iter().filter_map(|path| self.read_file(path).transpose()).collect())
    }

    /// The snapshots of which a run that died has left half a record beside, or before, the one that counts.
    #[must_use]
    pub fn halves(&self) -> Vec<LvRef> {
        let name = |path: &PathBuf| {
            let is_half = path.extension().is_some_and(|extension| extension == HALF);
            LvRef::from_dm_name(path.file_stem().filter(|_| is_half)?.to_str()?).ok()
        };
        self.disk.list(&self.folder).unwrap_or_default().iter().filter_map(name).collect()
    }

    /// Removes such a half. Whoever has the snapshot's lock is alone.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove_half(&self, snapshot: &LvRef) -> Result<(), JournalError> {
        let path = self.path(snapshot).with_extension(HALF);
        self.remove_if_there(&path).map_err(|source| JournalError::System { path, source })
    }

    /// Returns when this is what will be read, whatever happens.
    ///
    /// # Errors
    /// It is not known which one will be: this or the one before.
    pub fn keep(&self, record: &Record) -> Result<(), JournalError> {
        let path = self.path(&record.snapshot);
        self.replace(&path, record).map_err(|source| JournalError::System { path, source })
    }

    /// Forgets a snapshot, for good.
    ///
    /// # Errors
    /// What the system said.
    pub fn forget(&self, snapshot: &LvRef) -> Result<(), JournalError> {
        let path = self.path(snapshot);
        let removed = self.remove_if_there(&path).and_then(|()| match self.disk.sync_folder(&self.folder) {
            // Where there is no folder, nothing was ever recorded.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        });
        removed.map_err(|source| JournalError::System { path, source })
    }

    fn replace(&self, path: &Path, record: &Record) -> io::Result<()> {
        self.disk.make_folder(&self.folder)?;
        let document = Document { version: VERSION, record: record.clone(), digest: digest(record)? };
        let beside = path.with_extension(HALF);
        self.remove_if_there(&beside)?;
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        self.disk.write_new(&beside, &text)?;
        self.disk.rename(&beside, path)?;
        self.disk.sync_folder(&self.folder)
    }

    fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn read_file(&self, path: &Path) -> Result<Option<Record>, JournalError> {
        let text = self.disk.read(path).map_err(|source| JournalError::System { path: path.to_owned(), source })?;
        text.map(|text| parsed(path, &text)).transpose()
    }
}

fn parsed(path: &Path, text: &[u8]) -> Result<Record, JournalError> {
    let damaged = |why: String| JournalError::Damaged { path: path.to_owned(), why };
    // Its version first: a later one may look otherwise.
    let any: serde_json::Value = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
    match any.get("version").and_then(serde_json::Value::as_u64) {
        Some(OLDEST..=VERSION) => {}
        Some(version) => return Err(JournalError::Version { path: path.to_owned(), version }),
        None => return Err(damaged("it has no version".to_owned())),
    }
    let document: Document = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
    if digest(&document.record).ok() != Some(document.digest) {
        return Err(damaged("its content is not what its digest says".to_owned()));
    }
    Ok(document.record)
}

fn digest(record: &Record) -> io::Result<String> {
    Ok(blake3::hash(&serde_json::to_vec(record)?).to_hex().to_string())
}

/// Why a record says nothing, or cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    #[error("cannot keep a record in `{}`", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("the record `{}` is damaged: {why}", path.display())]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version of the tools wrote it.
    #[error(
        "the record `{}` has version {version}, this program knows versions {OLDEST} to {VERSION}: use the version of lvsnap \
         that made it",
        path.display()
    )]
    Version {
        /// The record.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}
