//! Where records are kept, so that a power cut takes nothing away that they say.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lvm_cmd::LvRef;
use serde::{Deserialize, Serialize};

use crate::Record;
use crate::beside::sync_folder;

/// Where the tools keep their records. All runs must use the same folder, or they do not see each other's snapshots.
pub const DEFAULT_JOURNAL_DIR: &str = "/var/lib/hyperlayer/snapshots";

const VERSION: u64 = 1;
/// The extension of a record that is being written.
const HALF: &str = "new";
/// Far more than any has.
const MAX_BYTES: u64 = 1 << 20;

/// The records of all snapshots that the tools made: one file each, JSON with a version and a digest of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Journal {
    folder: PathBuf,
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
        Self { folder: folder.into() }
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
        read(&self.path(snapshot))
    }

    /// All records, by name; for one that cannot be read, why.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn all(&self) -> Result<Vec<Result<Record, JournalError>>, JournalError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let entries = entries.map_err(|source| JournalError::System { path: self.folder.clone(), source })?;
        let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        Ok(paths.iter().filter_map(|path| read(path).transpose()).collect())
    }

    /// The snapshots of which a run that died has left half a record beside, or before, the one that counts.
    #[must_use]
    pub fn halves(&self) -> Vec<LvRef> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            let path = entry.path();
            let is_half = path.extension().is_some_and(|extension| extension == HALF);
            LvRef::from_dm_name(path.file_stem().filter(|_| is_half)?.to_str()?).ok()
        };
        entries.filter_map(name).collect()
    }

    /// Removes such a half. Whoever has the snapshot's lock is alone.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove_half(&self, snapshot: &LvRef) -> Result<(), JournalError> {
        let path = self.path(snapshot).with_extension(HALF);
        remove_if_there(&path).map_err(|source| JournalError::System { path, source })
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
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.and_then(|()| sync_folder(&self.folder)).map_err(|source| JournalError::System { path, source })
            }
        }
    }

    fn replace(&self, path: &Path, record: &Record) -> io::Result<()> {
        self.make_folder()?;
        let document = Document { version: VERSION, record: record.clone(), digest: digest(record)? };
        let beside = path.with_extension(HALF);
        remove_if_there(&beside)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        serde_json::to_writer_pretty(&mut file, &document)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(&self.folder)
    }

    /// Each new folder is durable in the one above it.
    fn make_folder(&self) -> io::Result<()> {
        let missing: Vec<_> = self.folder.ancestors().take_while(|folder| !folder.exists()).collect();
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        missing.into_iter().filter_map(Path::parent).try_for_each(sync_folder)
    }
}

fn read(path: &Path) -> Result<Option<Record>, JournalError> {
    let damaged = |why: String| JournalError::Damaged { path: path.to_owned(), why };
    let system = |source| JournalError::System { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(system)?,
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text).map_err(system)?;
    // Its version first: a later one may look otherwise.
    let any: serde_json::Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    match any.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(version) => return Err(JournalError::Version { path: path.to_owned(), version }),
        None => return Err(damaged("it has no version".to_owned())),
    }
    let document: Document = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if digest(&document.record).ok() != Some(document.digest) {
        return Err(damaged("its content is not what its digest says".to_owned()));
    }
    Ok(Some(document.record))
}

fn digest(record: &Record) -> io::Result<String> {
    Ok(blake3::hash(&serde_json::to_vec(record)?).to_hex().to_string())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
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
    #[error("the record `{}` has version {version}, this program knows version {VERSION}", path.display())]
    Version {
        /// The record.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}
