//! File systems that lie above a volume, and freezing them for as long as a snapshot takes.
//!
//! The device mapper itself freezes a file system that lies directly on the volume when a snapshot is made (`fsfreeze(8)`
//! calls freezing it before that unnecessary; up to Linux 6.5 the snapshot then even fails with EBUSY). It does not see
//! one that lies on a device above the volume: encryption, a partition, a loop device.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Command, ExecError, Executor, Kind, Program, Running, StateDir};

/// How deep devices are stacked at most; the kernel has no such limit, but no cycles either.
const MAX_DEPTH: usize = 16;
/// What LVM reads or writes while it makes a snapshot. Where that is frozen, it waits for ever.
const NEEDED: [&str; 6] = ["/", "/etc/lvm", "/run", "/tmp", "/usr/sbin", "/var"];

/// Where the kernel says what lies on what. A value, so that tests can have their own.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// `/sys/dev/block`.
    pub devices: &'a Path,
    /// `/proc/self/mountinfo`.
    pub mounts: &'a Path,
}

impl Default for Stack<'_> {
    fn default() -> Self {
        Self { devices: Path::new("/sys/dev/block"), mounts: Path::new("/proc/self/mountinfo") }
    }
}

impl Stack<'_> {
    /// One mount point of each file system that is mounted from a device above the one behind `node`, not from that one
    /// itself. Runs no command. (btrfs gives no device number in `mountinfo`; it is not found.)
    ///
    /// # Errors
    /// The device is not there, or the kernel's files cannot be read.
    pub fn mounted_above(&self, node: &Path) -> Result<Vec<PathBuf>, FreezeError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| FreezeError::Look { path, source }
        };
        let device = fs::metadata(node).map_err(io(node))?.rdev();
        let own = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let mut above = Vec::new();
        self.holders(&own, MAX_DEPTH, &mut above);
        let text = fs::read_to_string(self.mounts).map_err(io(self.mounts))?;
        // proc_pid_mountinfo(5): id, parent, MAJOR:MINOR, root, mount point, ...
        let mounts = text.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(2);
            Some((words.next()?, words.nth(1)?))
        });
        let mut found: Vec<PathBuf> = Vec::new();
        for (n, device) in above.iter().enumerate() {
            if above[..n].contains(device) {
                continue;
            }
            // One is enough: all mounts of a device are one file system.
            found.extend(mounts.clone().find(|(of, _)| of == device).map(|(_, at)| PathBuf::from(unescaped(at))));
        }
        Ok(found)
    }

    fn holders(&self, device: &str, depth: usize, above: &mut Vec<String>) {
        let folders = ["holders", "."].map(|name| self.devices.join(device).join(name));
        let numbers = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        // A holder, and a partition, is a folder with its number in a file.
        let numbers: Vec<String> = numbers
            .filter_map(|entry| fs::read_to_string(entry.path().join("dev")).ok())
            .map(|number| number.trim().to_owned())
            .collect();
        for number in numbers.into_iter().filter(|number| number != device) {
            if depth > 0 {
                self.holders(&number, depth - 1, above);
            }
            above.push(number);
        }
    }
}

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
        mount_points.iter().try_for_each(|at| refuse_needed(at, written_to))?;
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

fn refuse_needed(at: &Path, written_to: &[WrittenTo]) -> Result<(), FreezeError> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let Some(own) = device(at) else { return Ok(()) };
    if let Some(WrittenTo { name, .. }) = written_to.iter().find(|written| written.device == own) {
        return Err(FreezeError::Written { at: at.to_owned(), name });
    }
    match NEEDED.iter().find(|needed| device(Path::new(needed)) == Some(own)) {
        Some(needed) => Err(FreezeError::Needed { at: at.to_owned(), needed }),
        None => Ok(()),
    }
}

/// `mountinfo` writes blanks and backslashes as three octal digits.
pub(crate) fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                out.push(char::from(code));
                out.push_str(&part[3..]);
            }
            _ => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
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
    #[error("`{}` cannot be frozen: `{needed}` lies on it, which LVM needs to make the snapshot", at.display())]
    Needed {
        /// The mount point.
        at: PathBuf,
        /// What lies on it.
        needed: &'static str,
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
            Self::Look { .. } | Self::Needed { .. } | Self::Written { .. } => Kind::Environment,
            Self::Exec(error) => error.kind(),
            Self::Thaw { .. } => Kind::Failed,
        }
    }
}
