//! A file that comes to be over several runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use extents::Bytes;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::beside::sync_name;
use crate::{BesideFile, Error, Op, Volume};

/// A file `.NAME.partial` beside its target, which it becomes by [`commit`](Self::commit). Unlike a [`BesideFile`] it
/// stays when it is dropped, or its process killed, to be opened again. One process has it at a time.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl PartialFile {
    /// What it is called for this target.
    ///
    /// # Errors
    /// The target has no name, or one that only a directory can have.
    pub fn path_for(target: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let target = target.as_ref();
        if target.as_os_str().as_encoded_bytes().ends_with(b"/") {
            let name = target.to_owned();
            return Err(Error::Unsuitable { name, found: "the name of a directory", expected: "the name of a file" });
        }
        let name = target.file_name();
        let name = name.ok_or_else(|| failed(Op::Create, target)(io::ErrorKind::InvalidFilename.into()))?;
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(BesideFile::PARTIAL_SUFFIX);
        Ok(target.with_file_name(partial))
    }

    /// Opens it, and makes it first where it is not there. A symbolic link of that name, which in a shared folder anybody
    /// may have made, is not followed.
    ///
    /// # Errors
    /// What the system said; it is no regular file; or another process has it.
    pub fn open(target: impl AsRef<Path>) -> Result<Self, Error> {
        let (path, target) = (Self::path_for(&target)?, target.as_ref().to_owned());
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let flags = i32::try_from(flags).map_err(|_| failed(Op::Open, &path)(io::ErrorKind::InvalidInput.into()))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).custom_flags(flags);
        let unsuitable = |found| Error::Unsuitable { name: path.clone(), found, expected: "a regular file or nothing" };
        let file = options.open(&path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => unsuitable("a symbolic link"),
            _ => failed(Op::Open, &path)(error),
        })?;
        if !file.metadata().map_err(failed(Op::Examine, &path))?.is_file() {
            return Err(unsuitable("a device or a pipe"));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (found, expected) = ("being written by another process", "one that nobody writes");
                return Err(Error::Unsuitable { name: path, found, expected });
            }
            Err(TryLockError::Error(source)) => return Err(failed(Op::Open, &path)(source)),
        }
        Ok(Self { file, path, target })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is.
    ///
    /// # Errors
    /// What the system said.
    pub fn len(&self) -> Result<Bytes, Error> {
        Ok(Bytes::new(self.file.metadata().map_err(failed(Op::Examine, &self.path))?.len()))
    }

    /// Makes it `size` long; what is new reads as zeros. It is durable with the next [`sync`](crate::WriteAt::sync) of a
    /// volume of it.
    ///
    /// # Errors
    /// What the system said.
    pub fn resize(&self, size: Bytes) -> Result<(), Error> {
        self.file.set_len(size.get()).map_err(failed(Op::Write, &self.path))
    }

    /// It as a volume of its present size.
    ///
    /// # Errors
    /// What the system said.
    pub fn volume(&self) -> Result<Volume, Error> {
        Volume::from_file(self.file.try_clone().map_err(failed(Op::Open, &self.path))?, &self.path)
    }

    /// Makes its name durable, so that a power cut does not take it away with all that is in it.
    ///
    /// # Errors
    /// What the system said.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(failed(Op::Sync, &self.path))?;
        sync_folder(&self.path)
    }

    /// Makes the content durable, gives the file its name and makes that durable. A file that has the name already is
    /// not replaced.
    ///
    /// # Errors
    /// [`Error::NotDurable`]: the file has its name, and may lose it in a power failure. Otherwise the partial file is as
    /// it was.
    pub fn commit(self) -> Result<(), Error> {
        let Self { file, path, target } = self;
        file.sync_all().map_err(failed(Op::Sync, &path))?;
        rename_new(&path, &target)
    }

    /// Removes it.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(failed(Op::Write, &self.path))?;
        sync_folder(&self.path)
    }
}

/// Gives a file another name in the same folder, durably. What has that name already is not replaced.
///
/// # Errors
/// [`Error::NotDurable`]: the file has its new name, and may lose it in a power failure. Otherwise it has its old name.
pub fn rename_new(path: &Path, target: &Path) -> Result<(), Error> {
    durable::rename_new(path, target).map_err(failed(Op::Rename, target))?;
    sync_name(target)
}

fn sync_folder(of: &Path) -> Result<(), Error> {
    let folder = durable::parent(of);
    durable::sync_directory(folder).map_err(failed(Op::Sync, folder))
}

fn failed(op: Op, name: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::system(op, name, None, source)
}
