//! A file that appears under its name only when it is complete.

use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use extents::Bytes;
use tempfile::NamedTempFile;

use crate::{Error, Op, Volume};

/// What [`BesideFile::commit`] does with a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Replace it, at once and as a whole.
    Replace,
    /// Refuse ([`ErrorKind::Exists`](crate::ErrorKind::Exists)); also where it came meanwhile.
    Refuse,
}

/// A temporary file in the same folder as its target, called `.NAME.XXXXXX.partial`, and locked. Dropped without
/// [`commit`](Self::commit), it is removed.
///
/// **Limitations.** A process that is killed cannot remove it. The next one that creates a file of that name, ten seconds
/// later or more, warns of it, and [`stale`](Self::stale) lists it. (A [`PartialFile`](crate::PartialFile), `.NAME.partial`, is there to be continued.)
#[derive(Debug)]
#[must_use = "what is not committed is removed"]
pub struct BesideFile {
    temporary: NamedTempFile,
    target: PathBuf,
    existing: Existing,
}

impl BesideFile {
    /// How the temporary file's name ends.
    pub const PARTIAL_SUFFIX: &str = ".partial";

    /// Makes the temporary file. It gets the permissions of the file that it will replace, else what the process
    /// gives to new files. A `target` that is a symbolic link stays one: what it points to is replaced.
    ///
    /// # Errors
    /// Where the target exists and is to be refused, or is no regular file, or no file can be made beside it.
    pub fn create(target: impl AsRef<Path>, existing: Existing) -> Result<Self, Error> {
        let target = target.as_ref();
        let failed = |source| Error::system(Op::Create, target, None, source);
        if target.as_os_str().as_bytes().ends_with(b"/") {
            let (found, expected) = ("the name of a directory", "that of a file");
            return Err(Error::Unsuitable { name: target.to_owned(), found, expected });
        }
        let mut place = target.to_owned();
        let mut permissions = None;
        match std::fs::metadata(target) {
            Ok(_) if existing == Existing::Refuse => return Err(failed(rustix::io::Errno::EXIST.into())),
            Ok(found) if found.is_file() => {
                place = target.canonicalize().map_err(failed)?;
                permissions = Some(found.permissions());
            }
            Ok(found) => {
                let found = if found.is_dir() { "a directory" } else { "a device or a pipe" };
                return Err(Error::Unsuitable {
                    name: target.to_owned(),
                    found,
                    expected: "a regular file or nothing",
                });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        let name = place.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix(name))
            .rand_bytes(RANDOM_LETTERS)
            .suffix(Self::PARTIAL_SUFFIX)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(durable::parent(&place))
            .map_err(failed)?;
        // Says that a process has it. Waits where another one looks for stale files just now, and for its own lock; a file
        // system without locks has no stale files that are known.
        let _ = temporary.as_file().lock_shared();
        // A directory that cannot be listed may still take a file. The file system's own time, not that of this machine.
        let now = temporary.as_file().metadata().and_then(|made| made.modified()).map_err(failed)?;
        for stale in Self::stale(&place, now).unwrap_or_default() {
            let quoted = stale.display().to_string().replace('\'', r"'\''");
            tracing::warn!(
                "a killed process left a temporary file of `{}`; remove it: `rm -- '{quoted}'`",
                place.display()
            );
        }
        if let Some(permissions) = permissions {
            temporary.as_file().set_permissions(permissions).map_err(failed)?;
        }
        Ok(Self { temporary, target: place, existing })
    }

    /// The temporary files for `target` that no process has locked: those of killed processes. Not known where the file
    /// system has no locks. A file changed in the ten seconds before `now`, the time of its file system, or after that, is
    /// not one of them: its process may not have locked it yet.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn stale(target: &Path, now: SystemTime) -> io::Result<Vec<PathBuf>> {
        let prefix = prefix(target.file_name().unwrap_or_default());
        let is_ours = |name: &OsStr| {
            let middle = name.as_bytes().strip_prefix(prefix.as_bytes());
            let letters = middle.and_then(|middle| middle.strip_suffix(Self::PARTIAL_SUFFIX.as_bytes()));
            letters
                .is_some_and(|letters| letters.len() == RANDOM_LETTERS && letters.iter().all(u8::is_ascii_alphanumeric))
        };
        let mut stale = Vec::new();
        for entry in std::fs::read_dir(durable::parent(target))? {
            let entry = entry?;
            let is_file = is_ours(&entry.file_name()) && entry.file_type()?.is_file();
            if is_file && is_settled(&entry, now) && is_unlocked(&entry.path()) {
                stale.push(entry.path());
            }
        }
        stale.sort();
        Ok(stale)
    }

    /// The temporary file, open for reading and writing.
    #[must_use]
    pub fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Makes the file `size` long and gives it as a volume, all zeros where nothing was written. Errors name the target: the
    /// temporary file is removed with them.
    ///
    /// # Errors
    /// What the system said.
    pub fn volume(&self, size: Bytes) -> Result<Volume, Error> {
        let failed = |source| Error::system(Op::Create, &self.target, None, source);
        self.file().set_len(size.get()).map_err(failed)?;
        Volume::from_file(self.file().try_clone().map_err(failed)?, &self.target)
    }

    /// Makes the content durable, gives the file its name and makes that durable.
    ///
    /// # Errors
    /// [`Error::NotDurable`]: the file has its name, and may lose it when the power fails. Else the target is as it was.
    pub fn commit(self) -> Result<(), Error> {
        let Self { temporary, target, existing } = self;
        temporary.as_file().sync_all().map_err(|e| Error::system(Op::Sync, &target, None, e))?;
        match existing {
            Existing::Replace => temporary.persist(&target),
            Existing::Refuse => temporary.persist_noclobber(&target),
        }
        .map_err(|e| Error::system(Op::Rename, &target, None, e.error))?;
        sync_name(&target)
    }
}

/// Makes the name of a complete file durable.
pub(crate) fn sync_name(target: &Path) -> Result<(), Error> {
    let folder = durable::parent(target);
    let not_durable = |source| Error::NotDurable { name: target.to_owned(), folder: folder.to_owned(), source };
    durable::sync_directory(folder).map_err(not_durable)
}

/// How many random letters and digits stand in a temporary file's name.
const RANDOM_LETTERS: usize = 6;

/// How old a temporary file must be before a missing lock says something: far more than lies between its making and its lock.
const SETTLED: Duration = Duration::from_secs(10);

/// Whether a file is older than that. One that was removed meanwhile is not.
fn is_settled(entry: &DirEntry, now: SystemTime) -> bool {
    let changed = entry.metadata().and_then(|found| found.modified());
    changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age >= SETTLED))
}

/// Whether a file can be locked, so that no process writes it.
fn is_unlocked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// A name has 255 bytes on every usual file system, and the rest of ours needs some of them.
fn prefix(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&bytes[..bytes.len().min(200)]));
    prefix.push(".");
    prefix
}
