//! What is looked at before something is removed: of a snapshot that is there, now; of one that is wanted, later.

use std::path::Path;

use super::finding::{Of, of};
use super::{Asked, Check, Finding, Made, Refusal, Seen, quoted};
use crate::{Found, Physical, Record, Step};

pub(super) fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    if let (Some(Ok(record)), Some(made)) = (&seen.record, &seen.made) {
        return of_one_that_is_there(record, made);
    }
    let (file, mount) = (asked.file.is_some(), asked.mount.is_some());
    let later = [
        (Check::MountPointThere, Step::Mount, mount),
        (Check::MountIsOurs, Step::Mount, mount),
        (Check::FolderIsOurs, Step::Folder, mount),
        (Check::FolderIsEmpty, Step::Folder, mount),
        (Check::VolumeIsOurs, Step::Volume, true),
        (Check::PhysicalInGroup, Step::Group, file),
        (Check::PhysicalAlone, Step::PhysicalVolume, file),
        (Check::LoopIsOurs, Step::Loop, file),
        (Check::FileIsOurs, Step::File, file),
    ];
    let one = |(check, step, wanted)| match wanted {
        true => of(check, &asked.snapshot).when_removed(step),
        false => of(check, "-").not_needed("nothing of it is wanted"),
    };
    later.into_iter().map(one).collect()
}

fn of_one_that_is_there(record: &Record, made: &Made) -> Vec<Finding> {
    let mut all = unmounting(record, made);
    all.extend(removing(record, made));
    all
}

fn unmounting(record: &Record, made: &Made) -> Vec<Finding> {
    let facts = &made.facts;
    let checks = [Check::MountPointThere, Check::MountIsOurs, Check::FolderIsOurs, Check::FolderIsEmpty];
    let Some(at) = &record.mount else {
        let mut all: Vec<_> = checks.map(|check| of(check, "-").not_needed("lvsnap has not mounted it")).into();
        if let Some(first) = facts.mounts.first() {
            all[1] = of(Check::MountIsOurs, first.display()).ok("the snapshot, which somebody else has mounted");
        }
        return all;
    };
    let [there, ours, folder, empty] = checks.map(|check| of(check, at.path.display()));
    let is_mounted = facts.mounts.contains(&at.path);
    let (there, ours) = match facts.mounts.first() {
        Some(_) if is_mounted => (there.ok("mounted"), ours.ok("the snapshot")),
        Some(other) => (
            there.warning(format!("it is mounted at {}, and unmounted there", quoted(other))),
            ours.ok("the snapshot, elsewhere"),
        ),
        None if made.other_mount => (
            there.warning("something else is mounted there"),
            ours.warning("it is not the snapshot, and stays mounted"),
        ),
        None => (there.warning("nothing is mounted there"), ours.not_needed("there is nothing to unmount")),
    };
    if !at.make {
        let stays = "the folder was there before, and stays";
        return vec![there, ours, folder.not_needed(stays), empty.not_needed(stays)];
    }
    let (folder, empty) = match facts.folder {
        // Below the mount nobody sees it.
        _ if is_mounted => (folder.when_removed(Step::Folder), empty.when_removed(Step::Folder)),
        Found::Ours if made.folder_holds => {
            let text = format!("{} is not empty, and would be left", quoted(&at.path));
            (folder.ok("the folder that was made"), empty.refused(Refusal::Unfinished, text))
        }
        Found::Ours => (folder.ok("the folder that was made"), empty.ok("empty")),
        found => (stays(folder, found), empty.not_needed("it does not go")),
    };
    vec![there, ours, folder, empty]
}

fn removing(record: &Record, made: &Made) -> Vec<Finding> {
    let facts = &made.facts;
    let volume = of(Check::VolumeIsOurs, &record.snapshot);
    let volume = match facts.volume {
        Found::Ours => volume.ok("it carries the tag"),
        found => stays(volume, found),
    };
    let checks = [Check::PhysicalInGroup, Check::PhysicalAlone, Check::LoopIsOurs, Check::FileIsOurs];
    let Some(file) = &record.file else {
        let none = checks.map(|check| of(check, "-").not_needed("it has no temporary file"));
        return std::iter::once(volume).chain(none).collect();
    };
    let device = facts.loops.first().map_or(Path::new("-"), |device| device.as_path());
    let [in_group, alone, attached, there] = checks.map(|check| match check {
        Check::FileIsOurs => of(check, file.path.display()),
        _ => of(check, device.display()),
    });
    let (in_group, alone) = match facts.physical {
        Physical::InGroup => (in_group.ok("the group has it"), alone.when_removed(Step::PhysicalVolume)),
        Physical::Alone => (in_group.not_needed("no group has it any more"), alone.ok("no group has it")),
        Physical::Absent => {
            let none = "there is none any more";
            (in_group.not_needed(none), alone.not_needed(none))
        }
        Physical::Missing { .. } if facts.file == Found::Ours => (
            in_group.warning("its device is not there: the file is attached again first"),
            alone.when_removed(Step::PhysicalVolume),
        ),
        Physical::Missing { .. } if facts.file == Found::Unreachable => {
            (in_group.warning("its device is not there, and its file cannot be looked at"), alone.not_looked_at())
        }
        Physical::Missing { entangled: false } => {
            (in_group.warning("its device is gone: the group is told to do without it"), alone.not_needed("it is gone"))
        }
        Physical::Missing { entangled: true } => (
            in_group.refused(
                Refusal::Unfinished,
                format!(
                    "the group cannot be told to do without {}: more is missing, or another volume has a part of it",
                    quoted(&file.path)
                ),
            ),
            alone.not_looked_at(),
        ),
    };
    let attached = match facts.loops.first() {
        Some(_) => attached.ok(format!("it has {}", quoted(&file.path))),
        None => attached.not_needed("the file has none"),
    };
    let there = match facts.file {
        Found::Ours => there.ok("the file that was made"),
        found => stays(there, found),
    };
    vec![volume, in_group, alone, attached, there]
}

/// What is not ours is no hindrance: it stays.
fn stays(of: Of, found: Found) -> Finding {
    match found {
        Found::Absent => of.not_needed("it is gone already"),
        Found::Other => of.warning("it is another one, which lvsnap has not made, and stays"),
        Found::Ours => of.ok("ours"),
        Found::Unreachable => of.refused(
            Refusal::Unfinished,
            "the file system that it was made on is not mounted: it is not removed, and nothing else is",
        ),
    }
}
