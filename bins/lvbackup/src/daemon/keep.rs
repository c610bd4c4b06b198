//! Files that are replaced as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Whom a file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum For {
    /// For the next daemon: it survives a power cut, and nobody else reads it. Its folder is made where it is missing.
    Us,
    /// For others, who may read it; it is soon written again. Whose folder is missing gets none.
    Others,
}

/// Puts `text` in place of what `path` had. Whoever reads it finds the old text or the new one.
///
/// # Errors
/// What the system said; then it is the old one, or, where that is only about durability, one of both.
pub(super) fn replace(path: &Path, text: &str, whom: For) -> io::Result<()> {
    let mode = match whom {
        For::Us => {
            make_folder(durable::parent(path))?;
            durable::PRIVATE_FILE
        }
        // Whatever the service's mask is.
        For::Others => 0o644,
    };
    durable::replace(path, mode, text.as_bytes())
}

/// Makes a folder that nobody else can read, and those above it that are missing.
///
/// # Errors
/// What the system said.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    durable::make_directory(folder, 0o700)
}

/// What a file says, at most one byte more than `most_bytes`; `None` where there is none.
///
/// # Errors
/// What the system said, also of what is no text.
pub(super) fn read(path: &Path, most_bytes: usize) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(most_bytes as u64 + 1).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_old_one_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state.json");
        assert_eq!(read(&path, 10).unwrap(), None);
        for (text, whom) in [("one", For::Us), ("two", For::Others)] {
            replace(&path, text, whom).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if whom == For::Us { 0o600 } else { 0o644 });
            assert_eq!(read(&path, 10).unwrap().as_deref(), Some(text));
        }
        assert!(replace(&folder.path().join("none/x.prom"), "", For::Others).is_err());
        // What a killed run left, as a link to something that is not to be written.
        let other = folder.path().join("other");
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, durable::staged(&path)).unwrap();
        replace(&path, "three", For::Us).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(read(&path, 2).unwrap().as_deref(), Some("thr"));
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
    }
}
