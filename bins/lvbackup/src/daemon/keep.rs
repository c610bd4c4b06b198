//! Files that are replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Whether a file must survive a power cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Durable {
    Yes,
    No,
}

/// Puts `text` in place of what `path` had. Whoever reads it finds the old text or the new one.
///
/// # Errors
/// What the system said; then it is the old one, or, where that is only about durability, one of both.
pub(super) fn replace(path: &Path, text: &str, durable: Durable) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = folder.join(format!(".{}.new", name.to_string_lossy()));
    // Of a run that was killed while it wrote; or a link that somebody made.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&beside)?;
    file.write_all(text.as_bytes())?;
    if durable == Durable::Yes {
        file.sync_all()?;
    }
    fs::rename(&beside, path)?;
    if durable == Durable::Yes { File::open(folder)?.sync_all() } else { Ok(()) }
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

    #[test]
    fn the_old_one_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state.json");
        assert_eq!(read(&path, 10).unwrap(), None);
        for (text, durable) in [("one", Durable::Yes), ("two", Durable::No)] {
            replace(&path, text, durable).unwrap();
            assert_eq!(read(&path, 10).unwrap().as_deref(), Some(text));
        }
        // What a killed run left, as a link to something that is not to be written.
        let other = folder.path().join("other");
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("a/b/.state.json.new")).unwrap();
        replace(&path, "three", Durable::Yes).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(read(&path, 2).unwrap().as_deref(), Some("thr"));
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
    }
}
