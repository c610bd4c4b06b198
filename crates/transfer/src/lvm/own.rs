//! What a run makes for itself, and how a later run knows it as a dead run's.

use std::path::PathBuf;

use lvm_cmd::{Activation, Kind, Lv, LvName, LvRef, Patience, ProcessLock, Tag};

use super::Lvm;
use super::LvmError;
use crate::Error;

/// The tag of a volume that is being received. Its value is the name that it will get.
const RECEIVING_TAG: &str = "hyperlayer.receiving=";
/// The tag of a snapshot that lives only as long as it is read.
const TEMPORARY_TAG: &str = "hyperlayer.temporary";
/// How the names of both begin; the process id follows.
const NAME: &str = "hyperlayer-";

/// A run of one of the tools, known to all others by a lock that ends with its process.
#[derive(Debug)]
pub struct Run {
    pid: u32,
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

/// What dead runs had left.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Volumes of theirs, which were removed.
    pub removed: Vec<LvRef>,
    /// Volumes that they had activated, which were deactivated.
    pub deactivated: Vec<LvRef>,
}

impl Leftovers {
    /// Whether there was nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.deactivated.is_empty()
    }
}

impl std::fmt::Display for Leftovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("removed", &self.removed), ("deactivated", &self.deactivated)];
        let lines = parts.iter().flat_map(|(done, names)| names.iter().map(move |name| format!("{done} `{name}`")));
        write!(f, "{}", lines.collect::<Vec<_>>().join(", "))
    }
}

impl Run {
    /// Announces this process.
    ///
    /// # Errors
    /// The lock cannot be had.
    pub fn start(lvm: &Lvm<'_>) -> Result<Self, Error> {
        let pid = std::process::id();
        let lock = ProcessLock::acquire(lvm.state, &lock_name(pid), lvm.patience)?;
        Ok(Self { pid, made: 0, file: lvm.state.path().join(lock_name(pid)), _lock: lock })
    }

    /// A name for a volume of this run that is no final one.
    pub(super) fn name(&mut self) -> Result<LvName, Error> {
        self.made += 1;
        Ok(format!("{NAME}{}-{}", self.pid, self.made).parse::<LvName>()?)
    }

    /// Removes what dead runs left in the group: volumes with one of our tags under one of our names, whose process
    /// holds its lock no more. Deactivates what they had activated. Two commands for each. Where there was anything,
    /// `group` is no more what LVM would report.
    ///
    /// # Errors
    /// LVM does not remove or deactivate one.
    pub fn clean_up(&self, lvm: &Lvm<'_>, group: &[Lv]) -> Result<Leftovers, Error> {
        let mut left = Leftovers::default();
        for volume in group {
            let was_active = Activation::end_left_over(lvm.exec, volume, lvm.state)?;
            let Some((pid, proof)) = owner(volume) else {
                left.deactivated.extend(was_active.then(|| volume.name.clone()));
                continue;
            };
            if self.is_dead(lvm, pid)? {
                remove(lvm, &volume.name, proof)?;
                left.removed.push(volume.name.clone());
            }
        }
        Ok(left)
    }

    /// What carries this process's id was made by another one that had it before.
    fn is_dead(&self, lvm: &Lvm<'_>, pid: u32) -> Result<bool, Error> {
        if pid == self.pid {
            return Ok(true);
        }
        match ProcessLock::acquire(lvm.state, &lock_name(pid), Patience::new(std::time::Duration::ZERO)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::Busy => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Removes a volume of ours, which may be active.
pub(super) fn remove(lvm: &Lvm<'_>, name: &LvRef, proof: &Tag) -> Result<(), Error> {
    lvm_cmd::remove(lvm.exec, name, proof).map_err(|source| LvmError::Leftover { name: name.clone(), source }.into())
}

pub(super) fn receiving_tag(name: &LvName) -> Result<Tag, Error> {
    Ok(format!("{RECEIVING_TAG}{name}").parse::<Tag>()?)
}

pub(super) fn temporary_tag() -> Result<Tag, Error> {
    Ok(TEMPORARY_TAG.parse::<Tag>()?)
}

/// The process that made the volume, and the tag that proves it.
fn owner(volume: &Lv) -> Option<(u32, &Tag)> {
    let rest = volume.name.lv().as_str().strip_prefix(NAME)?;
    let pid = rest.split_once('-')?.0.parse().ok()?;
    let ours = |tag: &&Tag| tag.as_str() == TEMPORARY_TAG || tag.as_str().starts_with(RECEIVING_TAG);
    Some((pid, volume.tags.iter().find(ours)?))
}

fn lock_name(pid: u32) -> String {
    format!("run-{pid}")
}
