//! The operations of a file system that a directory of dumps needs.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file system with dumps: the host's, or a double that fails.
pub(crate) trait Files: Debug {
    /// The names of the regular files in a directory.
    ///
    /// # Errors
    /// What the system says, here and below.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Makes a file that only its owner can read, and that must not exist.
    ///
    /// # Errors
    /// It exists, or cannot be made.
    fn create_new(&self, file: &Path) -> io::Result<()>;

    /// Makes a file's content durable, and gives its length in bytes.
    ///
    /// # Errors
    /// It is not known whether it is.
    fn sync(&self, file: &Path) -> io::Result<u64>;

    /// Renames a file and replaces none.
    ///
    /// # Errors
    /// The new name is taken, or the system refused.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if it is not there.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// It is not known which ones are.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// The host's.
#[derive(Debug)]
pub(crate) struct HostFiles;

impl Files for HostFiles {
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?.into_iter();
        // A link, or a directory of such a name, is not ours.
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        Ok(files.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn create_new(&self, file: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map(drop)
    }

    fn sync(&self, file: &Path) -> io::Result<u64> {
        let file = File::open(file)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        durable::rename_new(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        durable::sync_directory(directory)
    }
}
