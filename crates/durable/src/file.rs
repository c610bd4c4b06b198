//! Files that are replaced, renamed and removed.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::directory::sync_named;
use crate::parent;

/// Permissions of a file that only its owner reads and writes.
pub const PRIVATE_FILE: u32 = 0o600;

/// The name under which [`replace`] writes the file `path` before renaming it: `.NAME.new` in the same directory, which
/// other programs may use too, or `NAME.new` if the name begins with a dot already. After a crash the file may be left.
#[must_use]
pub fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut staged = OsString::from(if name.as_encoded_bytes().starts_with(b".") { "" } else { "." });
    staged.push(name);
    staged.push(".new");
    path.with_file_name(staged)
}

/// Puts `content` in place of what the file `path` held, or makes the file, with exactly the permissions `mode`. A reader
/// finds the old content or the new one. Two processes must not replace the same file at once.
///
/// # Errors
/// The system's error. The old content is in place then, or, if only the directory's sync failed, either one.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let staged = staged(path);
    // Of a killed process; or, in a shared directory, a link that another user made.
    remove_if_there(&staged)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(&staged)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&staged, path));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written?;
    sync_named(parent(path))
}

/// Renames a file or a directory without replacing anything. The new name is durable after a
/// [`sync_directory`](crate::sync_directory) of its directory.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if the new name is taken; [`io::ErrorKind::Unsupported`] if the file system can rename
/// only by replacing; else the system's error.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_by_link(from, to),
        renamed => Ok(renamed?),
    }
}

/// Renames on a file system without `RENAME_NOREPLACE`, such as NFS.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        // A directory has no second name; the rename could replace only an empty directory.
        return match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        };
    }
    match fs::hard_link(from, to) {
        // On a network file system the answer to the first request may have been lost.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same_file(from, to) => {}
        Err(error) if is_without_links(&error) => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "its file system has neither hard links nor renames that replace nothing (RENAME_NOREPLACE)",
            ));
        }
        linked => linked?,
    }
    fs::remove_file(from)
}

/// Removes a file durably, and what a killed [`replace`] of it left. The file may be missing: the process that removed it may
/// not have synced. Two processes must not do this, or replace the file, at once.
///
/// # Errors
/// The system's error.
pub fn remove_file(path: &Path) -> io::Result<()> {
    // First: while the file is there, a later call finds both.
    remove_if_there(&staged(path))?;
    remove_if_there(path)?;
    match sync_named(parent(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()));
    id(a).is_some_and(|of_a| Some(of_a) == id(b))
}

/// The answers of link(2) on FAT and on some FUSE file systems.
fn is_without_links(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    code.is_some_and(|code| [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK].contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    type Rename = fn(&Path, &Path) -> io::Result<()>;

    #[test]
    fn a_new_name_replaces_nothing_with_and_without_the_flag() {
        for rename in [rename_new as Rename, rename_by_link] {
            let directory = tempfile::tempdir().unwrap();
            let path = |name: &str| directory.path().join(name);
            for name in ["a", "b"] {
                fs::write(path(name), name).unwrap();
                fs::create_dir(path(&format!("{name}.d"))).unwrap();
            }
            for (from, to) in [("a", "b"), ("a.d", "b.d"), ("a", "b.d"), ("a.d", "b")] {
                assert_eq!(rename(&path(from), &path(to)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            }
            for (from, to) in [("a", "c"), ("a.d", "c.d")] {
                rename(&path(from), &path(to)).unwrap();
                assert!(!path(from).exists() && path(to).exists());
            }
            assert_eq!((fs::read(path("b")).unwrap(), fs::read(path("c")).unwrap()), (b"b".to_vec(), b"a".to_vec()));
        }
        for (code, without) in
            [(Errno::PERM, true), (Errno::OPNOTSUPP, true), (Errno::NOSYS, true), (Errno::EXIST, false)]
        {
            assert_eq!(is_without_links(&code.into()), without, "{code}");
        }
        // A link whose answer was lost is done.
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "").unwrap();
        fs::hard_link(&from, &to).unwrap();
        rename_by_link(&from, &to).unwrap();
        assert!(!from.exists() && to.exists());
    }

    #[test]
    fn a_file_is_replaced_whole_and_follows_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("state"), directory.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, staged(&path)).unwrap();
        for (content, mode) in [("one", 0o600), ("two", 0o644)] {
            replace(&path, mode, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert!(!staged(&path).exists());
        // Files whose names differ only in the extension are other files.
        let others = ["state.new", "state.json", "new"].map(|name| directory.path().join(name));
        for other in &others {
            fs::write(other, "mine").unwrap();
            assert_ne!(staged(other), staged(&path), "{}", other.display());
        }
        replace(&path, 0o600, b"three").unwrap();
        for other in &others {
            assert_eq!(fs::read_to_string(other).unwrap(), "mine", "{}", other.display());
        }
        // A failure leaves nothing beside.
        let taken = directory.path().join("directory");
        fs::create_dir(&taken).unwrap();
        replace(&taken, 0o600, b"").unwrap_err();
        assert!(!staged(&taken).exists());
    }

    #[test]
    fn a_missing_file_counts_as_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "").unwrap();
        // Of a process that was killed while it replaced the file.
        fs::write(staged(&path), "").unwrap();
        for _ in 0..2 {
            remove_file(&path).unwrap();
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        }
        remove_file(&path.join("below/b")).unwrap();
        assert!(remove_file(directory.path()).is_err());
    }
}
