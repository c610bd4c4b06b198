//! From a volume to a HYPERLAYER stream, and from a stream to a volume.
//!
//! The way of a block: what differs ([`Delta`], by a pool's metadata or by a [`scan`](scan::scan)), which records carry
//! it ([`Plan`]), reading and framing ([`diff`]); then decoding, checking the base and writing ([`Incoming`]). Layers that
//! follow each other are [verified](verify_chain), [merged](Merge) and [restored](restore) together, and volumes
//! [compared](compare()). All of it works over [`block_copy::ReadAt`] and [`block_copy::WriteAt`], so that a test can run
//! both ends in memory. The two x
//!
//! **Invariant.** This crate knows no command line, no terminal and no exit code; programs run only through
//! [`lvm_cmd::Executor`].

#![forbid(unsafe_code)]

mod assembler;
mod chain;
mod compare;
mod delta;
mod demands;
mod detect;
mod diff;
mod encoding;
mod error;
mod identity;
mod input;
mod layer;
pub mod lvm;
mod patch;
mod plan;
pub mod receive;
pub mod scan;

pub use chain::{
    LayerInput, LayerReader, Link, Merge, Opened, Restore, Seekable, Verified, check_headers, follows, restore,
    verify_chain,
};
pub use compare::{Compare, Differences, compare, compare_stream};
pub use delta::{Delta, Geometry};
pub use demands::{Demands, Promises};
pub use detect::{DetectLevel, checks};
pub use diff::{Part, Sent, Sink, ToSend, diff, diff_chain, diff_into};
pub use error::{Error, ErrorKind, undone};
pub use identity::{Base, Identity, check_base_size, identify, needs_no_base};
pub use input::{Interruptible, is_stop, stopped};
pub use layer::{Layer, Style};
pub use patch::{Apply, Incoming};
pub use plan::{Plan, Record};
