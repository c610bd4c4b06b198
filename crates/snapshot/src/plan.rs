//! From what is recorded and what is there to what is to be done: pure functions.

use std::path::{Path, PathBuf};

use crate::{FileSystem, Phase, Record, Step};

/// What is found under a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Found {
    /// Nothing.
    #[default]
    Absent,
    /// What the record says that we made.
    Ours,
    /// Something that we did not make.
    Other,
    /// Not known: the file system that it was made on is not mounted.
    Unreachable,
}

/// What is found of the physical volume, by the id that it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Physical {
    /// Nothing.
    #[default]
    Absent,
    /// Its device is there, and no group has it.
    Alone,
    /// Its device is there, and its group has it.
    InGroup,
    /// Its group has it, and its device is not there.
    Missing {
        /// Whether the group misses other physical volumes as well, or another volume than the snapshot has a part of it.
        entangled: bool,
    },
}

/// All that is there of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The temporary file.
    pub file: Found,
    /// The same before it had its name.
    pub unfinished_file: bool,
    /// The loop devices that have it.
    pub loops: Vec<PathBuf>,
    /// The physical volume on it.
    pub physical: Physical,
    /// Whether the group misses the space of another snapshot, which was not noted as lost: it may only not be attached. LVM marks
    /// it as missing when it changes the group.
    pub misses_other_space: bool,
    /// The snapshot.
    pub volume: Found,
    /// Whether the device mapper has it.
    pub is_active: bool,
    /// The folder for the mount.
    pub folder: Found,
    /// The same before it had its name.
    pub unfinished_folder: bool,
    /// Where the snapshot is mounted.
    pub mounts: Vec<PathBuf>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Unmount the snapshot.
    Unmount(PathBuf),
    /// Remove the folder for the mount, which is empty.
    RemoveFolder,
    /// Remove what was to become that folder.
    RemoveUnfinishedFolder,
    /// Remove the snapshot.
    RemoveVolume,
    /// Take the missing physical volume away from the group, when no volume has a part of it any more.
    DropMissing,
    /// Take the physical volume away from the group.
    ReduceGroup,
    /// Take LVM's label off the loop device.
    RemovePhysical,
    /// Detach the loop device.
    Detach,
    /// Remove the temporary file.
    RemoveFile,
    /// Remove what was to become that file.
    RemoveUnfinishedFile,
    /// Attach the temporary file to a loop device again.
    Attach,
    /// Activate the snapshot.
    Activate,
    /// Make the folder for the mount again.
    MakeFolder,
    /// Mount it again.
    Mount,
}

impl Action {
    /// The step that is undone by it as the last one, where one is.
    #[must_use]
    pub fn undoes(&self) -> Option<Step> {
        match self {
            Self::Unmount(_) => Some(Step::Mount),
            Self::RemoveFolder | Self::RemoveUnfinishedFolder => Some(Step::Folder),
            Self::RemoveVolume => Some(Step::Volume),
            Self::DropMissing | Self::ReduceGroup => Some(Step::Group),
            Self::RemovePhysical => Some(Step::PhysicalVolume),
            Self::Detach => Some(Step::Loop),
            Self::RemoveFile | Self::RemoveUnfinishedFile => Some(Step::File),
            Self::Attach | Self::Activate | Self::MakeFolder | Self::Mount => None,
        }
    }

    /// What is done, for people, of this snapshot.
    #[must_use]
    pub fn says(&self, record: &Record) -> String {
        let file = record.file.as_ref().map(|file| file.path.display().to_string()).unwrap_or_default();
        let folder = record.mount.as_ref().map(|mount| mount.path.display().to_string()).unwrap_or_default();
        let (snapshot, group) = (&record.snapshot, record.snapshot.vg());
        match self {
            Self::Unmount(at) => format!("unmount `{}`", at.display()),
            Self::RemoveFolder => format!("remove the empty folder `{folder}`"),
            Self::RemoveUnfinishedFolder => format!("remove the folder that was to become `{folder}`"),
            Self::RemoveVolume => format!("remove the snapshot `{snapshot}`"),
            Self::DropMissing => format!("take the space of `{snapshot}`, which is gone, out of `{group}`"),
            Self::ReduceGroup => format!("take the space in `{file}` out of `{group}`"),
            Self::RemovePhysical => format!("take LVM's label off the loop device of `{file}`"),
            Self::Detach => format!("detach the loop device of `{file}`"),
            Self::RemoveFile => format!("remove the file `{file}`"),
            Self::RemoveUnfinishedFile => format!("remove the file that was to become `{file}`"),
            Self::Attach => format!("attach `{file}` to a loop device"),
            Self::Activate => format!("activate `{snapshot}`"),
            Self::MakeFolder => format!("make the folder `{folder}`"),
            Self::Mount => format!("mount `{snapshot}` at `{folder}`"),
        }
    }
}

