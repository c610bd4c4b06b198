//! The checks, as data.

/// When a check is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// When the command line is read: what it refuses is no request at all.
    CommandLine,
    /// Before anything is made.
    Before,
    /// By the step that would fail.
    Making,
    /// Before something is removed, of what is there then.
    Removing,
}

macro_rules! checks {
    ($($check:ident = $name:literal, $stage:ident $($seed:literal)?, $describes:literal;)+) => {
        /// What is looked at before a snapshot is made, while it is, and when it is removed. In this order.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Check {
            $(#[doc = concat!("`", $name, "`: ", $describes, ".")] $check,)+
        }

        impl Check {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$check),+];

            /// Its name, which never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => $name),+ }
            }

            /// What is checked.
            #[must_use]
            pub const fn describes(self) -> &'static str {
                match self { $(Self::$check => $describes),+ }
            }

            /// When it is made.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Self::$check => Stage::$stage),+ }
            }

            /// Its number among the 39 checks of the script that `lvsnap` takes the place of; `None` for one that the
            /// script lacks.
            #[must_use]
            pub const fn of_script(self) -> Option<u8> {
                match self { $(Self::$check => checks!(@seed $($seed)?)),+ }
            }
        }
    };
    (@seed) => { None };
    (@seed $seed:literal) => { Some($seed) };
}

checks! {
    GroupGiven = "group-given", CommandLine 1, "a volume group is named";
    OriginGiven = "origin-given", CommandLine 2, "a volume of it is named";
    NameGiven = "name-given", CommandLine 3, "the snapshot has a name that LVM takes";
    MountPointGiven = "mount-point-given", CommandLine 4, "a mount has a mount point";
    CommandGiven = "command-given", CommandLine 5, "a command is given";
    SizeIsSize = "size-is-size", CommandLine 6, "the size is a number of bytes";
    LoopDeviceForFile = "loop-device-for-file", CommandLine 7, "a loop device is named for a temporary file only";
    CreateRemovesNothing = "create-removes-nothing", CommandLine 11, "what makes a snapshot is not told to remove";
    RemoveMakesNothing = "remove-makes-nothing", CommandLine 12, "what removes a snapshot is not told to make";
    CommandKnown = "command-known", CommandLine 13, "the command is a known one";
    FileAbsolute = "file-absolute", Before 8, "the temporary file has an absolute path";
    LoopDeviceAbsolute = "loop-device-absolute", Before 9, "the loop device has an absolute path";
    MountPointAbsolute = "mount-point-absolute", Before 10, "the mount point has an absolute path";
    NameInGroup = "name-in-group", Before, "the snapshot is in its origin's group";
    NameNotOrigin = "name-not-origin", Before, "the snapshot is not called as its origin";
    NameLength = "name-length", Before, "LVM and the device mapper have room for the names";
    Root = "root", Before 14, "root runs it";
    Tools = "tools", Before, "the programs for all steps are there";
    NoOtherRun = "no-other-run", Before, "no other run works on this snapshot";
    RecordFree = "record-free", Before, "lvsnap has not made a snapshot of this name";
    GroupThere = "group-there", Before, "the volume group is there";
    GroupWhole = "group-whole", Before, "the volume group misses no physical volume";
    GroupChanges = "group-changes", Before, "LVM would change the volume group";
    GroupActivation = "group-activation", Before, "lvm.conf lets volumes of the group be active and writable";
    NameFree = "name-free", Before, "no volume has the snapshot's name";
    DeviceFree = "device-free", Before 15, "no device of the device mapper has the snapshot's name";
    OriginThere = "origin-there", Before, "the origin is there";
    OriginKind = "origin-kind", Before, "the origin is a volume of which a snapshot can be made";
    OriginWhole = "origin-whole", Before, "nothing is wrong with the origin";
    OriginDevice = "origin-device", Before 16, "the origin's device is there";
    SizeGiven = "size-given", Before, "a classic snapshot is given a size";
    PoolHealth = "pool-health", Before, "the thin pool works";
    PoolData = "pool-data", Before, "the thin pool has room for data";
    PoolMetadata = "pool-metadata", Before, "the thin pool has room for metadata";
    GroupRoom = "group-room", Before, "the volume group has room for a classic snapshot";
    FileFolder = "file-folder", Before, "the temporary file's folder is there";
    FileAbsent = "file-absent", Before 17, "the temporary file is not there";
    FileElsewhere = "file-elsewhere", Before 18, "the temporary file lies on no volume of the group";
    FileRoom = "file-room", Before 19, "the temporary file has room, with a margin";
    LoopDeviceKind = "loop-device-kind", Before 21, "the loop device is one, and a block device";
    LoopDeviceFree = "loop-device-free", Before, "the loop device has no file";
    MountPointFolder = "mount-point-folder", Before 26, "the mount point is a folder, or can be made";
    MountPointEmpty = "mount-point-empty", Before, "the mount point is empty";
    MountPointFree = "mount-point-free", Before 27, "nothing is mounted at the mount point";
    FileSystem = "file-system", Before 28, "there is a file system to mount";
    MountOptions = "mount-options", Before 29, "it can be mounted beside its origin, and how";
    FileMade = "file-made", Making 20, "the temporary file gets its space";
    LoopAttached = "loop-attached", Making 22, "the temporary file gets a loop device";
    PhysicalMade = "physical-volume-made", Making 23, "LVM puts its label on that";
    GroupExtended = "group-extended", Making 24, "the volume group takes it";
    SnapshotMade = "snapshot-made", Making 25, "LVM makes the snapshot";
    Mounted = "mounted", Making 30, "it is mounted";
    MountPointThere = "mount-point-there", Removing 31, "what is to be unmounted is there";
    MountIsOurs = "mount-is-ours", Removing 32, "what is mounted there is the snapshot";
    FolderIsOurs = "folder-is-ours", Removing 33, "the mount point is the folder that was made";
    FolderIsEmpty = "folder-is-empty", Removing 34, "the folder that goes is empty";
    VolumeIsOurs = "volume-is-ours", Removing 35, "the volume that goes is there and carries our tag";
    PhysicalInGroup = "physical-volume-in-group", Removing 36, "the volume group has the physical volume";
    PhysicalAlone = "physical-volume-alone", Removing 37, "no group has the physical volume that loses its label";
    LoopIsOurs = "loop-is-ours", Removing 38, "the loop device that is detached has our file";
    FileIsOurs = "file-is-ours", Removing 39, "the file that goes is the one that was made";
}
