//! Files as block devices.

use std::path::{Path, PathBuf};
use std::time::Duration;

use extents::Bytes;
use serde_json::Value;

use crate::{Command, ExecError, Executor, Kind, Patience, Program};

/// A loop device that has a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoopDevice {
    /// Its node.
    pub device: PathBuf,
    /// The file's name when it was attached; it may have another one by now, or none.
    pub file: PathBuf,
    /// The number of the file's inode, which it keeps.
    pub inode: u64,
    /// The device of the file's file system, `MAJOR:MINOR`.
    pub file_system: String,
}

/// Attaches a file to a loop device, `device` or a free one, without the page cache in between where the file's file
/// system allows that; gives the device's node. The device has blocks of `block_size`, 512 to 4096, or those that the kernel
/// chooses. Runs one command.
///
/// # Errors
/// The device is in use, or there is none.
pub fn attach_loop(
    exec: &dyn Executor,
    file: &Path,
    device: Option<&Path>,
    block_size: Option<Bytes>,
) -> Result<PathBuf, LoopError> {
    let block_size = block_size.map(|size| format!("--sector-size={}", size.get()));
    let attach = |direct: &str| {
        let command = Command::new(Program::Losetup).args(["--nooverlap", direct]).args(&block_size);
        let command = match device {
            Some(device) => command.arg(device).arg(file),
            None => command.args(["--find", "--show"]).arg(file),
        };
        exec.run(&command)
    };
    let attached = attach("--direct-io=on").or_else(|_| attach("--direct-io=off"))?;
    match device {
        Some(device) => Ok(device.to_owned()),
        None => Ok(PathBuf::from(attached.text().trim())),
    }
}

/// Takes the loop device of `file` out of LVM's devices file, where it is in that: LVM put it there with the physical volume.
/// Runs one command, or two.
///
/// # Errors
/// LVM refuses.
pub fn forget_loop(exec: &dyn Executor, device: &Path, file: &Path) -> Result<(), LoopError> {
    // Without a devices file, or in an LVM that knows none, there is no list.
    let Ok(list) = exec.run(&Command::new(Program::Lvmdevices)) else { return Ok(()) };
    // After a boot the file may have another device than the one that LVM noted.
    let name = format!(" IDNAME={} ", file.display());
    let is_listed = list.text().lines().any(|line| format!("{line} ").contains(&name));
    match is_listed {
        true => Ok(exec.run(&Command::new(Program::Lvmdevices).arg("--deldev").arg(device)).map(drop)?),
        false => Ok(()),
    }
}

/// Gives the file free. Runs one command.
///
/// # Errors
/// The device is in use.
pub fn detach_loop(exec: &dyn Executor, device: &Path) -> Result<(), LoopError> {
    Ok(exec.run(&Command::new(Program::Losetup).arg("--detach").arg(device)).map(drop)?)
}

/// How long the kernel may take to detach a device, which it does when the last program has closed it, such as udev's.
const DETACHING: Duration = Duration::from_secs(5);

/// All loop devices that have a file. Runs one command, and more while the kernel is detaching a device: that one still has the
/// name of its file and nothing else.
///
/// # Errors
/// Its answer is not understood.
pub fn loop_devices(exec: &dyn Executor) -> Result<Vec<LoopDevice>, LoopError> {
    Patience::new(DETACHING).retry(|| list(exec), |error| matches!(error, LoopError::Row { .. }))
}

fn list(exec: &dyn Executor) -> Result<Vec<LoopDevice>, LoopError> {
    let columns = "NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN";
    let output = exec.run(&Command::new(Program::Losetup).args(["--list", "--json", "--output", columns]))?;
    // Without any device it writes nothing at all.
    if output.text().trim().is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|source| LoopError::Json { source })?;
    let rows = answer.get("loopdevices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| loop_device(row).ok_or_else(|| LoopError::Row { row: row.to_string() })).collect()
}

/// Numbers are strings in some versions.
fn loop_device(row: &Value) -> Option<LoopDevice> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned());
    let number = |key: &str| row.get(key).and_then(Value::as_u64).or_else(|| text(key)?.parse().ok());
    Some(LoopDevice {
        device: text("name")?.into(),
        file: text("back-file")?.into(),
        inode: number("back-ino")?,
        file_system: text("back-maj:min")?,
    })
}

/// Gives a loop device the length that its file has now. Runs one command.
///
/// # Errors
/// losetup(8) fails.
pub fn grow_loop(exec: &dyn Executor, device: &Path) -> Result<(), LoopError> {
    exec.run(&Command::new(Program::Losetup).arg("--set-capacity").arg(device))?;
    Ok(())
}

/// Why a loop device was not attached, detached or listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopError {
    /// losetup(8) failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Its answer is no JSON.
    #[error("cannot understand the list of loop devices")]
    Json {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It says of a device what cannot be understood.
    #[error("cannot understand what is said of a loop device: {row}")]
    Row {
        /// What is said.
        row: String,
    },
}

impl LoopError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Exec(error) => error.kind(),
            Self::Json { .. } | Self::Row { .. } => Kind::Failed,
        }
    }
}
