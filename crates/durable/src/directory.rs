//! Directories, and the names in them.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Once;

use rustix::io::Errno;

/// The directory that holds the name `path`.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The system's error; see [`directory_synced`] for the errors that are passed over.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    directory_synced(directory, File::open(directory)?.sync_all())
}

/// Judges the outcome of a directory's sync, for callers that sync by other means. A file system without a sync of
/// directories (EINVAL, EOPNOTSUPP, ENOSYS) is passed over, with one warning per process.
///
/// # Errors
/// Any other error.
pub fn directory_synced(directory: &Path, outcome: io::Result<()>) -> io::Result<()> {
    static WARNING: Once = Once::new();
    match outcome {
        Err(error) if is_without_sync(&error) => {
            WARNING.call_once(|| {
                let path = directory.display();
                tracing::warn!(%path, %error, "the file system cannot sync directories: a power failure may lose new files");
            });
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes a directory and its missing parents, all with `mode` less the umask, durably. An existing directory is left as
/// it is.
///
/// # Errors
/// The system's error; some of the parents may exist then.
pub fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = parent(directory);
    make_directory(parent, mode)?;
    match DirBuilder::new().mode(mode).create(directory) {
        // Another process made it just now, and may not have synced it yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
        made => made?,
    }
    sync_named(parent)
}

/// As [`sync_directory`], with the directory's path in the error's text, for callers that name another path.
pub(crate) fn sync_named(directory: &Path) -> io::Result<()> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot sync `{}`: {error}", directory.display()));
    sync_directory(directory).map_err(named)
}

fn is_without_sync(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_missing_operation_is_passed_over() {
        for (code, passed) in [
            (Errno::INVAL, true),
            (Errno::OPNOTSUPP, true),
            (Errno::NOSYS, true),
            (Errno::IO, false),
            (Errno::NOSPC, false),
            (Errno::DQUOT, false),
        ] {
            assert_eq!(directory_synced(Path::new("/backup"), Err(code.into())).is_ok(), passed, "{code}");
        }
        // The kernel's own answer: procfs has no sync of directories.
        assert_eq!(File::open("/proc/self").unwrap().sync_all().unwrap_err().raw_os_error(), Some(22));
        sync_directory(Path::new("/proc/self")).unwrap();
    }

    #[test]
    fn a_directory_is_made_with_its_parents() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        for _ in 0..2 {
            make_directory(&deep, 0o700).unwrap();
        }
        for made in [&deep, &root.path().join("a")] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
        fs::write(root.path().join("file"), "").unwrap();
        assert!(make_directory(&root.path().join("file"), 0o700).is_err());
        assert!(make_directory(&root.path().join("file/below"), 0o700).is_err());
        assert_eq!(parent(Path::new("file")), Path::new("."));
    }
}
