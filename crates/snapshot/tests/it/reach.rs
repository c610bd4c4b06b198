//! What is found of a file whose file system may not be mounted.

use std::path::Path;

use lvm_cmd::{MOUNTINFO, Scripted};
use snapshot::{FileId, FileSystem, Found, HostSite, MountPoint, Physical, Progress, Record, Site, Step, TmpFile};
use testkit::{lv_row, lvs_step};

use crate::looked::{CONFIG, pvs};
use crate::model::record;

const NO_LOOPS: &str = "$ losetup --list --json --output NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN\n= 0\n";

/// A snapshot of which the group has nothing any more, with a file and a folder at `path`.
fn look(record: &Record) -> snapshot::Facts {
    let loops = if record.file.as_ref().unwrap().made.is_some() { NO_LOOPS } else { "" };
    let script = lvs_step(&[lv_row(&[])]) + &pvs("") + loops;
    let exec = Scripted::from_transcript(&script).unwrap();
    HostSite::new(&exec, &|_| true).look(record).unwrap()
}

fn of(path: &Path, lies_on: Option<FileSystem>) -> Record {
    let mut record = record(true, Some(true));
    let made = FileId::of(path).ok();
    record.file = Some(TmpFile { path: path.into(), made, lies_on: lies_on.clone(), ..record.file.unwrap() });
    record.mount = Some(MountPoint { path: path.into(), made, lies_on, ..record.mount.unwrap() });
    record.steps.extend([(Step::File, Progress::Done), (Step::Folder, Progress::Done)]);
    record
}

#[test]
fn only_on_its_own_file_system_it_is_absent() {
    let exec = Scripted::from_transcript("").unwrap();
    // A file system without a device, so that no program is asked; nothing of the test is there.
    let here = FileSystem::of(&exec, Path::new(MOUNTINFO), Path::new("/proc/space.img")).unwrap().unwrap();
    let other = |change: fn(&mut FileSystem)| {
        let mut other = here.clone();
        change(&mut other);
        Some(other)
    };
    for (lies_on, file, folder) in [
        (Some(here.clone()), Found::Absent, Found::Absent),
        (other(|on| on.mount_point = "/".into()), Found::Unreachable, Found::Unreachable),
        (other(|on| on.source = "UUID=0f".into()), Found::Unreachable, Found::Unreachable),
        (other(|on| on.root = "/subvolume".into()), Found::Unreachable, Found::Unreachable),
        // As older versions recorded it: nobody knows. An empty folder is no loss.
        (None, Found::Unreachable, Found::Absent),
    ] {
        let mut record = of(Path::new("/proc/space.img"), lies_on.clone());
        let facts = look(&record);
        assert_eq!((facts.file, facts.folder), (file, folder), "{lies_on:?}");
        // Nothing was made yet; or the user gave it up.
        record.file.as_mut().unwrap().abandoned = true;
        assert_eq!(look(&record).file, Found::Absent);
        let mut record = of(Path::new("/proc/space.img"), lies_on);
        record.steps.clear();
        let facts = look(&record);
        assert_eq!((facts.file, facts.folder), (Found::Absent, Found::Absent));
    }
}

#[test]
fn what_is_there_is_ours_wherever_it_lies() {
    let there = of(Path::new("/proc/version"), None);
    let facts = look(&there);
    assert_eq!((facts.file, facts.folder), (Found::Ours, Found::Ours));
}

/// Two snapshots whose spaces are both lost: neither waits for the other one. A space that is only not attached is not lost.
#[test]
fn another_snapshots_lost_space_entangles_nothing() {
    let pv = |uuid: &str, tags: &str| {
        format!(
            r#"{{"pv_name":"[unknown]","pv_uuid":"{uuid}","vg_name":"vg0","pv_size":"4","pv_free":"4","pv_missing":"missing","pv_tags":"{tags}"}}"#
        )
    };
    let record = of(Path::new("/proc/space.img"), None);
    let ours = record.file.as_ref().unwrap().pv.to_string();
    let mut other = of(Path::new("/proc/other.img"), None);
    let space = other.file.as_mut().unwrap();
    (space.pv, space.abandoned) = (testkit::POOL_UUID.parse().unwrap(), true);
    for (lost, entangled) in [(Some(other), false), (None, true)] {
        let rows = [pv(&ours, ""), pv(testkit::POOL_UUID, "hyperlayer.snapshot=fedcba9876543210")].join(",");
        let fields = "pv_name,pv_uuid,vg_name,pv_size,pv_free,pv_missing,pv_tags";
        let script = lvs_step(&[lv_row(&[])])
            + &format!("$ pvs {CONFIG} {fields}\n| {{\"report\":[{{\"pv\":[{rows}]}}]}}\n= 0\n")
            + &format!("$ pvs {CONFIG} lv_name --all --segments --select 'pv_uuid=\"{ours}\"'\n")
            + "| {\"report\":[{\"pvseg\":[{\"lv_name\":\"snap\"},{\"lv_name\":\"\"}]}]}\n= 0\n";
        let exec = Scripted::from_transcript(&script).unwrap();
        let mut site = HostSite::new(&exec, &|_| true);
        site.note_lost(lost.as_slice()).unwrap();
        let facts = site.look(&record).unwrap();
        assert_eq!((facts.physical, facts.misses_other_space), (Physical::Missing { entangled }, entangled));
    }
}

#[test]
fn a_file_system_is_that_of_the_longest_mount_point_and_of_two_there_the_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let mountinfo = folder.path().join("mountinfo");
    let lines = [
        "20 1 0:20 / / rw - overlay overlay rw",
        "21 20 0:21 / /a\\040b rw shared:1 - nfs host:/one rw",
        "22 20 0:22 /sub /a\\040b rw - nfs host:/two rw",
        "23 22 0:23 / /a\\040b/c/d rw - tmpfs none rw",
    ];
    std::fs::write(&mountinfo, lines.join("\n")).unwrap();
    let exec = Scripted::from_transcript("").unwrap();
    for (path, mount_point, root, source) in [
        ("/a b/c/space.img", "/a b", "/sub", "host:/two"),
        ("/a b/c/d/space.img", "/a b/c/d", "/", "none"),
        ("/a bc/space.img", "/", "/", "overlay"),
        // The directory of a mount point is in the file system below.
        ("/a b", "/", "/", "overlay"),
    ] {
        let expected = FileSystem { mount_point: mount_point.into(), root: root.into(), source: source.to_owned() };
        assert_eq!(FileSystem::of(&exec, &mountinfo, Path::new(path)).unwrap(), Some(expected), "{path}");
    }
}

#[test]
fn an_older_record_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let journal = snapshot::Journal::new(folder.path());
    let record = record(true, Some(true));
    journal.keep(&record).unwrap();
    let text = std::fs::read_to_string(journal.path(&record.snapshot)).unwrap();
    assert!(!text.contains("lies_on") && !text.contains("abandoned"), "{text}");
    assert_eq!(journal.read(&record.snapshot).unwrap(), Some(record));
}
