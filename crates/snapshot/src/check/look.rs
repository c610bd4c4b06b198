//! Looking up what the checks judge. Nothing is changed.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use extents::Bytes;
use lvm_cmd::{
    Executor, Kind, Lv, LvRef, Program, Stack, Uuid, check_activation_lists, find, groups, loop_devices,
    may_change_group, mounted, physical_volumes, pool_status, volumes, with_causes,
};

use super::{
    Asked, AskedFile, FilePlace, Group, GroupSpace, LoopPlace, Made, MountPlace, NodeKind, Origin, Pool, Seen, There,
    quoted,
};
use crate::{Found, HostSite, Record, Site, SiteError};

/// The number that the kernel gives loop devices, `LOOP_MAJOR` in its `major.h`.
const LOOP_MAJOR: u32 = 7;

/// Where things are looked up, and what is known already.
#[derive(Debug)]
pub struct Look<'a> {
    /// Runs the programs.
    pub exec: &'a dyn Executor,
    /// Whether root runs this.
    pub is_root: bool,
    /// The programs that are not there, of [`Asked::programs`].
    pub missing: Vec<Program>,
    /// What says that another run works on this snapshot.
    pub other_run: Option<String>,
    /// What is recorded under the snapshot's name; or why that cannot be known.
    pub record: Option<Result<Record, String>>,
    /// The device mapper's nodes, `/dev/mapper`.
    pub nodes: &'a Path,
    /// What lies on what.
    pub stack: Stack<'a>,
}

/// Looks up what is wanted. Without root, or without LVM's programs, LVM is not asked. Runs three commands, and one each for the
/// group's space, a thin pool, a named loop device and the file system to mount; and those of a look at a snapshot that is there.
///
/// # Errors
/// LVM does not answer.
pub fn look(asked: &Asked, at: Look<'_>) -> Result<Seen, SiteError> {
    let has = |programs: &[Program]| at.is_root && programs.iter().all(|program| !at.missing.contains(program));
    let (group, group_uuid) = match has(&[Program::Lvs, Program::Vgs, Program::Pvs, Program::Dmsetup]) {
        true => look_at_group(asked, &at)?,
        false => (None, None),
    };
    let made = match (&at.record, &group) {
        (Some(Ok(record)), Some(Ok(_))) if at.missing.is_empty() => Some(look_at_made(record, &at)?),
        _ => None,
    };
    let origin = group.as_ref().and_then(|group| group.as_ref().ok()?.origin.as_ref().ok());
    let is_to_read = asked.mount.is_some() && has(&[Program::Blkid]) && origin.is_some_and(|origin| origin.has_node);
    let node = at.nodes.join(asked.origin.dm_name());
    Ok(Seen {
        file_system: is_to_read.then(|| look_at_node(at.exec, &node)),
        file: asked.file.as_ref().map(|file| look_at_file(file, group_uuid.as_ref(), &at.stack)),
        loop_device: match asked.loop_device() {
            Some(device) if has(&[Program::Losetup]) => Some(look_at_loop(device, at.exec)?),
            _ => None,
        },
        mount: asked.mount.as_deref().map(|path| look_at_mount_point(path, at.stack.mounts)).transpose()?,
        is_root: at.is_root,
        missing: at.missing,
        other_run: at.other_run,
        record: at.record,
        made,
        group,
    })
}

type Looked = (Option<Result<Group, String>>, Option<Uuid>);

/// The group, and LVM's id of it, where its space matters.
fn look_at_group(asked: &Asked, at: &Look<'_>) -> Result<Looked, SiteError> {
    let vg = asked.origin.vg();
    let all = match volumes(at.exec, vg) {
        Err(error) if error.kind() == Kind::NotFound => return Ok((Some(Err(with_causes(&error))), None)),
        all => all?,
    };
    let mut devices = physical_volumes(at.exec)?;
    devices.retain(|pv| pv.group.as_ref() == Some(vg));
    let missing_count = devices.iter().filter(|pv| pv.device.is_none()).count();
    let refused = match missing_count {
        0 => may_change_group(at.exec, vg).err().map(|error| with_causes(&error)),
        _ => None,
    };
    let unusable = check_activation_lists(at.exec, vg).err().map(|error| with_causes(&error));
    let this = match asked.size {
        Some(_) => groups(at.exec)?.into_iter().find(|group| group.name == *vg),
        None => None,
    };
    let origin = match find(&all, &asked.origin) {
        Ok(lv) => Ok(look_at_origin(asked, lv, at)),
        Err(error) => Err(with_causes(&error)),
    };
    let group = Group {
        missing_count,
        refused,
        unusable,
        block_size: devices.iter().filter_map(|pv| at.stack.block_size(pv.device.as_deref()?)).max(),
        space: this.as_ref().map(|this| GroupSpace { free: this.free, extent: this.extent_size }),
        is_name_taken: all.iter().any(|lv| lv.name == asked.snapshot),
        is_device_taken: at.nodes.join(asked.snapshot.dm_name()).symlink_metadata().is_ok(),
        origin,
    };
    Ok((Some(Ok(group)), this.map(|this| this.uuid)))
}

fn look_at_origin(asked: &Asked, lv: &Lv, at: &Look<'_>) -> Origin {
    let node = fs::metadata(at.nodes.join(lv.name.dm_name()));
    let pool = lv.pool_ref().filter(|_| asked.size.is_none());
    Origin {
        uuid: lv.uuid.clone(),
        kind: lv.attr.lv_type(),
        is_classic_snapshot: lv.attr.is_classic_snapshot(),
        size: lv.size,
        trouble: lv.attr.trouble(),
        is_active: lv.attr.is_active(),
        has_node: node.is_ok_and(|node| node.file_type().is_block_device()),
        pool: pool.map(|name| look_at_pool(name, at.exec)),
    }
}

