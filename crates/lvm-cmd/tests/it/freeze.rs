use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lvm_cmd::{Frozen, Kind, Patience, ProcessLock, Scripted, Stack, StateDir, WrittenTo};
use tempfile::TempDir;

/// A tree as sysfs has it: `/dev/null`, which is 1:3, has a partition 1:30 and a holder 253:7, and that a holder 253:8.
fn stack(mountinfo: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let number = |path: &str, number: &str| {
        fs::create_dir_all(folder.path().join(path)).unwrap();
        fs::write(folder.path().join(path).join("dev"), format!("{number}\n")).unwrap();
    };
    number("dev/1:3", "1:3");
    number("dev/1:3/null1", "1:30");
    number("dev/1:3/holders/dm-7", "253:7");
    number("dev/253:7/holders/dm-8", "253:8");
    fs::write(folder.path().join("mountinfo"), mountinfo).unwrap();
    folder
}

fn above(mountinfo: &str) -> Vec<PathBuf> {
    let folder = stack(mountinfo);
    let (devices, mounts) = (folder.path().join("dev"), folder.path().join("mountinfo"));
    Stack { devices: &devices, mounts: &mounts }.mounted_above(Path::new("/dev/null")).unwrap()
}

#[test]
fn what_lies_above_is_found_and_what_lies_directly_on_it_is_not() {
    let line = |device: &str, at: &str| format!("36 35 {device} / {at} rw,noatime shared:1 - ext4 /dev/x rw\n");
    let mounts = [line("1:3", "/direct"), line("8:1", "/other"), line("253:8", "/a\\040b"), line("253:8", "/again")];
    assert_eq!(above(&mounts.concat()), [Path::new("/a b")]);
    assert_eq!(above(&[line("253:7", "/middle"), line("1:30", "/part")].concat()).len(), 2);
    assert_eq!(above(&line("8:1", "/other")), [] as [&Path; 0]);
}

const FREEZE: &str = "$ flock STATE/run-1 fsfreeze --unfreeze /proc\n= 0\n$ fsfreeze --freeze /proc\n= RC\n";
const THAW: &str = "$ fsfreeze --unfreeze /proc\n= 0\n";

fn script(state: &StateDir, rc: &str) -> Scripted {
    let text = [FREEZE, THAW].concat().replace("STATE", &state.path().display().to_string());
    Scripted::from_transcript(&text.replace("RC", rc)).unwrap()
}

#[test]
fn it_is_thawed_by_dropping_and_where_freezing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::with_boot_id(folder.path(), "boot");
    // /proc: a file system of its own on which nothing lies that LVM needs.
    let at = [PathBuf::from("/proc")];
    let exec = script(&state, "0");
    drop(Frozen::freeze(&exec, &state, "run-1", &at, &[]).unwrap());
    let exec = script(&state, "1");
    Frozen::freeze(&exec, &state, "run-1", &at, &[]).unwrap_err();
}

#[test]
fn what_lvm_needs_is_never_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::with_boot_id(folder.path(), "boot");
    let exec = Scripted::from_transcript("").unwrap();
    let error = Frozen::freeze(&exec, &state, "run-1", &["/".into()], &[]).unwrap_err();
    assert!(error.to_string().contains("which LVM needs"), "{error}");
}

#[test]
fn the_folder_of_our_own_locks_is_never_frozen() {
    // A file system on which nothing lies that LVM needs.
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let state = StateDir::with_boot_id(folder.path(), "boot");
    let exec = Scripted::from_transcript("").unwrap();
    let error = Frozen::freeze(&exec, &state, "run-1", &["/dev/shm".into()], &[]).unwrap_err();
    assert!(error.to_string().contains(&state.path().display().to_string()), "{error}");
}

/// A line on standard error would wait for the thaw, and the thaw for the line.
#[test]
fn what_the_caller_writes_to_is_never_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::with_boot_id(folder.path(), "boot");
    let on = |path: &Path| [WrittenTo { name: "standard error", device: fs::metadata(path).unwrap().dev() }];
    let at = [PathBuf::from("/sys"), PathBuf::from("/proc")];
    let exec = Scripted::from_transcript("").unwrap();
    let error = Frozen::freeze(&exec, &state, "run-1", &at, &on(Path::new("/proc/self/status"))).unwrap_err();
    let says = "`/proc` cannot be frozen: standard error of this command goes to a file on it";
    assert_eq!((error.to_string().as_str(), error.kind()), (says, Kind::Environment));
    let exec = script(&state, "0");
    drop(Frozen::freeze(&exec, &state, "run-1", &at[1..], &on(folder.path())).unwrap());
}

/// The thawer waits for the lock of a process, so its death is enough. With a program in `fsfreeze`'s place.
#[test]
fn the_thawer_comes_when_the_lock_is_free() {
    if !Path::new("/usr/bin/flock").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::with_boot_id(folder.path().join("state"), "boot");
    let lock = ProcessLock::acquire(&state, "run-1", Patience::new(Duration::ZERO)).unwrap();
    let (bin, log) = (folder.path().join("bin"), folder.path().join("log"));
    fs::create_dir(&bin).unwrap();
    let program = bin.join("fsfreeze");
    fs::write(&program, format!("#!/bin/sh\necho $1 >>{}\n", log.display())).unwrap();
    assert!(Command::new("chmod").arg("755").arg(&program).status().unwrap().success());
    // `flock` finds the program by PATH, which `Host` sets, so the thawer is started here as `Frozen` does.
    let mut thawer = Command::new("flock");
    let mut thawer = thawer.arg(state.path().join("run-1")).arg(&program).arg("--unfreeze").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(!log.exists(), "it did not wait");
    drop(lock);
    let begun = Instant::now();
    while thawer.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "--unfreeze\n");
}