/// Why nothing can be planned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A missing physical volume cannot be taken away alone.
    #[error(
        "the space of `{snapshot}` is gone, `{}`, and the group cannot be told to do without it: more is missing there, \
         or another volume has a part of it",
        file.display()
    )]
    Entangled {
        /// The snapshot.
        snapshot: lvm_cmd::LvRef,
        /// The temporary file.
        file: PathBuf,
    },
    /// LVM would mark as missing what is only not attached.
    #[error(
        "cannot remove `{snapshot}`: its group misses the space of another snapshot, which LVM would then mark as missing"
    )]
    Unattached {
        /// The snapshot.
        snapshot: lvm_cmd::LvRef,
    },
    /// What was made may be there, and cannot be looked at.
    #[error("cannot look at {}, which was made for the snapshot `{snapshot}`: {}", named(path), unreachable(lies_on.as_deref()))]
    Unreachable {
        /// The snapshot.
        snapshot: lvm_cmd::LvRef,
        /// The step that made it: [`Step::File`] or [`Step::Folder`].
        step: Step,
        /// The temporary file, or the folder for the mount.
        path: PathBuf,
        /// The file system that it was made on, where that is recorded.
        lies_on: Option<Box<FileSystem>>,
    },
}

/// A record that was found by tags alone may not say where the file lies.
fn named(path: &Path) -> String {
    match path.as_os_str().is_empty() {
        true => "the temporary file, whose name is not known".to_owned(),
        false => format!("`{}`", path.display()),
    }
}

fn unreachable(lies_on: Option<&FileSystem>) -> String {
    match lies_on {
        Some(on) => format!("the file system `{}` is not mounted at `{}`", on.source, on.mount_point.display()),
        None => "nothing of ours is there, and the record does not say on which file system it was made".to_owned(),
    }
}

/// Refuses to plan where the temporary file cannot be looked at.
fn reach_file(record: &Record, facts: &Facts) -> Result<(), PlanError> {
    let file = record.file.as_ref().filter(|_| facts.file == Found::Unreachable);
    file.map_or(Ok(()), |file| Err(unreached(record, Step::File, &file.path, file.lies_on.as_ref())))
}

/// The same for the folder that was made for the mount.
fn reach_folder(record: &Record, facts: &Facts) -> Result<(), PlanError> {
    let at = record.mount.as_ref().filter(|_| facts.folder == Found::Unreachable);
    at.map_or(Ok(()), |at| Err(unreached(record, Step::Folder, &at.path, at.lies_on.as_ref())))
}

fn unreached(record: &Record, step: Step, path: &Path, lies_on: Option<&FileSystem>) -> PlanError {
    PlanError::Unreachable {
        snapshot: record.snapshot.clone(),
        step,
        path: path.to_owned(),
        lies_on: lies_on.cloned().map(Box::new),
    }
}

