//! From what is asked for to what is recorded, and how a file system is mounted beside its origin.

use std::path::{Path, PathBuf};

use cli::{Exit, Failure, OrFail, Outcome};
use extents::Bytes;
use lvm_cmd::{Uuid, file_system};
use snapshot::MountPoint;

use crate::context::Context;

/// How much longer a temporary file is than the snapshot in it: LVM's label and metadata, and what is lost to whole
/// extents.
const MARGIN_BYTES: u64 = 16 << 20;

/// The length of a temporary file for a snapshot of `size` in a group with extents of `extent`.
pub(crate) fn file_len(size: Bytes, extent: Bytes) -> Bytes {
    let extents = size.get().div_ceil(extent.get().max(1));
    Bytes::new(extents.saturating_mul(extent.get()).saturating_add(MARGIN_BYTES.max(extent.get())))
}

/// `count` random hex digits.
pub(crate) fn random_hex(count: usize) -> Outcome<String> {
    Ok(random(count)?.iter().map(|byte| char::from(b"0123456789abcdef"[usize::from(byte % 16)])).collect())
}

/// An id for a physical volume, in LVM's form.
pub(crate) fn random_uuid() -> Outcome<Uuid> {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letters: Vec<char> = random(32)?.iter().map(|byte| char::from(LETTERS[usize::from(byte % 62)])).collect();
    let mut text = String::new();
    let mut letters = letters.into_iter();
    for (n, length) in [6, 4, 4, 4, 4, 4, 6].into_iter().enumerate() {
        text.extend((n > 0).then_some('-'));
        text.extend(letters.by_ref().take(length));
    }
    text.parse().or_fail(Exit::Failed)
}

fn random(count: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .or_fail(Exit::Failed)?;
    }
    Ok(bytes)
}

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
    fn a_file_has_room_for_the_snapshot_and_what_lvm_needs() {
        let mib = |count: u64| Bytes::new(count << 20);
        for (size, extent, len) in [(100, 4, 116), (101, 4, 120), (100, 64, 192), (1, 1, 17)] {
            assert_eq!(file_len(mib(size), mib(extent)), mib(len), "{size} in extents of {extent}");
        }
    }

    #[test]
    fn ids_are_of_lvms_form_and_differ() {
        assert_ne!(random_uuid().unwrap(), random_uuid().unwrap());
        let id = random_hex(16).unwrap();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

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
