//! What a journal needs of a file system.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Far more than any record has.
const MAX_BYTES: u64 = 1 << 20;

/// A file system that keeps records: the host's, or a model of one that fails.
pub trait Disk: Debug + Send + Sync {
    /// Makes a directory and those above it, durably.
    ///
    /// # Errors
    /// What the system says, here and below.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// The paths in a directory; none where it is not there.
    ///
    /// # Errors
    /// It cannot be listed.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// What a file holds; `None` where it is not there.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, file: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Makes a file, which must not be there, and makes its content durable.
    ///
    /// # Errors
    /// It is there, or cannot be written: a part of it may be there then.
    fn write_new(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file the name of another one, which it replaces.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where it is not there.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// It is not known which ones are.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The host's.
#[derive(Debug)]
pub(crate) struct HostDisk;

impl Disk for HostDisk {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        durable::make_directory(folder, 0o700)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?.map(|entry| entry.map(|entry| entry.path())).collect(),
        }
    }

    fn read(&self, file: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn write_new(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        let written = new.write_all(bytes).and_then(|()| new.sync_all());
        if written.is_err() {
            // As on a full disk.
            let _ = fs::remove_file(file);
        }
        written
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        durable::sync_directory(folder)
    }
}
