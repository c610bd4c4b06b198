//! Making, changing and removing volumes.

use std::path::Path;

use extents::{Bytes, SECTOR_BYTES};

use crate::activation_lists::likely_list;
use crate::{
    ActivationListError, Command, ExecError, Executor, Kind, Lv, LvName, LvRef, Output, Permission, Program,
    ReportError, Tag, Uuid, find, volumes,
};

/// LVM's exit status for a command line that it does not understand (`EINVALID_CMD_LINE` in lvm2's `lib/commands/errors.h`).
const INVALID_COMMAND_LINE: i32 = 3;

/// What a new thin volume is to be, beside its name.
#[derive(Clone, Debug)]
pub struct NewVolume<'a> {
    /// Tags that it carries from its first moment on.
    pub tags: &'a [Tag],
    /// Whether it may be written.
    pub permission: Permission,
    /// Whether it is active afterwards.
    pub active: bool,
    /// Whether a later plain `lvchange -ay`, and the next boot, leave it inactive.
    pub skip_activation: bool,
}

/// What is to change of a volume. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// Tags to add; one that is there already is no error.
    pub add_tags: &'a [Tag],
    /// Tags to take away, also where `add_tags` has them; one that is not there is no error.
    pub remove_tags: &'a [Tag],
    /// Whether it may be written from now on.
    pub permission: Option<Permission>,
    /// Whether a plain `lvchange -ay`, and the next boot, leave it inactive from now on.
    pub skip_activation: Option<bool>,
}

/// Makes `name`, a thin snapshot of the thin volume `origin`, in the same group. Runs one command.
///
/// # Errors
/// LVM refuses: `origin` is no thin volume, the name is taken, the pool is full.
pub fn create_snapshot(
    exec: &dyn Executor,
    origin: &LvRef,
    name: &LvName,
    new: &NewVolume<'_>,
) -> Result<(), VolumeError> {
    // Without a size: with one, LVM would make a classic snapshot. The permission is always said: without one, the
    // snapshot even of a read-only volume is writable.
    let command = Command::new(Program::Lvcreate).args(["--snapshot", "--name", name.as_str()]);
    let command = new.arguments(command).arg(origin.to_string());
    run(exec, &command, "create snapshot", &origin.sibling(name.clone())).map(drop)
}

/// How large a classic snapshot is, or how much larger it becomes, and where that lies.
#[derive(Clone, Copy, Debug)]
pub enum Room<'a> {
    /// So large, wherever the group has room.
    Size(Bytes),
    /// All that is free on this physical volume, and nothing else.
    AllOf(&'a Path),
}

/// Makes `name`, a classic snapshot of `origin`: it copies what is overwritten there, and is lost when its room is full.
/// Runs one command.
///
/// # Errors
/// LVM refuses: the name is taken, there is no room.
pub fn create_classic(
    exec: &dyn Executor,
    origin: &LvRef,
    name: &LvName,
    room: Room<'_>,
    tags: &[Tag],
    permission: Permission,
) -> Result<(), VolumeError> {
    let mut command = Command::new(Program::Lvcreate).args(["--snapshot", "--name", name.as_str()]);
    for tag in tags {
        command = command.args(["--addtag", tag.as_str()]);
    }
    command = command.args(["--permission", letters(permission)]);
    command = match room {
        Room::Size(size) => command.args(["--size", &bytes(size)]).arg(origin.to_string()),
        Room::AllOf(device) => command.args(["--extents", "100%PVS"]).arg(origin.to_string()).arg(device),
    };
    run(exec, &command, "create snapshot", &origin.sibling(name.clone())).map(drop)
}

/// Gives a classic snapshot more room, while it is in use: this size on top, or all that is free on a physical volume. LVM
/// rounds up to whole extents. Runs one command.
///
/// # Errors
/// LVM refuses: there is no room.
pub fn extend_classic(exec: &dyn Executor, name: &LvRef, by: Room<'_>) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvextend);
    let command = match by {
        Room::Size(size) => command.args(["--size", &format!("+{}", bytes(size))]).arg(name.to_string()),
        Room::AllOf(device) => command.args(["--extents", "+100%PVS"]).arg(name.to_string()).arg(device),
    };
    run(exec, &command, "extend", name).map(drop)
}

/// Makes `name`, an empty thin volume of `size` in `pool`. LVM rounds the size up to whole extents of the group. Runs
/// one command.
///
/// # Errors
/// LVM refuses: no such pool, the name is taken.
pub fn create_thin(
    exec: &dyn Executor,
    pool: &LvRef,
    name: &LvName,
    size: Bytes,
    new: &NewVolume<'_>,
) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvcreate).args(["--virtualsize", &bytes(size), "--name", name.as_str()]);
    let command = new.arguments(command).arg("--thinpool").arg(pool.to_string());
    run(exec, &command, "create volume", &pool.sibling(name.clone())).map(drop)
}

