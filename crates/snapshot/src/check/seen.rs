//! What is wanted, and what was looked up for it.

use std::path::{Path, PathBuf};

use extents::Bytes;
use lvm_cmd::{LvRef, LvType, PoolStatus, Program, Uuid};

use crate::{Facts, Record};

/// A snapshot that is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What it is to be a snapshot of.
    pub origin: LvRef,
    /// Itself.
    pub snapshot: LvRef,
    /// How much space a classic one has for what is overwritten; `None` for a thin one.
    pub size: Option<Bytes>,
    /// The temporary file that the space lies in; `None` for the group's own.
    pub file: Option<AskedFile>,
    /// Where it is to be mounted.
    pub mount: Option<PathBuf>,
    /// Whether file systems above the origin are frozen meanwhile.
    pub freeze: bool,
}

/// A temporary file that is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedFile {
    /// Where.
    pub path: PathBuf,
    /// The loop device that it is to have; `None` for any.
    pub loop_device: Option<PathBuf>,
}

impl Asked {
    /// The programs that make it, and remove it again.
    #[must_use]
    pub fn programs(&self) -> Vec<Program> {
        use Program::{
            Blkid, Dmsetup, Flock, Fsfreeze, Losetup, Lvchange, Lvcreate, Lvremove, Lvs, Mount, Pvchange, Pvcreate,
            Pvremove, Pvs, Umount, Vgchange, Vgextend, Vgreduce, Vgs,
        };
        let mut all = vec![Lvs, Pvs, Vgs, Vgchange, Lvcreate, Lvchange, Lvremove];
        if self.size.is_none() {
            all.push(Dmsetup);
        }
        if self.file.is_some() {
            all.extend([Losetup, Blkid, Pvcreate, Pvchange, Vgextend, Vgreduce, Pvremove]);
        }
        if self.mount.is_some() {
            all.extend([Mount, Umount]);
            all.extend(self.file.is_none().then_some(Blkid));
        }
        if self.freeze {
            all.extend([Fsfreeze, Flock]);
        }
        all
    }

    pub(super) fn loop_device(&self) -> Option<&Path> {
        self.file.as_ref()?.loop_device.as_deref()
    }
}

/// What was looked up. `None` where it is not wanted, or where something before it stood in the way.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// Whether root runs this.
    pub is_root: bool,
    /// The programs that are not there, of those that are needed.
    pub missing: Vec<Program>,
    /// What says that another run works on this snapshot.
    pub other_run: Option<String>,
    /// What is recorded under the snapshot's name; or why that cannot be known.
    pub record: Option<Result<Record, String>>,
    /// What is there of a snapshot that is recorded.
    pub made: Option<Made>,
    /// The group; or why LVM does not have it.
    pub group: Option<Result<Group, String>>,
    /// The place of the temporary file.
    pub file: Option<FilePlace>,
    /// The loop device.
    pub loop_device: Option<LoopPlace>,
    /// The mount point.
    pub mount: Option<MountPlace>,
    /// The file system on the origin, as blkid(8) calls it, where it is active: `None` within for none.
    pub file_system: Option<Result<Option<String>, String>>,
}

/// What is there of a snapshot that lvsnap made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Made {
    /// Its parts.
    pub facts: Facts,
    /// Whether something else than the snapshot is mounted where it is to be mounted.
    pub other_mount: bool,
    /// Whether the folder that was made for the mount holds something, where nothing is mounted there.
    pub folder_holds: bool,
}

/// A volume group.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// How many of its physical volumes are not there.
    pub missing_count: usize,
    /// Why LVM would not change it; `None` where it would, or was not asked since something is missing.
    pub refused: Option<String>,
    /// Which list in lvm.conf keeps its volumes inactive or read-only; `None` where none does.
    pub unusable: Option<String>,
    /// The largest unit in which one of its devices is addressed, where that is known.
    pub block_size: Option<Bytes>,
    /// Its space, for a classic snapshot.
    pub space: Option<GroupSpace>,
    /// Whether a volume has the snapshot's name.
    pub is_name_taken: bool,
    /// Whether the device mapper has a device of the snapshot's name.
    pub is_device_taken: bool,
    /// The origin; or why LVM does not have it.
    pub origin: Result<Origin, String>,
}

/// A volume group's space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSpace {
    /// What no volume has.
    pub free: Bytes,
    /// The unit in which volumes are sized.
    pub extent: Bytes,
}

/// The volume of which the snapshot is to be made.
#[derive(Clone, PartialEq, Debug)]
pub struct Origin {
    /// LVM's id of it.
    pub uuid: Uuid,
    /// What it is.
    pub kind: LvType,
    /// Whether it is a classic snapshot.
    pub is_classic_snapshot: bool,
    /// Its size.
    pub size: Bytes,
    /// LVM's letter for what is wrong with it.
    pub trouble: Option<char>,
    /// Whether the device mapper has it.
    pub is_active: bool,
    /// Whether its node is a block device.
    pub has_node: bool,
    /// Its pool, for a thin snapshot.
    pub pool: Option<Pool>,
}

/// A thin pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Its name.
    pub name: LvRef,
    /// Its state: `None` within where it is not active; or why it cannot be known.
    pub status: Result<Option<PoolStatus>, String>,
}

/// The place of a temporary file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilePlace {
    /// Its path, the folder without symbolic links; or why there is none.
    pub path: Result<PathBuf, String>,
    /// Whether something has its name.
    pub is_there: bool,
    /// How much a file may take there.
    pub free: Bytes,
    /// The volume of the group that it lies on, as the device mapper calls it; or why that cannot be known.
    pub on: Result<Option<String>, String>,
}

/// A loop device that is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoopPlace {
    /// Whether it is a block device, and a loop device.
    pub kind: NodeKind,
    /// The file that it has.
    pub file: Option<PathBuf>,
}

/// What a name in `/dev` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// Nothing.
    Absent,
    /// No block device.
    NoBlock,
    /// Another block device.
    Block,
    /// A loop device.
    Loop,
}

/// The place of a mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MountPlace {
    /// Its path, the folder that it lies in without symbolic links; or why there is none.
    pub path: Result<PathBuf, String>,
    /// What has its name.
    pub there: There,
    /// Whether something is mounted there.
    pub is_mount_point: bool,
}

/// What has the name of a mount point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum There {
    /// Nothing.
    Absent,
    /// An empty folder.
    Empty,
    /// A folder that holds something.
    Full,
    /// No folder.
    Other,
}
