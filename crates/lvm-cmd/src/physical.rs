//! Physical volumes: a device that a group gets for a while.

use std::path::Path;

use crate::{Command, ExecError, Executor, Program, Tag, Uuid, VgName};

/// Makes a physical volume with an id that is known before. Runs one command.
///
/// # Errors
/// LVM refuses: something is on the device, or the id is taken.
pub fn create_pv(exec: &dyn Executor, device: &Path, uuid: &Uuid) -> Result<(), ExecError> {
    // LVM wants to know from which backup the id is, unless it is told that there is none.
    let command = Command::new(Program::Pvcreate).args(["--uuid", uuid.as_str(), "--norestorefile"]).arg(device);
    exec.run(&command).map(drop)
}

/// Whether LVM would change a group, with its own reason where it would not. Nothing is changed. Runs one command.
///
/// # Errors
/// LVM would refuse.
pub fn may_change_group(exec: &dyn Executor, group: &VgName) -> Result<(), ExecError> {
    let command = Command::new(Program::Vgchange).args(["--test", "--addtag", "hyperlayer.test"]);
    exec.run(&command.arg(group.as_str())).map(drop)
}

/// Gives it to a group. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn extend_group(exec: &dyn Executor, group: &VgName, device: &Path) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Vgextend).arg(group.as_str()).arg(device)).map(drop)
}

/// Gives a physical volume that a group has a tag. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn tag_pv(exec: &dyn Executor, device: &Path, tag: &Tag) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Pvchange).args(["--addtag", tag.as_str()]).arg(device)).map(drop)
}

/// Takes it away from a group. Runs one command.
///
/// # Errors
/// LVM refuses: a volume has a part of it.
pub fn reduce_group(exec: &dyn Executor, group: &VgName, device: &Path) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Vgreduce).arg(group.as_str()).arg(device)).map(drop)
}

/// Takes all physical volumes away from a group whose devices are not there. Runs one command.
///
/// Without `--force`, which LVM would let remove every volume that has a part of one: to it, the *origin* of a snapshot on a
/// missing physical volume is such a volume as well (lvm2 2.03.16, seen).
///
/// # Errors
/// LVM refuses: a volume has a part of one.
pub fn drop_missing(exec: &dyn Executor, group: &VgName) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Vgreduce).args(["--removemissing", group.as_str()])).map(drop)
}

/// Lets LVM use all of a device that has grown. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn resize_pv(exec: &dyn Executor, device: &Path) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Pvresize).arg(device)).map(drop)
}

/// Takes LVM's label off a device that no group has. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn remove_pv(exec: &dyn Executor, device: &Path) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Pvremove).arg(device)).map(drop)
}