/// Activates a volume, also one that a boot leaves inactive; with an origin of classic snapshots, these too. One that is
/// active already is no error. Runs one command, and a report where that fails.
///
/// # Errors
/// LVM refuses.
pub fn activate(exec: &dyn Executor, name: &LvRef) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvchange).args(["--activate", "y", "--ignoreactivationskip"]);
    let ended = exec.run(&command.arg(name.to_string()));
    unless_done(exec, ended, "activate", name, |group| find(group, name).is_ok_and(|lv| lv.attr.is_live()))
}

/// Deactivates a volume. One that is inactive already is no error. Runs one command, and a report where that fails.
///
/// # Errors
/// LVM refuses: something has it open ([`Kind::Busy`]).
pub fn deactivate(exec: &dyn Executor, name: &LvRef) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvchange).args(["--activate", "n"]);
    let ended = exec.run(&command.arg(name.to_string()));
    unless_done(exec, ended, "deactivate", name, |group| find(group, name).is_ok_and(|lv| lv.attr.is_gone()))
}

/// Renames the volume that has this UUID within its group; one that is active, open or mounted stays so. Runs one command,
/// and a report where that fails.
///
/// # Errors
/// LVM refuses: no such volume, the new name is taken.
pub fn rename(exec: &dyn Executor, name: &LvRef, uuid: &Uuid, to: &LvName) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvrename).args([name.vg().as_str(), name.lv().as_str(), to.as_str()]);
    let ended = exec.run(&command);
    unless_done(exec, ended, "rename", name, |group| {
        // One that was renamed and is left suspended is not done.
        let is_settled = |lv: &Lv| lv.attr.is_live() || lv.attr.is_gone();
        group.iter().any(|lv| lv.uuid == *uuid && lv.name.lv() == to && is_settled(lv))
    })
}

/// Gives a thin volume another size, larger or smaller, without looking at what is on it: what lies past a smaller end
/// is lost. It may be active, read-only, or both; one that has this size is no error. LVM rounds up to whole extents of the
/// group. Runs one command, or two on an LVM before 2.03.17, and a report where that fails.
///
/// # Errors
/// LVM refuses.
pub fn resize(exec: &dyn Executor, name: &LvRef, size: Bytes) -> Result<(), VolumeError> {
    let resize = |options: &[&str]| {
        let command = Command::new(Program::Lvresize).arg("-f").args(options);
        exec.run(&command.args(["--size", &bytes(size), &name.to_string()]))
    };
    // Since 2.03.17 LVM looks for a file system before it makes a volume smaller, and wants it active for that.
    let ended = match resize(&["--fs", "ignore"]) {
        Err(error) if error.exit_status() == Some(INVALID_COMMAND_LINE) => resize(&[]),
        ended => ended,
    };
    unless_done(exec, ended, "resize", name, |group| {
        let rounded = |lv: &Lv| lv.size >= size && lv.size.get() - size.get() < lv.extent_size.get();
        find(group, name).is_ok_and(rounded)
    })
}

/// Changes tags and permission, all in one step; also of a volume that is active, or mounted. What is as wanted already
/// is no error. Runs one command, or none where nothing is to change, and a report where that fails.
///
/// # Errors
/// LVM refuses.
pub fn change(exec: &dyn Executor, name: &LvRef, change: &Change<'_>) -> Result<(), VolumeError> {
    let mut command = Command::new(Program::Lvchange);
    for tag in change.remove_tags {
        command = command.args(["--deltag", tag.as_str()]);
    }
    for tag in change.add_tags {
        command = command.args(["--addtag", tag.as_str()]);
    }
    if let Some(permission) = change.permission {
        command = command.args(["--permission", letters(permission)]);
    }
    if let Some(skip) = change.skip_activation {
        command = command.args(["--setactivationskip", yes_no(skip)]);
    }
    if command.arguments().is_empty() {
        return Ok(());
    }
    // Where the permission is as wanted already, lvchange makes all other changes, and exits 5 nevertheless.
    let ended = exec.run(&command.arg(name.to_string()));
    unless_done(exec, ended, "change", name, |group| find(group, name).is_ok_and(|lv| change.is_made(lv)))
}

impl Change<'_> {
    fn is_made(&self, lv: &Lv) -> bool {
        let is_added = |tag: &Tag| lv.has_tag(tag) || self.remove_tags.contains(tag);
        self.add_tags.iter().all(is_added)
            && !self.remove_tags.iter().any(|tag| lv.has_tag(tag))
            && self.permission.is_none_or(|permission| lv.attr.permission() == permission)
            && self.skip_activation.is_none_or(|skip| lv.attr.skips_activation() == skip)
    }
}

impl NewVolume<'_> {
    fn arguments(&self, mut command: Command) -> Command {
        for tag in self.tags {
            command = command.args(["--addtag", tag.as_str()]);
        }
        command = command.args(["--permission", letters(self.permission)]);
        command = command.args(["--setactivationskip", yes_no(self.skip_activation)]);
        if self.active {
            command.args(["--activate", "y", "--ignoreactivationskip"])
        } else {
            command.args(["--activate", "n"])
        }
    }
}

