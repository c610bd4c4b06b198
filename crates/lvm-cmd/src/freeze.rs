//! Freezing the file systems above a volume (see [`Stack`](crate::Stack)) for as long as a snapshot takes.
//!
//! The device mapper itself freezes a file system that lies directly on the volume when a snapshot is made (`fsfreeze(8)`
//! calls freezing it before that unnecessary; up to Linux 6.5 the snapshot then even fails with EBUSY). It does not see
//! one that lies on a device above the volume: encryption, a partition, a loop device.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Command, ExecError, Executor, Kind, Program, Running, StateDir};

/// What LVM reads or writes while it makes a snapshot: its settings, locks, backups of metadata. Where that is frozen, it waits
/// for ever.
const NEEDED: [&str; 11] = [
    "/",
    "/etc/lvm",
    "/etc/lvm/archive",
    "/etc/lvm/backup",
    "/run",
    "/run/lock",
    "/run/lock/lvm",
    "/run/lvm",
    "/tmp",
    "/usr/sbin",
    "/var",
];

/// A file system that the caller itself writes to, as with what it says on standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrittenTo {
    /// What it writes there, for errors.
    pub name: &'static str,
    /// The number of its device, as stat(2) gives it.
    pub device: u64,
}

/// File systems that are frozen: nobody can write to them until this is thawed or dropped.
///
/// For each a program waits for the caller's lock file, which the kernel unlocks when this process ends, however it
/// ends; then it thaws. So nothing stays frozen, unless that program is killed too.
#[derive(Debug)]
#[must_use = "the file systems are thawed as soon as this is dropped"]
pub struct Frozen<'a> {
    exec: &'a dyn Executor,
    /// Each with its thawer.
    frozen: Vec<(PathBuf, Box<dyn Running>)>,
}

impl<'a> Frozen<'a> {
    /// Freezes file systems by their mount points. `lock` is the name of a lock in `state` that this process holds (see
    /// [`ProcessLock`](crate::ProcessLock)). Starts two commands for each.
    ///
    /// # Errors
    /// LVM itself needs one of them, or the caller writes to it: either would be waited for for ever; none is frozen then.
    /// Or one cannot be frozen; what was frozen is thawed again.
    pub fn freeze(
        exec: &'a dyn Executor,
        state: &StateDir,
        lock: &str,
        mount_points: &[PathBuf],
        written_to: &[WrittenTo],
    ) -> Result<Self, FreezeError> {
        mount_points.iter().try_for_each(|at| refuse_needed(at, state, written_to))?;
        let mut this = Self { exec, frozen: Vec::new() };
        for at in mount_points {
            let thaw = ["fsfreeze", "--unfreeze"];
            let thawer = Command::new(Program::Flock).arg(state.path().join(lock)).args(thaw).arg(at);
            let thawer = exec.spawn(&thawer)?;
            // From here on it is undone, whatever comes; thawing what is not frozen does nothing.
            this.frozen.push((at.clone(), thawer));
            exec.run(&Command::new(Program::Fsfreeze).arg("--freeze").arg(at))?;
        }
        Ok(this)
    }

    /// Thaws all of them. One command for each.
    ///
    /// # Errors
    /// One cannot be thawed; the others are.
    pub fn thaw(mut self) -> Result<(), FreezeError> {
        self.undo()
    }

    fn undo(&mut self) -> Result<(), FreezeError> {
        let mut first = Ok(());
        // The last one first: it may lie on another.
        while let Some((at, thawer)) = self.frozen.pop() {
            let thawed = self.exec.run(&Command::new(Program::Fsfreeze).arg("--unfreeze").arg(&at));
            // Not before: until then it is the one that remembers.
            drop(thawer);
            if let Err(source) = thawed
                && first.is_ok()
            {
                first = Err(FreezeError::Thaw { at, source });
            }
        }
        first
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::error!("{error}");
        }
    }
}

fn refuse_needed(at: &Path, state: &StateDir, written_to: &[WrittenTo]) -> Result<(), FreezeError> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let Some(own) = device(at) else { return Ok(()) };
    if let Some(WrittenTo { name, .. }) = written_to.iter().find(|written| written.device == own) {
        return Err(FreezeError::Written { at: at.to_owned(), name });
    }
    let mut needed = NEEDED.iter().map(Path::new).chain([state.path()]);
    match needed.find(|needed| device(needed) == Some(own)) {
        Some(needed) => Err(FreezeError::Needed { at: at.to_owned(), needed: needed.to_owned() }),
        None => Ok(()),
    }
}

/// Why file systems were not frozen, or not thawed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// The kernel does not say what lies on what.
    #[error("cannot look at `{}`", path.display())]
    Look {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// LVM would wait for it for ever.
    #[error("`{}` cannot be frozen: `{}` lies on it, which LVM needs, or this command, to make the snapshot", at.display(), needed.display())]
    Needed {
        /// The mount point.
        at: PathBuf,
        /// What lies on it.
        needed: PathBuf,
    },
    /// The caller would wait for it for ever.
    #[error("`{}` cannot be frozen: {name} of this command goes to a file on it", at.display())]
    Written {
        /// The mount point.
        at: PathBuf,
        /// What the caller writes there.
        name: &'static str,
    },
    /// It cannot be frozen.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// It is still frozen: whoever writes to it waits.
    #[error("`{}` is still frozen; `fsfreeze --unfreeze {}` thaws it", at.display(), at.display())]
    Thaw {
        /// The mount point.
        at: PathBuf,
        /// What the program said.
        source: ExecError,
    },
}

impl FreezeError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Look { .. } | Self::Needed { .. } | Self::Written { .. } | Self::Exec(_) => Kind::Environment,
            Self::Thaw { .. } => Kind::Failed,
        }
    }
}
