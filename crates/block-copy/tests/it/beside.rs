//! Files that appear complete or not at all.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use block_copy::{BesideFile, ErrorKind, Existing, PartialFile, WriteAt};
use extents::Bytes;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn it_appears_at_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("image");
    let beside = BesideFile::create(&target, Existing::Refuse).unwrap();
    let volume = beside.volume(Bytes::new(10)).unwrap();
    volume.write_at(Bytes::new(4), b"abc").unwrap();
    let names_before = names(folder.path());
    assert!(
        matches!(&names_before[..], [one] if one.starts_with(".image.") && one.ends_with(BesideFile::PARTIAL_SUFFIX))
    );
    beside.commit().unwrap();
    assert_eq!(names(folder.path()), ["image"]);
    assert_eq!(std::fs::read(&target).unwrap(), b"\0\0\0\0abc\0\0\0");
}

#[test]
fn it_leaves_nothing_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("image");
    std::fs::write(&target, "old").unwrap();
    let beside = BesideFile::create(&target, Existing::Replace).unwrap();
    beside.file().write_all(b"new").unwrap();
    drop(beside);
    assert_eq!((names(folder.path()), std::fs::read(&target).unwrap()), (vec!["image".into()], b"old".to_vec()));
}

#[test]
fn temporary_files_of_dead_processes_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("image");
    let living = BesideFile::create(&target, Existing::Replace).unwrap();
    for name in
        [".image.a1B2c3.partial", ".image.partial", ".image.long-name.partial", ".image2.a1B2c3.partial", "image"]
    {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::os::unix::fs::symlink("image", folder.path().join(".image.a1B2c4.partial")).unwrap();
    let dead = [folder.path().join(".image.a1B2c3.partial")];
    let changed = std::fs::metadata(&dead[0]).unwrap().modified().unwrap();
    let stale = |seconds| BesideFile::stale(&target, changed + Duration::from_secs(seconds)).unwrap();
    assert_eq!(stale(3600), dead);
    drop(living);
    assert_eq!(stale(3600), dead);
    // Its process may not have locked it yet; nor does a clock that was set back make it old.
    assert_eq!((stale(9), stale(10)), (vec![], dead.to_vec()));
    assert!(BesideFile::stale(&target, changed - Duration::from_secs(3600)).unwrap().is_empty());
}

/// However often others look whether it is stale while it is made.
#[test]
fn a_living_file_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let (target, ends) = (folder.path().join("image"), AtomicBool::new(false));
    let later = SystemTime::now() + Duration::from_secs(3600);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let _ = BesideFile::stale(&target, later);
                }
            });
        }
        let unlocked = (0..3000)
            .filter(|_| {
                let living = BesideFile::create(&target, Existing::Refuse).unwrap();
                let found = File::open(folder.path().join(&names(folder.path())[0])).unwrap();
                // More than once: of a file that is not locked, the others have the lock for a moment.
                let is_locked = (0..3).all(|_| found.try_lock().is_err());
                drop(living);
                !is_locked
            })
            .count();
        ends.store(true, Ordering::Relaxed);
        assert_eq!(unlocked, 0);
    });
}

#[test]
fn it_refuses_what_exists_and_what_came_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("image");
    let beside = BesideFile::create(&target, Existing::Refuse).unwrap();
    std::fs::write(&target, "theirs").unwrap();
    assert_eq!(beside.commit().unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(BesideFile::create(&target, Existing::Refuse).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!((names(folder.path()), std::fs::read(&target).unwrap()), (vec!["image".into()], b"theirs".to_vec()));
}

#[test]
fn it_replaces_what_a_link_points_to_and_keeps_the_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("image"), folder.path().join("link"));
    std::fs::write(&target, "old").unwrap();
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("image", &link).unwrap();
    let beside = BesideFile::create(&link, Existing::Replace).unwrap();
    beside.file().write_all(b"new").unwrap();
    beside.commit().unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn it_replaces_no_device_and_no_folder() {
    for target in ["/dev/null", "/dev"] {
        assert_eq!(BesideFile::create(target, Existing::Replace).unwrap_err().kind(), ErrorKind::Unsuitable);
    }
    assert_eq!(BesideFile::create("/nonexistent/x", Existing::Replace).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(BesideFile::create("/", Existing::Replace).is_err());
    let folder = tempfile::tempdir().unwrap();
    let error = BesideFile::create(folder.path().join("new/"), Existing::Replace).unwrap_err();
    assert!(error.to_string().ends_with("new/` is the name of a directory, expected that of a file"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_name_as_long_as_allowed_is_possible() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("n".repeat(255));
    BesideFile::create(&target, Existing::Replace).unwrap().commit().unwrap();
    assert!(target.exists());
}

#[test]
fn a_partial_file_stays_until_it_is_committed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("image");
    let partial = PartialFile::open(&target).unwrap();
    partial.resize(Bytes::new(10)).unwrap();
    partial.volume().unwrap().write_at(Bytes::new(4), b"abc").unwrap();
    let second = PartialFile::open(&target).unwrap_err();
    assert!(second.to_string().contains("being written by another process"), "{second}");
    drop(partial);
    assert_eq!(names(folder.path()), [".image.partial"]);

    let partial = PartialFile::open(&target).unwrap();
    assert_eq!(partial.len().unwrap(), Bytes::new(10));
    std::fs::write(&target, b"somebody's").unwrap();
    assert_eq!(partial.commit().unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(names(folder.path()), [".image.partial", "image"]);
    std::fs::remove_file(&target).unwrap();
    PartialFile::open(&target).unwrap().commit().unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"\0\0\0\0abc\0\0\0");

    PartialFile::open(&target).unwrap().remove().unwrap();
    assert_eq!(names(folder.path()), ["image"]);
}
