//! What a run makes for itself, and how a later run knows it as a dead run's.

use std::path::PathBuf;
use std::time::Duration;

use lvm_cmd::{Frozen, Kind, Lv, LvName, LvRef, Patience, ProcessLock, Stack, Tag, WrittenTo};

use super::{Lvm, LvmError, partial_target};
use crate::Error;

/// The tag of a volume that is being received. Its value is the name that it will get, and the place of the run that made it.
const RECEIVING_TAG: &str = "hyperlayer.receiving=";
/// The tag of a snapshot that lives only as long as it is read. Its value is the place of the run that made it.
const TEMPORARY_TAG: &str = "hyperlayer.temporary=";
/// How the names of both begin; the process id follows, and the id of the folder with the run's lock, since a container has
/// process ids of its own.
const NAME: &str = "hyperlayer-";

/// A run of one of the tools, known to all others by a lock that ends with its process.
#[derive(Debug)]
pub struct Run {
    pid: u32,
    folder: String,
    made: u32,
    file: PathBuf,
    _lock: ProcessLock,
}

/// Removes the lock's file while it is still locked. Whoever has it open sees a dead run, and that is right.
impl Drop for Run {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// What became of the volumes of dead runs.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Those that were removed.
    pub removed: Vec<LvRef>,
    /// Why others are still there: each says which, and what to do.
    pub kept: Vec<Error>,
    /// Those of runs whose locks cannot be seen from here, and of which nobody here knows whether they live.
    pub unknown: Vec<LvRef>,
}

impl Run {
    /// Announces this process.
    ///
    /// # Errors
    /// The lock cannot be had.
    pub fn start(lvm: &Lvm<'_>) -> Result<Self, Error> {
        let pid = std::process::id();
        let lock = ProcessLock::acquire(lvm.state, &lock_name(pid), lvm.patience)?;
        let folder = lvm.state.folder_id()?;
        Ok(Self { pid, folder, made: 0, file: lvm.state.path().join(lock_name(pid)), _lock: lock })
    }

