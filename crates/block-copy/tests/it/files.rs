//! Regular files as volumes.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use block_copy::{Access, Error, ErrorKind, ReadAt, Silent, Volume, WriteAt, copy_sparse};
use extents::Bytes;
use tempfile::TempDir;

use crate::{extent, stamped};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn file(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// A file of 8 MiB with data only in its third and its last MiB.
fn sparse(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    File::create(&path).unwrap().set_len(8 << 20).unwrap();
    let volume = Volume::open(&path, Access::Write).unwrap();
    volume.write_at(Bytes::new(2 << 20), &stamped(1 << 20)).unwrap();
    volume.write_at(Bytes::new(7 << 20), &stamped(1 << 20)).unwrap();
    volume.sync().unwrap();
    path
}

fn allocated(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn only_devices_and_files_are_volumes_and_none_is_created() {
    let folder = folder();
    let missing = folder.path().join("missing");
    assert_eq!(Volume::open(&missing, Access::Write).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!missing.exists());
    let error = Volume::open(folder.path(), Access::Read).unwrap_err();
    assert!(error.to_string().ends_with("is a directory, expected a block device or a regular file"), "{error}");
    assert_eq!(Volume::open("/dev/null", Access::Read).unwrap_err().kind(), ErrorKind::Unsuitable);
    // Would wait for a writer, were it opened.
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(Volume::open(&pipe, Access::Read).unwrap_err().kind(), ErrorKind::Unsuitable);
}

#[test]
fn a_file_keeps_its_size() {
    let folder = folder();
    let volume = Volume::open(file(&folder, "a", &stamped(1000)), Access::Write).unwrap();
    assert_eq!((volume.size(), volume.block_size(), volume.is_device()), (Bytes::new(1000), Bytes::new(1), false));
    for (at, len) in [(999, 2), (1001, 0), (u64::MAX, 2)] {
        let at = Bytes::new(at);
        assert_eq!(volume.read_at(at, &mut vec![0; len]).unwrap_err().kind(), ErrorKind::PastEnd);
        assert_eq!(volume.write_at(at, &vec![0; len]).unwrap_err().kind(), ErrorKind::PastEnd);
    }
    assert_eq!(volume.zero(extent(999, 2)).unwrap_err().kind(), ErrorKind::PastEnd);
    volume.read_at(Bytes::new(1000), &mut []).unwrap();
    volume.write_at(Bytes::new(999), &[0]).unwrap();
    assert_eq!(std::fs::metadata(volume.name()).unwrap().len(), 1000);
}

#[test]
fn what_is_opened_to_be_read_is_not_written() {
    let folder = folder();
    let path = file(&folder, "a", &stamped(8192));
    let volume = Volume::open(&path, Access::Read).unwrap();
    assert!(volume.write_at(Bytes::ZERO, &[1]).is_err());
    assert!(volume.zero(extent(0, 4096)).is_err());
    assert!(std::fs::read(&path).unwrap() == stamped(8192));
}

#[test]
fn a_file_cut_after_opening_is_an_error() {
    let folder = folder();
    let path = file(&folder, "a", &stamped(1000));
    let volume = Volume::open(&path, Access::Read).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(500).unwrap();
    assert_eq!(volume.read_at(Bytes::new(400), &mut [0; 200]).unwrap_err().kind(), ErrorKind::Io);
}

/// By whom and through which path does not matter.
#[test]
fn a_file_that_is_written_to_has_changed() {
    let folder = folder();
    let path = file(&folder, "a", &stamped(8192));
    let changes: [fn(&File); 3] = [
        |file| file.set_len(4096).unwrap(),
        |file| std::os::unix::fs::FileExt::write_all_at(file, b"x", 100).unwrap(),
        |file| zero_part(file),
    ];
    for change in changes {
        let volume = Volume::open(&path, Access::ReadExclusive).unwrap();
        let ours = Volume::open(&path, Access::Write).unwrap();
        volume.check_unchanged().unwrap();
        // The clock of a file system may stand still for some milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
        change(&File::options().write(true).open(&path).unwrap());
        let error = volume.check_unchanged().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert!(error.to_string().ends_with("a` changed while it was read"), "{error}");
        ours.check_unchanged().unwrap();
    }
}

fn zero_part(file: &File) {
    let (hole, keep) = (rustix::fs::FallocateFlags::PUNCH_HOLE, rustix::fs::FallocateFlags::KEEP_SIZE);
    rustix::fs::fallocate(file, hole | keep, 0, 4096).unwrap();
}

#[test]
fn one_thing_under_two_names_is_one_thing() {
    let folder = folder();
    let (a, b) = (file(&folder, "a", b"x"), file(&folder, "b", b"x"));
    std::os::unix::fs::symlink(&a, folder.path().join("link")).unwrap();
    let open = |path: &Path| Volume::open(path, Access::Read).unwrap();
    assert!(open(&a).same_device(&open(&folder.path().join("link"))));
    assert!(!open(&a).same_device(&open(&b)));
}

#[test]
fn zeroing_a_file_makes_a_hole_and_spares_the_neighbours() {
    let folder = folder();
    let path = file(&folder, "a", &stamped(1 << 20));
    let volume = Volume::open(&path, Access::Write).unwrap();
    volume.zero(extent(1001, 500_000)).unwrap();
    volume.sync().unwrap();
    let mut expected = stamped(1 << 20);
    expected[1001..501_001].fill(0);
    assert!(std::fs::read(&path).unwrap() == expected);
    assert!(allocated(&path) < 600_000, "{} bytes allocated", allocated(&path));
}

#[test]
fn holes_are_found() {
    let folder = folder();
    let volume = Volume::open(sparse(&folder, "a"), Access::Read).unwrap();
    assert_eq!(volume.data_extents().unwrap().ranges(), [extent(2 << 20, 1 << 20), extent(7 << 20, 1 << 20)]);
    let empty = Volume::open(file(&folder, "empty", b""), Access::Read).unwrap();
    assert!(empty.data_extents().unwrap().is_empty());
}

/// Space that was reserved and never written is neither data nor a hole to be sure of.
#[test]
fn a_file_of_reserved_blocks_is_read() {
    let folder = folder();
    let path = file(&folder, "a", b"");
    let reserved = File::options().write(true).open(&path).unwrap();
    match rustix::fs::fallocate(&reserved, rustix::fs::FallocateFlags::empty(), 0, 1 << 20) {
        Err(rustix::io::Errno::OPNOTSUPP) => return,
        done => done.unwrap(),
    }
    let volume = Volume::open(&path, Access::Read).unwrap();
    assert_eq!(volume.data_extents().unwrap().ranges(), [extent(0, 1 << 20)]);
}

/// To files of the same size, a smaller and a larger one, on this file system and across to another.
#[test]
fn a_sparse_copy_is_equal_and_sparse() {
    let (here, there) = (folder(), tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder()));
    let path = sparse(&here, "a");
    let from = Volume::open(&path, Access::Read).unwrap();
    for (folder, size) in [(&here, 8 << 20), (&here, 5 << 20), (&here, 9 << 20), (&there, 8 << 20)] {
        let copy = folder.path().join("copy");
        File::create(&copy).unwrap().set_len(size).unwrap();
        let to = Volume::open(&copy, Access::Write).unwrap();
        copy_sparse(&from, &to, &Silent).unwrap();
        to.sync().unwrap();
        let mut expected = std::fs::read(&path).unwrap();
        expected.resize(usize::try_from(size).unwrap(), 0);
        assert!(std::fs::read(&copy).unwrap() == expected, "{size} bytes");
        assert!(allocated(&copy) < 3 << 20, "{} bytes allocated", allocated(&copy));
    }
}

#[test]
fn an_error_names_file_and_cause() {
    let error = Volume::open("/nonexistent/volume", Access::Read).unwrap_err();
    assert_eq!(error.to_string(), "cannot open `/nonexistent/volume`");
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("No such file or directory (os error 2)"));
    assert_eq!(Error::Stopped.to_string(), "stopped before the end");
}
