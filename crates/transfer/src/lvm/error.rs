//! What LVM, the device mapper, or what they hold stands in the way of.

use extents::Bytes;
use lvm_cmd::{
    ActivationError, ExecError, FreezeError, Kind, LockError, LvName, LvRef, NameError, PoolError, PoolMode,
    ReleaseError, ReportError, ReserveError, SelfTestError, SpawnError, Tag, VgName, VolumeError,
};

use crate::error::both;
use crate::{Error, ErrorKind};

macro_rules! lvm_errors {
    ($($from:ident),+ ; $($rest:tt)*) => {
        /// What stands in the way on LVM.
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum LvmError {
            $(
                #[doc = concat!("See [`", stringify!($from), "`].")]
                #[error(transparent)]
                $from(#[from] $from),
            )+
            $($rest)*
        }

        $(
            impl From<$from> for Error {
                fn from(error: $from) -> Self {
                    LvmError::from(error).into()
                }
            }
        )+

        impl LvmError {
            /// What the program or the guard that failed says of it.
            fn cause_kind(&self) -> Option<Kind> {
                match self {
                    $(Self::$from(error) => Some(error.kind()),)+
                    _ => None,
                }
            }
        }
    };
}

lvm_errors! {
    ActivationError, LockError, NameError, PoolError, ReleaseError, ReportError, ReserveError, SelfTestError, SpawnError,
    VolumeError, ExecError, FreezeError;

    /// Volumes of different groups.
    #[error("`{new}` and `{base}` are in different volume groups")]
    TwoGroups {
        /// The volume to send.
        new: LvRef,
        /// Its base.
        base: LvRef,
    },
    /// Volumes of different pools.
    #[error("`{new}` and `{base}` are in different thin pools")]
    TwoPools {
        /// The volume to send.
        new: LvRef,
        /// Its base.
        base: LvRef,
    },
    /// The volume and its base are one.
    #[error("`{name}` is given as its own base")]
    SameVolume {
        /// The volume.
        name: LvRef,
    },
    /// There is no row of snapshots from the base to the new volume.
    #[error("cannot send what lies between `{base}` and `{new}`: `{new}` is not a later snapshot of the same volume")]
    NotLater {
        /// The volume to send.
        new: LvRef,
        /// Its base.
        base: LvRef,
    },
    /// A snapshot between two others is not a layer, since it can be written.
    #[error("cannot send the snapshot `{name}`: it is writable")]
    WritableBetween {
        /// The snapshot.
        name: LvRef,
        /// Whether it is open, or has snapshots of its own.
        in_use: bool,
    },
    /// More snapshots between two others than one chain takes.
    #[error("cannot send {steps} layers in one chain: at most {max} volumes can be open at once")]
    TooManyBetween {
        /// How many there are.
        steps: usize,
        /// How many there may be.
        max: usize,
        /// The newest snapshot up to which they fit.
        first: LvRef,
        /// The base of all.
        base: LvRef,
    },
    /// Not in the pool that was asked for.
    #[error("`{name}` is in pool `{pool}`, not in `{asked}`")]
    OtherPool {
        /// The volume.
        name: LvRef,
        /// Its pool.
        pool: LvRef,
        /// The pool asked for.
        asked: LvName,
    },
    /// No thin volume.
    #[error("`{name}` is no thin volume")]
    NotThin {
        /// The volume.
        name: LvRef,
    },
    /// No thin pool.
    #[error("`{name}` is no thin pool")]
    NotAPool {
        /// The volume.
        name: LvRef,
    },
    /// It may change while it is read.
    #[error("`{name}` may change while it is read: it is writable, active{}", if *in_use { ", in use" } else { "" })]
    Live {
        /// The volume.
        name: LvRef,
        /// Whether something has it open.
        in_use: bool,
    },
    /// A base that may change: what would be made of it for one run, no receiver has.
    #[error("`{name}` is to be the base, and is writable and active: a snapshot of it is a layer that no receiver has")]
    LiveBase {
        /// The volume.
        name: LvRef,
    },
    /// It has the id that it had, and perhaps not the content.
    #[error("`{name}` is writable: it may have changed since a part of it was sent")]
    MayHaveChanged {
        /// The volume.
        name: LvRef,
    },
    /// Where they have mapped nothing they read different data.
    #[error("`{name}` reads through to {new} as its external origin, and its base to {base}")]
    OtherOrigins {
        /// The volume to send.
        name: LvRef,
        /// Its external origin, or `none`.
        new: String,
        /// Its base's.
        base: String,
    },
    /// The device is not what LVM reported.
    #[error("`{name}` has {found} bytes as a device and {expected} by LVM's report; was it resized just now?")]
    OtherSize {
        /// The volume.
        name: LvRef,
        /// What LVM reported.
        expected: Bytes,
        /// What the device has.
        found: Bytes,
    },
    /// Another volume has its name now.
    #[error("`{name}` was removed and made anew meanwhile")]
    Replaced {
        /// The volume.
        name: LvRef,
    },
    /// The metadata snapshot is not the one just reserved.
    #[error("the metadata snapshot of `{pool}` is of transaction {found}, reserved was one of transaction {expected}")]
    StaleMetadata {
        /// The pool.
        pool: LvRef,
        /// When it was reserved.
        expected: u64,
        /// What was read.
        found: u64,
    },
    /// The pool is damaged.
    #[error("the metadata of pool `{pool}` must be checked and repaired first")]
    NeedsCheck {
        /// The pool.
        pool: LvRef,
    },
    /// The pool takes no writes.
    #[error("pool `{pool}` takes no writes now ({})", mode_text(*mode))]
    PoolNotWritable {
        /// The pool.
        pool: LvRef,
        /// What it still does.
        mode: PoolMode,
    },
    /// Not enough room.
    #[error("pool `{pool}` is too full: the layer may need {} of {what} space, free are {}", both(*needed), both(*free))]
    PoolFull {
        /// The pool.
        pool: LvRef,
        /// Data or metadata.
        what: &'static str,
        /// What the layer may need.
        needed: Bytes,
        /// What is free.
        free: Bytes,
    },
    /// Another chunk than LVM reports.
    #[error("pool `{pool}`: {what}")]
    OtherChunk {
        /// The pool.
        pool: LvRef,
        /// Both sizes.
        what: String,
    },
    /// The answer is about other volumes.
    #[error("the answer about pool `{pool}` is about other volumes than were asked for")]
    OtherDevices {
        /// The pool.
        pool: LvRef,
    },
    /// A program was started without a way to read it.
    #[error("a program has no output to read")]
    NoOutput,
    /// A volume just made has data mapped.
    #[error("a new volume in pool `{pool}` is not empty: LVM and the pool's metadata disagree")]
    NotEmpty {
        /// The pool.
        pool: LvRef,
    },
    /// The name is taken.
    #[error("`{name}` exists already")]
    Exists {
        /// The volume.
        name: LvRef,
    },
    /// A run that was killed had just given the volume its name.
    #[error("`{name}` exists already: a run that was interrupted had finished it, but for its tag `{tag}`")]
    Finished {
        /// The volume.
        name: LvRef,
        /// The tag.
        tag: Tag,
    },
    /// No whole number of the group's extents.
    #[error("a volume of {size} bytes cannot be in group `{vg}`: its extents make it {found}")]
    OddSize {
        /// The group.
        vg: VgName,
        /// The size asked for.
        size: Bytes,
        /// What LVM makes of it.
        found: Bytes,
    },
    /// A volume that an interrupted receive had written to is not there any more.
    #[error("`{name}`, with what was received before the interruption, is not there")]
    PartialGone {
        /// The volume.
        name: LvRef,
    },
    /// A volume of ours could not be removed.
    #[error("`{name}` is left, a volume that is not whole")]
    Leftover {
        /// The volume.
        name: LvRef,
        /// Why it could not be removed.
        source: VolumeError,
    },
    /// A volume is whole and still carries our tag.
    #[error("`{name}` is whole, but keeps the tag `{tag}`")]
    TagLeft {
        /// The volume.
        name: LvRef,
        /// The tag.
        tag: Tag,
        /// Why it could not be taken away.
        source: VolumeError,
    },
}

impl From<LvmError> for Error {
    fn from(error: LvmError) -> Self {
        Self::Lvm(Box::new(error))
    }
}

impl LvmError {
    /// What this means to the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TwoGroups { .. }
            | Self::TwoPools { .. }
            | Self::SameVolume { .. }
            | Self::NotLater { .. }
            | Self::WritableBetween { .. }
            | Self::TooManyBetween { .. }
            | Self::OtherOrigins { .. }
            | Self::OtherPool { .. }
            | Self::NotThin { .. }
            | Self::NotAPool { .. } => ErrorKind::Usage,
            Self::NotEmpty { .. } | Self::NeedsCheck { .. } | Self::PoolNotWritable { .. } | Self::PoolFull { .. } => {
                ErrorKind::Surroundings
            }
            Self::Leftover { .. } | Self::TagLeft { .. } => ErrorKind::Unfinished,
            Self::ActivationError(ActivationError::Deactivate { .. })
            | Self::ReleaseError(ReleaseError::Release { .. } | ReleaseError::Unknown { .. }) => ErrorKind::Unfinished,
            Self::StaleMetadata { .. }
            | Self::OtherDevices { .. }
            | Self::OtherChunk { .. }
            | Self::MayHaveChanged { .. } => ErrorKind::Refused,
            _ => match self.cause_kind() {
                Some(Kind::Environment | Kind::Busy) => ErrorKind::Surroundings,
                Some(Kind::Invalid) => ErrorKind::Usage,
                _ => ErrorKind::Failed,
            },
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Live { name, .. } => format!(
                "make a snapshot and send that: `lvcreate -s -pr -n NAME {name}`; or let `--snapshot` make one for this \
                 run; or, where nobody writes to it, `lvchange -pr {name}`"
            ),
            Self::FreezeError(FreezeError::Written { name, .. }) => {
                format!("send {name} to a file on another file system, or to a pipe")
            }
            Self::LiveBase { .. } => "name as its base a snapshot that was sent before".to_owned(),
            Self::MayHaveChanged { name } => format!(
                "discard the partial receive (`lvbackup recv --discard-partial`) and send the layer anew; `lvchange -pr \
                 {name}` lets that be continued"
            ),
            Self::NotLater { new, base } => {
                format!("see `lvs -o+origin,lv_time {}`; name its base with `-i {base}` to send one delta", new.vg())
            }
            Self::WritableBetween { in_use: true, .. } => "leave it out with `--match`".into(),
            Self::WritableBetween { name, .. } => {
                format!("make it read-only: `lvchange -pr {name}`; or leave it out with `--match`")
            }
            Self::TooManyBetween { first, base, .. } => {
                format!("send two chains: `-l {first} -I {base}`, then the rest with `-I {first}`")
            }
            Self::NotEmpty { pool } => {
                format!("compare `thin_dump` of the pool's metadata with `lvs -o+thin_id {pool}`; see lvmthin(7)")
            }
            Self::OtherOrigins { name, .. } => format!("send all of it: `lvdiff --full {name}`"),
            Self::NeedsCheck { pool } => format!("deactivate it and run `lvconvert --repair {pool}`"),
            Self::PoolNotWritable { pool, .. } => format!("look at `lvs -a {pool}`; extend it with `lvextend`"),
            Self::PoolFull { pool, what: "metadata", .. } => format!("run `lvextend --poolmetadatasize +SIZE {pool}`"),
            Self::PoolFull { pool, .. } => format!("run `lvextend -L +SIZE {pool}`, or remove old snapshots"),
            Self::Exists { name } => format!("give another name, or remove it: `lvremove {name}`"),
            Self::PartialGone { .. } => "begin anew, after `lvbackup recv --discard-partial`".to_owned(),
            Self::Leftover { name, source: VolumeError::NotOurs { .. } } => {
                format!("see whose it is: `lvs -o+tags {name}`")
            }
            Self::Leftover { name, .. } => format!("remove it: `lvremove {name}`"),
            Self::Finished { name, tag } | Self::TagLeft { name, tag, .. } => {
                format!("take the tag away: `lvchange --deltag {tag} {name}`")
            }
            Self::OddSize { .. } => "receive it in a group with smaller extents (`vgchange -s`)".to_owned(),
            Self::VolumeError(error) => return error.hint(),
            Self::ActivationError(error) => return error.hint(),
            _ => return None,
        })
    }
}

fn mode_text(mode: PoolMode) -> &'static str {
    match mode {
        PoolMode::ReadWrite => "read-write",
        PoolMode::OutOfDataSpace => "out of data space",
        PoolMode::ReadOnly => "read-only",
    }
}
