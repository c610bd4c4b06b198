//! Mounting a volume, and what is mounted.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
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
    /// Where.
    pub at: PathBuf,
}

/// All mounts, from what the kernel writes to `mountinfo` (see `proc_pid_mountinfo(5)`). Runs no command.
///
/// # Errors
/// It cannot be read.
pub fn mounted(mountinfo: &Path) -> Result<Vec<Mounted>, MountError> {
    let text =
        fs::read_to_string(mountinfo).map_err(|source| MountError::Look { path: mountinfo.to_owned(), source })?;
    // id, parent, MAJOR:MINOR, root, mount point, ...
    let line = |line: &str| {
        let mut words = line.split(' ').skip(2);
        let device = words.next()?.to_owned();
        Some(Mounted { device, at: unescaped(words.nth(1)?).into() })
    };
    Ok(text.lines().filter_map(line).collect())
}

impl Mounted {
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
