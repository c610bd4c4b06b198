//! Names and contents of files that survive a power failure.
//!
//! A file is durable when its content is synced and the directory that holds its name is synced too. Each function here
//! returns when both are, or with an error. [`replace`] writes a file beside its target, renames it and syncs the
//! directory; [`rename_new`] renames without replacing anything; [`make_directory`] makes a directory and its parents.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! let path = directory.path().join("state.json");
//! durable::replace(&path, durable::PRIVATE_FILE, b"{}")?;
//! durable::remove_file(&path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! **Rule.** A file system without a sync of directories (CIFS, some FUSE) is accepted, with one warning per process through
//! `tracing`. Any other error of a sync counts: after EIO the kernel may have dropped the data, and a second sync that
//! succeeds proves nothing.
//! **Invariant.** This crate depends on no other crate of the workspace. Linux only.

#![forbid(unsafe_code)]

mod directory;
mod file;

pub use directory::{directory_synced, make_directory, parent, sync_directory};
pub use file::{PRIVATE_FILE, remove_file, rename_new, replace, staged};
