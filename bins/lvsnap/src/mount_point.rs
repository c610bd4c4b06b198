//! Where and how a file system is mounted beside its origin.

use std::path::{Path, PathBuf};

use cli::{Exit, Failure, OrFail, Outcome};
use lvm_cmd::file_system;
use snapshot::MountPoint;

use crate::context::Context;

/// What to give mount(8) for a file system of a snapshot, beside its origin, which may be mounted too; read-only, and so
/// that nothing is replayed.
///
/// # Errors
/// It cannot be mounted like that; the text says why.
pub(crate) fn mount_options(kind: &str) -> Result<&'static str, &'static str> {
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

/// Where the file system on a device is to be mounted.
///
/// # Errors
/// There is none, or one that cannot be mounted like that.
pub(crate) fn mount_point(context: &Context, node: &Path, at: &Path) -> Outcome<MountPoint> {
    let make = is_to_be_made(at)?;
    let (file_system, options) = how_to_mount(context, node)?;
    Ok(MountPoint { path: at.to_owned(), make, made: None, file_system, options })
}

/// What is on a device, and the options for it.
///
/// # Errors
/// There is nothing, or what cannot be mounted.
pub(crate) fn how_to_mount(context: &Context, node: &Path) -> Outcome<(String, String)> {
    let found = file_system(&context.exec, node).or_fail(Exit::Failed)?;
    let Some(file_system) = found else {
        return Err(Failure::msg(Exit::Refused, format!("there is no file system on `{}`", node.display())));
    };
    let options = mount_options(&file_system)
        .map_err(|why| Failure::msg(Exit::Refused, format!("`{}` is not mounted: {why}", node.display())))?;
    Ok((file_system, options.to_owned()))
}

/// Whether the folder is to be made; it may also be there and be empty.
///
/// # Errors
/// It can be no mount point.
pub(crate) fn is_to_be_made(at: &Path) -> Outcome<bool> {
    let refused = |why: &str| Err(Failure::msg(Exit::Failed, format!("`{}` {why}", at.display())));
    if !at.is_absolute() {
        return Err(Failure::msg(Exit::Usage, format!("`{}` is no absolute path", at.display())));
    }
    match std::fs::symlink_metadata(at) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match at.parent() {
            Some(parent) if parent.is_dir() => Ok(true),
            _ => refused("cannot be made: the folder that it is to lie in is not there"),
        },
        Err(error) => Err(Failure::new(Exit::Failed, error).context(format!("cannot look at `{}`", at.display()))),
        Ok(there) if !there.is_dir() => refused("is no folder"),
        Ok(_) => match std::fs::read_dir(at).or_fail(Exit::Failed)?.next() {
            Some(_) => refused("is not empty"),
            None => Ok(false),
        },
    }
}

/// A path as it is recorded: absolute, its folder without symbolic links.
///
/// # Errors
/// It is not absolute, or its folder is not there.
pub(crate) fn resolved(path: &Path) -> Outcome<PathBuf> {
    let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute()) else {
        return Err(Failure::msg(Exit::Usage, format!("`{}` is no absolute path of a file", path.display())));
    };
    let parent = parent.canonicalize().or_fail(Exit::Failed);
    let parent =
        parent.map_err(|failure| failure.context(format!("cannot look at the folder of `{}`", path.display())))?;
    Ok(parent.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_mounted_beside_its_origin_is_refused() {
        assert_eq!(mount_options("xfs"), Ok("ro,nouuid,norecovery"));
        assert_eq!(mount_options("ext4"), Ok("ro,noload"));
        assert_eq!(mount_options("vfat"), Ok("ro"));
        assert!(mount_options("btrfs").unwrap_err().contains("id"));
    }

    #[test]
    fn a_mount_point_is_absent_or_an_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(is_to_be_made(&at("new")).unwrap());
        std::fs::create_dir(at("empty")).unwrap();
        assert!(!is_to_be_made(&at("empty")).unwrap());
        std::fs::write(at("file"), "").unwrap();
        for (path, exit) in [
            (at("file"), Exit::Failed),
            (at("a/b"), Exit::Failed),
            (folder.path().to_owned(), Exit::Failed),
            ("relative".into(), Exit::Usage),
        ] {
            assert_eq!(is_to_be_made(&path).unwrap_err().exit(), exit, "{}", path.display());
        }
    }
}
