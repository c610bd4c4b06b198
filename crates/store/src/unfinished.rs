//! What `object_store` hides in a directory: unfinished files and symbolic links.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::MAX_OBJECTS;
use crate::names::{MARKER, is_key};

/// Files that an unfinished write of the store's marker left (`init`), by their paths under `root`.
pub(crate) fn markers(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if entry.file_type()?.is_file() && final_name(&name) == Some(MARKER) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Files under `root/folder` that an unfinished write left (`KEY#N`), by their paths under `root`.
pub(crate) fn files(root: &Path, folder: &str) -> io::Result<Vec<String>> {
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

/// The key that a file of an unfinished write was to have; `None` for any other file.
pub(crate) fn final_name(path: &str) -> Option<&str> {
    let (name, number) = path.rsplit_once('#')?;
    let is_number = number.parse::<u64>().is_ok_and(|parsed| parsed > 0 && parsed.to_string() == number);
    (is_number && (name == MARKER || is_key(name))).then_some(name)
}
