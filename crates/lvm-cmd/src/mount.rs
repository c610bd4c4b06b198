//! Mounting a volume, and what is mounted.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::stack::unescaped;
use crate::{Command, ExecError, Executor, Kind, Program};

/// What is mounted where, as the kernel tells this process: `proc_pid_mountinfo(5)`.
pub const MOUNTINFO: &str = "/proc/self/mountinfo";

/// A mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mounted {
    /// The number of the device, `MAJOR:MINOR`.
    pub device: String,
    /// The directory of the file system that is mounted: `/`, a subvolume, or what a bind mount shows.
    pub root: PathBuf,
    /// Where.
    pub at: PathBuf,
    /// The device's node, or what else the file system comes from: `host:/export`, `tmpfs`.
    pub source: String,
}

/// All mounts, from what the kernel writes to `mountinfo` (see `proc_pid_mountinfo(5)`). Runs no command.
///
/// # Errors
/// It cannot be read.
pub fn mounted(mountinfo: &Path) -> Result<Vec<Mounted>, MountError> {
    let text =
        fs::read_to_string(mountinfo).map_err(|source| MountError::Look { path: mountinfo.to_owned(), source })?;
    // id, parent, MAJOR:MINOR, root, mount point, options, tags, a hyphen, the kind, the source, ...
    let line = |line: &str| {
        let (about, source) = line.split_once(" - ").unwrap_or((line, ""));
        let mut words = about.split(' ').skip(2);
        let device = words.next()?.to_owned();
        let (root, at) = (unescaped(words.next()?).into(), unescaped(words.next()?).into());
        Some(Mounted { device, root, at, source: unescaped(source.split(' ').nth(1).unwrap_or_default()) })
    };
    Ok(text.lines().filter_map(line).collect())
}

/// The mount that shows what has this absolute path. Runs no command.
#[must_use]
pub fn mount_of<'m>(mounts: &'m [Mounted], path: &Path) -> Option<&'m Mounted> {
    // The longest mount point has the path, and of several mounts there the last one.
    mounts.iter().filter(|mount| path.starts_with(&mount.at)).max_by_key(|mount| mount.at.as_os_str().len())
}

impl Mounted {
    /// The file system as fstab(5) names it, so that a reboot changes nothing: `UUID=...` where blkid(8) finds one, else
    /// [`source`](Self::source). Runs one command where the source is a device.
    #[must_use]
    pub fn fstab_source(&self, exec: &dyn Executor) -> String {
        let uuid = || {
            let node = Path::new(&self.source);
            fs::metadata(node).ok().filter(|node| node.file_type().is_block_device())?;
            let command = Command::new(Program::Blkid).args(["--probe", "--match-tag", "UUID", "--output", "value"]);
            // A device that cannot be probed keeps the name of its node.
            let output = exec.run(&command.arg(node)).ok()?;
            Some(output.text().trim().to_owned()).filter(|uuid| !uuid.is_empty())
        };
        uuid().map_or_else(|| self.source.clone(), |uuid| format!("UUID={uuid}"))
    }

    /// Whether it is of the device behind `node`.
    #[must_use]
    pub fn is_of(&self, node: &Path) -> bool {
        fs::metadata(node).is_ok_and(|found| {
            let number = found.rdev();
            self.device == format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number))
        })
    }
}

/// What is on a device, as blkid(8) calls it: `ext4`, `xfs`, `crypto_LUKS`; `None` where it knows nothing there. Looks at the
/// device itself, not at what was once known of it. Runs one command.
///
/// # Errors
/// The device cannot be read, or several things are on it.
pub fn file_system(exec: &dyn Executor, node: &Path) -> Result<Option<String>, MountError> {
    let command = Command::new(Program::Blkid).args(["--probe", "--match-tag", "TYPE", "--output", "value"]).arg(node);
    match exec.run(&command) {
        Ok(output) => Ok(Some(output.text().trim().to_owned()).filter(|found| !found.is_empty())),
        // blkid(8): 2 where nothing was found.
        Err(error) if error.exit_status() == Some(2) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Mounts a device. Runs one command.
///
/// # Errors
/// What mount(8) says.
pub fn mount(exec: &dyn Executor, node: &Path, at: &Path, kind: &str, options: &str) -> Result<(), MountError> {
    let command = Command::new(Program::Mount).args(["--types", kind, "--options", options, "--"]);
    Ok(exec.run(&command.arg(node).arg(at)).map(drop)?)
}

/// Unmounts. Runs one command.
///
/// # Errors
/// What umount(8) says: somebody uses it.
pub fn unmount(exec: &dyn Executor, at: &Path) -> Result<(), MountError> {
    Ok(exec.run(&Command::new(Program::Umount).arg("--").arg(at)).map(drop)?)
}

/// Why something was not mounted, not unmounted, or not looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// The kernel does not say what is mounted.
    #[error("cannot look at `{}`", path.display())]
    Look {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl MountError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Look { .. } => Kind::Environment,
            Self::Exec(error) => error.kind(),
        }
    }
}