    /// Freezes the file systems that lie above the volumes, on encryption or a partition; one directly on a volume the
    /// device mapper freezes itself when a snapshot is made. What is not active has none. Until they are thawed nothing may
    /// write to them, nor does this run: `written_to` names where it does. Starts two commands for each.
    ///
    /// # Errors
    /// One cannot be frozen, or this run writes to it; none is then.
    pub fn freeze_above<'a, 'v>(
        &self,
        lvm: &Lvm<'a>,
        volumes: impl IntoIterator<Item = &'v LvRef>,
        written_to: &[WrittenTo],
    ) -> Result<Frozen<'a>, Error> {
        let mut mount_points = Vec::new();
        for volume in volumes {
            let node = lvm.nodes.join(volume.dm_name());
            if node.exists() {
                mount_points.extend(Stack::default().mounted_above(&node)?);
            }
        }
        mount_points.dedup();
        Ok(Frozen::freeze(lvm.exec, lvm.state, &lock_name(self.pid), &mount_points, written_to)?)
    }

    /// A name for a volume of this run that is no final one.
    pub(super) fn name(&mut self) -> Result<LvName, Error> {
        self.made += 1;
        Ok(format!("{NAME}{}-{}-{}", self.pid, self.folder, self.made).parse::<LvName>()?)
    }

    /// Removes what dead runs left in the group: volumes with one of our tags under one of our names, whose process
    /// holds its lock no more. Of a run whose lock lies in another folder, as that of a container, nobody here knows whether it
    /// lives: its volumes stay, unless they are older than the kernel's boot. What cannot be removed stays, and is no obstacle.
    /// Two commands for each.
    ///
    /// # Errors
    /// It is not known which runs live.
    pub fn remove_leftovers(&self, lvm: &Lvm<'_>, group: &[Lv]) -> Result<Leftovers, Error> {
        let mut leftovers = Leftovers::default();
        let is_here = |place: &Place<'_>| place.boot == lvm.state.boot_id() && place.folder == self.folder;
        let is_of_earlier_boot = |volume: &Lv| volume.created_seconds.is_some_and(|at| at < lvm.state.booted_seconds());
        for volume in group {
            let Some(Owner { pid, place, tag: proof }) = Owner::of(volume) else { continue };
            if place.is_some_and(|place| !is_here(&place)) && !is_of_earlier_boot(volume) {
                leftovers.unknown.push(volume.name.clone());
                continue;
            }
            // Kept until it is done, so that no two runs remove one volume.
            let Some(_dead) = self.lock_dead(lvm, pid)? else { continue };
            match remove(lvm, &volume.name, proof) {
                Ok(()) => leftovers.removed.push(volume.name.clone()),
                Err(error) => leftovers.kept.push(error),
            }
        }
        Ok(leftovers)
    }

    /// The lock of a run that is dead; `None` where it lives. What carries this process's own id was made by another one
    /// that had it before.
    fn lock_dead(&self, lvm: &Lvm<'_>, pid: u32) -> Result<Option<Dead>, Error> {
        if pid == self.pid {
            return Ok(Some(Dead { _lock: None }));
        }
        match ProcessLock::acquire(lvm.state, &lock_name(pid), Patience::new(Duration::ZERO)) {
            Ok(lock) => Ok(Some(Dead { _lock: Some(lock) })),
            Err(error) if error.kind() == Kind::Busy => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A run that is dead, and stays so while this is held.
struct Dead {
    _lock: Option<ProcessLock>,
}

/// Removes a volume of ours, which may be active. One that is not there was removed by somebody, or never made.
pub(super) fn remove(lvm: &Lvm<'_>, name: &LvRef, proof: &Tag) -> Result<(), Error> {
    match lvm_cmd::remove(lvm.exec, name, proof) {
        Err(error) if error.is_gone() => Ok(()),
        result => result.map_err(|source| LvmError::Leftover { name: name.clone(), source }.into()),
    }
}

/// Whether some run made the volume for the time that it works, or for a receive that was interrupted.
pub(super) fn is_of_a_run(volume: &Lv) -> bool {
    Owner::of(volume).is_some() || partial_target(volume).is_some()
}

/// The tag of a volume that this run is receiving.
pub(super) fn receiving_tag(lvm: &Lvm<'_>, name: &LvName) -> Result<Tag, Error> {
    let (boot, folder) = (lvm.state.boot_id(), lvm.state.folder_id()?);
    Ok(format!("{RECEIVING_TAG}{name}/{boot}/{folder}").parse::<Tag>()?)
}

/// The tag of a snapshot that this run reads.
pub(super) fn temporary_tag(lvm: &Lvm<'_>) -> Result<Tag, Error> {
    let (boot, folder) = (lvm.state.boot_id(), lvm.state.folder_id()?);
    Ok(format!("{TEMPORARY_TAG}{boot}/{folder}").parse::<Tag>()?)
}

/// The tag that a volume has because some run received it under this name.
pub(super) fn received_as<'v>(volume: &'v Lv, name: &LvName) -> Option<&'v Tag> {
    let of_name = |tag: &&Tag| {
        let value = tag.as_str().strip_prefix(RECEIVING_TAG);
        value.is_some_and(|value| value.split('/').next() == Some(name.as_str()))
    };
    volume.tags.iter().find(of_name)
}

/// Where a run sees the locks of others.
struct Place<'v> {
    boot: &'v str,
    folder: &'v str,
}

/// The run that made a volume.
struct Owner<'v> {
    pid: u32,
    /// `None` where an older version made it, or the user wrote the tag.
    place: Option<Place<'v>>,
    /// The tag that proves it.
    tag: &'v Tag,
}

impl<'v> Owner<'v> {
    fn of(volume: &'v Lv) -> Option<Self> {
        let rest = volume.name.lv().as_str().strip_prefix(NAME)?;
        let pid = rest.split_once('-')?.0.parse().ok()?;
        volume.tags.iter().find_map(|tag| {
            let text = tag.as_str();
            let place = match text.strip_prefix(RECEIVING_TAG) {
                Some(value) => value.split_once('/').map_or("", |(_, place)| place),
                None if text == TEMPORARY_TAG.trim_end_matches('=') => "",
                None => text.strip_prefix(TEMPORARY_TAG)?,
            };
            let place = place.split_once('/').map(|(boot, folder)| Place { boot, folder });
            Some(Self { pid, place, tag })
        })
    }
}

fn lock_name(pid: u32) -> String {
    format!("run-{pid}")
}
