//! Snapshots of LVM volumes that are made, mounted and removed step by step, on a group without free space too.
//!
//! A [`Record`] says beforehand all that is to be made of one snapshot; a [`Journal`] keeps it, durably, before and after
//! each [`Step`]. What there is of it is looked up ([`Facts`]) by marks that only its maker can have set: a tag of the
//! volume, the id of the physical volume, inodes. From record and facts, pure functions plan what removes or revives it
//! ([`removal`], [`revival`], [`recovery`]), after a crash as well as without one; there is no other way to remove anything.
//!
//! **Units.** Sizes are [`extents::Bytes`].
//!
//! **Invariant.** Nothing is removed that does not carry such a mark. This crate prints nothing, and reads neither the
//! environment nor the clock; it knows no streams, dumps or exit codes.

#![forbid(unsafe_code)]

mod beside;
pub mod check;
mod disk;
mod host;
mod journal;
mod plan;
mod record;
mod text;
mod work;

pub use disk::Disk;
pub use host::{HostSite, SiteError};
pub use journal::{DEFAULT_JOURNAL_DIR, Journal, JournalError};
pub use plan::{Action, Facts, Found, Physical, PlanError, is_lost, recovery, removal, revival, unmounting};
pub use record::{FileId, FileSystem, MountPoint, Phase, Progress, Record, Step, TmpFile, tagged_id};
pub use work::{
    Site, attach, begin, begin_step, carry_out, finish, finish_step, make, make_step, mount, recover, remove,
    to_recover, unmount,
};
