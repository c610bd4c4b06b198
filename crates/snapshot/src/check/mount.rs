//! Where the snapshot is to be mounted, and what is on it.

use std::path::Path;

use super::command_line::absolute;
use super::finding::{Of, of};
use super::{Asked, Check, Finding, MountPlace, Refusal, Seen, There, quoted};
use crate::Step;

/// What to give mount(8) for a file system of a snapshot, beside its origin, which may be mounted too; read-only, and so
/// that nothing is replayed.
///
/// # Errors
/// It cannot be mounted like that; the text says why.
pub fn mount_options(kind: &str) -> Result<&'static str, &'static str> {
    match kind {
        "ext3" | "ext4" => Ok("ro,noload"),
        // It knows file systems by their ids, and refuses the second one of an id.
        "xfs" => Ok("ro,nouuid,norecovery"),
        "f2fs" => Ok("ro,norecovery"),
        "btrfs" => Err(
            "btrfs knows its devices by the file system's id, and may mix up the snapshot and its origin, which have the same",
        ),
        "zfs_member" => Err("it is a part of a ZFS pool"),
        "LVM2_member" => Err("it is a physical volume of LVM; activate what is on it by `vgimportclone`"),
        "crypto_LUKS" => Err("it is encrypted; open it by `cryptsetup open --readonly`, and mount what that makes"),
        "linux_raid_member" => Err("it is a part of a RAID"),
        "swap" => Err("it is swap space"),
        _ => Ok("ro"),
    }
}

/// What the checks of a mount point conclude.
#[must_use]
pub fn mount_point_findings(at: &Path, place: &MountPlace) -> Vec<Finding> {
    let mut all = vec![absolute(Check::MountPointAbsolute, Some(at))];
    all.extend(on_place(at, Some(place)));
    all
}

/// What the checks of the file system on `node` conclude (see [`Seen::file_system`]); `None` where it could not be looked at.
#[must_use]
pub fn file_system_findings(node: &Path, file_system: Option<&Result<Option<String>, String>>) -> [Finding; 2] {
    let [found, options] = [Check::FileSystem, Check::MountOptions].map(|check| of(check, node.display()));
    match file_system {
        None => [found.not_looked_at(), options.not_looked_at()],
        Some(Err(why)) => [found.refused(Refusal::Failed, why), options.not_looked_at()],
        Some(Ok(None)) => {
            let text = format!("there is no file system on {}", quoted(node));
            [found.refused(Refusal::Content, text), options.not_looked_at()]
        }
        Some(Ok(Some(kind))) => {
            let options = match mount_options(kind) {
                Ok(text) => options.ok(text),
                Err(why) => options.refused(Refusal::Content, format!("{} is not mounted: {why}", quoted(node))),
            };
            [found.ok(kind), options]
        }
    }
}

/// All but whether the path is absolute, which is among those of the command line.
pub(super) fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    let Some(at) = &asked.mount else {
        let checks = [
            Check::MountPointFolder,
            Check::MountPointEmpty,
            Check::MountPointFree,
            Check::FileSystem,
            Check::MountOptions,
            Check::Mounted,
        ];
        return checks.map(|check| of(check, "-").not_needed("no mount is wanted")).into();
    };
    let mut all = vec![of(Check::Mounted, at.display()).when_made(Step::Mount)];
    all.extend(on_place(at, seen.mount.as_ref()));
    let origin = seen.group.as_ref().and_then(|group| group.as_ref().ok()?.origin.as_ref().ok());
    let node = asked.origin.dm_path();
    match origin {
        // LVM makes it active with the snapshot, if at all.
        Some(origin) if !origin.is_active => {
            let checks = [Check::FileSystem, Check::MountOptions];
            all.extend(checks.map(|check| of(check, node.display()).when_made(Step::Mount)));
        }
        _ => all.extend(file_system_findings(&node, seen.file_system.as_ref())),
    }
    all
}

fn on_place(at: &Path, place: Option<&MountPlace>) -> [Finding; 3] {
    let [folder, empty, free] =
        [Check::MountPointFolder, Check::MountPointEmpty, Check::MountPointFree].map(|check| of(check, at.display()));
    let Some(place) = place else { return [folder, empty, free].map(Of::not_looked_at) };
    let refused = |why: &str| format!("{} {why}", quoted(at));
    if let Err(why) = &place.path {
        return [folder.refused(Refusal::Failed, why), empty.not_looked_at(), free.not_looked_at()];
    }
    if place.is_mount_point {
        let free = free
            .refused(Refusal::Failed, refused("is a mount point already"))
            .hint(format!("`findmnt {}` shows what is mounted there", at.display()));
        return [folder.ok("a folder"), empty.not_looked_at(), free];
    }
    let is_free = free.ok("nothing is mounted there");
    match place.there {
        There::Absent => [folder.ok("to be made"), empty.not_needed("it is not there"), is_free],
        There::Empty => [folder.ok("a folder"), empty.ok("empty"), is_free],
        There::Full => [folder.ok("a folder"), empty.refused(Refusal::Failed, refused("is not empty")), is_free],
        There::Other => [folder.refused(Refusal::Failed, refused("is no folder")), empty.not_looked_at(), is_free],
    }
}
