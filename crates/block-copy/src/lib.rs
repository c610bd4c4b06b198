//! Reading, writing and zeroing on block devices and files, with bounded queues.
//!
//! A volume is anything that implements [`ReadAt`] or [`WriteAt`]: a device or file ([`Volume`]), or memory
//! ([`Memory`]). There is no cursor. [`read_pieces`] reads ahead with several threads and delivers in order,
//! [`write_behind`] performs a queue of writes and zeroes in order, in whole chunks of a thin pool ([`ChunkWriter`]),
//! and returns when they are durable.
//!
//! ```
//! use block_copy::{Memory, Queue, ReadAt, Silent, is_zero, read_pieces, write_behind};
//! use extents::{Bytes, ChunkSize, Extent};
//!
//! let source = Memory::new((0..200_000).map(|i| if i < 150_000 { 7 } else { 0 }).collect());
//! let target = Memory::zeroed(200_000);
//! let chunk = ChunkSize::from_bytes(Bytes::new(65536)).expect("whole sectors");
//! let queue = Queue { piece: Bytes::new(65536), ..Queue::default() };
//!
//! write_behind(&target, chunk, queue, &Silent, |out| {
//!     read_pieces(&source, Extent::whole(source.size()), queue, &Silent, |piece| {
//!         if is_zero(&piece.buf) { out.zero(piece.extent) } else { out.write_buf(piece.extent.start(), piece.buf) }
//!     })
//! })?;
//! assert_eq!(target.into_vec(), source.into_vec());
//! # Ok::<(), block_copy::Error>(())
//! ```
//!
//! **Units.** Every offset and length is in [`Bytes`](extents::Bytes); ranges are half-open.
//! **Limits.** Memory is bounded by [`Queue`]; a piece has at most [`Queue::PIECE_MAX`] bytes. Linux only.
//! **Invariant.** This crate knows no LVM and no format. It is the only one of the workspace with `unsafe` code: one
//! request to the kernel.
//! **Features.** `testing`: volumes that behave badly on purpose.

#![deny(unsafe_code)]

mod at;
mod beside;
mod buffer;
mod chunks;
#[expect(unsafe_code, reason = "one ioctl, see there")]
mod discard;
mod error;
#[expect(unsafe_code, reason = "one function before `main`, see there")]
mod inherited;
mod memory;
mod partial;
mod progress;
mod queue;
mod read;
mod sparse;
#[cfg(feature = "testing")]
pub mod testing;
mod volume;
mod watch;
mod write;
mod zeros;

pub use at::{ReadAt, WriteAt};
pub use beside::{BesideFile, Existing};
pub use buffer::{AlignedBuf, BufferPool, PooledBuf};
pub use chunks::ChunkWriter;
pub use error::{Error, ErrorKind, Op};
pub use inherited::Standard;
pub use memory::Memory;
pub use partial::{PartialFile, rename_new};
pub use progress::{Progress, Silent};
pub use queue::Queue;
pub use read::{Piece, read_pieces};
pub use sparse::copy_sparse;
pub use volume::{Access, Volume};
pub use write::{WriteQueue, write_behind, write_behind_marked};
pub use zeros::is_zero;
