//! What one snapshot is made of, and how far it is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use extents::Bytes;
use lvm_cmd::{Executor, LvRef, MountError, NameError, Tag, Uuid, mount_of, mounted};
use serde::{Deserialize, Serialize};

use crate::text;

/// What is made for a snapshot, in the order in which it is made; it is undone in the reverse order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The temporary file, with all of its space.
    File,
    /// A loop device that has it.
    Loop,
    /// LVM's label on that.
    PhysicalVolume,
    /// The group has it.
    Group,
    /// The snapshot itself.
    Volume,
    /// The folder for the mount.
    Folder,
    /// The mount.
    Mount,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It was about to be done: nobody knows whether it is.
    Begun,
    /// It is done.
    Done,
}

/// What is being done with all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is being made: where that ended, all of it goes again.
    Making,
    /// It is there.
    Made,
    /// It is being removed.
    Removing,
}

/// A file or a folder, whatever it is called, among those of one file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileId {
    /// The number of its inode.
    pub inode: u64,
    /// When it was born, in nanoseconds since 1970, where its file system knows that: inodes are used again. (Its device
    /// says nothing: that may have another number after a boot.)
    pub born_ns: Option<u64>,
}

impl FileId {
    /// That of what has this name.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::symlink_metadata(path).map(|there| Self::new(&there))
    }

    pub(crate) fn new(there: &std::fs::Metadata) -> Self {
        let born = there.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let born_ns = born.and_then(|born| u64::try_from(born.as_nanos()).ok());
        Self { inode: std::os::unix::fs::MetadataExt::ino(there), born_ns }
    }
}

/// The file system in which something was made, so that it is known again after a reboot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSystem {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The directory of it that is mounted there: `/`, a subvolume, or what a bind mount shows.
    pub root: PathBuf,
    /// Its name as fstab(5) has it: `UUID=...`, or `host:/export`.
    pub source: String,
}

impl FileSystem {
    /// The file system that shows the directory of `path`, an absolute path; `None` where no mount does. Runs one command.
    ///
    /// # Errors
    /// `mountinfo`, such as `/proc/self/mountinfo`, cannot be read.
    pub fn of(exec: &dyn Executor, mountinfo: &Path, path: &Path) -> Result<Option<Self>, MountError> {
        let mounts = mounted(mountinfo)?;
        let mount = mount_of(&mounts, path.parent().unwrap_or(path));
        Ok(mount.map(|mount| Self {
            mount_point: mount.at.clone(),
            root: mount.root.clone(),
            source: mount.fstab_source(exec),
        }))
    }
}

/// The space for a classic snapshot in a group that has none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TmpFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its length.
    #[serde(rename = "len_bytes", with = "text::bytes")]
    pub len: Bytes,
    /// Whether its space is written (`true`) or only reserved.
    pub write: bool,
    /// The loop device that is wanted; `None` for any.
    pub loop_device: Option<PathBuf>,
    /// The unit in which the loop device is addressed, that of the group's other devices, which LVM does not mix; `None` for what
    /// the kernel chooses, as in a record of an older version.
    #[serde(
        rename = "block_size_bytes",
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::optional_bytes"
    )]
    pub block_size: Option<Bytes>,
    /// The id that the physical volume on it has, chosen beforehand, so that it is known again.
    #[serde(with = "text")]
    pub pv: Uuid,
    /// The file itself, from before it has its name.
    pub made: Option<FileId>,
    /// The file system of its directory; `None` in a record of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lies_on: Option<FileSystem>,
    /// Whether the user gave the file up: where its file system is not mounted, the file is left there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// Where a snapshot is mounted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountPoint {
    /// The folder's absolute path.
    pub path: PathBuf,
    /// Whether we make the folder, which was not there.
    pub make: bool,
    /// The folder, where we made it, from before it has its name.
    pub made: Option<FileId>,
    /// The file system of the directory that the folder lies in; `None` in a record of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lies_on: Option<FileSystem>,
    /// The file system on the snapshot, as blkid(8) calls it.
    pub file_system: String,
    /// For mount(8).
    pub options: String,
}

/// What is recorded of one snapshot before anything of it is made, and kept until nothing of it is left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// 16 random hex digits, by which the volume and unfinished files are known.
    pub id: String,
    /// The snapshot.
    #[serde(with = "text")]
    pub snapshot: LvRef,
    /// What it is a snapshot of.
    #[serde(with = "text")]
    pub origin: LvRef,
    /// LVM's id of that.
    #[serde(with = "text")]
    pub origin_uuid: Uuid,
    /// When it was begun, RFC 3339, UTC.
    pub since: String,
    /// How much space a classic snapshot has for what is overwritten; `None` for a thin one.
    #[serde(rename = "cow_size_bytes", with = "text::optional_bytes")]
    pub cow_size: Option<Bytes>,
    /// Whether it may be written.
    pub writable: bool,
    /// Where its space comes from; `None` where the group has room.
    pub file: Option<TmpFile>,
    /// Where it is mounted; `None` where it is not.
    pub mount: Option<MountPoint>,
    /// What is being done.
    pub phase: Phase,
    /// What was begun and not undone.
    pub steps: BTreeMap<Step, Progress>,
}

const TAG: &str = "hyperlayer.snapshot=";

impl Record {
    /// The tag that the volume has from its first moment on, and the physical volume as long as a group has it.
    ///
    /// # Errors
    /// Never: the id is letters and digits.
    pub fn tag(&self) -> Result<Tag, NameError> {
        format!("{TAG}{}", self.id).parse()
    }

    /// Leaves the folder that was made for the mount to the user: it is no longer looked at, or removed.
    pub fn keep_folder(&mut self) {
        if let Some(at) = &mut self.mount {
            (at.make, at.made) = (false, None);
        }
    }

    /// The steps that make it, in order.
    pub fn to_make(&self) -> impl Iterator<Item = Step> + use<> {
        let file = self.file.is_some();
        let (folder, mount) = (self.mount.as_ref().is_some_and(|mount| mount.make), self.mount.is_some());
        let steps = [
            (Step::File, file),
            (Step::Loop, file),
            (Step::PhysicalVolume, file),
            (Step::Group, file),
            (Step::Volume, true),
            (Step::Folder, folder),
            (Step::Mount, mount),
        ];
        steps.into_iter().filter_map(|(step, wanted)| wanted.then_some(step))
    }
}

/// The id in the tag of a volume, or of a physical volume, that these tools made.
#[must_use]
pub fn tagged_id(tag: &Tag) -> Option<String> {
    tag.as_str().strip_prefix(TAG).map(str::to_owned)
}
