//! Making, changing and removing volumes.

use extents::Bytes;

use crate::{Command, ExecError, Executor, Kind, LvName, LvRef, Permission, Program, ReportError, Tag, Uuid, volume};

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
    /// Tags to take away; one that is not there is no error.
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
    // Without a size: with one, LVM would make a classic snapshot.
    let command = Command::new(Program::Lvcreate).args(["--snapshot", "--name", name.as_str()]);
    let command = new.arguments(command).arg(origin.to_string());
    run(exec, &command, "create snapshot", &origin.sibling(name.clone()))
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
    run(exec, &command, "create volume", &pool.sibling(name.clone()))
}

/// Removes a volume that carries the tag `proof`, which only who made it gave it. Nothing without that tag is ever
/// removed, whatever its name. Runs two commands.
///
/// # Errors
/// [`VolumeError::NotOurs`] without the tag, [`VolumeError::Report`] where it does not exist; or LVM refuses.
pub fn remove(exec: &dyn Executor, name: &LvRef, proof: &Tag) -> Result<(), VolumeError> {
    let found = volume(exec, name).map_err(|source| VolumeError::Report { source })?;
    if !found.has_tag(proof) {
        return Err(VolumeError::NotOurs { name: name.clone(), uuid: found.uuid, tag: proof.clone() });
    }
    let command = Command::new(Program::Lvremove).args(["-f", &name.to_string()]);
    run(exec, &command, "remove", name)
}

/// Renames a volume within its group; one that is active and open stays so. Runs one command.
///
/// # Errors
/// LVM refuses: no such volume, the new name is taken.
pub fn rename(exec: &dyn Executor, name: &LvRef, to: &LvName) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvrename).args([name.vg().as_str(), name.lv().as_str(), to.as_str()]);
    run(exec, &command, "rename", name)
}

/// Gives a thin volume another size, larger or smaller, without looking at what is on it: what lies past a smaller end
/// is lost. LVM rounds up to whole extents of the group. Runs one command.
///
/// # Errors
/// LVM refuses.
pub fn resize(exec: &dyn Executor, name: &LvRef, size: Bytes) -> Result<(), VolumeError> {
    let command = Command::new(Program::Lvresize).args(["-f", "--size", &bytes(size), &name.to_string()]);
    run(exec, &command, "resize", name)
}

/// Changes tags and permission, all in one step. Runs one command, or none where nothing is to change.
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
    run(exec, &command.arg(name.to_string()), "change", name)
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

fn bytes(size: Bytes) -> String {
    format!("{size}b")
}

fn run(exec: &dyn Executor, command: &Command, action: &'static str, name: &LvRef) -> Result<(), VolumeError> {
    exec.run(command).map(drop).map_err(|source| VolumeError::Refused { action, name: name.clone(), source })
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
}

impl VolumeError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused { source, .. } => source.kind(),
            Self::Report { source } => source.kind(),
            Self::NotOurs { .. } => Kind::Invalid,
        }
    }
}
