//! Making, changing and removing volumes.

use std::path::Path;

use extents::{Bytes, SECTOR_BYTES};

use crate::{
    Command, ExecError, Executor, Kind, LvName, LvRef, Output, Permission, Program, ReportError, Tag, Uuid, volume,
};

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

/// Removes a volume that carries the tag `proof`, which only who made it gave it. Nothing without that tag is ever
/// removed, whatever its name. Runs two commands; the second leaves it to LVM, under its own lock, to find that it is
/// still the volume that was looked at, and that it still has the tag.
///
/// # Errors
/// [`VolumeError::NotOurs`] without the tag, [`VolumeError::Report`] where it does not exist; or LVM refuses, as it
/// does after some seconds for a volume that is in use ([`Kind::Busy`]).
pub fn remove(exec: &dyn Executor, name: &LvRef, proof: &Tag) -> Result<(), VolumeError> {
    let found = volume(exec, name).map_err(|source| VolumeError::Report { source })?;
    if !found.has_tag(proof) {
        return Err(VolumeError::NotOurs { name: name.clone(), uuid: found.uuid, tag: proof.clone() });
    }
    let selection = format!(r#"lv_uuid="{}" && lv_tags={{"{proof}"}}"#, found.uuid);
    let command = Command::new(Program::Lvremove).args(["-f", "--select", &selection, &name.to_string()]);
    let output = run(exec, &command, "remove", name)?;
    // Where nothing fits the selection, lvremove exits 0 without a word.
    if output.text().contains("successfully removed") {
        Ok(())
    } else {
        Err(VolumeError::Replaced { name: name.clone(), uuid: found.uuid })
    }
}

/// Activates a volume, also one that a boot leaves inactive; with an origin of classic snapshots, these too. One that is
/// active already is no error. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn activate(exec: &dyn Executor, name: &LvRef) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvchange).args(["--activate", "y", "--ignoreactivationskip"]);
    run(exec, &command.arg(name.to_string()), "activate", name).map(drop)
}

/// Deactivates a volume. One that is inactive already is no error. Runs one command.
///
/// # Errors
/// LVM refuses: something has it open ([`Kind::Busy`]).
pub fn deactivate(exec: &dyn Executor, name: &LvRef) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvchange).args(["--activate", "n"]);
    run(exec, &command.arg(name.to_string()), "deactivate", name).map(drop)
}

/// Renames a volume within its group; one that is active, open or mounted stays so. Runs one command.
///
/// # Errors
/// LVM refuses: no such volume, the new name is taken.
pub fn rename(exec: &dyn Executor, name: &LvRef, to: &LvName) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvrename).args([name.vg().as_str(), name.lv().as_str(), to.as_str()]);
    run(exec, &command, "rename", name).map(drop)
}

/// Gives a thin volume another size, larger or smaller, without looking at what is on it: what lies past a smaller end
/// is lost. It may be active, read-only, or both. LVM rounds up to whole extents of the group. Runs one command, or two
/// on an LVM before 2.03.17.
///
/// # Errors
/// LVM refuses.
pub fn resize(exec: &dyn Executor, name: &LvRef, size: Bytes) -> Result<(), VolumeError> {
    let resize = |options: &[&str]| {
        let command = Command::new(Program::Lvresize).arg("-f").args(options);
        run(exec, &command.args(["--size", &bytes(size), &name.to_string()]), "resize", name).map(drop)
    };
    // Since 2.03.17 LVM looks for a file system before it makes a volume smaller, and wants it active for that.
    let result = match resize(&["--fs", "ignore"]) {
        Err(error) if error.says("unrecognized option '--fs'") => resize(&[]),
        result => result,
    };
    match result {
        // Not an error for us; compared in extents, so that only LVM knows beforehand.
        Err(error) if error.says("matches existing size") => Ok(()),
        result => result,
    }
}

/// Changes tags and permission, all in one step; also of a volume that is active, or mounted. What is as wanted already
/// is no error. Runs one command, or none where nothing is to change.
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
    match run(exec, &command.arg(name.to_string()), "change", name) {
        // lvchange makes all other changes then, and exits 5 nevertheless.
        Err(error) if error.says_only("is already read only") || error.says_only("is already writable") => Ok(()),
        result => result.map(drop),
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
    exec.run(command).map_err(|source| VolumeError::Refused { action, name: name.clone(), source })
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
        /// Why not.
        source: ExecError,
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
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused { source, .. } => source.kind(),
            Self::Report { source } => source.kind(),
            Self::NotOurs { .. } => Kind::Invalid,
            Self::Replaced { .. } => Kind::Failed,
        }
    }

    fn stderr(&self) -> &str {
        match self {
            Self::Refused { source, .. } => source.stderr(),
            _ => "",
        }
    }

    fn says(&self, text: &str) -> bool {
        self.stderr().contains(text)
    }

    /// Whether LVM said this and nothing else but warnings.
    fn says_only(&self, text: &str) -> bool {
        self.says(text) && self.stderr().lines().all(|line| line.contains(text) || line.contains("WARNING: "))
    }
}