/// What removes all that is there of a snapshot, and nothing else.
///
/// # Errors
/// See [`PlanError`].
pub fn removal(record: &Record, facts: &Facts) -> Result<Vec<Action>, PlanError> {
    reach_file(record, facts)?;
    let mut actions = unmounting(record, facts)?;
    let mut has_loop = !facts.loops.is_empty();
    let mut physical = facts.physical;
    if matches!(physical, Physical::Missing { .. }) && facts.file == Found::Ours && !has_loop {
        // With its device nothing is missing any more.
        actions.push(Action::Attach);
        (has_loop, physical) = (true, Physical::InGroup);
    }
    match physical {
        Physical::Missing { entangled: true } => {
            let file = record.file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
            return Err(PlanError::Entangled { snapshot: record.snapshot.clone(), file });
        }
        _ if facts.volume == Found::Ours => actions.push(Action::RemoveVolume),
        _ => {}
    }
    if matches!(physical, Physical::Missing { .. }) {
        actions.push(Action::DropMissing);
    }
    if physical == Physical::InGroup {
        actions.push(Action::ReduceGroup);
    }
    if matches!(physical, Physical::InGroup | Physical::Alone) {
        actions.push(Action::RemovePhysical);
    }
    if has_loop {
        actions.push(Action::Detach);
    }
    if facts.file == Found::Ours {
        actions.push(Action::RemoveFile);
    }
    if facts.unfinished_file {
        actions.push(Action::RemoveUnfinishedFile);
    }
    Ok(actions)
}

/// Refuses to change a group that misses what may come back.
///
/// # Errors
/// [`PlanError::Unattached`].
pub(crate) fn may_change_group(record: &Record, facts: &Facts, actions: &[Action]) -> Result<(), PlanError> {
    let changes = |action: &Action| matches!(action, Action::RemoveVolume | Action::DropMissing | Action::ReduceGroup);
    match facts.misses_other_space && actions.iter().any(changes) {
        true => Err(PlanError::Unattached { snapshot: record.snapshot.clone() }),
        false => Ok(()),
    }
}

/// What unmounts it, and removes the folder that was made for that.
///
/// # Errors
/// [`PlanError::Unreachable`], of that folder.
pub fn unmounting(record: &Record, facts: &Facts) -> Result<Vec<Action>, PlanError> {
    reach_folder(record, facts)?;
    let mut actions: Vec<Action> = facts.mounts.iter().cloned().map(Action::Unmount).collect();
    if facts.folder == Found::Ours {
        actions.push(Action::RemoveFolder);
    }
    if facts.unfinished_folder {
        actions.push(Action::RemoveUnfinishedFolder);
    }
    Ok(actions)
}

/// What makes a snapshot that was made once available again, as after a boot; nothing where it is, or where it is gone.
///
/// # Errors
/// [`PlanError::Unreachable`]: it can be had again, but not now.
pub fn revival(record: &Record, facts: &Facts) -> Result<Vec<Action>, PlanError> {
    let mut actions = Vec::new();
    if facts.loops.is_empty() {
        reach_file(record, facts)?;
    }
    let is_there = facts.volume == Found::Ours;
    if record.file.is_some() && facts.file == Found::Ours && facts.loops.is_empty() {
        actions.push(Action::Attach);
    }
    if is_there && !facts.is_active {
        actions.push(Action::Activate);
    }
    if let Some(mount) = record.mount.as_ref().filter(|_| is_there)
        && !facts.mounts.contains(&mount.path)
    {
        reach_folder(record, facts)?;
        if facts.unfinished_folder {
            actions.push(Action::RemoveUnfinishedFolder);
        }
        if mount.make && facts.folder == Found::Absent {
            actions.push(Action::MakeFolder);
        }
        actions.push(Action::Mount);
    }
    Ok(actions)
}

/// What a run that died has left to do: the rest of a removal, the removal of what was not made whole, or the revival of
/// what was made.
///
/// # Errors
/// See [`PlanError`].
pub fn recovery(record: &Record, facts: &Facts) -> Result<Vec<Action>, PlanError> {
    match record.phase {
        Phase::Making | Phase::Removing => removal(record, facts),
        // Nobody can have it back: its space or itself is gone.
        Phase::Made if is_lost(record, facts) => removal(record, facts),
        Phase::Made => revival(record, facts),
    }
}

/// Whether what was made once can never be had again. A file that cannot be looked at is not lost.
#[must_use]
pub fn is_lost(record: &Record, facts: &Facts) -> bool {
    facts.volume != Found::Ours || (record.file.is_some() && matches!(facts.file, Found::Absent | Found::Other))
}
