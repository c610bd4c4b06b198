//! A disk on which every sync fails once.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use store::{Location, Options, Store};

use super::actors::{Command, Results, fill, hold_true};
use crate::kit::options;

/// EIO.
const IO: i32 = 5;
/// EINVAL, as CIFS answers for a directory.
const INVALID: i32 = 22;

#[derive(Default)]
struct Disk {
    done: usize,
    /// Which sync fails.
    broken: Option<usize>,
    /// Whether directories cannot be synced at all.
    no_directories: bool,
    /// What was not synced.
    failed: Option<PathBuf>,
}

fn on(disk: &Arc<Mutex<Disk>>) -> Options {
    let disk = disk.clone();
    let sync = move |file: &File, path: &Path| {
        let mut disk = disk.lock().unwrap();
        let number = disk.done;
        disk.done += 1;
        if disk.broken == Some(number) {
            disk.failed = Some(path.to_owned());
            return Err(io::Error::from_raw_os_error(IO));
        }
        if disk.no_directories && path.is_dir() {
            return Err(io::Error::from_raw_os_error(INVALID));
        }
        file.sync_all()
    };
    Options { sync: Arc::new(sync), ..options() }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What was not made durable is never reported as done, but for what need not be: the end of a lock, the mark of what is
/// done.
#[test]
fn every_sync_fails_once() {
    let folder = tempfile::tempdir().unwrap();
    let (clean, place) = (folder.path().join("clean"), folder.path().join("store"));
    let disk = Arc::new(Mutex::new(Disk::default()));
    fill(&Store::init(&Location::folder(&clean), &on(&disk)).unwrap());
    let (mut cases, mut replaced, mut manifests) = (0, 0, 0);
    for command in [
        Command::Backup("new"),
        Command::Prune,
        Command::Merge,
        Command::Hold("old"),
        Command::Unhold("held"),
        Command::Tag("old"),
    ] {
        for number in 0.. {
            let _ = std::fs::remove_dir_all(&place);
            copy(&clean, &place);
            *disk.lock().unwrap() = Disk { broken: Some(number), ..Disk::default() };
            let mut first = on(&disk);
            first.holder.pid = 1;
            let (result, failed) = {
                let store = Store::open(&Location::folder(&place), &first).unwrap();
                (command.run(&store), disk.lock().unwrap().failed.take())
            };
            *disk.lock().unwrap() = Disk::default();
            let Some(failed) = failed else {
                assert!(result.is_ok(), "{command:?}: {result:?}");
                break;
            };
            // Whatever shows: a manifest, or its absence, is durable or an error.
            let of_manifests = failed.starts_with(place.join("manifests"));
            assert!(result.is_err() || !of_manifests, "{command:?}: {} is not synced", failed.display());
            manifests += u32::from(of_manifests);
            cases += 1;
            let case = format!("{command:?}, sync {number}: {result:?}");
            let judged = catch_unwind(AssertUnwindSafe(|| {
                let mut second = on(&disk);
                (second.holder.pid, second.is_alive) = (2, Arc::new(|pid| pid == 2));
                let store = Store::open(&Location::folder(&place), &second).unwrap();
                if command == Command::Merge && matches!(&result, Err(error) if error.to_string().contains("/c.json")) {
                    // The manifest in sight may not be durable, so its predecessor's object is there.
                    let objects = std::fs::read_dir(place.join("layers/vg=2Fhome")).unwrap().count();
                    assert_eq!(objects, 5);
                    replaced += 1;
                }
                if command != Command::Unhold("held") {
                    hold_true(&store, &Results::from([(command, result)]));
                    let again = command.run(&store);
                    assert!(again.is_ok() || command == Command::Backup("new"), "again: {again:?}");
                    hold_true(&store, &Results::from([(command, Ok(()))]));
                }
            }));
            assert!(judged.is_ok(), "{case}");
        }
    }
    assert!(cases > 50 && replaced > 0 && manifests > 2, "{cases}, {replaced}, {manifests}");
    println!("every sync failed once: {cases} cases");
}

#[test]
fn a_file_system_that_syncs_no_directories_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Mutex::new(Disk { no_directories: true, ..Disk::default() }));
    let store = Store::init(&Location::folder(folder.path().join("store")), &on(&disk)).unwrap();
    fill(&store);
    for command in [Command::Backup("new"), Command::Hold("old"), Command::Unhold("old"), Command::Prune] {
        command.run(&store).unwrap();
    }
    assert!(store.check().unwrap().is_sound());
}
