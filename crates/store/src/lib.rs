//! A store of layers: a folder, or a bucket of an object store.
//!
//! A *layer* is one HYPERLAYER stream, kept as one immutable object, compressed and encrypted where asked. What a layer
//! is, a small *manifest* says, which is written last; a layer without one does not exist. Layers of one volume are a
//! *series*; a delta names its parent in the same series. `STORE.md`, beside this crate's manifest, is the normative text.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::time::{Duration, SystemTime};
//! use extents::{Bytes, ChunkSize};
//! use hyperlayer::{LayerId, Totals};
//! use store::{Draft, Encoding, Holder, Identities, Location, Options, ReadBack, Series, Store};
//!
//! # let folder = tempfile::tempdir()?;
//! let place = Location::parse(folder.path().to_str().expect("UTF-8"))?;
//! let holder = Holder { host: "here".into(), boot_id: "1".into(), pid_namespace: String::new(), pid: 1, command: "an example".into() };
//! let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
//! let options = Options::new(holder, clock, |_pid| true);
//! let store = Store::init(&place, &options)?;
//!
//! let (series, layer) = (Series::new("vg/home")?, LayerId::new("a-uuid")?);
//! let lock = store.lock_shared()?;
//! let mut writer = store.begin(&lock, &series, &layer, &Encoding::default(), Bytes::new(10))?;
//! writer.write_all(b"the stream")?;
//! let volume_size = Bytes::new(1 << 20);
//! let chunk_size = ChunkSize::from_bytes(Bytes::new(65536)).expect("128 sectors");
//! writer.finish(Draft::full(clock(), volume_size, chunk_size, Totals::default()), ReadBack::Data)?;
//!
//! let listing = store.list(None)?;
//! let chain = listing.chain(&series, &layer)?;
//! let mut back = String::new();
//! store.read(chain[0], &Identities::none())?.read_to_string(&mut back)?;
//! assert_eq!(back, "the stream");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Units.** Lengths are in bytes, times in whole seconds UTC. **Limits.** All in [`limits`]. **Invariant.** This crate
//! does not look into streams, and knows no volume, no LVM and no retention; the clock, the environment and who lives
//! are given to it. Nothing that a store says is trusted: names, sizes and digests are checked. **Threads.** Each
//! [`Store`] runs two of its own; its calls block, and must not be made from within an asynchronous runtime.
//! **Features.** `age`: encryption at rest.

#![forbid(unsafe_code)]

mod backend;
mod chain;
mod check;
mod environment;
mod error;
mod fault;
mod folder;
mod layer;
pub mod limits;
mod listing;
mod location;
mod lock;
mod manifest;
mod marks;
mod names;
mod options;
mod read;
mod seal;
mod service;
mod store;
mod time;
pub mod tree;
mod trouble;
mod unfinished;
mod upload;
mod write;

pub use chain::ChainError;
pub use check::{Garbage, Leftovers, Report, Unlisted};
pub use error::{Cause, Error, ErrorKind};
pub use fault::{Fault, Problem};
pub use layer::{Draft, Encoding, Facts, Layer, Stored, Wrapping};
pub use listing::{Listing, sample};
pub use location::Location;
pub use lock::{ExclusiveLock, LockId, LockInfo, LockKind, SharedLock};
pub use names::{Series, Tag};
pub use options::{Clock, Holder, IsAlive, Options, Retries, Sleep, SyncFile};
pub use read::LayerReader;
pub use seal::{Identities, Recipients, is_secret};
pub use store::Store;
pub use write::{LayerWriter, ReadBack};