fn look_at_pool(name: LvRef, exec: &dyn Executor) -> Pool {
    let status = match pool_status(exec, &name) {
        Ok(status) => Ok(Some(status)),
        Err(lvm_cmd::PoolError::Inactive { .. }) => Ok(None),
        Err(error) => Err(with_causes(&error)),
    };
    Pool { name, status }
}

fn look_at_file(file: &AskedFile, group: Option<&Uuid>, stack: &Stack<'_>) -> FilePlace {
    let none = |path| FilePlace { path, is_there: false, free: Bytes::ZERO, on: Ok(None) };
    let path = match resolved(&file.path) {
        Ok(path) => path,
        Err(why) => return none(Err(why)),
    };
    let folder = path.parent().unwrap_or(&path);
    let space = match rustix::fs::statvfs(folder) {
        Ok(space) => Bytes::new(space.f_bavail.saturating_mul(space.f_frsize)),
        Err(error) => return none(Err(format!("cannot look at {}: {error}", quoted(folder)))),
    };
    let on = match (group, stack.below(folder)) {
        (_, Err(error)) => Err(with_causes(&error)),
        (None, _) => Ok(None),
        (Some(group), Ok(below)) => {
            let ours: Vec<_> = below.into_iter().filter(|device| device.is_of_group(group)).collect();
            // A volume that somebody knows by name, rather than what LVM makes it of.
            let name = |device: &lvm_cmd::Below| LvRef::from_dm_name(device.dm_name.as_deref()?).ok();
            let named = ours.iter().find_map(name).map(|lv| lv.to_string());
            Ok(named.or_else(|| ours.first().map(|device| device.dm_name.clone().unwrap_or_default())))
        }
    };
    FilePlace { is_there: path.symlink_metadata().is_ok(), free: space, on, path: Ok(path) }
}

fn look_at_loop(device: &Path, exec: &dyn Executor) -> Result<LoopPlace, SiteError> {
    let kind = match fs::metadata(device) {
        Err(_) => NodeKind::Absent,
        Ok(node) if !node.file_type().is_block_device() => NodeKind::NoBlock,
        Ok(node) if rustix::fs::major(node.rdev()) != LOOP_MAJOR => NodeKind::Block,
        Ok(_) => NodeKind::Loop,
    };
    if kind != NodeKind::Loop {
        return Ok(LoopPlace { kind, file: None });
    }
    let device = device.canonicalize().unwrap_or_else(|_| device.to_owned());
    let file = loop_devices(exec)?.into_iter().find(|taken| taken.device == device).map(|taken| taken.file);
    Ok(LoopPlace { kind, file })
}

/// A mount point; `mounts` is `/proc/self/mountinfo`. Runs no command.
///
/// # Errors
/// The kernel does not say what is mounted, or the folder cannot be read.
pub fn look_at_mount_point(at: &Path, mounts: &Path) -> Result<MountPlace, SiteError> {
    let none = |path, there| Ok(MountPlace { path, there, is_mount_point: false });
    let path = match resolved(at) {
        Ok(path) => path,
        Err(why) => return none(Err(why), There::Absent),
    };
    let there = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => There::Absent,
        Err(error) => return none(Err(format!("cannot look at {}: {error}", quoted(&path))), There::Absent),
        Ok(there) if !there.is_dir() => There::Other,
        Ok(_) => match holds(&path) {
            Ok(true) => There::Full,
            Ok(false) => There::Empty,
            Err(error) => return none(Err(format!("cannot look at {}: {error}", quoted(&path))), There::Absent),
        },
    };
    let is_mount_point = mounted(mounts)?.iter().any(|mount| mount.at == path);
    Ok(MountPlace { path: Ok(path), there, is_mount_point })
}

/// The file system on a device, as [`Seen::file_system`] has it. Runs one command.
///
/// # Errors
/// Why it cannot be known.
pub fn look_at_node(exec: &dyn Executor, node: &Path) -> Result<Option<String>, String> {
    lvm_cmd::file_system(exec, node).map_err(|error| with_causes(&error))
}

fn look_at_made(record: &Record, at: &Look<'_>) -> Result<Made, SiteError> {
    let facts = HostSite::new(at.exec, &|_| true).look(record)?;
    let mut made = Made { facts, ..Made::default() };
    if let Some(mount) = &record.mount {
        let is_ours = made.facts.mounts.contains(&mount.path);
        made.other_mount = !is_ours && mounted(at.stack.mounts)?.iter().any(|other| other.at == mount.path);
        made.folder_holds = !is_ours && made.facts.folder == Found::Ours && holds(&mount.path).unwrap_or(true);
    }
    Ok(made)
}

fn holds(folder: &Path) -> std::io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_some())
}

/// A path as it is recorded: its folder without symbolic links.
fn resolved(path: &Path) -> Result<PathBuf, String> {
    let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute()) else {
        return Err(format!("{} is no absolute path of what can be made", quoted(path)));
    };
    let parent = parent.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("the folder that {} is to lie in is not there", quoted(path)),
        _ => format!("cannot look at the folder of {}: {error}", quoted(path)),
    })?;
    if !parent.is_dir() {
        return Err(format!("{} is to lie in what is no folder", quoted(path)));
    }
    Ok(parent.join(name))
}
