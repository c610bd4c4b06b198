//! What lies on what: file systems on devices, devices on devices.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use extents::Bytes;

use crate::{FreezeError, Uuid};

/// How deep devices are stacked at most; the kernel has no such limit, but no cycles either.
const MAX_DEPTH: usize = 16;
/// How the device mapper's id of a volume of LVM begins; the group's id follows, and the volume's, both without hyphens.
const LVM_ID: &str = "LVM-";

/// Where the kernel says what lies on what. A value, so that tests can have their own.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// `/sys/dev/block`.
    pub devices: &'a Path,
    /// `/proc/self/mountinfo`.
    pub mounts: &'a Path,
}

/// A device that something lies on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Below {
    /// Its number, `MAJOR:MINOR`.
    pub number: String,
    /// The device mapper's name of it, where that made it.
    pub dm_name: Option<String>,
    /// The device mapper's id of it.
    pub dm_uuid: Option<String>,
}

impl Below {
    /// Whether it is a volume of this group, a hidden one of LVM's included.
    #[must_use]
    pub fn is_of_group(&self, group: &Uuid) -> bool {
        let id = format!("{LVM_ID}{}", group.as_str().replace('-', ""));
        self.dm_uuid.as_ref().is_some_and(|uuid| uuid.starts_with(&id))
    }
}

impl Default for Stack<'_> {
    fn default() -> Self {
        Self { devices: Path::new("/sys/dev/block"), mounts: Path::new(crate::MOUNTINFO) }
    }
}

impl Stack<'_> {
    /// One mount point of each file system that is mounted from a device above the one behind `node`, not from that one
    /// itself. Runs no command. (btrfs gives no device number in `mountinfo`; it is not found.)
    ///
    /// # Errors
    /// The device is not there, or the kernel's files cannot be read.
    pub fn mounted_above(&self, node: &Path) -> Result<Vec<PathBuf>, FreezeError> {
        let own = number(fs::metadata(node).map_err(looking(node))?.rdev());
        let mut above = Vec::new();
        self.holders(&own, MAX_DEPTH, &mut above);
        let text = fs::read_to_string(self.mounts).map_err(looking(self.mounts))?;
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

    /// The unit in which a device is addressed, 512 or 4096 bytes, say; `None` where the kernel does not say. Runs no command.
    #[must_use]
    pub fn block_size(&self, node: &Path) -> Option<Bytes> {
        let folder = self.devices.join(number(fs::metadata(node).ok()?.rdev()));
        // A partition has that of its disk, a folder above.
        let files = ["queue/logical_block_size", "../queue/logical_block_size"];
        let text = files.iter().find_map(|file| fs::read_to_string(folder.join(file)).ok())?;
        text.trim().parse().map(Bytes::new).ok()
    }

    /// All devices that what has this path lies on: its file system's, those below that, and, where one is a loop device,
    /// those below its file. None where the file system has no device (tmpfs, NFS). Runs no command. (Of a btrfs on
    /// several devices only the one that it was mounted by is known.)
    ///
    /// # Errors
    /// The path is not there, or the kernel's files cannot be read.
    pub fn below(&self, path: &Path) -> Result<BTreeSet<Below>, FreezeError> {
        let mut found = BTreeSet::new();
        self.below_path(path, MAX_DEPTH, &mut found)?;
        Ok(found)
    }

    fn below_path(&self, path: &Path, depth: usize, found: &mut BTreeSet<Below>) -> Result<(), FreezeError> {
        if let Some(number) = self.device_of(path)? {
            self.below_device(&number, depth, found);
        }
        Ok(())
    }

    fn below_device(&self, number: &str, depth: usize, found: &mut BTreeSet<Below>) {
        let folder = self.devices.join(number);
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim_end().to_owned());
        let this = Below { number: number.to_owned(), dm_name: text("dm/name"), dm_uuid: text("dm/uuid") };
        if !found.insert(this) || depth == 0 {
            return;
        }
        let slaves = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
        let slaves = slaves.filter_map(|entry| fs::read_to_string(entry.path().join("dev")).ok());
        // A partition is a folder in its disk's.
        let disk = text("partition").and_then(|_| text("../dev"));
        for number in slaves.chain(disk) {
            self.below_device(number.trim(), depth - 1, found);
        }
        if let Some(file) = text("loop/backing_file") {
            // One that is removed, or in another namespace, cannot be found; nothing is known of it then.
            let _ = self.below_path(Path::new(&file), depth - 1, found);
        }
    }

    /// The device of the file system that has this path, `MAJOR:MINOR`; `None` where it has none.
    fn device_of(&self, path: &Path) -> Result<Option<String>, FreezeError> {
        let device = fs::metadata(path).map_err(looking(path))?.dev();
        if rustix::fs::major(device) != 0 {
            return Ok(Some(number(device)));
        }
        // A file system such as btrfs, which has a number of its own: the node that it was mounted by.
        let path = path.canonicalize().map_err(looking(path))?;
        let text = fs::read_to_string(self.mounts).map_err(looking(self.mounts))?;
        // proc_pid_mountinfo(5): ... mount point, options, tags, a hyphen, the kind, what was mounted, ...
        let mounts = text.lines().filter_map(|line| {
            let at = PathBuf::from(unescaped(line.split(' ').nth(4)?));
            let (_, rest) = line.split_once(" - ")?;
            path.starts_with(&at).then(|| (at, unescaped(rest.split(' ').nth(1).unwrap_or_default())))
        });
        // The longest one has it, and of several there the last one.
        let Some((_, node)) = mounts.max_by_key(|(at, _)| at.as_os_str().len()) else { return Ok(None) };
        let device = fs::metadata(&node).map_or(0, |node| node.rdev());
        Ok((Path::new(&node).is_absolute() && device != 0).then(|| number(device)))
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

fn number(device: u64) -> String {
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

fn looking(path: &Path) -> impl FnOnce(io::Error) -> FreezeError {
    let path = path.to_owned();
    move |source| FreezeError::Look { path, source }
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
