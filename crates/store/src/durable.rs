//! What a folder needs besides `object_store`, which syncs what it writes but not what it removes, and hides what
//! unfinished writes left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::MAX_OBJECTS;

/// Makes the folder where there is none, durably.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    sync_parent(path)
}

/// Waits until names made and removed beside `path` are durable. A folder that is gone needs nothing.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_all(),
    }
}

/// Files under `root/folder` that an unfinished write left (`NAME#N`), by their paths under `root`.
pub(crate) fn staged(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            // Links are not followed: what they lead to is none of the store's.
            if kind.is_dir() {
                folders.push(path);
            } else if let Some(path) = path.to_str().filter(|path| kind.is_file() && final_name(path).is_some()) {
                found.push(path.to_owned());
            }
            if found.len() > MAX_OBJECTS {
                return Err(io::Error::other("there are more unfinished files than are looked at"));
            }
        }
    }
    Ok(found)
}

/// The first folder above one of the keys that is a symbolic link.
pub(crate) fn link_among<'k>(root: &Path, keys: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let mut seen = BTreeSet::new();
    let folders = keys.into_iter().flat_map(|key| key.match_indices('/').map(|(at, _)| &key[..at]));
    let is_link = |folder: &&str| fs::symlink_metadata(root.join(folder)).is_ok_and(|found| found.is_symlink());
    folders.filter(|folder| seen.insert(*folder)).find(is_link)
}

/// What a file of an unfinished write was to become.
pub(crate) fn final_name(path: &str) -> Option<&str> {
    let (name, number) = path.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}