fn letters(permission: Permission) -> &'static str {
    match permission {
        Permission::ReadOnly => "r",
        Permission::ReadWrite => "rw",
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "y" } else { "n" }
}

/// LVM takes whole sectors only.
fn bytes(size: Bytes) -> String {
    format!("{}b", size.get().div_ceil(SECTOR_BYTES).saturating_mul(SECTOR_BYTES))
}

fn run(exec: &dyn Executor, command: &Command, action: &'static str, name: &LvRef) -> Result<Output, VolumeError> {
    exec.run(command).map_err(|source| {
        let list = likely_list(exec, &source, name.vg());
        VolumeError::Refused { action, name: name.clone(), in_use: false, list, source }
    })
}

/// How a command ended counts only where it ended well. Otherwise a new report says whether its work is done: LVM's words
/// change with versions, settings and whatever else is wrong on the host.
fn unless_done(
    exec: &dyn Executor,
    ended: Result<Output, ExecError>,
    action: &'static str,
    name: &LvRef,
    is_done: impl Fn(&[Lv]) -> bool,
) -> Result<(), VolumeError> {
    let Err(source) = ended else { return Ok(()) };
    if !source.was_run() {
        return Err(VolumeError::refused(action, name, source, None));
    }
    exec.forget();
    let Ok(group) = volumes(exec, name.vg()) else {
        return Err(VolumeError::refused(action, name, source, None));
    };
    if is_done(&group) {
        tracing::debug!(%name, action, %source, "is done all the same");
        return Ok(());
    }
    match find(&group, name) {
        Ok(found) => Err(VolumeError::refused(action, name, source, Some(found))),
        Err(missing) => Err(VolumeError::Missing { action, name: name.clone(), source: Box::new(missing) }),
    }
}

/// Why a volume was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// LVM refused.
    #[error("cannot {action} `{name}`")]
    Refused {
        /// What was to be done.
        action: &'static str,
        /// The volume.
        name: LvRef,
        /// Whether something has it open, as a report said afterwards.
        in_use: bool,
        /// The list in lvm.conf that is the likely cause, if there is one.
        list: Option<Box<ActivationListError>>,
        /// Why not.
        source: ExecError,
    },
    /// There is no such volume.
    #[error("cannot {action} `{name}`")]
    Missing {
        /// What was to be done.
        action: &'static str,
        /// The volume.
        name: LvRef,
        /// What a report says.
        source: Box<ReportError>,
    },
    /// LVM says that it is removed, and lists it all the same.
    #[error("cannot remove `{name}`: LVM reports success, and still lists it")]
    Stays {
        /// The volume.
        name: LvRef,
    },
    /// It was not looked up.
    #[error("cannot look up the volume to remove")]
    Report {
        /// Why not.
        source: ReportError,
    },
    /// It carries no sign that we made it.
    #[error("`{name}` is not removed: it does not carry the tag `{tag}` of the volumes that this tool makes")]
    NotOurs {
        /// The volume.
        name: LvRef,
        /// Its id.
        uuid: Uuid,
        /// The tag that it lacks.
        tag: Tag,
    },
    /// LVM removes a volume along with it that this tool did not make: its classic snapshot, or a volume of another pool that
    /// reads through to it.
    #[error("`{name}` is not removed: LVM would remove `{by}` along with it; remove that first")]
    Needed {
        /// The volume.
        name: LvRef,
        /// The one that depends on it.
        by: LvRef,
    },
    /// Between a look and the removal it became another volume, or lost its tag.
    #[error("`{name}` is not removed: another program has replaced, changed or removed it (its uuid was {uuid})")]
    Replaced {
        /// The volume.
        name: LvRef,
        /// The id of the volume that was to be removed.
        uuid: Uuid,
    },
}

impl VolumeError {
    /// LVM refused; `found` is the volume in a report afterwards.
    pub(crate) fn refused(action: &'static str, name: &LvRef, source: ExecError, found: Option<&Lv>) -> Self {
        let in_use = found.is_some_and(|lv| lv.attr.is_open());
        Self::Refused { action, name: name.clone(), in_use, list: None, source }
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused { in_use: true, .. } | Self::Needed { .. } => Kind::Busy,
            Self::Refused { list: Some(list), .. } => list.kind(),
            Self::Refused { source, .. } => source.kind(),
            Self::Report { source } => source.kind(),
            Self::Missing { source, .. } => source.kind(),
            Self::NotOurs { .. } => Kind::Invalid,
            Self::Replaced { .. } | Self::Stays { .. } => Kind::Failed,
        }
    }

    /// What to do next, where a setting of the host is the likely cause.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { list, .. } => list.as_ref().map(|list| list.hint()),
            _ => None,
        }
    }

    /// Whether a report of the whole group says that there is no such volume.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Report { source } => matches!(source, ReportError::UnknownLv { .. }),
            Self::Missing { .. } => true,
            _ => false,
        }
    }
}
