//! Files and folders that get their name only when it is recorded which ones they are.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{FileId, Found};

/// What is to become `path`, under a name that nobody else has: `.NAME.hyperlayer-ID`.
pub(crate) fn unfinished(path: &Path, id: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".hyperlayer-{id}"));
    path.with_file_name(name)
}

/// Makes the file under that name.
pub(crate) fn make_file(unfinished: &Path) -> io::Result<(File, FileId)> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(unfinished)?;
    let id = FileId::new(&file.metadata()?);
    Ok((file, id))
}

/// Makes the folder under that name.
pub(crate) fn make_folder(unfinished: &Path) -> io::Result<FileId> {
    fs::create_dir(unfinished)?;
    FileId::of(unfinished)
}

/// Gives it its name, durably; fails where anything has that.
pub(crate) fn name(unfinished: &Path, path: &Path) -> io::Result<()> {
    durable::rename_new(unfinished, path)?;
    sync_parent(path)
}

pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    durable::sync_directory(durable::parent(path))
}

/// What has this name.
pub(crate) fn found(path: &Path, made: Option<FileId>) -> io::Result<Found> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Found::Absent);
        }
        there => there?,
    };
    Ok(if made == Some(FileId::new(&there)) { Found::Ours } else { Found::Other })
}
