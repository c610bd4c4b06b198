//! LVM2, the device mapper and the thin provisioning tools behind one typed, testable executor.
//!
//! Every external program runs through an [`Executor`]: [`Host`] runs it, [`Scripted`] replays what a real machine
//! once answered, [`Recording`] writes such a transcript. Above it are names that cannot be wrong ([`LvRef`]),
//! reports with units ([`volumes`]), and guards for what must be undone ([`MetadataSnapshot`], [`Activation`]).
//!
//! ```
//! use lvm_cmd::{LvRef, Scripted, VgName, pool_status};
//!
//! let exec = Scripted::from_transcript(
//!     "$ dmsetup status --target thin-pool vg0-my--pool-tpool\n\
//!      | 0 204800 thin-pool 3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256\n\
//!      = 0\n",
//! )?;
//! let pool: LvRef = "vg0/my-pool".parse()?;
//! let status = pool_status(&exec, &pool)?;
//! assert_eq!(status.data_free().get(), 1600 - 18);
//! assert_eq!(status.held_root, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Privileges.** LVM and `dmsetup` need root (strictly: access to `/dev/mapper/control` and to the physical
//! volumes). Parsing needs nothing.
//!
//! **Units.** Sizes of volumes are [`extents::Bytes`], data space of a pool is [`extents::Chunks`], its metadata space
//! [`extents::Bytes`]; times are seconds since 1970 in UTC.
//!
//! **Cost.** An LVM or `dmsetup` command takes 10 ms on a fast machine and up to a second on a small one, so each
//! function says how many it runs.
//!
//! **Invariant.** This crate knows no stream, no policy and no exit code. It prints nothing and reads neither the
//! environment nor the clock; it looks at the host only through the executor, the [`StateDir`] that it is given,
//! device nodes below the folder that it is given, `/proc/sys/kernel/random/boot_id`, and what a [`Stack`] names.
//!
//! # Limitations
//! A guard undoes its work in `Drop`, so it survives errors and panics, and signals where the program turns them into
//! an early return. It cannot survive `SIGKILL` or a power cut; what is left of a [`MetadataSnapshot`] then is found
//! and released by the next run on the same pool; a volume that was activated stays active until the next run that
//! needs it lets it go.

#![forbid(unsafe_code)]

mod activation;
mod activation_lists;
mod classic;
mod delta;
mod error;
mod exec;
mod freeze;
mod fsarchiver;
mod lock;
mod loop_device;
mod metadata_snapshot;
mod mount;
mod names;
mod patience;
mod physical;
mod pool;
mod record;
mod removal;
mod report;
mod self_test;
mod selftest_image;
mod share;
mod similar;
mod stack;
mod volume;

pub use activation::{Activation, ActivationError, ActivationOptions};
pub use activation_lists::{ActivationListError, check_activation_lists};
pub use classic::{ClassicError, ClassicStatus, classic_status};
pub use delta::{SpawnError, metadata_device, spawn_delta, spawn_dump};
pub use error::{Kind, with_causes};
pub use exec::{
    Command, ExecError, Executor, Exit, Host, MAX_INPUT, MAX_OUTPUT, MAX_STDERR, Output, Program, Recording,
    Remembering, Running, Scripted, TranscriptError,
};
pub use freeze::{FreezeError, Frozen, WrittenTo};
pub use fsarchiver::{
    ARCHIVE_EXTENSION, ArchiveError, ArchiveInfo, ArchivedFileSystem, Password, PasswordError, Save, archive_info,
    ends_whole, fsarchiver_is_there, spawn_restore, spawn_save,
};
pub use lock::{DEFAULT_LOCKS_DIR, DEFAULT_STATE_DIR, LockError, ProcessLock, StateDir};
pub use loop_device::{LoopDevice, LoopError, attach_loop, detach_loop, forget_loop, grow_loop, loop_devices};
pub use metadata_snapshot::{MetadataSnapshot, ReleaseError, ReserveError};
pub use mount::{MOUNTINFO, MountError, Mounted, file_system, mount, mount_of, mounted, unmount};
pub use names::{LvName, LvRef, NameError, Tag, ThinId, Uuid, VgName};
pub use patience::Patience;
pub use physical::{
    create_pv, drop_missing, extend_group, may_change_group, reduce_group, remove_pv, resize_pv, tag_pv,
};
pub use pool::{PoolError, PoolMode, PoolStatus, StatusError, ThinTarget, mapped, pool_status, thin_target};
pub use removal::{remove, remove_all};
pub use report::{
    Discards, Lv, LvAttr, LvType, Permission, Pv, ReportError, Vg, VolumesByGroup, find, groups, names_on,
    physical_volumes, volume, volumes, volumes_by_group,
};
pub use self_test::{DEFAULT_SCRATCH_DIR, SelfTestError, self_test};
pub use selftest_image::MetadataTool;
pub use share::is_active_for_us;
pub use stack::{Below, Stack};
pub use volume::{
    Change, NewVolume, Room, VolumeError, activate, change, create_classic, create_snapshot, create_thin, deactivate,
    extend_classic, rename, resize,
};
